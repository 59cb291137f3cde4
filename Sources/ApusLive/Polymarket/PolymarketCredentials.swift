import CApusProtocol
import Synchronization

/// The three texts of an API key (level 2).
package struct PolymarketAPIKey: Sendable, Equatable, Decodable, CustomStringConvertible {
    let key: String
    let secret: String
    let passphrase: String

    package init(key: String, secret: String, passphrase: String) {
        self.key = key
        self.secret = secret
        self.passphrase = passphrase
    }

    private enum CodingKeys: String, CodingKey {
        case key = "apiKey"
        case secret, passphrase
    }

    package var description: String { "API key" }
}

/// A Polymarket wallet: the key that signs, whose money it is, and the API key, which may be derived at the start.
package final class PolymarketCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    let key: PolymarketKey
    /// The address that holds the money; nil: the key's own.
    let funder: [UInt8]?
    let signatureType: UInt8
    private let api: Mutex<PolymarketAPIKey?>

    package init(key: PolymarketKey, funder: String?, signatureType: UInt8, api: PolymarketAPIKey?) throws(LiveError) {
        self.key = key
        self.signatureType = signatureType
        self.api = Mutex(api)
        self.funder = try funder.map { text throws(LiveError) in
            var bytes = [UInt8](repeating: 0, count: Int(APUS_ADDRESS_BYTES))
            guard apus_hex_parse(text, text.utf8.count, &bytes, bytes.count) == 0 else {
                throw LiveError("APUS_POLYMARKET_FUNDER: \"\(text)\" is no address (0x and 40 hexadecimal digits)")
            }
            return bytes
        }
        let isOwn = self.funder.map { addressText($0) == key.address } ?? true
        if signatureType == UInt8(APUS_POLYMARKET_EOA.rawValue), !isOwn {
            throw LiveError(
                "APUS_POLYMARKET_FUNDER is not the key's own address: set APUS_POLYMARKET_SIGNATURE_TYPE to 1 (proxy), "
                    + "2 (Safe) or 3 (deposit wallet)")
        }
        if signatureType != UInt8(APUS_POLYMARKET_EOA.rawValue), self.funder == nil {
            throw LiveError(
                "APUS_POLYMARKET_SIGNATURE_TYPE \(signatureType) needs the wallet in APUS_POLYMARKET_FUNDER")
        }
    }

    /// From `APUS_POLYMARKET_PRIVATE_KEY`, `_FUNDER`, `_SIGNATURE_TYPE` and, all three or none, `_API_KEY`, `_API_SECRET` and
    /// `_API_PASSPHRASE`.
    package convenience init(environment: [String: String]) throws(LiveError) {
        func value(_ name: String) -> String? {
            environment["APUS_POLYMARKET_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let secret = value("PRIVATE_KEY") else {
            throw LiveError("live orders need APUS_POLYMARKET_PRIVATE_KEY in the environment")
        }
        let key: PolymarketKey
        do { key = try PolymarketKey(secret) } catch { throw LiveError("APUS_POLYMARKET_PRIVATE_KEY: \(error)") }
        let type = value("SIGNATURE_TYPE") ?? "0"
        guard let number = UInt8(type), number <= UInt8(APUS_POLYMARKET_POLY_1271.rawValue) else {
            throw LiveError("APUS_POLYMARKET_SIGNATURE_TYPE: \"\(type)\" is none of 0, 1, 2 and 3")
        }
        let parts = ["API_KEY", "API_SECRET", "API_PASSPHRASE"].map(value)
        let given = parts.compactMap(\.self)
        guard given.isEmpty || given.count == 3 else {
            throw LiveError(
                "APUS_POLYMARKET_API_KEY, APUS_POLYMARKET_API_SECRET and APUS_POLYMARKET_API_PASSPHRASE belong together: "
                    + "set all of them, or none to have them derived")
        }
        let api =
            given.isEmpty ? nil : PolymarketAPIKey(key: given[0], secret: given[1], passphrase: given[2])
        try self.init(key: key, funder: value("FUNDER"), signatureType: number, api: api)
    }

    /// The API key; nil: it is to be derived first.
    package var apiKey: PolymarketAPIKey? { api.withLock { $0 } }

    /// Takes over a derived key.
    package func take(_ key: PolymarketAPIKey) { api.withLock { $0 = key } }

    /// The address that holds the money.
    package var wallet: String { funder.map(addressText) ?? key.address }

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }

    /// Fills in who signs. The API key is there.
    package func prepare(_ signer: UnsafeMutablePointer<apus_polymarket_signer>) throws(LiveError) {
        guard let api = apiKey else { throw LiveError("the API key has not been derived yet") }
        let result = apus_polymarket_signer_init(
            signer, key.pointer, signatureType, funder, api.key, api.secret, api.passphrase)
        guard result == 0 else {
            throw LiveError(
                "the Polymarket API key, secret or passphrase is not usable (empty, too long, not base64, or with a "
                    + "character that none has)")
        }
    }
}

extension PolymarketAPIKey {
    /// The signature of a request's text (level 2); nil when the secret is no base64.
    package func signature(of text: String) -> String? {
        var key = apus_hmac_key()
        guard apus_polymarket_secret_prepare(&key, secret, secret.utf8.count) == 0 else { return nil }
        defer { apus_hmac_wipe(&key) }
        let bytes = Array(text.utf8)
        let signature = bytes.withUnsafeBytes { bytes in
            [CChar](unsafeUninitializedCapacity: Int(APUS_POLYMARKET_HMAC_BYTES)) { buffer, count in
                if let start = buffer.baseAddress {
                    apus_polymarket_request_sign(&key, bytes.baseAddress, bytes.count, start)
                }
                count = Int(APUS_POLYMARKET_HMAC_BYTES)
            }
        }
        return String(decoding: signature.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
