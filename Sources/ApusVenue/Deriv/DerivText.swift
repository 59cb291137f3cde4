/// Cents as the venue writes money: `1234` is `12.34`.
func moneyText(_ cents: Int64) -> String { decimalText(cents, decimals: 2) }

extension JSONValue {
    static func integer(_ value: Int64) -> JSONValue { .number(String(value)) }

    /// A truth as the venue writes it: 0 or 1.
    static func flag(_ value: Bool) -> JSONValue { .number(value ? "1" : "0") }

    /// Cents as a number.
    static func money(_ cents: Int64) -> JSONValue { .number(moneyText(cents)) }

    var bytes: [UInt8] {
        var out: [UInt8] = []
        write(to: &out)
        return out
    }
}

/// The members of a JSON object in the making.
struct DerivObject {
    private var members: [JSONMember] = []

    init(_ pairs: [(String, JSONValue?)] = []) {
        for (key, value) in pairs { self[key] = value }
    }

    /// Appends a member; nil appends nothing. A key is set once.
    subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            if let newValue { members.append(JSONMember(key: key, value: newValue)) }
        }
    }

    var value: JSONValue { .object(members) }
}

extension DerivVenue {
    /// A price, profit or spot: in the current API a number or a string, as it comes; in the older one a number.
    func price(_ text: String, _ api: DerivAPI) -> JSONValue {
        api == .current && styleRandom.below(2) == 0 ? .string(text) : .number(text)
    }

    func price(_ cents: Int64, _ api: DerivAPI) -> JSONValue { price(moneyText(cents), api) }

    /// A payout, which is always a string in the current API and always a number in the older one.
    func payout(_ cents: Int64, _ api: DerivAPI) -> JSONValue {
        api == .current ? .string(moneyText(cents)) : .money(cents)
    }

    /// A new id of a subscription or proposal, in the form of a UUID.
    func newID() -> String {
        var out: [UInt8] = []
        for length in [8, 4, 4, 4, 12] {
            if !out.isEmpty { out.append(45) }
            for _ in 0..<length { out.append(hexDigits[idRandom.below(16)]) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    // MARK: Answers

    /// What every message that answers a request carries around its body.
    private func envelope(_ request: DerivRequest, type: String, body: [(String, JSONValue?)]) -> JSONValue {
        var out = DerivObject()
        if request.api == .v3 { out["echo_req"] = Self.echo(request.json) }
        for (key, value) in body { out[key] = value }
        out["msg_type"] = .string(type)
        out["req_id"] = request.id
        out["passthrough"] = request.passthrough
        return out.value
    }

    /// The request as it is repeated; a token is not.
    private static func echo(_ message: JSONValue?) -> JSONValue {
        guard case .object(let members)? = message else { return .object([]) }
        return .object(
            members.map { $0.key == "authorize" ? JSONMember(key: $0.key, value: .string("<not shown>")) : $0 })
    }

    /// Sends the answer to a request.
    func answer(
        _ request: DerivRequest, _ connection: DerivConnection, type: String? = nil, body: [(String, JSONValue?)]
    ) {
        let value = envelope(request, type: type ?? request.method.rawValue, body: body)
        send(value, connection, method: request.method.rawValue) { _ in self.failure(request, .internalError) }
    }

    /// Sends a message of a subscription.
    func tell(
        _ subscription: DerivSubscription, _ connection: DerivConnection, type: String, body: [(String, JSONValue?)]
    ) {
        let id = JSONValue.object([JSONMember(key: "id", value: .string(subscription.id))])
        let value = envelope(subscription.request, type: type, body: body + [("subscription", id)])
        hub.sendStream(WebSocketCodec.frame(.text, value.bytes), to: connection, stream: type)
    }

    /// Sends the refusal of a request.
    func refuse(_ request: DerivRequest, _ connection: DerivConnection, _ error: DerivError) {
        send(failure(request, error), connection, method: request.method.rawValue) { _ in
            self.failure(request, .internalError)
        }
    }

    private func failure(_ request: DerivRequest, _ error: DerivError) -> JSONValue {
        envelope(request, type: request.method.rawValue, body: [("error", error.value)])
    }

    /// Sends the refusal of a message that is no request of this API.
    func refuse(
        message: JSONValue?, type: String, _ connection: DerivConnection, _ error: DerivError
    ) {
        var out = DerivObject()
        if connection.api == .v3 { out["echo_req"] = Self.echo(message) }
        out["error"] = error.value
        out["msg_type"] = .string(type)
        if case .number(let text)? = message?["req_id"] { out["req_id"] = .number(text) }
        let value = out.value
        send(value, connection, method: type) { _ in value }
    }

    private func send(
        _ value: JSONValue, _ connection: DerivConnection, method: String, failed: (Int) -> JSONValue
    ) {
        hub.sendAnswer(
            WebSocketCodec.frame(.text, value.bytes), to: connection, request: method
        ) { status in WebSocketCodec.frame(.text, failed(status).bytes) }
    }
}

extension DerivError {
    var value: JSONValue {
        .object([
            JSONMember(key: "code", value: .string(code)), JSONMember(key: "message", value: .string(message)),
        ])
    }
}
