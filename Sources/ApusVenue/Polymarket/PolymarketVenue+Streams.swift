// The market stream and the user stream: what clients ask for, and how events reach them.

extension PolymarketVenue: HubOwner {
    func route(_ upgrade: HTTPRequest, _ connection: PolymarketConnection) -> HTTPReply? {
        switch upgrade.path {
        case "/ws/market": connection.role = .market
        case "/ws/user": connection.role = .user
        default: return reply(to: PolymarketError.noPath)
        }
        return nil
    }

    func opened(_ upgrade: HTTPRequest, _ connection: PolymarketConnection) {}

    func admits(_ connection: PolymarketConnection) -> Bool { true }

    func left(_ connection: PolymarketConnection) {
        for feed in feeds { feed.remove(connection) }
        connection.account?.listeners.removeAll { $0 === connection }
        connection.account = nil
    }

    func take(_ text: [UInt8], _ connection: PolymarketConnection) {
        if text == Array("PING".utf8) { return sendText("PONG", connection) }
        guard let request = try? JSONParser.parse(text) else {
            return hub.close(connection, 1007, "a message is neither PING nor JSON")
        }
        if connection.role == .market {
            subscribe(connection, request)
        } else {
            authenticate(connection, request)
        }
    }

    private func sendText(_ text: String, _ connection: PolymarketConnection) {
        hub.send(WebSocketCodec.frame(.text, Array(text.utf8)), to: connection)
    }

    private func strings(_ value: JSONValue?) -> [String]? {
        guard case .array(let values)? = value else { return nil }
        let texts = values.compactMap(\.string)
        return texts.count == values.count ? texts : nil
    }

    // MARK: Market stream

    private func subscribe(_ connection: PolymarketConnection, _ request: JSONValue) {
        guard let ids = strings(request["assets_ids"]) else {
            return hub.close(connection, 1008, "assets_ids must be an array of token ids")
        }
        if request["custom_feature_enabled"] == .bool(true) { connection.wantsFeatures = true }
        switch (request["operation"]?.string, request["type"]?.string) {
        case ("unsubscribe"?, _): unsubscribe(connection, ids)
        case ("subscribe"?, _), (nil, "market"?): addTokens(connection, ids)
        default: hub.close(connection, 1008, "type must be market, or operation subscribe or unsubscribe")
        }
    }

    /// Starts tokens for a connection; the whole book of each new one comes at once, all in one message.
    private func addTokens(_ connection: PolymarketConnection, _ ids: [String]) {
        var books: [[UInt8]] = []
        for id in ids {
            guard let place = tokens[id], connection.tokens.insert(place.market * 2 + place.token).inserted else {
                continue
            }
            feeds[place.market].add(connection)
            books.append(feeds[place.market].book(token: place.token, isOpening: true, now))
        }
        if books.isEmpty { return sendText("NO NEW ASSETS", connection) }
        let text = [91] + Array(books.joined(separator: [44])) + [93]
        hub.sendStream(WebSocketCodec.frame(.text, text), to: connection, stream: "book")
    }

    private func unsubscribe(_ connection: PolymarketConnection, _ ids: [String]) {
        for id in ids {
            guard let place = tokens[id], connection.tokens.remove(place.market * 2 + place.token) != nil else {
                continue
            }
            let other = place.market * 2 + 1 - place.token
            if !connection.tokens.contains(other) { feeds[place.market].remove(connection) }
        }
    }

    // MARK: User stream

    private func authenticate(_ connection: PolymarketConnection, _ request: JSONValue) {
        if let markets = strings(request["markets"]) { connection.markets = markets }
        if connection.account != nil { return }
        guard request["type"]?.string == "user", let auth = request["auth"], let name = auth["apiKey"]?.string,
            let account = accountsByKey[name],
            let key = account.keys.values.first(where: { $0.key == name }),  // order does not matter: keys are unique
            auth["secret"]?.string == key.secret, auth["passphrase"]?.string == key.passphrase
        else { return hub.close(connection, 1008, "invalid auth") }
        connection.account = account
        account.listeners.append(connection)
    }

    private func sendUser(_ account: PolymarketAccount, _ stream: String, _ market: OutcomeMarket, _ text: [UInt8]) {
        let frame = WebSocketCodec.frame(.text, text)
        for connection in account.listeners
        where connection.markets.isEmpty || connection.markets.contains(market.configuration.conditionID) {
            hub.sendStream(frame, to: connection, stream: stream)
        }
    }

    /// What happened to an order.
    enum OrderEvent: String {
        case placement = "PLACEMENT"
        case update = "UPDATE"
        case cancellation = "CANCELLATION"
    }

    func sendOrderEvent(_ order: PolymarketOrder, _ event: OrderEvent) {
        guard !order.account.listeners.isEmpty else { return }
        var out: [UInt8] = []
        out.append("{\"event_type\":\"order\",")
        appendFields(of: order, to: &out, isEvent: true)
        out.append(",\"order_owner\":")
        out.append(quotedText: order.key)
        out.append(",\"timestamp\":\"")
        out.append(integer: now / millisecond)
        out.append("\",\"type\":\"")
        out.append(text: event.rawValue)
        out.append("\"}")
        sendUser(order.account, "order", order.market, out)
    }

    func sendTradeEvent(_ trade: PolymarketTrade, _ account: PolymarketAccount) {
        guard !account.listeners.isEmpty else { return }
        var out: [UInt8] = []
        out.append("{\"event_type\":\"trade\",")
        trade.appendFields(&out, to: account)
        out.append(",\"timestamp\":\"")
        out.append(integer: now / millisecond)
        out.append("\",\"type\":\"TRADE\"}")
        sendUser(account, "trade", trade.market, out)
    }

    /// The fields of an order, without braces, as answers and events show them.
    func appendFields(of order: PolymarketOrder, to out: inout [UInt8], isEvent: Bool) {
        func append(_ key: StaticString, _ text: String) {
            out.append(key)
            out.append(quotedText: text)
        }
        append("\"id\":", order.id)
        append(",\"status\":", order.status.rawValue)
        append(",\"owner\":", order.key)
        append(",\"maker_address\":", order.account.configuration.funder.description)
        append(",\"market\":", order.market.configuration.conditionID)
        append(",\"asset_id\":", order.tokenID)
        append(",\"side\":", order.side == .buy ? "BUY" : "SELL")
        out.append(",\"original_size\":")
        out.append(quotedShortDecimal: order.size, decimals: tokenDecimals)
        out.append(",\"size_matched\":")
        out.append(quotedShortDecimal: order.matched, decimals: tokenDecimals)
        out.append(",\"price\":")
        out.append(quotedShortDecimal: order.price, decimals: outcomePriceDecimals)
        append(",\"outcome\":", order.outcome)
        append(",\"expiration\":", String(order.expiration))
        append(",\"order_type\":", order.type.rawValue)
        out.append(isEvent ? ",\"created_at\":\"" : ",\"created_at\":")
        out.append(integer: order.created / second)
        out.append(isEvent ? "\",\"associate_trades\":[" : ",\"associate_trades\":[")
        for (index, id) in order.trades.enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: id)
        }
        out.append(93)
    }
}
