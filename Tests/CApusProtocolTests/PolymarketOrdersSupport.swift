import CApusProtocol
import CApusRing
import Testing

/// The Polymarket order session on its connections, with the shell and the venue played by the test, on time that moves only when told.
final class PolymarketOrdersStage {
    /// A request as it arrived at the venue.
    struct Request {
        var line: Int
        var method: String
        var target: String
        var headers: [String: String]
        var body: String

        /// The target without its query.
        var path: String { String(target.prefix { $0 != "?" }) }
        var name: String { "\(method) \(path)" }

        /// A member of the body, or of its order: enough for flat texts.
        func member(_ name: String) -> String? {
            guard let found = body.range(of: "\"\(name)\":") else { return nil }
            let rest = body[found.upperBound...]
            if rest.first == "\"" { return String(rest.dropFirst().prefix { $0 != "\"" }) }
            return String(rest.prefix { $0 != "," && $0 != "}" && $0 != "]" })
        }
    }

    static let second: UInt64 = 1_000_000_000
    /// The publicly known first key of Hardhat.
    static let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    static let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    static let secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
    static let secretBytes = Array("secret of the tests".utf8)
    /// Wall clock minus monotonic clock.
    static let wallOffset: Int64 = 1_700_000_000_000_000_000

    let books = PolymarketStage(arenaBytes: 64 << 20)
    let queues = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    let orders = UnsafeMutablePointer<apus_polymarket_orders>.allocate(capacity: 1)
    let signingKey = UnsafeMutablePointer<apus_signing_key>.allocate(capacity: 1)
    var now: UInt64 = 5_000_000_000
    /// What waits for an answer of the test.
    var requests: [Request] = []
    /// Own requests of the session that were answered here.
    var own: [Request] = []
    /// Answers of the venue to the session's own requests, by name; nil leaves one to the test.
    var answers: [String: (Int, String)] = [
        "GET /version": (200, "{\"version\":2}"), "POST /v1/heartbeats": (200, "{\"heartbeat_id\":\"beat\"}"),
        "GET /data/trades": (200, "{\"data\":[],\"next_cursor\":\"LTE=\"}"), "DELETE /cancel-all": (200, "{}"),
    ]
    /// Texts that the user stream was sent.
    var greetings: [String] = []
    var isReachable = true
    /// Whether the kernel takes what the session writes.
    var takesBytes = true

    init(configure: (inout apus_polymarket_orders_config) -> Void = { _ in }) {
        queues.initialize(to: apus_private())
        precondition(apus_private_create(queues) == 0)
        signingKey.initialize(to: apus_signing_key())
        var secret = [UInt8](repeating: 0, count: 32)
        apus_hex_parse(Self.key, Self.key.utf8.count, &secret, 32)
        precondition(apus_signing_key_init(signingKey, secret, [UInt8](repeating: 3, count: 32)) == 0)
        var signer = apus_polymarket_signer()
        precondition(
            apus_polymarket_signer_init(
                &signer, signingKey, UInt8(APUS_POLYMARKET_EOA.rawValue), nil, "api-key", Self.secret, "pass") == 0)
        var config = apus_polymarket_orders_config()
        apus_polymarket_orders_config_default(&config)
        config.user_link.max_lifetime_ns = 0
        configure(&config)
        var random = seeded(11)
        orders.initialize(to: apus_polymarket_orders())
        books.out.pointee.realtime_offset = Self.wallOffset
        precondition(apus_polymarket_orders_init(orders, &config, books.market, queues, &signer, &random) == 0)
        for number in 0..<2 {
            precondition(apus_polymarket_orders_list(orders, UInt16(number), TokenModel.market, false, 0) == 0)
        }
        var token = TokenModel(asset: PolymarketStage.first)
        books.begin(&token)
    }

    deinit {
        apus_private_close(queues)
        queues.deallocate()
        orders.deallocate()
        signingKey.deallocate()
    }

    var wallMilliseconds: UInt64 { (now + UInt64(Self.wallOffset)) / 1_000_000 }

    // MARK: Session

    private var ops: apus_session_ops { orders.pointee.session.ops.pointee }

    private func withSession<Result>(_ body: (UnsafeMutablePointer<apus_session>) -> Result) -> Result {
        orders.withMemoryRebound(to: apus_session.self, capacity: 1, body)
    }

    func start() {
        withSession { ops.start($0, now) }
        settle()
    }

    func stop() {
        withSession { ops.stop($0, now) }
        settle()
    }

    var isStopped: Bool { withSession { ops.stopped($0) } }

    func command(_ kind: apus_command_kind) -> Int32 {
        var command = apus_command()
        command.kind = UInt8(kind.rawValue)
        let result = withSession { ops.command($0, &command, now) }
        settle()
        return result
    }

    /// Started, connected and greeted, with nothing left to read.
    func open() {
        start()
        _ = reports()
        own = []
    }

