import CApusProtocol
import Glibc
import Synchronization

/// Signs requests that are not urgent, with either kind of key. One signature at a time: OpenSSL's context is shared.
final class BinanceSigner: Sendable {
    // Unchecked where it is used: the memory belongs to this object and is touched under the lock alone.
    private struct Place: @unchecked Sendable { let signer: UnsafeMutablePointer<apus_binance_signer> }
    private let place: Mutex<Place>

    init(_ credentials: BinanceCredentials) throws(LiveError) {
        let signer = UnsafeMutablePointer<apus_binance_signer>.allocate(capacity: 1)
        signer.initialize(to: apus_binance_signer())
        do throws(LiveError) { try Self.prepare(signer, credentials) } catch {
            signer.deallocate()
            throw error
        }
        place = Mutex(Place(signer: signer))
    }

    deinit {
        place.withLock {
            apus_binance_signer_wipe($0.signer)
            $0.signer.deallocate()
        }
    }

    /// The signature of a text, hexadecimal or base64; nil when the key does not sign.
    func sign(_ text: String) -> String? {
        place.withLock {
            var out = [CChar](repeating: 0, count: Int(APUS_BINANCE_SIGNATURE_BYTES))
            let length = apus_binance_sign($0.signer, text, text.utf8.count, &out)
            return length < 0
                ? nil : String(decoding: out.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Makes the signer of those credentials; says what is wrong with them.
    static func prepare(
        _ signer: UnsafeMutablePointer<apus_binance_signer>, _ credentials: BinanceCredentials
    ) throws(LiveError) {
        switch credentials.secret {
        case .hmac(let secret):
            try check(
                apus_binance_signer_init(signer, credentials.key, secret),
                "the API key or secret is not usable (empty, too long, or with a character that no key has)")
        case .ed25519(let pem):
            let result = apus_binance_signer_init_ed25519(signer, credentials.key, pem)
            if result == -EBADMSG {
                throw LiveError("the private key is no Ed25519 key in PEM (PKCS #8, without a password)")
            }
            try check(result, "the API key is not usable (empty, too long, or with a character that no key has)")
        }
    }
}
