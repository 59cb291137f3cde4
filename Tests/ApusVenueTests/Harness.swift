import Testing

@testable import ApusVenue

let testStart: VenueTime = 1_723_161_255_000_000_000
let firstKey = "key-one"
let secondKey = "key-two"
let secrets = [firstKey: "secret-one", secondKey: "secret-two"]

/// A configuration for tests: one symbol, two accounts, a market that stands still unless told otherwise.
func testConfiguration(
    speed: MarketSpeed = .still, seed: UInt64 = 7, balance: Int64 = 10_000_000_000_000, faults: FaultPlan = FaultPlan()
) throws -> BinanceConfiguration {
    BinanceConfiguration(
        symbols: [try .btcusdt(), try .ethusdt()],
        accounts: [
            BinanceAccountConfiguration(apiKey: firstKey, secret: secrets[firstKey]!, balance: balance),
            BinanceAccountConfiguration(apiKey: secondKey, secret: secrets[secondKey]!, balance: balance),
        ],
        seed: seed, speed: speed, faults: faults)
}

/// Whoever brings a client's bytes to a venue.
protocol ClientHost: AnyObject {
    var now: VenueTime { get }
    func send(_ client: TestClient, _ bytes: [UInt8])
}

/// Drives a venue in one thread, with a clock of its own, and hands its outputs to clients.
final class Harness: ClientHost {
    let venue: BinanceVenue
    private(set) var now: VenueTime
    private var clients: [ConnectionID: TestClient] = [:]

    init(_ configuration: BinanceConfiguration) throws {
        now = testStart
        venue = try BinanceVenue(configuration, now: testStart)
    }

    convenience init(speed: MarketSpeed = .still, faults: FaultPlan = FaultPlan()) throws {
        try self.init(try testConfiguration(speed: speed, faults: faults))
    }

    func connect() -> TestClient {
        let client = TestClient(venue.connect(now: now), self)
        clients[client.id] = client
        pump()
        return client
    }

    /// A client that has upgraded to a WebSocket on that path.
    func webSocket(_ path: String, sourceLocation: SourceLocation = #_sourceLocation) -> TestClient {
        let client = connect()
        let status = client.upgrade(path)
        #expect(status == 101, sourceLocation: sourceLocation)
        return client
    }

    func send(_ client: TestClient, _ bytes: [UInt8]) {
        venue.receive(client.id, bytes, now: now)
        pump()
    }

    func leave(_ client: TestClient) {
        venue.disconnect(client.id, now: now)
        pump()
    }

    func advance(by time: VenueTime) {
        now += time
        venue.advance(to: now)
        pump()
    }

    private func pump() {
        for output in venue.takeOutputs() {
            guard let client = clients[output.connection] else { continue }
            client.carryOut(output.action)
        }
    }

    // MARK: Orders

    private(set) lazy var rest = connect()

    /// A signed REST request; parameters as a query.
    func signed(
        _ method: String, _ path: String, _ query: String = "", key: String = firstKey, secret: String? = nil
    ) -> Answer {
        let text = (query.isEmpty ? "" : query + "&") + "timestamp=\(now / millisecond)"
        let signature = BinanceAuthentication.signature(of: Array(text.utf8), secret: secret ?? secrets[key]!)
        return rest.request(
            method, "\(path)?\(text)&signature=\(String(decoding: signature, as: UTF8.self))",
            headers: "X-MBX-APIKEY: \(key)\r\n")
    }

    func place(_ query: String, symbol: String = "BTCUSDT", key: String = firstKey) -> Answer {
        signed("POST", "/fapi/v1/order", "symbol=\(symbol)&\(query)", key: key)
    }

    /// A limit order; prices and quantities as texts.
    func limit(
        _ side: String, _ quantity: String, at price: String, tif: String = "GTC", id: String = "",
        key: String = firstKey,
        extra: String = ""
    ) -> Answer {
        place(
            "side=\(side)&type=LIMIT&timeInForce=\(tif)&quantity=\(quantity)&price=\(price)"
                + (id.isEmpty ? "" : "&newClientOrderId=\(id)") + extra, key: key)
    }

    /// Opens the user stream of an account.
    func userStream(key: String = firstKey) -> TestClient {
        let answer = rest.request("POST", "/fapi/v1/listenKey", headers: "X-MBX-APIKEY: \(key)\r\n")
        return webSocket("/private/ws/\(answer.body["listenKey"]?.string ?? "")")
    }

    /// Lets the second account take asks until there is room for a price between the touch.
    func openGap() {
        while true {
            let book = venue.book("BTCUSDT")!
            if book.asks[0].price - book.bids[0].price >= 30 { return }
            _ = place(
                "side=BUY&type=MARKET&quantity=\(decimalText(book.asks[0].quantity, decimals: 3))", key: secondKey)
        }
    }