    /// Shell and session in turn until nothing moves.
    func settle() {
        for _ in 0..<2000 {
            var work = withSession { Int(ops.turn($0, now)) }
            for channel in 0..<Int(orders.pointee.session.channel_count) { work += perform(channel) }
            if work == 0 { return }
        }
        Issue.record("the session does not come to rest")
    }

    /// Moves time on, stopping at each of the session's deadlines.
    func wait(_ seconds: Double) {
        let end = now + UInt64(seconds * 1e9)
        while true {
            let due = withSession { ops.deadline($0) }
            guard due < end else { break }
            now = max(now + 1, due)
            settle()
        }
        now = end
        settle()
    }

    // MARK: Shell

    func channel(_ number: Int) -> UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[number]! }

    private func perform(_ number: Int) -> Int {
        let channel = channel(number)
        if channel.pointee.want == UInt8(APUS_WANT_OPEN), channel.pointee.state == UInt8(APUS_CHANNEL_CLOSED) {
            apus_channel_opening(channel)
            if isReachable {
                apus_channel_opened(channel, now)
            } else {
                apus_channel_closed(channel, UInt8(APUS_CLOSED_CONNECT), 111)
            }
            return 1
        }
        if channel.pointee.want == UInt8(APUS_WANT_CLOSE) {
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
            return 1
        }
        guard channel.pointee.state == UInt8(APUS_CHANNEL_OPEN), takesBytes else { return 0 }
        let bytes = sent(channel)
        if bytes.isEmpty { return 0 }
        if number == 0 { takeUser(bytes) } else { takeRequest(number - 1, bytes) }
        return 1
    }

    private func sent(_ channel: UnsafeMutablePointer<apus_channel>) -> [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        let result = Array(UnsafeBufferPointer(start: bytes, count: count))
        if count > 0 { apus_channel_sent(channel, count, now) }
        return result
    }

    private func give(_ channel: UnsafeMutablePointer<apus_channel>, _ bytes: some Collection<UInt8>) {
        var place: UnsafeMutablePointer<UInt8>?
        precondition(apus_channel_space(channel, &place) >= bytes.count)
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(channel, bytes.count, now, 0)
    }

    /// The connection breaks.
    func drop(_ number: Int) {
        apus_channel_closed(channel(number), UInt8(APUS_CLOSED_IO), 104)
        requests.removeAll { $0.line == number - 1 }
        settle()
    }

    // MARK: Venue

    private func takeUser(_ bytes: [UInt8]) {
        if bytes.starts(with: Array("GET ".utf8)) {
            let accept = withUnsafeBytes(of: orders.pointee.user_link.upgrade.accept) {
                Array($0.prefix(while: { $0 != 0 }))
            }
            give(
                channel(0),
                ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: \(String(decoding: accept, as: UTF8.self))\r\n\r\n").utf8)
            return
        }
        for frame in ClientFrame.all(bytes) ?? [] where frame.opcode == 1 {
            let text = String(decoding: frame.payload, as: UTF8.self)
            if text == "PING" { give(channel(0), serverFrame(1, "PONG".utf8)) } else { greetings.append(text) }
        }
    }

    private func takeRequest(_ line: Int, _ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else {
            Issue.record("a request in pieces")
            return
        }
        let lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
        let first = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingPrefix(" ").description
        }
        let request = Request(
            line: line, method: first[0], target: first[1], headers: headers, body: String(text[end.upperBound...]))
        let size = headers["content-length"].flatMap { Int($0) } ?? 0
        #expect(request.body.utf8.count == size)
        if let answer = answers[request.name] {
            own.append(request)
            put(request, answer.0, answer.1, "")
        } else {
            requests.append(request)
        }
    }

    private func put(_ request: Request, _ status: Int, _ body: String, _ headers: String) {
        let head = "HTTP/1.1 \(status) X\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n"
        give(channel(request.line + 1), (head + body).utf8)
    }

    /// Answers the oldest request that waits.
    func answer(_ status: Int, _ body: String, headers: String = "") {
        guard !requests.isEmpty else {
            Issue.record("nothing was asked")
            return
        }
        put(requests.removeFirst(), status, body, headers)
        settle()
    }

    /// An event of the user stream.
    func tell(_ text: String) {
        give(channel(0), serverFrame(1, text.utf8))
        settle()
    }

    // MARK: Engine

    /// An order of the first token: buy 10 at 0.3.
    func make(_ id: UInt64, _ change: (inout apus_order) -> Void = { _ in }) -> apus_order {
        var order = apus_order()
        order.client_id = id
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = 3_000
        order.quantity = 10_000_000
        order.band_low = 1
        order.band_high = 9_999
        order.decided_ns = now
        order.wall_ms = wallMilliseconds
        change(&order)
        return order
    }

    /// Pushes orders and lets them go out in one turn.
    func push(_ list: [apus_order]) {
        for var order in list { precondition(apus_order_push(queues.pointee.orders, &order) == 0) }
        settle()
    }

    func place(_ id: UInt64, _ change: (inout apus_order) -> Void = { _ in }) { push([make(id, change)]) }

    /// A request about an order that was made before.
    func ask(_ action: apus_order_action, _ order: apus_order) {
        var request = order
        request.action = UInt8(action.rawValue)
        request.target_id = order.client_id
        request.client_id = 1 << 40 | order.client_id
        push([request])
    }

    /// Places an order and has it accepted; returns its hash.
    @discardableResult func rest(_ order: apus_order) -> String {
        push([order])
        answer(200, "{\"success\":true,\"errorMsg\":\"\",\"orderID\":\"0x\",\"status\":\"live\"}")
        _ = reports()
        return hash(order)
    }

    func hash(_ order: apus_order) -> String {
        var order = order
        var typed = apus_polymarket_typed_order()
        let result = apus_polymarket_make_order(
            &orders.pointee.signer, books.table.pointee.entries, orders.pointee.listings, &order, 10, &typed)
        precondition(result == 0)
        var hash = [UInt8](repeating: 0, count: 32)
        apus_polymarket_order_hash(exchange(0), &typed, &hash)
        return "0x" + IndependentHMAC.hex(hash)
    }

    func exchange(_ number: Int) -> UnsafeMutablePointer<apus_polymarket_exchange> {
        switch number {
        case 0: withUnsafeMutablePointer(to: &orders.pointee.exchanges.0) { $0 }
        case 1: withUnsafeMutablePointer(to: &orders.pointee.exchanges.1) { $0 }
        default: withUnsafeMutablePointer(to: &orders.pointee.exchanges.2) { $0 }
        }
    }

    func reports() -> [apus_report] {
        var found: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(queues.pointee.reports, &report) { found.append(report) }
        return found
    }

    /// Kind, client id and cumulative quantity of the reports since the last call, in a line each.
    func news() -> [String] {
        reports().map { report in
            let names: [UInt32: String] = [
                APUS_REPORT_ACCEPTED.rawValue: "accepted", APUS_REPORT_REJECTED.rawValue: "rejected",
                APUS_REPORT_REFUSED.rawValue: "refused", APUS_REPORT_FILL.rawValue: "fill",
                APUS_REPORT_CANCELED.rawValue: "canceled", APUS_REPORT_EXPIRED.rawValue: "expired",
                APUS_REPORT_CANCEL_REJECTED.rawValue: "cancel rejected", APUS_REPORT_UNKNOWN.rawValue: "unknown",
                APUS_REPORT_STATUS.rawValue: "status", APUS_REPORT_NOT_FOUND.rawValue: "not found",
                APUS_REPORT_MISSED.rawValue: "missed", APUS_REPORT_UNDONE.rawValue: "undone",
                APUS_REPORT_STALLED.rawValue: "stalled",
            ]
            let kind = names[UInt32(report.kind)] ?? "\(report.kind)"
            switch UInt32(report.kind) {
            case APUS_REPORT_REFUSED.rawValue:
                return "\(kind) \(report.client_id): \(String(cString: apus_guard_reason_text(UInt8(report.code))))"
            case APUS_REPORT_FILL.rawValue, APUS_REPORT_UNDONE.rawValue:
                return "\(kind) \(report.client_id): \(report.quantity)@\(report.price) of \(report.cumulative)"
            case APUS_REPORT_STATUS.rawValue, APUS_REPORT_CANCELED.rawValue, APUS_REPORT_EXPIRED.rawValue:
                return "\(kind) \(report.client_id): \(report.cumulative) is \(report.status)"
            default: return "\(kind) \(report.client_id)"
            }
        }
    }
}

