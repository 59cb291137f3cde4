import CApusProtocol
import CApusRing
import Foundation

/// Deriv's sessions on their channels, with the shell and the venue played by the test.
final class DerivStage {
    static let second: UInt64 = 1_000_000_000
    /// An underlying and three shapes.
    static let symbols = ["R_100", "R_100/CALL/5t/stake/10", "R_100/PUT/60s/payout/20", "R_100/DIGITOVER/5t/stake/5/4"]

    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let queues = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    let deriv = UnsafeMutablePointer<apus_deriv_market>.allocate(capacity: 1)
    let markets = UnsafeMutablePointer<apus_deriv_session>.allocate(capacity: 1)
    let orders = UnsafeMutablePointer<apus_deriv_orders>.allocate(capacity: 1)
    let isV3: Bool
    /// Monotonic; the wall clock is 1,700,000,000 s later.
    var now: UInt64 = 1000 * DerivStage.second
    private let memory: UnsafeMutableRawPointer
    private let tableMemory: UnsafeMutableRawPointer
    private let name: UnsafeMutablePointer<CChar>
    private var reader: apus_feed_reader

    init(
        v3: Bool = false, configure: (inout apus_deriv_config) -> Void = { _ in },
        configureOrders: (inout apus_deriv_orders_config) -> Void = { _ in }
    ) {
        isV3 = v3
        view.initialize(to: apus_public())
        var mapping = apus_public_config(name: nil, feed_slots: 8192, instruments: 8, board_depth: 4)
        precondition(apus_public_create(view, &mapping) == 0)
        queues.initialize(to: apus_private())
        precondition(apus_private_create(queues) == 0)
        out.initialize(to: apus_publisher_make(view, nil))
        out.pointee.realtime_offset = 1_700_000_000 * Int64(Self.second)
        reader = apus_public_reader(view, false)
        memory = .allocate(byteCount: 32 << 20, alignment: 64)
        arena.initialize(to: apus_arena())
        apus_arena_init(arena, memory, 32 << 20)
        tableMemory = .allocate(byteCount: apus_instrument_table_bytes(8), alignment: 64)
        table.initialize(to: apus_instrument_table())
        precondition(apus_instrument_table_init(table, tableMemory, 8) == 0)
        name = strdup("deriv")
        market.initialize(to: apus_market())
        precondition(apus_market_init(market, out, arena, table, name) == 0)
        deriv.initialize(to: apus_deriv_market())
        apus_deriv_market_init(deriv, market)
        markets.initialize(to: apus_deriv_session())
        orders.initialize(to: apus_deriv_orders())
        for symbol in Self.symbols { add(symbol) }
        makeSessions(configure, configureOrders)
    }

    private func makeSessions(
        _ configure: (inout apus_deriv_config) -> Void, _ configureOrders: (inout apus_deriv_orders_config) -> Void
    ) {
        let api = UInt8(isV3 ? APUS_DERIV_V3.rawValue : APUS_DERIV_CURRENT.rawValue)
        var random = seeded(3)
        var config = apus_deriv_config()
        apus_deriv_config_default(&config, api, "1234")
        configure(&config)
        precondition(apus_deriv_session_init(markets, &config, market, &random) == 0)
        var orderConfig = apus_deriv_orders_config()
        apus_deriv_orders_config_default(&orderConfig, api, "VRTC1", "1234")
        configureOrders(&orderConfig)
        precondition(apus_deriv_orders_init(orders, &orderConfig, market, queues, "secret-token", &random) == 0)
        orders.pointee.session.number = 1
    }

    deinit {
        apus_private_close(queues)
        apus_public_close(view)
        for pointer in [memory, tableMemory] { pointer.deallocate() }
        free(name)
        view.deallocate()
        queues.deallocate()
        out.deallocate()
        arena.deallocate()
        table.deallocate()
        market.deallocate()
        deriv.deallocate()
        markets.deallocate()
        orders.deallocate()
    }

    @discardableResult func add(_ symbol: String) -> Int32 {
        var entry = apus_instrument()
        entry.price_decimals = 2
        entry.tick_units = 1
        entry.lot_units = 1
        entry.contract_multiplier = 1
        entry.maximum_quantity = 1
        return apus_instrument_add(table, symbol, symbol.utf8.count, &entry)
    }

    var wallMilliseconds: UInt64 { now / 1_000_000 + 1_700_000_000_000 }
    /// The venue's second of now.
    var epoch: UInt64 { wallMilliseconds / 1000 }

    // MARK: Shell

