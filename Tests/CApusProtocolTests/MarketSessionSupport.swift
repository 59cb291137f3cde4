import CApusProtocol
import CApusRing

/// A session on its channels, with the shell and the venue played by the test.
final class BinanceStage {
    let stage = MarketStage(arenaBytes: 64 << 20)
    let queues = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    let markets = UnsafeMutablePointer<apus_binance_session>.allocate(capacity: 1)
    let orders = UnsafeMutablePointer<apus_binance_orders>.allocate(capacity: 1)
    var now: UInt64 = 5_000_000_000

    static let second: UInt64 = 1_000_000_000

    init(
        configure: (inout apus_binance_config) -> Void = { _ in },
        configureOrders: (inout apus_binance_orders_config) -> Void = { _ in }
    ) {
        queues.initialize(to: apus_private())
        precondition(apus_private_create(queues) == 0)
        var config = apus_binance_config()
        apus_binance_config_usdm(&config)
        configure(&config)
        var random = seeded(3)
        markets.initialize(to: apus_binance_session())
        precondition(apus_binance_session_init(markets, &config, stage.market, &random) == 0)
        var signer = apus_binance_signer()
        precondition(apus_binance_signer_init(&signer, "key", "secret") == 0)
        var orderConfig = apus_binance_orders_config()
        apus_binance_orders_config_usdm(&orderConfig)
        orderConfig.api_count = 1
        orderConfig.pool.probe_interval_ns = 0
        orderConfig.limit_count = 0
        configureOrders(&orderConfig)
        orders.initialize(to: apus_binance_orders())
        precondition(apus_binance_orders_init(orders, &orderConfig, stage.market, queues, &signer, &random) == 0)
        orders.pointee.session.number = 1
    }

    deinit {
        apus_private_close(queues)
        queues.deallocate()
        markets.deallocate()
        orders.deallocate()
    }

    // MARK: Shell

    @discardableResult
    func turn() -> UInt32 {
        let first = markets.pointee.session.ops.pointee.turn(&markets.pointee.session, now)
        return first + orders.pointee.session.ops.pointee.turn(&orders.pointee.session, now)
    }

    func advance(_ seconds: Double) {
        now += UInt64(seconds * 1e9)
        turn()
    }

    func startMarkets() {
        markets.pointee.session.ops.pointee.start(&markets.pointee.session, now)
        turn()
    }

    func startOrders() {
        orders.pointee.session.ops.pointee.start(&orders.pointee.session, now)
        turn()
    }

    var stream: UnsafeMutablePointer<apus_channel> { markets.pointee.session.channels[0]! }
    var rest: UnsafeMutablePointer<apus_channel> { markets.pointee.session.channels[1]! }
    var user: UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[0]! }
    var nextUser: UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[1]! }
    var api: UnsafeMutablePointer<apus_channel> { api(0) }
    func api(_ member: Int) -> UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[2 + member]! }
    func apiLink(_ member: Int = 0) -> UnsafeMutablePointer<apus_link> {
        let lines = UnsafeMutableRawPointer(orders) + MemoryLayout<apus_binance_orders>.offset(of: \.api)!
        return link(lines.assumingMemoryBound(to: apus_binance_line.self) + member)
    }
    func userLink(_ number: Int = 0) -> UnsafeMutablePointer<apus_link> {
        let lines = UnsafeMutableRawPointer(orders) + MemoryLayout<apus_binance_orders>.offset(of: \.users)!
        return link(lines.assumingMemoryBound(to: apus_binance_line.self) + number)
    }
    private func link(_ line: UnsafeMutablePointer<apus_binance_line>) -> UnsafeMutablePointer<apus_link> {
        (UnsafeMutableRawPointer(line) + MemoryLayout<apus_binance_line>.offset(of: \.link)!)
            .assumingMemoryBound(to: apus_link.self)
    }

    /// Connects a channel that wants it.
    func connect(_ channel: UnsafeMutablePointer<apus_channel>) {
        precondition(channel.pointee.want == UInt8(APUS_WANT_OPEN), "the session wants no connection")
        apus_channel_opening(channel)
        apus_channel_opened(channel, now)
        turn()
    }

    /// What was sent on a channel since the last call.
    func sent(_ channel: UnsafeMutablePointer<apus_channel>) -> [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        let result = Array(UnsafeBufferPointer(start: bytes, count: count))
        if count > 0 { apus_channel_sent(channel, count, now) }
        return result
    }

    /// The texts of the frames that were sent.
    func texts(_ channel: UnsafeMutablePointer<apus_channel>) -> [String] {
        (ClientFrame.all(sent(channel)) ?? []).filter { $0.opcode == 1 }.map {
            String(decoding: $0.payload, as: UTF8.self)
        }
    }

    func receive(_ channel: UnsafeMutablePointer<apus_channel>, _ bytes: some Collection<UInt8>) {
        var place: UnsafeMutablePointer<UInt8>?
        precondition(apus_channel_space(channel, &place) >= bytes.count)
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(channel, bytes.count, now, 0)
        turn()
    }

    /// Connects and upgrades a link; returns the request.
    @discardableResult
    func open(_ channel: UnsafeMutablePointer<apus_channel>, _ link: UnsafeMutablePointer<apus_link>) -> String {
        connect(channel)
        let request = String(decoding: sent(channel), as: UTF8.self)
        let accept = withUnsafeBytes(of: link.pointee.upgrade.accept) { Array($0.prefix(while: { $0 != 0 })) }
        receive(
            channel,
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(String(decoding: accept, as: UTF8.self))\r\n\r\n").utf8)
        return request
    }

    func close(_ channel: UnsafeMutablePointer<apus_channel>) {
        apus_channel_closed(channel, UInt8(APUS_CLOSED_IO), 104)
        turn()
    }

    // MARK: Venue

    func tell(_ channel: UnsafeMutablePointer<apus_channel>, _ text: String) {
        receive(channel, serverFrame(1, text.utf8))
    }

    func answerREST(_ status: Int, _ body: String, headers: String = "") {
        receive(rest, "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)".utf8)
    }

    /// The path of the request that was sent to REST, nil when there is none. Connects if that is wanted.
    func takeREST() -> String? {
        if rest.pointee.want == UInt8(APUS_WANT_OPEN) { connect(rest) }
        let text = String(decoding: sent(rest), as: UTF8.self)
        return text.isEmpty ? nil : text.split(separator: " ").dropFirst().first.map(String.init)
    }

    /// Opens both order links; the listen key is `K1`.
    func openOrders() {
        stage.live()
        startOrders()
        open(api, apiLink())
        _ = texts(api)
        tell(api, "{\"id\":\"1\",\"status\":200,\"result\":{\"listenKey\":\"K1\"}}")
        open(user, userLink())
        _ = reports()
    }

    /// Pushes an order and lets it go out.
    func order(_ id: UInt64, _ change: (inout apus_order) -> Void = { _ in }) {
        var order = apus_order()
        order.client_id = id
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = 10_000
        order.quantity = 5
        order.band_high = .max
        order.decided_ns = now
        change(&order)
        precondition(apus_order_push(queues.pointee.orders, &order) == 0)
        turn()
    }

    func reports() -> [apus_report] {
        var found: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(queues.pointee.reports, &report) { found.append(report) }
        return found
    }

    /// Kind and client id of the reports since the last call.
    func news() -> [[UInt64]] { reports().map { [UInt64($0.kind), $0.client_id] } }
}
