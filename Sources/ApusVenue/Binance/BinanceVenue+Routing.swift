// What a connection of this venue asks for: REST requests, upgrades by path, texts by the connection's role.

extension BinanceVenue: HubOwner {
    func take(_ request: HTTPRequest, _ connection: BinanceConnection) {
        do throws(BinanceError) {
            let body = try restAnswer(request)
            hub.answer(HTTPReply(headers: usedWeight, body: body), request, connection)
        } catch {
            hub.answer(reply(to: error), request, connection)
        }
    }

    private var usedWeight: [NamedText] {
        [NamedText(name: "x-mbx-used-weight-1m", value: String(requestWeight.count(now)))]
    }

    private func reply(to error: BinanceError) -> HTTPReply {
        var headers = usedWeight
        if let seconds = error.retryAfter { headers.append(NamedText(name: "Retry-After", value: String(seconds))) }
        return HTTPReply(status: error.status, headers: headers, body: error.body)
    }

    func reply(to problem: HTTPProblem) -> HTTPReply {
        if case .unavailable(let status) = problem { return reply(to: BinanceError.unavailable(status)) }
        return HTTPReply(
            status: problem.status, headers: usedWeight, body: BinanceError.malformed(problem.reason).body)
    }

    func route(_ upgrade: HTTPRequest, _ connection: BinanceConnection) -> HTTPReply? {
        do throws(BinanceError) {
            if upgrade.path == "/ws-fapi/v1" {
                connection.role = .api
                return nil
            }
            for name in try streamNames(upgrade, connection) where try target(of: name) == nil {
                throw .malformed("There is no stream \(name).")
            }
            connection.role = .market
            return nil
        } catch {
            return reply(to: error)
        }
    }

    func opened(_ upgrade: HTTPRequest, _ connection: BinanceConnection) {
        guard connection.role == .market else { return }
        do throws(BinanceError) {
            try subscribe(connection, try streamNames(upgrade, connection))
        } catch {
            hub.close(connection, 1008, error.message)
        }
    }

    /// The streams that a path asks for.
    private func streamNames(
        _ request: HTTPRequest, _ connection: BinanceConnection
    ) throws(BinanceError) -> [String] {
        var parameters = Parameters()
        try parameters.append(query: request.query)
        var parts = request.path.split(separator: "/").map(String.init)
        if let first = parts.first, ["public", "market", "private"].contains(first) { parts.removeFirst() }
        guard let kind = parts.first, kind == "ws" || kind == "stream", parts.count <= 2 else { throw .noSuchPath }
        connection.isCombined = kind == "stream"
        var names: [String] = parts.count == 2 ? [parts[1]] : []
        if let streams = parameters["streams"] { names += streams.split(separator: "/").map(String.init) }
        if let key = parameters["listenKey"] { names.append(key) }
        return names
    }

    /// Stream connections may send few messages a second; more closes them.
    func admits(_ connection: BinanceConnection) -> Bool {
        connection.incoming.add(1, now)
        guard configuration.rateLimits.enforced, connection.role != .api,
            connection.incoming.count(now) > configuration.rateLimits.messagesPerSecond
        else { return true }
        hub.close(connection, 1008, "Too many requests")
        return false
    }

    func take(_ text: [UInt8], _ connection: BinanceConnection) {
        if connection.role == .api { answerAPI(text, connection) } else { answerStreamRequest(text, connection) }
    }

    func left(_ connection: BinanceConnection) {
        for subscription in connection.subscriptions { drop(subscription, of: connection) }
        connection.subscriptions = []
    }
}