    func turn() {
        _ = markets.pointee.session.ops.pointee.turn(&markets.pointee.session, now)
        _ = orders.pointee.session.ops.pointee.turn(&orders.pointee.session, now)
    }

    func advance(_ seconds: Double) {
        now += UInt64(seconds * 1e9)
        turn()
    }

    func startMarkets(_ instruments: [UInt16] = [0]) {
        for instrument in instruments {
            precondition(apus_deriv_line_subscribe(&markets.pointee.line, instrument) == 0)
        }
        markets.pointee.session.ops.pointee.start(&markets.pointee.session, now)
        turn()
    }

    func startOrders(_ instruments: [UInt16] = [1, 2, 3]) {
        for instrument in instruments { precondition(apus_deriv_orders_subscribe(orders, instrument) == 0) }
        orders.pointee.session.ops.pointee.start(&orders.pointee.session, now)
        turn()
    }

    var stream: UnsafeMutablePointer<apus_channel> { markets.pointee.session.channels[0]! }
    var account: UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[0]! }
    var rest: UnsafeMutablePointer<apus_channel> { orders.pointee.session.channels[1]! }

    func connect(_ channel: UnsafeMutablePointer<apus_channel>) {
        precondition(channel.pointee.want == UInt8(APUS_WANT_OPEN), "the session wants no connection")
        apus_channel_opening(channel)
        apus_channel_opened(channel, now)
        turn()
    }

    func sent(_ channel: UnsafeMutablePointer<apus_channel>) -> [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        let result = Array(UnsafeBufferPointer(start: bytes, count: count))
        if count > 0 { apus_channel_sent(channel, count, now) }
        return result
    }

    /// The texts of the frames that were sent, pings left out.
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

    /// The whole request that was sent to REST; connects when that is wanted.
    func takeREST() -> String? {
        if rest.pointee.want == UInt8(APUS_WANT_CLOSE) {
            apus_channel_closed(rest, UInt8(APUS_CLOSED_ASKED), 0)
            turn()
        }
        if rest.pointee.want == UInt8(APUS_WANT_OPEN) { connect(rest) }
        let text = String(decoding: sent(rest), as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    func answerREST(_ status: Int, _ body: String, headers: String = "") {
        receive(rest, "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)".utf8)
    }

    func answerAddress(_ password: String) {
        answerREST(
            200,
            #"{"data":{"url":"wss:\/\/api.derivws.com\/trading\/v1\/options\/ws\/demo?otp=\#(password)"},"meta":{}}"#)
    }

    // MARK: An account

    /// A request of the session: its number and its text.
    struct Request {
        var number: Int
        var text: String
    }

    private var waiting: [Request] = []

    /// The oldest request with that member that was not taken yet.
    func take(_ member: String) -> Request? {
        for text in texts(account) {
            let digits = text.components(separatedBy: "\"req_id\":").last?.prefix { $0.isNumber } ?? ""
            waiting.append(Request(number: Int(digits) ?? 0, text: text))
        }
        guard let place = waiting.firstIndex(where: { $0.text.hasPrefix("{\"\(member)\":") }) else { return nil }
        return waiting.remove(at: place)
    }

    func forgetRequests() {
        _ = texts(account)
        waiting = []
    }

    /// Answers the oldest request with that member.
    @discardableResult func answer(_ member: String, _ body: String, type: String? = nil) -> Request? {
        guard let request = take(member) else { return nil }
        tell(account, "{\"msg_type\":\"\(type ?? member)\",\"req_id\":\(request.number),\(body)}")
        return request
    }

    @discardableResult func refuse(_ member: String, _ code: String) -> Request? {
        answer(member, "\"error\":{\"code\":\"\(code)\",\"message\":\"x\"}")
    }

    /// Brings the account's connection to where orders pass: shapes have their proposals P1, P2 and P3.
    func openOrders(_ portfolio: String = "[]", instruments: [UInt16] = [1, 2, 3]) {
        startOrders(instruments)
        connectAccount()
        sync(portfolio)
        propose()
        _ = reports()
    }

    func connectAccount() {
        if isV3 {
            open(account, &orders.pointee.line.link)
            answer("authorize", "\"authorize\":{\"loginid\":\"VRTC1\",\"balance\":1000,\"currency\":\"USD\"}")
        } else {
            precondition(takeREST() != nil, "no address is asked for")
            answerAddress("one")
            open(account, &orders.pointee.line.link)
        }
    }

    func sync(_ portfolio: String = "[]", ended: String = "[]") {
        advance(0.06)
        precondition(
            answer("portfolio", "\"portfolio\":{\"contracts\":\(portfolio)}") != nil, "no portfolio is asked for")
        advance(0.01)
        answer("profit_table", "\"profit_table\":{\"count\":0,\"transactions\":\(ended)}")
        answer("transaction", "\"subscription\":{\"id\":\"A\"},\"transaction\":{}")
        answer("balance", "\"subscription\":{\"id\":\"B\"},\"balance\":{\"balance\":\"1000.00\",\"currency\":\"USD\"}")
    }

    /// Answers all proposals that are asked for with ask prices of 10, 9.5 and 5.
    func propose(suffix: String = "") {
        advance(0.06)
        while let request = take("proposal") {
            let place = Self.place(request.text)
            let price = [1: "10", 2: "\"9.50\"", 3: "5"][place] ?? "1"
            tell(
                account,
                "{\"msg_type\":\"proposal\",\"req_id\":\(request.number),\"subscription\":{\"id\":\"S\(place)\(suffix)\"},"
                    + "\"proposal\":{\"id\":\"P\(place)\(suffix)\",\"ask_price\":\(price),\"payout\":\"19.53\",\"spot\":\"1234.56\"}}"
            )
        }
    }

    private static func place(_ text: String) -> Int {
        text.contains("\"CALL\"") ? 1 : text.contains("\"PUT\"") ? 2 : 3
    }

    /// A row of the portfolio for the CALL shape.
    static func row(_ contract: Int, bought: UInt64, trade: Int, price: String = "10", ticks: Int = 5) -> String {
        "{\"contract_id\":\(contract),\"buy_price\":\(price),\"payout\":\"19.53\",\"contract_type\":\"CALL\","
            + "\"underlying_symbol\":\"R_100\",\"purchase_time\":\(bought),\"date_start\":\(bought),\"transaction_id\":\(trade),"
            + "\"shortcode\":\"CALL_R_100_19.53_\(bought)_\(ticks)T_S0P_0\",\"currency\":\"USD\"}"
    }

    /// A contract's state, as its stream tells it.
    static func state(
        _ contract: Int, status: String = "open", bid: String = "9.10", sellPrice: String = "0", trade: Int = 0,
        buyTrade: Int = 70, bought: UInt64 = 1
    ) -> String {
        let isSold = status != "open"
        let trades = isSold ? "{\"buy\":\(buyTrade),\"sell\":\(trade)}" : "{\"buy\":\(buyTrade)}"
        return
            "\"proposal_open_contract\":{\"contract_id\":\(contract),\"status\":\"\(status)\",\"is_sold\":\(isSold ? 1 : 0),"
            + "\"bid_price\":\"\(bid)\",\"buy_price\":10,\"purchase_time\":\(bought),"
            + "\"transaction_ids\":\(trades)\(isSold ? ",\"sell_price\":\"\(sellPrice)\"" : "")}"
    }

    /// Tells a contract's state as its stream does.
    func stream(_ state: String) {
        tell(account, "{\"msg_type\":\"proposal_open_contract\",\"subscription\":{\"id\":\"C\"},\(state)}")
    }

    // MARK: Orders

    func order(_ id: UInt64, instrument: UInt16 = 1, _ change: (inout apus_order) -> Void = { _ in }) {
        var order = apus_order()
        order.client_id = id
        order.instrument = instrument
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = 1000
        order.quantity = 1
        order.band_high = .max
        order.decided_ns = now
        order.wall_ms = wallMilliseconds
        change(&order)
        precondition(apus_order_push(queues.pointee.orders, &order) == 0)
        turn()
    }

    func sell(_ id: UInt64, price: Int64 = 900) {
        order(id) {
            $0.side = UInt8(APUS_SELL.rawValue)
            $0.price = price
            $0.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue)
        }
    }

    func query(_ id: UInt64, wall: UInt64, _ change: (inout apus_order) -> Void = { _ in }) {
        order(0) {
            $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
            $0.target_id = id
            $0.wall_ms = wall
            change(&$0)
        }
    }

    /// Buys a contract for that order; its answer comes.
    func buy(_ id: UInt64, contract: Int, trade: Int) {
        order(id)
        precondition(
            answer(
                "buy",
                "\"buy\":{\"contract_id\":\(contract),\"transaction_id\":\(trade),\"buy_price\":\"10.00\",\"payout\":\"19.53\","
                    + "\"purchase_time\":\(epoch),\"balance_after\":990}") != nil)
        propose(suffix: "-\(id)")
    }

    func reports() -> [apus_report] {
        var found: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(queues.pointee.reports, &report) { found.append(report) }
        return found
    }

    /// Kind, client id, price and trade of the reports since the last call; those of the account left out.
    func news() -> [[Int64]] {
        reports().filter { ![APUS_REPORT_MISSED, APUS_REPORT_BALANCE].contains(apus_report_kind(UInt32($0.kind))) }
            .map { [Int64($0.kind), Int64($0.client_id), $0.price, Int64($0.trade_id)] }
    }

    /// The code of the one report since the last call; nil for none or several.
    func code() -> Int32? {
        let found = reports()
        return found.count == 1 ? found[0].code : nil
    }

    // MARK: What is published

    func events() -> [apus_event] {
        var found: [apus_event] = []
        var event = apus_event()
        while apus_feed_read(&reader, &event) == APUS_FEED_EVENT { found.append(event) }
        return found
    }

    /// Second and price of the trades since the last call.
    func ticks() -> [[Int64]] {
        events().filter { UInt32($0.kind) == APUS_EVENT_TRADE.rawValue }.map { [$0.ask_price, $0.bid_price] }
    }

    func book(_ instrument: UInt16) -> apus_market_book { apus_market_at(market, instrument)!.pointee }

    func state(_ instrument: UInt16) -> apus_book_state { apus_book_state(UInt32(book(instrument).state)) }

    /// Bid and ask; 0 where there is none.
    func touch(_ instrument: UInt16) -> [Int64] {
        var book = book(instrument).book
        let touch = apus_book_best(&book)
        return [touch.bid_quantity == 0 ? 0 : touch.bid_price, touch.ask_quantity == 0 ? 0 : touch.ask_price]
    }

    func tick(_ epoch: UInt64, _ quote: String = "1234.56", spread: Bool = true) {
        let sides = spread ? "\"ask\":\"1234.60\",\"bid\":1234.50," : ""
        tell(
            stream,
            "{\"msg_type\":\"tick\",\"subscription\":{\"id\":\"T\"},\"tick\":{\(sides)\"epoch\":\(epoch),\"id\":\"T\","
                + "\"pip_size\":2,\"quote\":\(quote),\"symbol\":\"R_100\"}}")
    }

    /// Connects the market's stream; the subscription is answered by a tick.
    func openMarkets(_ epoch: UInt64 = 100) {
        startMarkets()
        open(stream, &markets.pointee.line.link)
        advance(0.06)
        tickAnswer(epoch)
    }

    /// Answers the oldest subscription of ticks.
    func tickAnswer(_ epoch: UInt64, _ quote: String = "1234.56") {
        let number = requests(stream).last ?? 0
        tell(
            stream,
            "{\"msg_type\":\"tick\",\"req_id\":\(number),\"subscription\":{\"id\":\"T\"},\"tick\":{\"ask\":1234.6,"
                + "\"bid\":1234.5,\"epoch\":\(epoch),\"id\":\"T\",\"quote\":\(quote),\"symbol\":\"R_100\"}}")
    }

    /// The numbers of the requests that were sent on a channel.
    func requests(_ channel: UnsafeMutablePointer<apus_channel>) -> [Int] {
        texts(channel).compactMap { text in
            text.components(separatedBy: "\"req_id\":").last.map { $0.prefix { $0.isNumber } }.flatMap { Int($0) }
        }
    }

    func history(_ number: Int, _ ticks: [(UInt64, String)]) {
        let prices = ticks.map(\.1).joined(separator: ",")
        let times = ticks.map { "\($0.0)" }.joined(separator: ",")
        tell(
            stream,
            "{\"msg_type\":\"history\",\"req_id\":\(number),\"pip_size\":2,"
                + "\"history\":{\"prices\":[\(prices)],\"times\":[\(times)]}}")
    }
}

/// The vendor's schemas beside the project; tests that need them are skipped where they are missing.
enum DerivSchemas {
    static let root: String = {
        let here = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared").path()
        return (ProcessInfo.processInfo.environment["APUS_SHARED"] ?? here) + "/schemas"
    }()

    static let isPresent = FileManager.default.fileExists(atPath: root + "/deriv-mock/buy_contract_response.json")
    static let isNeeded = isPresent || ProcessInfo.processInfo.environment["CI"] == "true"

    static func mock(_ name: String) throws -> String {
        try String(contentsOfFile: root + "/deriv-mock/\(name)_response.json", encoding: .utf8)
    }
}
