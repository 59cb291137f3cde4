// What can be asked of the venue, over REST and over the WebSocket API: one table, one way of checking who asks.

/// One thing a client can ask for.
enum BinanceOperation {
    case ping, time, exchangeInfo, depth, bookTicker
    case placeOrder, modifyOrder, cancelOrder, queryOrder, openOrders, openOrder, cancelAll, countdown
    case userTrades, balance, account, position
    case startStream, keepStream, stopStream
    case logon

    /// Who may ask.
    enum Security { case everyone, key, signature }

    var security: Security {
        switch self {
        case .ping, .time, .exchangeInfo, .depth, .bookTicker: .everyone
        case .startStream, .keepStream, .stopStream: .key
        default: .signature
        }
    }

    func weight(_ parameters: Parameters) -> Int {
        switch self {
        case .placeOrder: 0
        case .depth:
            switch Int(parameters["limit"] ?? "500") ?? 500 {
            case ...50: 2
            case ...100: 5
            case ...500: 10
            default: 20
            }
        case .bookTicker: 2
        case .balance, .account, .position, .userTrades: 5
        case .countdown: 10
        default: 1
        }
    }

    var isOrder: Bool { self == .placeOrder || self == .modifyOrder }

    /// The operation of a REST request.
    init?(method: String, path: String) {
        switch (method, path) {
        case ("GET", "/fapi/v1/ping"): self = .ping
        case ("GET", "/fapi/v1/time"): self = .time
        case ("GET", "/fapi/v1/exchangeInfo"): self = .exchangeInfo
        case ("GET", "/fapi/v1/depth"): self = .depth
        case ("GET", "/fapi/v1/ticker/bookTicker"): self = .bookTicker
        case ("POST", "/fapi/v1/order"): self = .placeOrder
        case ("PUT", "/fapi/v1/order"): self = .modifyOrder
        case ("DELETE", "/fapi/v1/order"): self = .cancelOrder
        case ("GET", "/fapi/v1/order"): self = .queryOrder
        case ("GET", "/fapi/v1/openOrders"): self = .openOrders
        case ("GET", "/fapi/v1/openOrder"): self = .openOrder
        case ("DELETE", "/fapi/v1/allOpenOrders"): self = .cancelAll
        case ("POST", "/fapi/v1/countdownCancelAll"): self = .countdown
        case ("GET", "/fapi/v1/userTrades"): self = .userTrades
        case ("GET", "/fapi/v2/balance"), ("GET", "/fapi/v3/balance"): self = .balance
        case ("GET", "/fapi/v2/account"), ("GET", "/fapi/v3/account"): self = .account
        case ("GET", "/fapi/v2/positionRisk"), ("GET", "/fapi/v3/positionRisk"): self = .position
        case ("POST", "/fapi/v1/listenKey"): self = .startStream
        case ("PUT", "/fapi/v1/listenKey"): self = .keepStream
        case ("DELETE", "/fapi/v1/listenKey"): self = .stopStream
        default: return nil
        }
    }

    /// The operation of a method of the WebSocket API.
    init?(name: String) {
        switch name {
        case "ping": self = .ping
        case "time": self = .time
        case "depth": self = .depth
        case "ticker.book": self = .bookTicker
        case "order.place": self = .placeOrder
        case "order.modify": self = .modifyOrder
        case "order.cancel": self = .cancelOrder
        case "order.status": self = .queryOrder
        case "account.balance", "v2/account.balance": self = .balance
        case "account.status", "v2/account.status": self = .account
        case "account.position", "v2/account.position": self = .position
        case "userDataStream.start": self = .startStream
        case "userDataStream.ping": self = .keepStream
        case "userDataStream.stop": self = .stopStream
        case "session.logon": self = .logon
        default: return nil
        }
    }
}