/// What the venue answers to an order that it takes.
let polymarketGood = "{\"success\":true,\"errorMsg\":\"\",\"orderID\":\"0x\",\"status\":\"live\"}"

/// A trade as an event or an answer tells it.
func polymarketTrade(
    _ id: String, taker: String, size: String, price: String, status: String = "MATCHED",
    makers: [(String, String, String)] = []
) -> String {
    let rows = makers.map { "{\"order_id\":\"\($0.0)\",\"matched_amount\":\"\($0.1)\",\"price\":\"\($0.2)\"}" }
    return "{\"event_type\":\"trade\",\"id\":\"\(id)\",\"taker_order_id\":\"\(taker)\",\"size\":\"\(size)\","
        + "\"price\":\"\(price)\",\"status\":\"\(status)\",\"timestamp\":\"1700000005000\","
        + "\"maker_orders\":[\(rows.joined(separator: ","))],\"type\":\"TRADE\"}"
}

/// An order as an event (with a type) or an answer tells it.
func polymarketOrder(
    _ id: String, _ type: String?, status: String = "LIVE", matched: String = "0", trades: [String] = []
) -> String {
    let kind = type.map { "\"event_type\":\"order\",\"type\":\"\($0)\",\"timestamp\":\"1700000005000\"," } ?? ""
    let names = trades.map { "\"\($0)\"" }.joined(separator: ",")
    return "{\(kind)\"id\":\"\(id)\",\"status\":\"\(status)\",\"original_size\":\"10\",\"size_matched\":\"\(matched)\","
        + "\"price\":\"0.3\",\"associate_trades\":[\(names)]}"
}
