import CApusProtocol
import Crypto
import Foundation
import Testing

/// Keys of both kinds. Ed25519 is checked by another implementation.
@Suite struct BinanceSignerTests {
    private func sign(_ signer: inout apus_binance_signer, _ text: String) -> String {
        var out = [CChar](repeating: 7, count: Int(APUS_BINANCE_SIGNATURE_BYTES))
        let length = apus_binance_sign(&signer, text, text.utf8.count, &out)
        return String(decoding: out.prefix(Int(max(length, 0))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// PKCS #8: the version, the algorithm 1.3.101.112, and the seed as an octet string within an octet string.
    private func pem(_ key: Curve25519.Signing.PrivateKey) -> String {
        let head: [UInt8] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]
        let body = Data(head + key.rawRepresentation).base64EncodedString()
        return "-----BEGIN PRIVATE KEY-----\n\(body)\n-----END PRIVATE KEY-----\n"
    }

    @Test func ed25519SignsWhatAnotherImplementationAccepts() throws {
        let key = Curve25519.Signing.PrivateKey()
        var signer = apus_binance_signer()
        try #require(apus_binance_signer_init_ed25519(&signer, "key", pem(key)) == 0)
        defer { apus_binance_signer_wipe(&signer) }
        for text in ["", "symbol=BTCUSDT&timestamp=1", String(repeating: "x", count: 600)] {
            let base64 = sign(&signer, text)
            #expect(base64.utf8.count == 88)
            let signature = try #require(Data(base64Encoded: base64))
            #expect(key.publicKey.isValidSignature(signature, for: Data(text.utf8)))
            #expect(!key.publicKey.isValidSignature(signature, for: Data((text + "y").utf8)))
        }
    }

    /// RFC 8032, section 7.1, test 2.
    @Test func ed25519GivesTheKnownAnswer() throws {
        let seed: [UInt8] = [
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a,
            0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
        ]
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        var signer = apus_binance_signer()
        try #require(apus_binance_signer_init_ed25519(&signer, "key", pem(key)) == 0)
        defer { apus_binance_signer_wipe(&signer) }
        let signature = try #require(Data(base64Encoded: sign(&signer, "r")))
        #expect(
            signature.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    }

    @Test func whatIsNoSuchKeyIsRefused() {
        var signer = apus_binance_signer()
        #expect(apus_binance_signer_init_ed25519(&signer, "key", "") == -74)
        #expect(apus_binance_signer_init_ed25519(&signer, "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n") == -74)
        let other = P256.Signing.PrivateKey().pemRepresentation
        #expect(apus_binance_signer_init_ed25519(&signer, "key", other) == -74, "another kind of key")
        #expect(apus_binance_signer_init_ed25519(&signer, "bad key", pem(Curve25519.Signing.PrivateKey())) == -22)
        apus_binance_signer_wipe(&signer)
        apus_binance_signer_wipe(&signer)
    }

    @Test func hmacIsHexadecimal() {
        var signer = apus_binance_signer()
        #expect(apus_binance_signer_init(&signer, "key", "secret") == 0)
        #expect(sign(&signer, "abc").utf8.count == 64)
        #expect(sign(&signer, "abc") == "9946dad4e00e913fc8be8e5d3f7e110a4a9e832f83fb09c345285d78638d8a0e")
        apus_binance_signer_wipe(&signer)
        #expect(sign(&signer, "abc") != "9946dad4e00e913fc8be8e5d3f7e110a4a9e832f83fb09c345285d78638d8a0e")
    }
}
