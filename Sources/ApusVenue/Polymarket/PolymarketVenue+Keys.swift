import Crypto

// Who asks: wallets by their signature (L1), API keys by their HMAC (L2). Written from the venue's documentation and
// independent of the engine's code.

extension PolymarketVenue {
    // MARK: L1

    /// The wallet that signed a request, and the nonce of the key it asks for.
    private func wallet(_ request: HTTPRequest) throws(PolymarketError) -> (PolymarketAccount, nonce: String) {
        guard let address = request.header("poly_address").flatMap(EthereumAddress.init),
            let signature = request.header("poly_signature").flatMap(hexBytes),
            let timestamp = request.header("poly_timestamp"), isNear(timestamp),
            let nonce = request.header("poly_nonce"), let nonceWord = word(decimal: nonce)
        else { throw .badWallet }
        let message = ClobAuth(
            address: address, timestamp: timestamp, nonce: nonceWord, chainID: configuration.contracts.chainID)
        guard recovery.signer(of: message.hash, signature: signature) == address, let account = account(signer: address)
        else { throw .badWallet }
        return (account, nonce)
    }

    private func isNear(_ seconds: String) -> Bool {
        guard let value = Int64(seconds), value > 0, value < 1 << 33 else { return false }
        return abs(value * second - now) <= configuration.timing.timestampTolerance
    }

    func createKey(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        let (account, nonce) = try wallet(request)
        guard account.keys[nonce] == nil else { throw .noKeyCreated }
        let key = makeKey(account.configuration.signer, nonce)
        account.keys[nonce] = key
        accountsByKey[key.key] = account
        return render(key)
    }

    func deriveKey(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        let (account, nonce) = try wallet(request)
        guard let key = account.keys[nonce] else { throw .noKeyDerived }
        return render(key)
    }

    /// The key of a wallet's nonce follows from the seed: the same run gives the same keys.
    private func makeKey(_ address: EthereumAddress, _ nonce: String) -> PolymarketKey {
        func part(_ name: String) -> [UInt8] {
            Keccak256.hash(keySeed + address.bytes + Array("\(nonce) \(name)".utf8))
        }
        return PolymarketKey(
            key: uuidText(part("key")), secret: String(decoding: base64URLText(part("secret")), as: UTF8.self),
            passphrase: String(decoding: hexText(part("passphrase")), as: UTF8.self))
    }

    private func render(_ key: PolymarketKey) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"apiKey\":")
        out.append(quotedText: key.key)
        out.append(",\"secret\":")
        out.append(quotedText: key.secret)
        out.append(",\"passphrase\":")
        out.append(quotedText: key.passphrase)
        out.append(125)
        return out
    }

    // MARK: L2

    /// A request whose key, passphrase, time and HMAC are right.
    struct Caller {
        var account: PolymarketAccount
        var key: String
    }

    func caller(_ request: HTTPRequest) throws(PolymarketError) -> Caller {
        guard let name = request.header("poly_api_key"), let account = accountsByKey[name],
            // order does not matter: keys are unique
            let key = account.keys.values.first(where: { $0.key == name }),
            request.header("poly_passphrase") == key.passphrase,
            request.header("poly_address").flatMap(EthereumAddress.init) == account.configuration.signer,
            let timestamp = request.header("poly_timestamp"), isNear(timestamp),
            let signature = request.header("poly_signature"),
            signature == Self.hmac(key.secret, timestamp, request.method, request.path, request.body)
        else { throw .unauthorized }
        return Caller(account: account, key: name)
    }

    /// The URL-safe base64 of the HMAC-SHA256 over time, method, path without its query, and body.
    static func hmac(_ secret: String, _ timestamp: String, _ method: String, _ path: String, _ body: [UInt8])
        -> String?
    {
        guard let key = base64Decoded(secret) else { return nil }
        let text = Array("\(timestamp)\(method)\(path)".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: key))
        return String(decoding: base64URLText(Array(code)), as: UTF8.self)
    }

    func keyList(_ caller: Caller) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"apiKeys\":[")
        for (index, key) in caller.account.keys.values.map(\.key).sorted().enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: key)
        }
        out.append("]}")
        return out
    }

    func deleteKey(_ caller: Caller) -> [UInt8] {
        accountsByKey[caller.key] = nil
        caller.account.keys = caller.account.keys.filter { $0.value.key != caller.key }
        for connection in caller.account.listeners { hub.close(connection, 1008, "the API key was deleted") }
        return Array("\"OK\"".utf8)
    }
}

/// Thirty-two digits in the form of a UUID of version 4.
func uuidText(_ bytes: [UInt8]) -> String {
    var value = Array(bytes[..<16])
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    let digits = hexText(value)
    let parts = [digits[..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20...]]
    return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
}
