// What can be asked over REST: who may ask, what it costs, and the answers' form.

extension PolymarketVenue {
    func take(_ request: HTTPRequest, _ connection: PolymarketConnection) {
        var headers: [NamedText] = []
        let reply: HTTPReply
        do throws(PolymarketError) {
            reply = HTTPReply(body: try answer(request, &headers))
        } catch {
            reply = self.reply(to: error)
        }
        hub.answer(
            HTTPReply(status: reply.status, headers: reply.headers + headers, body: reply.body), request, connection)
    }

    func reply(to error: PolymarketError) -> HTTPReply {
        var headers: [NamedText] = []
        if let seconds = error.retryAfter { headers.append(NamedText(name: "Retry-After", value: String(seconds))) }
        return HTTPReply(status: error.status, headers: headers, body: error.body)
    }

    func reply(to problem: HTTPProblem) -> HTTPReply {
        switch problem {
        case .unavailable(425): reply(to: PolymarketError(425, "service not ready"))
        case .unavailable(429): reply(to: .tooManyRequests(retryAfter: 1))
        case .unavailable(let status): reply(to: PolymarketError(status, "Internal server error"))
        default: reply(to: PolymarketError(problem.status, problem.reason))
        }
    }

    /// The body of an answer. Headers about the caller's budgets are added.
    private func answer(_ request: HTTPRequest, _ headers: inout [NamedText]) throws(PolymarketError) -> [UInt8] {
        switch (request.method, request.path) {
        case ("GET", "/"), ("GET", "/ok"): return Array("\"OK\"".utf8)
        case ("GET", "/time"): return Array(String(now / second).utf8)
        case ("GET", "/version"): return Array("{\"version\":2}".utf8)
        case ("POST", "/auth/api-key"): return try createKey(request)
        case ("GET", "/auth/derive-api-key"): return try deriveKey(request)
        default: break
        }
        if let body = try publicAnswer(request) { return body }
        return try callerAnswer(request, try caller(request), &headers)
    }

    private func callerAnswer(
        _ request: HTTPRequest, _ caller: Caller, _ headers: inout [NamedText]
    ) throws(PolymarketError) -> [UInt8] {
        switch (request.method, request.path) {
        case ("POST", "/order"), ("POST", "/orders"): return try postOrders(request, caller, &headers)
        case ("DELETE", "/order"), ("DELETE", "/orders"), ("DELETE", "/cancel-all"),
            ("DELETE", "/cancel-market-orders"):
            return try cancelOrders(request, caller, &headers)
        case ("POST", "/v1/heartbeats"), ("POST", "/heartbeats"): return try beat(request, caller.account)
        case ("GET", "/data/orders"): return try listOrders(request, caller.account)
        case ("GET", "/data/trades"): return try listTrades(request, caller.account)
        case ("GET", "/balance-allowance"), ("GET", "/balance-allowance/update"):
            return try balance(request, caller.account)
        case ("GET", "/auth/api-keys"): return keyList(caller)
        case ("DELETE", "/auth/api-key"): return deleteKey(caller)
        case ("GET", "/auth/ban-status/closed-only"): return Array("{\"closed_only\":false}".utf8)
        default: break
        }
        guard request.method == "GET", request.path.hasPrefix("/data/order/") else { throw .noPath }
        return try oneOrder(String(request.path.dropFirst("/data/order/".count)), caller.account)
    }

    // MARK: Budgets

    /// Takes from the caller's budgets, all or nothing, and tells what is left of the signer's.
    private func charge(
        _ account: PolymarketAccount, orders: Int, cancels: Int, _ headers: inout [NamedText]
    ) throws(PolymarketError) {
        let limits = configuration.rateLimits
        if orders > 0 {
            let allowed = [limits.requestsPerTenSeconds, limits.requestsPerTenMinutes]
            for index in allowed.indices {
                account.requests[index].add(1, now)
                if limits.enforced && account.requests[index].count(now) > allowed[index] {
                    throw .tooManyRequests(retryAfter: account.requests[index].secondsLeft(now))
                }
            }
        }
        let count = max(orders, cancels)
        let fits = orders > 0 ? account.orderTokens.take(count, now) : account.cancelTokens.take(count, now)
        let left = orders > 0 ? account.orderTokens.tokens(now) : account.cancelTokens.tokens(now)
        let wait =
            fits
            ? 0 : orders > 0 ? account.orderTokens.wait(for: count, now) : account.cancelTokens.wait(for: count, now)
        let until = (now + wait + second - 1) / second
        headers += [
            NamedText(name: "Poly-RateLimit-Remaining", value: String(left)),
            NamedText(name: "Poly-RateLimit-Reset", value: String(until)),
            NamedText(name: "Poly-RateLimit-Tier", value: "Standard"),
        ]
        guard fits || !limits.enforced else {
            throw .tooManyRequests(retryAfter: max(1, Int((wait + second - 1) / second)))
        }
    }

    // MARK: Placing

    static let largestBatch = 15
    static let largestCancelBatch = 3_000

