/// An order as a client sent it, read and nothing more.
struct PolymarketOrderRequest {
    var signed: SignedOrder
    var tokenText: String
    var signature: [UInt8]
    var owner: String
    var type: PolymarketOrderType
    /// Seconds.
    var expiration: Int64
    var isPostOnly: Bool

    init(_ json: JSONValue) throws(PolymarketError) {
        guard let order = json["order"], let owner = json["owner"]?.string,
            let type = json["orderType"]?.string.flatMap(PolymarketOrderType.init)
        else { throw .badPayload }
        // The first version's orders have no timestamp.
        guard let timestamp = order["timestamp"]?.string else { throw .versionMismatch }
        guard let salt = order["salt"]?.parameterText.flatMap({ word(decimal: $0) }),
            let maker = order["maker"]?.string.flatMap(EthereumAddress.init),
            let signer = order["signer"]?.string.flatMap(EthereumAddress.init),
            let tokenText = order["tokenId"]?.string, let token = word(decimal: tokenText),
            let makerAmount = Self.amount(order["makerAmount"]), let takerAmount = Self.amount(order["takerAmount"]),
            let side = Self.side(order["side"]?.string), let milliseconds = UInt64(timestamp),
            let signatureType = order["signatureType"]?.parameterText.flatMap({ Int($0) }).flatMap(SignatureType.init),
            let expiration = order["expiration"]?.parameterText.flatMap({ Int64($0) }), expiration >= 0,
            let metadata = Self.bytes32(order["metadata"]), let builder = Self.bytes32(order["builder"]),
            let signature = order["signature"]?.string.flatMap(hexBytes)
        else { throw .badPayload }
        self.tokenText = tokenText
        self.signature = signature
        self.owner = owner
        self.type = type
        self.expiration = expiration
        isPostOnly = json["postOnly"] == .bool(true)
        signed = SignedOrder(
            salt: salt, maker: maker, signer: signer, tokenID: token, makerAmount: makerAmount,
            takerAmount: takerAmount, side: side, signatureType: signatureType, timestamp: milliseconds,
            metadata: metadata, builder: builder)
    }

    // Amounts below 10^15 whole units keep every product within 128 bits.
    private static func amount(_ value: JSONValue?) -> Int64? {
        guard let text = value?.string, let amount = Int64(text), amount > 0, amount < 1_000_000_000_000_000_000 else {
            return nil
        }
        return amount
    }

    private static func side(_ text: String?) -> Side? { text == "BUY" ? .buy : text == "SELL" ? .sell : nil }

    private static func bytes32(_ value: JSONValue?) -> [UInt8]? {
        value?.string.flatMap(hexBytes).flatMap { $0.count == 32 ? $0 : nil }
    }

    /// Tokens and collateral, `10^-6`.
    var size: Int64 { signed.side == .buy ? signed.takerAmount : signed.makerAmount }
    var value: Int64 { signed.side == .buy ? signed.makerAmount : signed.takerAmount }

    /// The price of the nearest tick, and whether the amounts say exactly that price. An order that does not rest may have
    /// amounts that are rounded to the decimals of its tick.
    func price(_ rules: PriceRules) -> (price: Int64, isExact: Bool) {
        let scaled = Int128(value) * Int128(wholePrice)
        let tick = Int128(rules.tick) * Int128(size)
        let ticks = (scaled + tick / 2) / tick
        let price = Int64(clamping: ticks * Int128(rules.tick))
        if scaled == Int128(price) * Int128(size) { return (price, true) }
        let slack = Int128(powerOfTen(tokenDecimals - min(rules.amountDecimals, tokenDecimals)))
        // One unit of the rounded amount more or less.
        let difference = scaled - Int128(price) * Int128(size)
        let allowed = type.rests ? 0 : slack * Int128(signed.side == .buy ? price : wholePrice)
        return (price, difference.magnitude <= UInt128(allowed))
    }
}
