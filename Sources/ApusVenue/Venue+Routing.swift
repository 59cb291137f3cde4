// Bytes of a connection become requests here: HTTP until an upgrade, then WebSocket frames by the connection's role.

extension Venue {
    func read(_ connection: Connection, _ bytes: [UInt8]) {
        guard !connection.isUpgraded else { return readFrames(connection, bytes) }
        connection.http.feed(bytes)
        while !connection.isClosed && !connection.isUpgraded {
            do throws(HTTPError) {
                guard let request = try connection.http.next() else { return }
                handle(request, connection)
            } catch {
                let body = APIError.malformed(error.reason).body
                send(HTTPCodec.response(status: error.status, body: body, close: true), to: connection)
                return closeAfterSending(connection)
            }
        }
        if connection.isUpgraded && !connection.isClosed {
            let rest = connection.http.takeRest()
            if !rest.isEmpty { readFrames(connection, rest) }
        }
    }

    private func handle(_ request: HTTPRequest, _ connection: Connection) {
        countRequest()
        if let kind = injector.isActive ? injector.strikeRequest(connection, now) : nil,
            case .httpStatus(let status) = kind
        {
            injector.record(kind, connection, stream: nil, now)
            return answer(APIError.unavailable(status), request, connection)
        }
        if request.header("upgrade")?.lowercased() == "websocket" { return upgrade(request, connection) }
        do throws(APIError) {
            let body = try restAnswer(request)
            answer(status: 200, body: body, request, connection)
        } catch {
            answer(error, request, connection)
        }
    }

    private func answer(_ error: APIError, _ request: HTTPRequest, _ connection: Connection) {
        var extra: [NamedText] = []
        if let seconds = error.retryAfter { extra.append(NamedText(name: "Retry-After", value: String(seconds))) }
        answer(status: error.status, headers: extra, body: error.body, request, connection)
    }

    private func answer(
        status: Int, headers: [NamedText] = [], body: [UInt8], _ request: HTTPRequest,
        _ connection: Connection
    ) {
        let used = NamedText(name: "x-mbx-used-weight-1m", value: String(requestWeight.count(now)))
        let bytes = HTTPCodec.response(status: status, headers: [used] + headers, body: body, close: request.wantsClose)
        sendAnswer(bytes, to: connection)
        if request.wantsClose && !connection.isClosed { closeAfterSending(connection) }
    }

    // MARK: Upgrade

    private func upgrade(_ request: HTTPRequest, _ connection: Connection) {
        guard request.method == "GET", request.header("connection", contains: "upgrade"),
            let key = request.header("sec-websocket-key"), key.utf8.count == 24
        else { return answer(.malformed("This is no WebSocket upgrade."), request, connection) }
        guard request.header("sec-websocket-version") == "13" else {
            let headers = [NamedText(name: "Sec-WebSocket-Version", value: "13")]
            return answer(
                status: 426, headers: headers, body: APIError.malformed("WebSocket version 13 is needed.").body,
                request,
                connection)
        }
        do throws(APIError) {
            let names = try route(request, connection)
            send(HTTPCodec.upgradeResponse(key: key), to: connection)
            connection.isUpgraded = true
            connection.nextPing = now + configuration.heartbeat.interval
            try subscribe(connection, names)
        } catch {
            if connection.isUpgraded {
                close(connection, 1008, error.message)
            } else {
                answer(error, request, connection)
            }
        }
    }

    /// Sets the connection's role and returns the streams its path asks for.
    private func route(_ request: HTTPRequest, _ connection: Connection) throws(APIError) -> [String] {
        var parameters = Parameters()
        try parameters.append(query: request.query)
        if request.path == "/ws-fapi/v1" {
            connection.role = .api
            return []
        }
        var parts = request.path.split(separator: "/").map(String.init)
        if let first = parts.first, ["public", "market", "private"].contains(first) { parts.removeFirst() }
        guard let kind = parts.first, kind == "ws" || kind == "stream", parts.count <= 2 else { throw .noSuchPath }
        connection.role = .market
        connection.isCombined = kind == "stream"
        var names: [String] = parts.count == 2 ? [parts[1]] : []
        if let streams = parameters["streams"] { names += streams.split(separator: "/").map(String.init) }
        if let key = parameters["listenKey"] { names.append(key) }
        for name in names where try target(of: name) == nil { throw .malformed("There is no stream \(name).") }
        return names
    }

    // MARK: Frames

    private func readFrames(_ connection: Connection, _ bytes: [UInt8]) {
        connection.webSocket.feed(bytes)
        while !connection.isClosed, let input = connection.webSocket.next() {
            switch input {
            case .text(let text): handle(text, connection)
            case .binary: close(connection, 1003, "only text is understood")
            case .ping(let payload):
                countIncoming(connection)
                if !connection.isClosed { send(WebSocketCodec.frame(.pong, payload), to: connection) }
            case .pong:
                connection.pongDeadline = .max
                timersChanged()
            case .close(let code): close(connection, code ?? 1000, "")
            case .violation(let code, let reason): close(connection, code, reason)
            }
        }
    }

    /// Stream connections may send few messages a second; more closes them.
    private func countIncoming(_ connection: Connection) {
        connection.incoming.add(1, now)
        guard configuration.rateLimits.enforced, connection.role != .api else { return }
        if connection.incoming.count(now) > configuration.rateLimits.messagesPerSecond {
            close(connection, 1008, "Too many requests")
        }
    }

    private func handle(_ text: [UInt8], _ connection: Connection) {
        countIncoming(connection)
        if connection.isClosed { return }
        countRequest()
        if connection.role == .api { answerAPI(text, connection) } else { answerStreamRequest(text, connection) }
    }
}
