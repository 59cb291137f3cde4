import Foundation
import Testing

@testable import ApusVenue

/// Known answers of the venue's own clients, which lie beside the project.
private enum Vectors {
    static let path =
        (ProcessInfo.processInfo.environment["APUS_SHARED"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "shared").path()) + "/vectors/polymarket-signing.json"
    static let areNeeded =
        FileManager.default.fileExists(atPath: path) || ProcessInfo.processInfo.environment["CI"] == "true"

    static func load() throws -> JSONValue {
        try JSONParser.parse(Array(try Data(contentsOf: URL(filePath: path))))
    }
}

@Suite struct PolymarketSignatureTests {
    private let recovery = SignatureRecovery()
    private let wallet = EthereumAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")!

    @Test(arguments: [
        ("", "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("abc", "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
            "0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f"
        ),
    ])
    func hashesAsEthereumDoes(_ text: String, _ hash: String) { #expect(hexString(Keccak256.hash(text)) == hash) }

    @Test func lengthsAroundABlockDiffer() {
        let hashes = (130...140).map { hexString(Keccak256.hash([UInt8](repeating: 97, count: $0))) }
        #expect(Set(hashes).count == hashes.count)
    }

    @Test func addressesAreWrittenWithTheirChecksum() {
        #expect("\(wallet)" == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        #expect(EthereumAddress("0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266") == wallet)
        #expect(EthereumAddress("0xf39f") == nil && EthereumAddress("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266") == nil)
        let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
        #expect(EthereumAddress.ofPrivateKey(key) == wallet)
        #expect(EthereumAddress.ofPrivateKey("0x" + String(repeating: "0", count: 64)) == nil)
    }

    @Test(arguments: [
        "0", "255", "256", "71321045679252212594626385532706912750332728571942532289631379312455583992563",
    ])
    func numbersOf256BitsComeBack(_ text: String) { #expect(word(decimal: text).map(decimalText(ofWord:)) == text) }

    @Test func numbersThatDoNotFitAreRefused() {
        #expect(word(decimal: "") == nil && word(decimal: "-1") == nil && word(decimal: "1e3") == nil)
        #expect(word(decimal: String(repeating: "9", count: 78)) == nil)
    }

    @Test(.enabled(if: Vectors.areNeeded)) func knownOrders() throws {
        guard case .array(let entries)? = try Vectors.load()["orders"] else {
            Issue.record("there are no orders")
            return
        }
        #expect(entries.count >= 4)
        for entry in entries {
            let order = try signedOrder(try #require(entry["order"]))
            let domain = ExchangeDomain(
                version: text(entry, "domainVersion")!, chainID: UInt64(text(entry, "chainId")!)!,
                contract: EthereumAddress(text(entry, "verifyingContract")!)!)
            let signature = try #require(text(entry, "expectedSignature").flatMap(hexBytes))
            #expect(hexString(order.hash(domain)) == text(entry, "expectedSigningHash"), "\(text(entry, "name") ?? "")")
            #expect(order.signer(signature, domain, recovery) == wallet, "\(text(entry, "name") ?? "")")
            var other = order
            other.makerAmount += 1
            #expect(other.signer(signature, domain, recovery) != wallet)
            var wrong = domain
            wrong.version = "3"
            #expect(order.signer(signature, wrong, recovery) != wallet)
        }
    }

    private func signedOrder(_ json: JSONValue) throws -> SignedOrder {
        SignedOrder(
            salt: word(decimal: text(json, "salt")!)!, maker: EthereumAddress(text(json, "maker")!)!,
            signer: EthereumAddress(text(json, "signer")!)!, tokenID: word(decimal: text(json, "tokenId")!)!,
            makerAmount: Int64(text(json, "makerAmount")!)!, takerAmount: Int64(text(json, "takerAmount")!)!,
            side: text(json, "side") == "BUY" ? .buy : .sell,
            signatureType: SignatureType(rawValue: Int(text(json, "signatureType")!)!)!,
            timestamp: UInt64(text(json, "timestamp")!)!, metadata: hexBytes(text(json, "metadata")!)!,
            builder: hexBytes(text(json, "builder")!)!)
    }

    @Test(.enabled(if: Vectors.areNeeded)) func knownWalletSignature() throws {
        let entry = try #require(try Vectors.load()["clobAuth"])
        let message = ClobAuth(
            address: EthereumAddress(text(entry, "address")!)!, timestamp: text(entry, "timestamp")!,
            nonce: word(decimal: text(entry, "nonce")!)!, chainID: UInt64(text(entry, "chainId")!)!)
        let signature = try #require(text(entry, "expected").flatMap(hexBytes))
        #expect(recovery.signer(of: message.hash, signature: signature) == message.address)
    }

    @Test(.enabled(if: Vectors.areNeeded)) func knownHMAC() throws {
        let entry = try #require(try Vectors.load()["hmac"])
        let signature = PolymarketVenue.hmac(
            text(entry, "secret")!, text(entry, "timestamp")!, text(entry, "method")!, text(entry, "path")!,
            Array(text(entry, "body")!.utf8))
        #expect(signature == text(entry, "expected"))
    }

    @Test func aSignatureWithALargeSIsRefused() throws {
        let wallet = TestWallet(9)
        let hash = Keccak256.hash("text")
        let signature = wallet.sign(hash)
        #expect(recovery.signer(of: hash, signature: signature) == wallet.address)
        // The twin: n - s with the other parity signs the same for whoever does not look.
        let order = try #require(hexBytes("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
        var twin = signature
        var borrow = 0
        for index in (0..<32).reversed() {
            let value = Int(order[index]) - Int(signature[32 + index]) - borrow
            twin[32 + index] = UInt8((value + 256) % 256)
            borrow = value < 0 ? 1 : 0
        }
        twin[64] = signature[64] == 27 ? 28 : 27
        #expect(recovery.signer(of: hash, signature: twin) == nil)
        #expect(recovery.signer(of: hash, signature: Array(signature[..<64])) == nil)
        #expect(recovery.signer(of: hash, signature: signature[..<64] + [29]) == nil)
        #expect(recovery.signer(of: hash, signature: [UInt8](repeating: 0, count: 64) + [27]) == nil)
    }

    @Test(arguments: ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "-_-_", "+/+/"])
    func base64ComesBack(_ encoded: String) throws {
        let bytes = try #require(base64Decoded(encoded))
        let again = String(decoding: base64URLText(bytes), as: UTF8.self)
        #expect(again == encoded.replacing("+", with: "-").replacing("/", with: "_"))
    }

    @Test(arguments: ["Z", "Zg=", "Zg=a", "Zg==="]) func whatIsNoBase64IsRefused(_ text: String) {
        #expect(base64Decoded(text) == nil)
    }
}