    /// Price of the touch as a text, moved by ticks.
    func touch(_ side: Side, ticks: Int64 = 0) -> String {
        let book = venue.book("BTCUSDT")!
        return decimalText((side == .buy ? book.bids : book.asks)[0].price + ticks * 10, decimals: 2)
    }
}

/// An HTTP answer.
struct Answer {
    var status: Int
    var headers: [String: String]
    var body: JSONValue

    var code: Int? { body["code"]?.parameterText.flatMap { Int($0) } }

    subscript(key: String) -> String? { body[key]?.parameterText }
}

/// A client that speaks just enough HTTP and WebSocket to test a server.
final class TestClient {
    let id: ConnectionID
    /// Keeps its venue alive: a test often holds the client alone.
    private let harness: any ClientHost
    private var inbox: [UInt8] = []
    private(set) var isUpgraded = false
    private(set) var frames: [(opcode: UInt8, payload: [UInt8])] = []
    private(set) var brokenFrames = 0
    var isClosed = false
    var isAborted = false
    var isPaused = false

    init(_ id: ConnectionID, _ harness: any ClientHost) {
        self.id = id
        self.harness = harness
    }

    func carryOut(_ action: VenueAction) {
        switch action {
        case .bytes(let bytes): take(bytes)
        case .close: isClosed = true
        case .abort: isAborted = true
        case .pauseReading: isPaused = true
        case .resumeReading: isPaused = false
        }
    }

    func take(_ bytes: [UInt8]) {
        inbox += bytes
        if isUpgraded { readFrames() }
    }

    func send(_ bytes: [UInt8]) { harness.send(self, bytes) }

    // MARK: HTTP

    func request(_ method: String, _ target: String, headers: String = "", body: String = "") -> Answer {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        send(Array("\(method) \(target) HTTP/1.1\r\nHost: venue\r\n\(headers)\(length)\r\n\(body)".utf8))
        return takeAnswer() ?? Answer(status: 0, headers: [:], body: .null)
    }

    /// The next whole answer in the inbox; nil when there is none.
    func takeAnswer() -> Answer? {
        guard let end = inbox.indices.dropLast(3).first(where: { Array(inbox[$0..<($0 + 4)]) == [13, 10, 13, 10] })
        else {
            return nil
        }
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
        let status = Int(lines[0].split(separator: " ")[1]) ?? 0
        return Answer(status: status, headers: headers, body: (try? JSONParser.parse(body)) ?? .null)
    }

    /// Upgrades and returns the status.
    func upgrade(_ path: String) -> Int {
        send(
            Array(
                """
                GET \(path) HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """.utf8))
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
            if inbox[0] & 0x70 != 0 || inbox[1] & 0x80 != 0 { brokenFrames += 1 }
            frames.append((inbox[0] & 15, Array(inbox[header..<(header + length)])))
            inbox.removeFirst(header + length)
        }
    }

    /// A masked client frame.
    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        var out: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        if payload.count < 126 {
            out.append(0x80 | UInt8(payload.count))
        } else {
            out += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        }
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        return out + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    func sendText(_ text: String) { send(Self.frame(1, Array(text.utf8))) }

    /// Text messages so far, parsed; the list is empty afterwards.
    func takeMessages() -> [JSONValue] {
        defer { frames = [] }
        return frames.filter { $0.opcode == 1 }.compactMap { try? JSONParser.parse($0.payload) }
    }

    /// Text messages so far as bytes; the list is empty afterwards.
    func takeTexts() -> [[UInt8]] {
        defer { frames = [] }
        return frames.filter { $0.opcode == 1 }.map(\.payload)
    }

    /// The code of the last close frame.
    var closeCode: UInt16? {
        frames.last { $0.opcode == 8 }.flatMap {
            $0.payload.count < 2 ? nil : UInt16($0.payload[0]) << 8 | UInt16($0.payload[1])
        }
    }

    /// A signed request of the WebSocket API; values are sent as strings.
    func call(
        _ method: String, _ parameters: [String: String] = [:], key: String = firstKey, isSigned: Bool = true,
        secret: String? = nil
    ) -> JSONValue {
        var all = parameters
        all["apiKey"] = key
        if isSigned {
            all["timestamp"] = all["timestamp"] ?? String(harness.now / millisecond)
            let text = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            let signature = BinanceAuthentication.signature(of: Array(text.utf8), secret: secret ?? secrets[key] ?? "")
            all["signature"] = String(decoding: signature, as: UTF8.self)
        }
        let members = all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        frames = []
        sendText("{\"id\":\"t-1\",\"method\":\"\(method)\",\"params\":{\(members)}}")
        return takeMessages().last ?? .null
    }
}

/// The text at a path of keys.
func text(_ value: JSONValue, _ keys: String...) -> String? {
    keys.reduce(Optional(value)) { $0?[$1] }?.parameterText
}