extension BinanceVenue {
    /// The body of the answer to a REST request.
    func restAnswer(_ request: HTTPRequest) throws(BinanceError) -> [UInt8] {
        guard let operation = BinanceOperation(method: request.method, path: request.path) else { throw .noSuchPath }
        var parameters = Parameters()
        try parameters.append(query: request.query)
        guard let form = String(validating: request.body, as: UTF8.self) else {
            throw .malformed("The body is not UTF-8.")
        }
        try parameters.append(query: form)
        try takeWeight(operation.weight(parameters))
        var account: Account?
        if operation.security != .everyone {
            guard let key = request.header("x-mbx-apikey"), !key.isEmpty else { throw .keyFormat }
            account = self.account(forKey: key)
            guard let account else { throw .unknownKey }
            if operation.security == .signature {
                let signature = try parameters.required("signature")
                let text = BinanceAuthentication.signedText(query: request.query, body: request.body)
                guard BinanceAuthentication.isValid(signature: signature, of: text, account: account.configuration)
                else { throw .invalidSignature }
                try BinanceAuthentication.checkTime(parameters, now: now)
            }
        }
        return try perform(operation, parameters, account)
    }

    /// Answers a request of the WebSocket API.
    func answerAPI(_ text: [UInt8], _ connection: BinanceConnection) {
        let request: JSONValue
        do throws(JSONError) { request = try JSONParser.parse(text) } catch {
            let failure = BinanceError.malformed("Invalid JSON: \(error.reason) at byte \(error.offset).")
            return answer(.null, connection, .failure(failure), account: nil, withLimits: true)
        }
        var account: Account?
        var withLimits = true
        do throws(BinanceError) {
            let parameters = try Parameters(json: request["params"])
            withLimits = try parameters.bool("returnRateLimits") ?? true
            guard let name = request["method"]?.string else { throw .mandatory("method") }
            guard let operation = BinanceOperation(name: name) else { throw .unknownMethod(name) }
            try takeWeight(operation.weight(parameters))
            account = try authenticate(operation, parameters)
            let result = try perform(operation, parameters, account)
            answer(request, connection, .success(result), account: account, withLimits: withLimits)
        } catch {
            answer(request, connection, .failure(error), account: account, withLimits: withLimits)
        }
    }

    private func authenticate(_ operation: BinanceOperation, _ parameters: Parameters) throws(BinanceError) -> Account?
    {
        if operation.security == .everyone { return nil }
        let key = try parameters.required("apiKey")
        guard let account = account(forKey: key) else { throw .unknownKey }
        if operation.security == .key { return account }
        let signature = try parameters.required("signature")
        let plain = parameters.signedText(encoded: false)
        if !BinanceAuthentication.isValid(signature: signature, of: plain, account: account.configuration) {
            let encoded = parameters.signedText(encoded: true)
            guard encoded != plain,
                BinanceAuthentication.isValid(signature: signature, of: encoded, account: account.configuration)
            else { throw .invalidSignature }
        }
        try BinanceAuthentication.checkTime(parameters, now: now)
        return account
    }

    private func takeWeight(_ weight: Int) throws(BinanceError) {
        requestWeight.add(weight, now)
        let limit = configuration.rateLimits.weightPerMinute
        if configuration.rateLimits.enforced && requestWeight.count(now) > limit {
            throw .tooManyRequests(
                retryAfter: requestWeight.secondsLeft(now), "\(limit) request weight per 1 MINUTE")
        }
    }

    /// Counts an order of an account and refuses one beyond its limits.
    func takeOrder(_ account: Account) throws(BinanceError) {
        account.orderTimes.add(now)
        let limits = configuration.rateLimits
        guard limits.enforced else { return }
        if account.orderTimes.tenSeconds.count(now) > limits.ordersPerTenSeconds {
            throw .tooManyOrders(
                retryAfter: account.orderTimes.tenSeconds.secondsLeft(now),
                "\(limits.ordersPerTenSeconds) orders per 10 SECOND")
        }
        if account.orderTimes.minute.count(now) > limits.ordersPerMinute {
            throw .tooManyOrders(
                retryAfter: account.orderTimes.minute.secondsLeft(now), "\(limits.ordersPerMinute) orders per 1 MINUTE")
        }
    }

