// Subscriptions: by path, by SUBSCRIBE and UNSUBSCRIBE, and to the listen key of a user stream.

extension BinanceVenue {
    /// What a stream's name means; nil when there is no such stream.
    func target(of name: String) throws(BinanceError) -> Subscription.Target? {
        if let account = accounts.first(where: { $0.listenKey == name }) { return .user(account) }
        guard let at = name.firstIndex(of: "@"), let kind = StreamKind(suffix: name[name.index(after: at)...]) else {
            return nil
        }
        let symbol = name[..<at]
        guard symbol == symbol.lowercased(), let market = market(named: symbol.uppercased()) else { return nil }
        return .market(market.index, kind)
    }

    /// Adds streams to a connection; a stream it has already is left as it is.
    func subscribe(_ connection: BinanceConnection, _ names: [String]) throws(BinanceError) {
        for name in names where !connection.subscriptions.contains(where: { $0.name == name }) {
            guard let target = try target(of: name) else { throw .malformed("There is no stream \(name).") }
            guard connection.subscriptions.count < configuration.rateLimits.streamsPerConnection else {
                throw .malformed(
                    "A connection carries \(configuration.rateLimits.streamsPerConnection) streams at most.")
            }
            connection.subscriptions.append(Subscription(name: name, target: target))
            switch target {
            case .market(let index, let kind):
                markets[index].feed.subscribe(connection, to: kind, updateID: markets[index].updateID)
                startPlayback()
            case .user(let account):
                account.listeners.append(connection)
                connection.role = .user
            }
        }
    }

    /// Ends one subscription of a connection.
    func drop(_ subscription: Subscription, of connection: BinanceConnection) {
        switch subscription.target {
        case .market(let index, let kind): markets[index].feed.unsubscribe(connection, from: kind)
        case .user(let account): account.listeners.removeAll { $0 === connection }
        }
    }

    /// Answers SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS.
    func answerStreamRequest(_ text: [UInt8], _ connection: BinanceConnection) {
        let request: JSONValue
        do throws(JSONError) { request = try JSONParser.parse(text) } catch {
            return answerStream(nil, connection, error: (3, "Invalid JSON: \(error.reason) at byte \(error.offset)"))
        }
        let id = request["id"]
        do throws(BinanceError) {
            switch request["method"]?.string {
            case "SUBSCRIBE"?:
                try subscribe(connection, try streamNames(request))
                answerStream(id, connection, result: .null)
            case "UNSUBSCRIBE"?:
                for name in try streamNames(request) {
                    guard let index = connection.subscriptions.firstIndex(where: { $0.name == name }) else { continue }
                    drop(connection.subscriptions.remove(at: index), of: connection)
                }
                answerStream(id, connection, result: .null)
            case "LIST_SUBSCRIPTIONS"?:
                answerStream(id, connection, result: .array(connection.subscriptions.map { .string($0.name) }))
            case let method: throw .malformed("Unknown method \(method ?? "(none)").")
            }
        } catch {
            answerStream(id, connection, error: (2, error.message))
        }
    }

    private func streamNames(_ request: JSONValue) throws(BinanceError) -> [String] {
        guard case .array(let values)? = request["params"] else {
            throw .malformed("params must be an array of names.")
        }
        let names = values.compactMap(\.string)
        guard names.count == values.count else { throw .malformed("params must be an array of names.") }
        return names
    }

    private func answerStream(
        _ id: JSONValue?, _ connection: BinanceConnection, result: JSONValue? = nil,
        error: (code: Int, message: String)? = nil
    ) {
        var members: [JSONMember] = []
        if let result { members.append(JSONMember(key: "result", value: result)) }
        if let error {
            let body = JSONValue.object([
                JSONMember(key: "code", value: .number(String(error.code))),
                JSONMember(key: "msg", value: .string(error.message)),
            ])
            members.append(JSONMember(key: "error", value: body))
        }
        members.append(JSONMember(key: "id", value: id ?? .null))
        var out: [UInt8] = []
        JSONValue.object(members).write(to: &out)
        // An answer of a stream connection has no status: what fails is an error like any other.
        hub.sendAnswer(WebSocketCodec.frame(.text, out), to: connection, request: "") { _ in
            WebSocketCodec.frame(.text, Array(#"{"error":{"code":1,"msg":"Internal error"},"id":null}"#.utf8))
        }
    }
}
