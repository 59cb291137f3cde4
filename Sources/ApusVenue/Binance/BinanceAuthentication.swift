import Crypto

/// Key and signature checks, written from the venue's documentation and independent of the engine's code.
package enum BinanceAuthentication {
    /// The HMAC-SHA256 of a text in lower-case hexadecimal.
    static func signature(of text: [UInt8], secret: String) -> [UInt8] {
        hexText(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: Array(secret.utf8))))
    }

    /// Whether the signature is that of the account: HMAC in hexadecimal, or Ed25519 in base64.
    static func isValid(signature: String, of text: [UInt8], account: BinanceAccountConfiguration) -> Bool {
        if account.publicKey.isEmpty { return isValid(signature: signature, of: text, secret: account.secret) }
        guard let bytes = base64Bytes(signature), bytes.count == 64,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: account.publicKey)
        else { return false }
        return key.isValidSignature(bytes, for: text)
    }

    /// Whether the signature is right; hexadecimal of either case.
    static func isValid(signature: String, of text: [UInt8], secret: String) -> Bool {
        Self.signature(of: text, secret: secret) == Array(signature.lowercased().utf8)
    }

    /// What a REST request signs: the query followed at once by the body, each without its `signature` pair.
    static func signedText(query: String, body: [UInt8]) -> [UInt8] {
        withoutSignature(Array(query.utf8)) + withoutSignature(body)
    }

    private static func withoutSignature(_ text: [UInt8]) -> [UInt8] {
        let prefix = Array("signature=".utf8)
        let kept = text.split(separator: 38, omittingEmptySubsequences: false).filter { !$0.starts(with: prefix) }
        return Array(kept.joined(separator: [38]))
    }

    /// The bytes of a base64 text with its padding; nil when it is none.
    package static func base64Bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard !digits.isEmpty, digits.count % 4 == 0 else { return nil }
        let padding = digits.reversed().prefix { $0 == 61 }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        for (place, digit) in digits.dropLast(padding).enumerated() {
            guard let value = base64Value(digit) else { return nil }
            word = word << 6 | value
            if place % 4 > 0 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(6 - 2 * (place % 4)))) }
        }
        return bytes
    }

    private static func base64Value(_ digit: UInt8) -> UInt32? {
        switch digit {
        case 65...90: UInt32(digit) - 65
        case 97...122: UInt32(digit) - 71
        case 48...57: UInt32(digit) + 4
        case 43: 62
        case 47: 63
        default: nil
        }
    }

    /// Checks `timestamp` and `recvWindow` against the venue's time.
    static func checkTime(_ parameters: Parameters, now: VenueTime) throws(BinanceError) {
        guard let timestamp = try parameters.integer("timestamp") else { throw .mandatory("timestamp") }
        let window = try parameters.integer("recvWindow") ?? 5000
        guard window > 0, window <= 60_000 else { throw .badReceiveWindow }
        let server = now / millisecond
        if timestamp >= server + 1000 { throw .aheadOfServer }
        if timestamp < server - window { throw .outsideReceiveWindow }
    }
}
