import Crypto

/// Key and signature checks, written from the venue's documentation and independent of the engine's code.
enum BinanceAuthentication {
    /// The HMAC-SHA256 of a text in lower-case hexadecimal.
    static func signature(of text: [UInt8], secret: String) -> [UInt8] {
        hexText(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: Array(secret.utf8))))
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