    private func perform(
        _ operation: BinanceOperation, _ parameters: Parameters, _ account: Account?
    ) throws(BinanceError) -> [UInt8] {
        switch operation {
        case .ping: return Array("{}".utf8)
        case .time: return Array("{\"serverTime\":\(now / millisecond)}".utf8)
        case .exchangeInfo: return exchangeInfo()
        case .depth: return try depth(parameters)
        case .bookTicker: return try bookTicker(parameters)
        default: break
        }
        guard let account else { throw .keyFormat }
        switch operation {
        case .placeOrder: return try placeOrder(account, parameters)
        case .modifyOrder: return try modifyOrder(account, parameters)
        case .cancelOrder: return try cancelOrder(account, parameters)
        case .queryOrder: return renderOrder(try findOrder(account, parameters), .query)
        case .openOrders: return try openOrders(account, parameters)
        case .openOrder: return try openOrder(account, parameters)
        case .cancelAll: return try cancelAllOrders(account, parameters)
        case .countdown: return try countDown(account, parameters)
        case .userTrades: return try userTrades(account, parameters)
        case .balance: return renderBalance(account)
        case .account: return renderAccount(account)
        case .position: return try renderPositions(account, parameters)
        case .startStream: return startUserStream(account)
        case .keepStream: return try keepUserStream(account)
        case .stopStream: return try stopUserStream(account)
        case .logon: throw .hmacCannotLogOn
        default: throw .noSuchPath
        }
    }

    private func answer(
        _ request: JSONValue, _ connection: BinanceConnection, _ outcome: Result<[UInt8], BinanceError>,
        account: Account?, withLimits: Bool
    ) {
        func frame(_ outcome: Result<[UInt8], BinanceError>) -> [UInt8] {
            apiFrame(request["id"], outcome, account: account, withLimits: withLimits)
        }
        hub.sendAnswer(frame(outcome), to: connection, request: request["method"]?.string ?? "") { status in
            frame(.failure(.unavailable(status)))
        }
    }

    private func apiFrame(
        _ id: JSONValue?, _ outcome: Result<[UInt8], BinanceError>, account: Account?, withLimits: Bool
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"id\":")
        (id ?? .null).write(to: &out)
        switch outcome {
        case .success(let result):
            out.append(",\"status\":200,\"result\":")
            out.append(contentsOf: result)
        case .failure(let error):
            out.append(",\"status\":")
            out.append(integer: Int64(error.status))
            out.append(",\"error\":")
            out.append(contentsOf: error.body)
        }
        if withLimits { appendRateLimits(&out, account) }
        out.append(125)
        return WebSocketCodec.frame(.text, out)
    }

    private func appendRateLimits(_ out: inout [UInt8], _ account: Account?) {
        let limits = configuration.rateLimits
        func append(_ type: StaticString, _ interval: StaticString, _ number: Int, _ limit: Int, _ count: Int) {
            out.append("{\"rateLimitType\":\"")
            out.append(type)
            out.append("\",\"interval\":\"")
            out.append(interval)
            out.append("\",\"intervalNum\":")
            out.append(integer: Int64(number))
            out.append(",\"limit\":")
            out.append(integer: Int64(limit))
            out.append(",\"count\":")
            out.append(integer: Int64(count))
            out.append(125)
        }
        out.append(",\"rateLimits\":[")
        defer { out.append(93) }
        guard limits.enforced else { return }
        append("REQUEST_WEIGHT", "MINUTE", 1, limits.weightPerMinute, requestWeight.count(now))
        if let account {
            out.append(44)
            append("ORDERS", "SECOND", 10, limits.ordersPerTenSeconds, account.orderTimes.tenSeconds.count(now))
            out.append(44)
            append("ORDERS", "MINUTE", 1, limits.ordersPerMinute, account.orderTimes.minute.count(now))
        }
    }
}
