// What arrives over HTTP: the one-time passwords, and the upgrades of the three kinds of socket.

/// A password that opens one connection to one account.
struct DerivPassword {
    var text: String
    var account: DerivAccount
    var expiry: VenueTime
}

extension DerivVenue: HubOwner {
    typealias Member = DerivConnection

    static let root = "/trading/v1/options"

    // MARK: REST

    func take(_ request: HTTPRequest, _ connection: DerivConnection) {
        let reply: HTTPReply
        do throws(DerivRESTError) {
            reply = HTTPReply(body: try restAnswer(request, connection).bytes)
        } catch {
            reply = refusal(error, request)
        }
        hub.answer(reply, request, connection)
    }

    private func restAnswer(_ request: HTTPRequest, _ connection: DerivConnection) throws(DerivRESTError) -> JSONValue {
        let limits = configuration.budgets
        restRequests.add(1, now)
        if limits.enforced, restRequests.count(now) > limits.restPerMinuteForAddress {
            throw .rateLimit(retryAfter: restRequests.secondsLeft(now))
        }
        guard request.path.hasPrefix(Self.root + "/accounts") else { throw .notFound }
        let rest = request.path.dropFirst((Self.root + "/accounts").utf8.count)
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        guard rest.isEmpty || (parts.count == 2 && parts[1] == "otp") else { throw .notFound }
        guard request.method == (rest.isEmpty ? "GET" : "POST") else { throw .noMethod }
        let user = try user(of: request)
        if rest.isEmpty { return accountList(user, request) }
        guard isAccountID(parts[0]) else { throw .badAccountFormat }
        guard let account = user.accounts.first(where: { $0.configuration.id == parts[0] }) else { throw .badAccount }
        return issuePassword(account, request, connection)
    }

    /// The user whose token the request bears.
    private func user(of request: HTTPRequest) throws(DerivRESTError) -> DerivUser {
        guard let header = request.header("authorization"), header.hasPrefix("Bearer "),
            let user = users.first(where: { $0.token == header.dropFirst("Bearer ".utf8.count) })
        else { throw .unauthorized }
        if user.kind == .personal {
            guard let app = request.header("deriv-app-id"), !app.isEmpty, takes(app: app) else { throw .missingApp }
        }
        user.rest.add(1, now)
        if configuration.budgets.enforced, user.rest.count(now) > configuration.budgets.restPerMinuteForUser {
            throw .rateLimit(retryAfter: user.rest.secondsLeft(now))
        }
        return user
    }

    private func takes(app: String) -> Bool { configuration.appID == nil || configuration.appID == app }

    private func accountList(_ user: DerivUser, _ request: HTTPRequest) -> JSONValue {
        let rows = user.accounts.map { account in
            DerivObject([
                ("account_id", .string(account.configuration.id)),
                ("account_type", .string(account.configuration.isDemo ? "demo" : "real")),
                ("balance", .string(moneyText(account.balance))), ("currency", .string("USD")),
                ("status", .string("active")),
            ]).value
        }
        return DerivObject([("data", .array(rows)), ("meta", meta(request))]).value
    }

    private func issuePassword(
        _ account: DerivAccount, _ request: HTTPRequest, _ connection: DerivConnection
    ) -> JSONValue {
        passwords.removeAll { $0.expiry <= now }
        let text = String(newID().filter { $0 != "-" })
        passwords.append(
            DerivPassword(text: text, account: account, expiry: later(now, by: configuration.passwordLife)))
        let scheme = connection.isSecure ? "wss" : "ws"
        let host = request.header("host") ?? "localhost"
        let kind = account.configuration.isDemo ? "demo" : "real"
        let url = "\(scheme)://\(host)\(Self.root)/ws/\(kind)?otp=\(text)"
        let data = DerivObject([("url", .string(url))]).value
        return DerivObject([("data", data), ("meta", meta(request))]).value
    }

    private func meta(_ request: HTTPRequest) -> JSONValue {
        let path =
            request.path.hasPrefix(Self.root) ? String(request.path.dropFirst(Self.root.utf8.count)) : request.path
        return DerivObject([
            ("endpoint", .string(path)), ("method", .string(request.method)), ("timing", .integer(0)),
        ]).value
    }

    private func refusal(_ error: DerivRESTError, _ request: HTTPRequest) -> HTTPReply {
        var reply = refusal(error, meta: meta(request))
        if let seconds = error.retryAfter {
            reply.headers.append(NamedText(name: "Retry-After", value: String(seconds)))
        }
        return reply
    }

    private func refusal(_ error: DerivRESTError, meta: JSONValue) -> HTTPReply {
        let row = DerivObject([
            ("status", .integer(Int64(error.status))), ("code", .string(error.code)),
            ("message", .string(error.message)),
        ])
        let body = DerivObject([("errors", .array([row.value])), ("meta", meta)])
        return HTTPReply(status: error.status, body: body.value.bytes)
    }

    func reply(to problem: HTTPProblem) -> HTTPReply {
        let error: DerivRESTError
        if case .unavailable(let status) = problem {
            error = .unavailable(status)
        } else {
            error = .bad(problem.reason, status: problem.status)
        }
        var reply = refusal(error, meta: .object([]))
        if let seconds = error.retryAfter {
            reply.headers.append(NamedText(name: "Retry-After", value: String(seconds)))
        }
        return reply
    }

    // MARK: Upgrades

    func route(_ upgrade: HTTPRequest, _ connection: DerivConnection) -> HTTPReply? {
        do throws(DerivRESTError) {
            switch upgrade.path {
            case Self.root + "/ws/public": connection.role = .market
            case Self.root + "/ws/demo": try open(upgrade, connection, isDemo: true)
            case Self.root + "/ws/real": try open(upgrade, connection, isDemo: false)
            case "/websockets/v3":
                let app = parameter("app_id", upgrade.query) ?? ""
                let isNumber = (1...18).contains(app.utf8.count) && app.utf8.allSatisfy { (48...57).contains($0) }
                guard isNumber, takes(app: app), let number = Int64(app) else { throw .badApp }
                connection.appID = number
                connection.api = .v3
                connection.role = .market
            default: throw .notFound
            }
            return nil
        } catch {
            return refusal(error, upgrade)
        }
    }

    /// Uses up a one-time password. It is gone even when it asks for the wrong kind of account.
    private func open(
        _ upgrade: HTTPRequest, _ connection: DerivConnection, isDemo: Bool
    ) throws(DerivRESTError) {
        guard let text = parameter("otp", upgrade.query),
            let place = passwords.firstIndex(where: { $0.text == text })
        else { throw .badPassword }
        let password = passwords.remove(at: place)
        guard password.expiry > now, password.account.configuration.isDemo == isDemo else { throw .badPassword }
        connection.account = password.account
        connection.role = .user
    }

    private func parameter(_ name: String, _ query: String) -> String? {
        let pairs = query.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
        return pairs.first { $0.count == 2 && $0[0] == name }.flatMap { percentDecoded($0[1]) }
    }

    func opened(_ upgrade: HTTPRequest, _ connection: DerivConnection) { heard(connection) }

    /// Any frame keeps a connection alive.
    func admits(_ connection: DerivConnection) -> Bool {
        heard(connection)
        return true
    }

    private func heard(_ connection: DerivConnection) {
        connection.lastHeard = now
        hub.timersChanged()
    }

    func left(_ connection: DerivConnection) {
        connection.subscriptions = []
        connection.proposals = []
    }
}