    private func postOrders(
        _ request: HTTPRequest, _ caller: Caller, _ headers: inout [NamedText]
    ) throws(PolymarketError) -> [UInt8] {
        guard let json = try? JSONParser.parse(request.body) else { throw .badPayload }
        guard request.path == "/orders" else {
            try charge(caller.account, orders: 1, cancels: 0, &headers)
            return render(try place(json, caller))
        }
        guard case .array(let orders) = json, !orders.isEmpty else { throw .badPayload }
        guard orders.count <= Self.largestBatch else { throw .tooMany(orders.count, Self.largestBatch) }
        try charge(caller.account, orders: orders.count, cancels: 0, &headers)
        var out: [UInt8] = [91]
        for (index, order) in orders.enumerated() {
            if index > 0 { out.append(44) }
            do throws(PolymarketError) {
                out.append(contentsOf: render(try place(order, caller)))
            } catch {
                out.append("{\"success\":false,\"errorMsg\":")
                out.append(quotedText: error.message)
                out.append(",\"orderID\":\"\",\"takingAmount\":\"\",\"makingAmount\":\"\",\"status\":\"\"}")
            }
        }
        out.append(93)
        return out
    }

    /// The answer to an accepted order. Trades are settled later, so there are ids of trades and no transactions yet.
    private func render(_ outcome: PolymarketOutcome) -> [UInt8] {
        let order = outcome.order
        func amount(_ value: Int64) -> String { value == 0 ? "" : shortDecimalText(value, decimals: tokenDecimals) }
        var out: [UInt8] = []
        out.append("{\"success\":true,\"errorMsg\":\"\",\"orderID\":")
        out.append(quotedText: order.id)
        out.append(",\"takingAmount\":")
        out.append(quotedText: amount(order.side == .buy ? order.matched : order.cash))
        out.append(",\"makingAmount\":")
        out.append(quotedText: amount(order.side == .buy ? order.cash : order.matched))
        out.append(",\"status\":")
        out.append(quotedText: outcome.status)
        out.append(",\"transactionsHashes\":[],\"tradeIDs\":[")
        for (index, id) in order.trades.enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: id)
        }
        out.append("]}")
        return out
    }

    // MARK: Cancelling

    private func cancelOrders(
        _ request: HTTPRequest, _ caller: Caller, _ headers: inout [NamedText]
    ) throws(PolymarketError) -> [UInt8] {
        let json = request.body.isEmpty ? .null : try? JSONParser.parse(request.body)
        guard let json else { throw .badPayload }
        let account = caller.account
        let ids: [String]
        var cost: Int
        switch request.path {
        case "/order":
            guard let id = json["orderID"]?.string else { throw .badPayload }
            ids = [id]
            cost = 1
        case "/orders":
            guard case .array(let values) = json, values.count <= Self.largestCancelBatch else { throw .badPayload }
            ids = values.compactMap(\.string)
            guard ids.count == values.count else { throw .badPayload }
            cost = max(ids.count, 1)
        default:
            let wanted = request.path == "/cancel-all" ? account.open : try openOrders(of: account, matching: json)
            ids = wanted.map(\.id)
            cost = 1 + ids.count
        }
        for id in ids where hexBytes(id)?.count != 32 { throw .badOrderID }
        try charge(account, orders: 0, cancels: cost, &headers)
        return cancel(ids, of: account)
    }

    private func openOrders(
        of account: PolymarketAccount, matching json: JSONValue
    ) throws(PolymarketError) -> [PolymarketOrder] {
        let market = json["market"]?.string
        let token = json["asset_id"]?.string
        return account.open.filter {
            (market == nil || market == $0.market.configuration.conditionID) && (token == nil || token == $0.tokenID)
        }
    }

    private func cancel(_ ids: [String], of account: PolymarketAccount) -> [UInt8] {
        var canceled: [String] = []
        var refused: [String] = []
        for id in ids where !canceled.contains(id) && !refused.contains(id) {
            if let order = orders[id.lowercased()], order.account === account, order.status == .live {
                cancel(order)
                canceled.append(id)
            } else {
                refused.append(id)
            }
        }
        var out: [UInt8] = []
        out.append("{\"canceled\":[")
        for (index, id) in canceled.enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: id)
        }
        out.append("],\"not_canceled\":{")
        for (index, id) in refused.enumerated() {
            if index > 0 { out.append(44) }
            out.append(quotedText: id)
            out.append(":\"order can't be found - already canceled or matched\"")
        }
        out.append("}}")
        return out
    }

    // MARK: Heartbeat

    /// Begins a session with an empty id, goes on with the newest one; any other is refused and told the right one.
    private func beat(_ request: HTTPRequest, _ account: PolymarketAccount) throws(PolymarketError) -> [UInt8] {
        guard let json = try? JSONParser.parse(request.body) else { throw .badPayload }
        let previous = json["heartbeat_id"]?.string ?? ""
        guard previous.isEmpty || previous == account.heartbeatID else {
            throw PolymarketError(400, "Invalid Heartbeat ID", heartbeatID: account.heartbeatID ?? "")
        }
        let id = uuidText(Array(word(random.next())[24...] + word(random.next())[24...]))
        account.heartbeatID = id
        account.heartbeatDeadline = later(now, by: configuration.timing.heartbeat)
        heartbeatsChanged()
        var out: [UInt8] = []
        out.append("{\"heartbeat_id\":")
        out.append(quotedText: id)
        out.append(",\"status\":\"ok\"}")
        return out
    }
}
