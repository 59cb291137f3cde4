// What callers ask about their own orders, trades and balances.

extension PolymarketVenue {
    static let pageSize = 500

    private func query(_ request: HTTPRequest) throws(PolymarketError) -> [String: String] {
        var result: [String: String] = [:]
        for part in request.query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(pair[0]), let value = percentDecoded(pair.count > 1 ? pair[1] : "") else {
                throw PolymarketError(400, "invalid query")
            }
            result[name] = value
        }
        return result
    }

    func queryValue(_ name: String, of request: HTTPRequest) throws(PolymarketError) -> String? {
        try query(request)[name]
    }

    /// One page of a list with the cursor of the next: cursors are base64 of an offset, and of -1 at the end.
    private func page<Element>(
        _ elements: [Element], cursor: String?, render: (inout [UInt8], Element) -> Void
    ) throws(PolymarketError) -> [UInt8] {
        var start = 0
        if let cursor, !cursor.isEmpty {
            guard let text = base64Decoded(cursor), let offset = Int(String(decoding: text, as: UTF8.self)),
                offset >= -1
            else { throw PolymarketError(400, "Invalid next_cursor") }
            start = offset < 0 ? elements.count : min(offset, elements.count)
        }
        let end = min(start + Self.pageSize, elements.count)
        let next = end == elements.count ? "-1" : String(end)
        var out: [UInt8] = []
        out.append("{\"limit\":")
        out.append(integer: Int64(Self.pageSize))
        out.append(",\"count\":")
        out.append(integer: Int64(end - start))
        out.append(",\"next_cursor\":\"")
        out.append(contentsOf: base64Text(Array(next.utf8)))
        out.append("\",\"data\":[")
        for index in start..<end {
            if index > start { out.append(44) }
            render(&out, elements[index])
        }
        out.append("]}")
        return out
    }

    func listOrders(_ request: HTTPRequest, _ account: PolymarketAccount) throws(PolymarketError) -> [UInt8] {
        let query = try query(request)
        let wanted = account.open.filter {
            (query["id"] == nil || query["id"] == $0.id)
                && (query["asset_id"] == nil || query["asset_id"] == $0.tokenID)
                && (query["market"] == nil || query["market"] == $0.market.configuration.conditionID)
        }
        return try page(wanted, cursor: query["next_cursor"]) { out, order in
            out.append(123)
            self.appendFields(of: order, to: &out, isEvent: false)
            out.append(125)
        }
    }

    func oneOrder(_ id: String, _ account: PolymarketAccount) throws(PolymarketError) -> [UInt8] {
        guard hexBytes(id)?.count == 32 else { throw .badOrderID }
        guard let order = orders[id.lowercased()], order.account === account else { throw .noOrder }
        var out: [UInt8] = [123]
        appendFields(of: order, to: &out, isEvent: false)
        out.append(125)
        return out
    }

    /// Newest first. Times are in seconds, and trades of just those seconds are among them.
    func listTrades(_ request: HTTPRequest, _ account: PolymarketAccount) throws(PolymarketError) -> [UInt8] {
        let query = try query(request)
        func seconds(_ name: String) throws(PolymarketError) -> Int64? {
            guard let text = query[name] else { return nil }
            guard let value = Int64(text) else { throw PolymarketError(400, "Invalid trade params payload") }
            return value
        }
        let after = try seconds("after")
        let before = try seconds("before")
        let wanted = account.trades.elements.reversed().filter { trade in
            let time = trade.matchTime / second
            let ids = [trade.taker.token] + trade.makers.map(\.party.token)
            return (query["id"] == nil || query["id"] == trade.id)
                && (query["market"] == nil || query["market"] == trade.market.configuration.conditionID)
                && (query["asset_id"] == nil
                    || ids.contains { trade.market.configuration.tokens[$0] == query["asset_id"] })
                && (after == nil || time >= after ?? 0) && (before == nil || time <= before ?? 0)
        }
        return try page(Array(wanted), cursor: query["next_cursor"]) { out, trade in
            out.append(123)
            trade.appendFields(&out, to: account)
            out.append(125)
        }
    }

    /// Balance and allowances as whole numbers of `10^-6`.
    func balance(_ request: HTTPRequest, _ account: PolymarketAccount) throws(PolymarketError) -> [UInt8] {
        let query = try query(request)
        let balance: Int64
        switch query["asset_type"] {
        case "COLLATERAL"?: balance = ledger.owners[Int(account.index)].collateral
        case "CONDITIONAL"?:
            guard let place = query["token_id"].flatMap({ tokens[$0] }) else { throw .noToken }
            balance = ledger.tokens(account.index, market: place.market, token: place.token)
        default: throw .badAssetType
        }
        let contracts = configuration.contracts
        var out: [UInt8] = []
        out.append("{\"balance\":\"")
        out.append(integer: balance)
        out.append("\",\"allowances\":{")
        for (index, address) in [contracts.exchange, contracts.negRiskExchange, contracts.exchangeV3].enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: address)
            out.append(":\"")
            out.append(integer: account.configuration.allowance)
            out.append(34)
        }
        out.append("}}")
        return out
    }
}
