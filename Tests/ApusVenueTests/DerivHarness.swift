import Testing

@testable import ApusVenue

/// A full hour, so that budgets begin with the test.
let derivStart: VenueTime = 1_723_161_600 * second
let demoAccount = "VRTC90000001"
let realAccount = "CR90000001"
let otherAccount = "VRTC90000002"
let derivToken = "token-of-the-first-user"
let otherToken = "token-of-the-other-user"

func derivConfiguration(
    seed: UInt64 = 7, balance: Int64 = 1_000_000, faults: FaultPlan = FaultPlan(), withLimits: Bool = false
) -> DerivVenueConfiguration {
    DerivVenueConfiguration(
        accounts: [
            DerivAccountConfiguration(id: demoAccount, token: derivToken, balance: balance),
            DerivAccountConfiguration(id: realAccount, token: derivToken, isDemo: false, balance: balance),
            DerivAccountConfiguration(id: otherAccount, token: otherToken, tokenKind: .oauth, balance: balance),
        ],
        appID: "1089", seed: seed, budgets: DerivBudgetConfiguration(enforced: withLimits), faults: faults)
}

/// Drives a Deriv venue in one thread, with a clock of its own, and hands its outputs to clients.
final class DerivHarness {
    let venue: DerivVenue
    private(set) var now = derivStart
    private var clients: [ConnectionID: DerivTestClient] = [:]

    init(_ configuration: DerivVenueConfiguration = derivConfiguration()) throws {
        venue = try DerivVenue(configuration, now: now)
    }

    func connect(isSecure: Bool = false) -> DerivTestClient {
        let client = DerivTestClient(venue.connect(now: now, isSecure: isSecure), self)
        clients[client.id] = client
        pump()
        return client
    }

    /// A socket of the older API, authorised unless there is no token.
    func v3(token: String? = derivToken) -> DerivTestClient {
        let client = connect()
        #expect(client.upgrade("/websockets/v3?app_id=1089") == 101)
        if let token { #expect(client.ask("{\"authorize\":\"\(token)\"}").body("authorize") != nil) }
        return client
    }

    /// A trading socket of the current API.
    func trading(_ account: String = demoAccount, token: String = derivToken) -> DerivTestClient {
        let client = connect()
        #expect(client.upgrade(password(account, token: token)) == 101)
        return client
    }

    /// The path and query of a fresh one-time address.
    func password(_ account: String = demoAccount, token: String = derivToken) -> String {
        let url = text(post(account, token: token).body, "data", "url") ?? ""
        return String(url.dropFirst("ws://venue".count))
    }

    func post(_ account: String, token: String = derivToken, app: String? = "1089") -> Answer {
        let header = app.map { "Deriv-App-ID: \($0)\r\n" } ?? ""
        return connect().request(
            "POST", "/trading/v1/options/accounts/\(account)/otp",
            headers: "Authorization: Bearer \(token)\r\n" + header)
    }

    func send(_ client: DerivTestClient, _ bytes: [UInt8]) {
        venue.receive(client.id, bytes, now: now)
        pump()
    }

    func leave(_ client: DerivTestClient) {
        venue.disconnect(client.id, now: now)
        pump()
    }

    func advance(by time: VenueTime) {
        now += time
        venue.advance(to: now)
        pump()
    }

    /// Advances until the account has no open contract.
    func settleAll(_ account: String = demoAccount) {
        while !venue.openContracts(account: account).isEmpty { advance(by: second) }
    }

    func pump() {
        for output in venue.takeOutputs() {
            guard let client = clients[output.connection] else { continue }
            switch output.action {
            case .bytes(let bytes): client.take(bytes)
            case .close: client.isClosed = true
            case .abort: client.isAborted = true
            case .pauseReading, .resumeReading: break
            }
        }
    }
}

/// A client that speaks just enough HTTP and WebSocket to test the venue.
final class DerivTestClient {
    let id: ConnectionID
    private let harness: DerivHarness
    private var inbox: [UInt8] = []
    private var isUpgraded = false
    private(set) var received: [UInt8] = []
    private var messages: [JSONValue] = []
    private(set) var closeCode: UInt16?
    var isClosed = false
    var isAborted = false

    init(_ id: ConnectionID, _ harness: DerivHarness) {
        self.id = id
        self.harness = harness
    }

    func take(_ bytes: [UInt8]) {
        received += bytes
        inbox += bytes
        if isUpgraded { readFrames() }
    }

