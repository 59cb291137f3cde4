// What everybody may ask: books, prices and the markets themselves, as the CLOB and the Gamma API describe them.

extension PolymarketVenue {
    /// The body of an answer that needs no key; nil when the request is none of these.
    func publicAnswer(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8]? {
        guard request.method == "GET" else {
            return request.method == "POST" && request.path == "/books" ? try books(request) : nil
        }
        switch request.path {
        case "/book":
            let (market, token) = try place(request, missing: .noBook)
            return summary(market, token)
        case "/midpoint", "/price", "/spread", "/last-trade-price": return try price(request)
        case "/tick-size":
            let (market, _) = try place(request, missing: .noMarket)
            return Array("{\"minimum_tick_size\":\(tickText(market))}".utf8)
        case "/neg-risk":
            let (market, _) = try place(request, missing: .noMarket)
            return Array("{\"neg_risk\":\(market.configuration.isNegRisk)}".utf8)
        case "/fee-rate":
            _ = try place(request, missing: .noMarket)
            return Array("{\"base_fee\":0}".utf8)
        case "/markets": return try marketList(request)
        default: return try marketAnswer(request.path)
        }
    }

    private func place(
        _ request: HTTPRequest, missing: PolymarketError
    ) throws(PolymarketError) -> (OutcomeMarket, Int) {
        guard let id = try queryValue("token_id", of: request), word(decimal: id) != nil else { throw .noToken }
        guard let place = tokens[id] else { throw missing }
        return (markets[place.market], place.token)
    }

    private func tickText(_ market: OutcomeMarket) -> String {
        shortDecimalText(market.tickSize, decimals: outcomePriceDecimals)
    }

    // MARK: Books and prices

    /// A book with everything that its hash is over.
    private func summary(_ market: OutcomeMarket, _ token: Int) -> [UInt8] {
        let time = now / millisecond
        var out: [UInt8] = []
        out.append("{\"market\":")
        out.append(quotedText: market.configuration.conditionID)
        out.append(",\"asset_id\":")
        out.append(quotedText: market.configuration.tokens[token])
        out.append(",\"timestamp\":\"")
        out.append(integer: time)
        out.append("\",\"hash\":\"")
        out.append(contentsOf: market.hash(token: token, milliseconds: time))
        out.append("\",")
        market.appendLevels(&out, token: token)
        out.append(",\"min_order_size\":\"")
        out.append(integer: market.configuration.minOrderSize)
        out.append("\",\"tick_size\":")
        out.append(quotedText: tickText(market))
        out.append(",\"neg_risk\":")
        out.append(bool: market.configuration.isNegRisk)
        out.append(",\"last_trade_price\":")
        out.append(quotedText: market.lastTradeText)
        out.append(125)
        return out
    }

    private func books(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        guard case .array(let items)? = try? JSONParser.parse(request.body) else { throw .badList }
        guard items.count <= 500 else { throw PolymarketError(400, "Payload exceeds the limit") }
        var out: [UInt8] = [91]
        for item in items {
            guard let id = item["token_id"]?.string else { throw .badList }
            guard let place = tokens[id] else { continue }
            if out.count > 1 { out.append(44) }
            out.append(contentsOf: summary(markets[place.market], place.token))
        }
        out.append(93)
        return out
    }

    private func price(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        let (market, token) = try place(request, missing: .noBook)
        let touch = market.touch(token)
        func answer(_ name: String, _ value: Int64, decimals: Int = outcomePriceDecimals) -> [UInt8] {
            Array("{\"\(name)\":\"\(shortDecimalText(value, decimals: decimals))\"}".utf8)
        }
        switch request.path {
        case "/midpoint": return answer("mid", (touch.bid + touch.ask) * 5, decimals: outcomePriceDecimals + 1)
        case "/spread": return answer("spread", touch.ask - touch.bid)
        case "/last-trade-price": return Array("{\"price\":\"\(market.lastTradeText)\",\"side\":\"\"}".utf8)
        default: break
        }
        switch try queryValue("side", of: request) {
        case "BUY"?: return answer("price", touch.bid)
        case "SELL"?: return answer("price", touch.ask)
        default: throw PolymarketError(400, "Invalid side")
        }
    }

    // MARK: Markets

    /// `/markets` belongs to two services with addresses of their own at the real venue. Here they share one, so the query
    /// tells them apart: only the CLOB's list knows nothing but a cursor.
    private func marketList(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        let names = request.query.split(separator: "&").map { $0.prefix { $0 != "=" } }
        if names.contains(where: { $0 != "next_cursor" }) { return try gammaMarkets(request) }
        var out: [UInt8] = []
        out.append(text: #"{"limit":\#(Self.pageSize),"count":\#(markets.count),"next_cursor":"LTE=","data":["#)
        for (index, market) in markets.enumerated() {
            if index > 0 { out.append(44) }
            out.append(contentsOf: clobMarket(market))
        }
        out.append("]}")
        return out
    }

    private func marketAnswer(_ path: String) throws(PolymarketError) -> [UInt8]? {
        func rest(_ prefix: String) -> String? { path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : nil }
        if let id = rest("/markets-by-token/") {
            guard let place = tokens[id] else { throw .noMarket }
            let names = markets[place.market].configuration
            return Array(
                #"{"condition_id":"\#(names.conditionID)","primary_token_id":"\#(names.tokens[0])","#.utf8)
                + Array(#""secondary_token_id":"\#(names.tokens[1])"}"#.utf8)
        }
        if let id = rest("/clob-markets/") {
            guard let market = market(conditionID: id) else { throw .noMarket }
            return marketInfo(market)
        }
        guard let id = rest("/markets/") else { return nil }
        guard let market = market(conditionID: id) else { throw .noMarket }
        return clobMarket(market)
    }

    private func clobMarket(_ market: OutcomeMarket) -> [UInt8] {
        let names = market.configuration
        let prices = (0..<2).map { token -> String in
            let touch = market.touch(token)
            return shortDecimalText((touch.bid + touch.ask) * 5, decimals: outcomePriceDecimals + 1)
        }
        let tokens = (0..<2).map { token in
            #"{"token_id":"\#(names.tokens[token])","outcome":"\#(names.outcomes[token])","price":\#(prices[token]),"winner":false}"#
        }
        var out: [UInt8] = []
        out.append("{\"enable_order_book\":true,\"active\":true,\"closed\":false,\"archived\":false,")
        out.append("\"accepting_orders\":true,\"minimum_order_size\":")
        out.append(integer: names.minOrderSize)
        out.append(",\"minimum_tick_size\":")
        out.append(text: tickText(market))
        out.append(",\"condition_id\":")
        out.append(quotedText: names.conditionID)
        out.append(",\"question\":")
        out.append(quotedText: names.question)
        out.append(",\"market_slug\":")
        out.append(quotedText: names.slug)
        out.append(",\"maker_base_fee\":0,\"taker_base_fee\":0,\"neg_risk\":")
        out.append(bool: names.isNegRisk)
        out.append(",\"tokens\":[")
        out.append(text: tokens.joined(separator: ","))
        out.append("]}")
        return out
    }

    /// The short description that clients build orders from.
    private func marketInfo(_ market: OutcomeMarket) -> [UInt8] {
        let names = market.configuration
        let tokens = (0..<2).map { #"{"t":"\#(names.tokens[$0])","o":"\#(names.outcomes[$0])"}"# }
        return Array(
            #"{"c":"\#(names.conditionID)","t":[\#(tokens.joined(separator: ","))],"mts":\#(tickText(market)),"#.utf8)
            + Array(
                #""mos":\#(names.minOrderSize),"nr":\#(names.isNegRisk),"v":\#(names.exchangeVersion),"#.utf8)
            + Array(#""fd":{"r":0,"e":0,"to":true}}"#.utf8)
    }

    // MARK: Gamma

    private func gammaMarkets(_ request: HTTPRequest) throws(PolymarketError) -> [UInt8] {
        let pairs = request.query.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        func values(_ name: String) -> [String] {
            pairs.filter { $0[0] == name && $0.count == 2 }.flatMap { $0[1].split(separator: ",").map(String.init) }
        }
        let conditions = values("condition_ids"), wantedTokens = values("clob_token_ids"), slugs = values("slug")
        let found = markets.filter {
            (conditions.isEmpty || conditions.contains($0.configuration.conditionID))
                && (wantedTokens.isEmpty || $0.configuration.tokens.contains(where: wantedTokens.contains))
                && (slugs.isEmpty || slugs.contains($0.configuration.slug))
        }
        var out: [UInt8] = [91]
        for (index, market) in found.enumerated() {
            if index > 0 { out.append(44) }
            append(gamma: market, to: &out)
        }
        out.append(93)
        return out
    }

    private func append(gamma market: OutcomeMarket, to out: inout [UInt8]) {
        let names = market.configuration
        // The lists of this service are texts that hold JSON.
        func list(_ values: [String]) -> String {
            "[" + values.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        }
        func append(_ key: StaticString, _ text: String) {
            out.append(key)
            out.append(quotedText: text)
        }
        append("{\"id\":", String(market.index + 1))
        append(",\"question\":", names.question)
        append(",\"conditionId\":", names.conditionID)
        append(",\"slug\":", names.slug)
        append(",\"outcomes\":", list(names.outcomes))
        append(",\"clobTokenIds\":", list(names.tokens))
        append(
            ",\"lastTradePrice\":", market.lastTradeText)
        out.append(",\"active\":true,\"closed\":false,\"archived\":false,\"acceptingOrders\":true,")
        out.append("\"enableOrderBook\":true,\"negRisk\":")
        out.append(bool: names.isNegRisk)
        out.append(",\"orderPriceMinTickSize\":")
        out.append(text: tickText(market))
        out.append(",\"orderMinSize\":")
        out.append(integer: names.minOrderSize)
        append(",\"version\":", names.exchangeVersion)
        out.append(125)
    }
}