    func send(_ bytes: [UInt8]) { harness.send(self, bytes) }

    // MARK: HTTP

    func request(_ method: String, _ target: String, headers: String = "") -> Answer {
        send(Array("\(method) \(target) HTTP/1.1\r\nHost: venue\r\n\(headers)\r\n".utf8))
        return takeAnswer() ?? Answer(status: 0, headers: [:], body: .null)
    }

    private func takeAnswer() -> Answer? {
        guard let end = inbox.indices.dropLast(3).first(where: { Array(inbox[$0..<($0 + 4)]) == [13, 10, 13, 10] })
        else { return nil }
        let lines = String(decoding: inbox[..<end], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].drop { $0 == " " }.description
        }
        let length = Int(headers["content-length"] ?? "0") ?? 0
        guard inbox.count >= end + 4 + length else { return nil }
        let body = Array(inbox[(end + 4)..<(end + 4 + length)])
        inbox.removeFirst(end + 4 + length)
        return Answer(
            status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: headers,
            body: (try? JSONParser.parse(body)) ?? .null)
    }

    /// Upgrades and returns the status.
    func upgrade(_ path: String) -> Int {
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        send(
            Array(
                "GET \(path) HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\(key)\r\n".utf8))
        let answer = takeAnswer()
        if answer?.status == 101 {
            isUpgraded = true
            readFrames()
        }
        return answer?.status ?? 0
    }

    // MARK: WebSocket

    private func readFrames() {
        while inbox.count >= 2 {
            var length = Int(inbox[1] & 0x7F)
            var header = 2
            if length >= 126 {
                header = length == 126 ? 4 : 10
                guard inbox.count >= header else { return }
                length = inbox[2..<header].reduce(0) { $0 << 8 | Int($1) }
            }
            guard inbox.count >= header + length else { return }
            let payload = Array(inbox[header..<(header + length)])
            if inbox[0] & 15 == 8, payload.count >= 2 { closeCode = UInt16(payload[0]) << 8 | UInt16(payload[1]) }
            if inbox[0] & 15 == 1, let json = try? JSONParser.parse(payload) { messages.append(json) }
            inbox.removeFirst(header + length)
        }
    }

    func sendText(_ text: String) { send(TestClient.frame(1, Array(text.utf8))) }

    /// Messages so far; the list is empty afterwards.
    func takeMessages() -> [JSONValue] {
        defer { messages = [] }
        return messages
    }

    /// Messages of one type so far; the others are dropped too.
    func take(_ type: String) -> [JSONValue] { takeMessages().filter { text($0, "msg_type") == type } }

    private var nextID = 1

    /// Asks and returns the answer with the request's number; what came before is kept.
    func ask(_ request: String) -> JSONValue {
        let number = nextID
        nextID += 1
        let members = request.dropFirst().dropLast()
        sendText("{\(members),\"req_id\":\(number)}")
        let place = messages.firstIndex { text($0, "req_id") == String(number) }
        return place.map { messages.remove(at: $0) } ?? .null
    }

    func code(_ request: String) -> String? { text(ask(request), "error", "code") }

    // MARK: Trading

    /// Asks for a price; the fields are those of a rise on R_100 unless given.
    func propose(_ fields: String = "", kind: String = "CALL", key: String = "symbol", symbol: String = "1HZ100V")
        -> JSONValue
    {
        let shape = fields.isEmpty ? "\"duration\":5,\"duration_unit\":\"t\"" : fields
        return ask(
            """
            {"proposal":1,"amount":10,"basis":"stake","contract_type":"\(kind)","currency":"USD",\
            "\(key)":"\(symbol)",\(shape)}
            """)
    }

    /// Proposes and buys; the answer to the purchase.
    func buy(
        _ fields: String = "", kind: String = "CALL", key: String = "symbol", symbol: String = "1HZ100V",
        price: String = "100"
    ) -> JSONValue {
        let id = text(propose(fields, kind: kind, key: key, symbol: symbol), "proposal", "id") ?? "1"
        return ask("{\"buy\":\"\(id)\",\"price\":\(price)}")
    }
}

extension JSONValue {
    /// The body of an answer without an error.
    func body(_ name: String) -> JSONValue? { self["error"] == nil ? self[name] : nil }

    /// Cents of a number or string at a path.
    func cents(_ keys: String...) -> Int64? {
        let value = keys.reduce(Optional(self)) { $0?[$1] }
        return value?.parameterText.flatMap { try? parseDecimal($0, decimals: 2) }
    }
}
