import CApusProtocol
import CApusRing
import Glibc
import Testing

/// A Polymarket session with a shell and a venue played by the test, on time that moves only when told.
private final class SessionStage {
    let books: PolymarketStage
    let session = UnsafeMutablePointer<apus_polymarket_session>.allocate(capacity: 1)
    let initialized: Int32
    var now: UInt64 = 1_000_000_000_000
    /// Text messages that each lane has sent since they were last taken.
    var sent: [Int: [String]] = [:]
    /// Upgrade requests so far.
    var requests: [String] = []
    /// Whether connections are accepted, and PINGs answered.
    var isReachable = true
    var answersPings = true

    init(assets: [String] = PolymarketStage.assets, configure: (inout apus_polymarket_config) -> Void = { _ in }) {
        books = PolymarketStage(assets: assets, arenaBytes: 64 << 20, session: true)
        var config = apus_polymarket_config()
        apus_polymarket_config_default(&config)
        config.rx_bytes = 1 << 20
        config.link.max_message_bytes = 1 << 19
        config.link.max_lifetime_ns = 0
        configure(&config)
        var random = seeded(3)
        initialized = apus_polymarket_session_init(session, &config, books.market, &random)
    }

    deinit { session.deallocate() }

    private var ops: apus_session_ops { session.pointee.session.ops.pointee }

    private func withSession<Result>(_ body: (UnsafeMutablePointer<apus_session>) -> Result) -> Result {
        session.withMemoryRebound(to: apus_session.self, capacity: 1, body)
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

    func command(_ kind: apus_command_kind, _ instrument: UInt16) -> Int32 {
        var command = apus_command()
        command.kind = UInt8(kind.rawValue)
        command.instrument = instrument
        let result = withSession { ops.command($0, &command, now) }
        settle()
        return result
    }

    /// Shell and session in turn until nothing moves.
    func settle() {
        for _ in 0..<1000 {
            var work = withSession { Int(ops.turn($0, now)) }
            for lane in 0..<Int(session.pointee.config.lanes) { work += perform(lane) }
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

    // MARK: The shell and the venue

    private func perform(_ lane: Int) -> Int {
        guard let channel = session.pointee.session.channels[lane] else { return 0 }
        if channel.pointee.want == UInt8(APUS_WANT_OPEN) {
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
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        guard count > 0 else { return 0 }
        let text = Array(UnsafeBufferPointer(start: bytes, count: count))
        apus_channel_sent(channel, count, now)
        take(lane, text)
        return 1
    }

    private func take(_ lane: Int, _ bytes: [UInt8]) {
        if Int(session.pointee.lanes[lane].link.state) == APUS_LINK_UPGRADING {
            requests.append(String(decoding: bytes, as: UTF8.self))
            let upgrade = session.pointee.lanes[lane].link.upgrade
            let accept = withUnsafeBytes(of: upgrade.accept) { Array($0.prefix { $0 != 0 }) }
            deliver(
                lane,
                Array(
                    ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Accept: \(String(decoding: accept, as: UTF8.self))\r\n\r\n").utf8))
            return
        }
        for frame in ClientFrame.all(bytes) ?? [] where frame.opcode == 1 {
            let text = String(decoding: frame.payload, as: UTF8.self)
            if text == "PING" {
                if answersPings { deliver(lane, serverFrame(1, "PONG".utf8)) }
            } else {
                sent[lane, default: []].append(text)
            }
        }
    }

    private func deliver(_ lane: Int, _ bytes: [UInt8]) {
        let channel = session.pointee.session.channels[lane]!
        var place: UnsafeMutablePointer<UInt8>?
        let space = apus_channel_space(channel, &place)
        precondition(space >= bytes.count)
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(channel, bytes.count, now, 0)
    }

    /// The venue says something.
    func say(_ text: String, lane: Int = 0) {
        now += 1_000_000
        deliver(lane, serverFrame(1, text.utf8))
        settle()
    }

    func drop(_ lane: Int = 0) {
        apus_channel_closed(session.pointee.session.channels[lane]!, UInt8(APUS_CLOSED_PEER), 0)
        settle()
    }

    func takeSent(_ lane: Int = 0) -> [String] {
        defer { sent[lane] = nil }
        return sent[lane] ?? []
    }

    func linkState(_ lane: Int) -> Int { Int(session.pointee.lanes[lane].link.state) }
}

@Suite struct PolymarketSessionTests {
    private static let quoted = PolymarketStage.assets.map { "\"\($0)\"" }

    private func greeting(_ tokens: [String]) -> String {
        "{\"assets_ids\":[\(tokens.joined(separator: ","))],\"type\":\"market\",\"custom_feature_enabled\":true}"
    }

    private func operation(_ name: String, _ tokens: [String]) -> String {
        "{\"assets_ids\":[\(tokens.joined(separator: ","))],\"operation\":\"\(name)\"}"
    }

    private func model(_ asset: String) -> TokenModel {
        TokenModel(asset: asset, bids: [3000: "5"], asks: [4000: "6"])
    }

    /// A session with both tokens subscribed and live.
    private func liveStage(configure: (inout apus_polymarket_config) -> Void = { _ in }) -> SessionStage {
        let stage = SessionStage(configure: configure)
        #expect(stage.initialized == 0)
        for token in UInt16(0)...1 {
            #expect(apus_polymarket_session_subscribe(stage.session, token, stage.now) == 0)
        }
        stage.start()
        sayBooks(stage)
        return stage
    }

    private func sayBooks(_ stage: SessionStage, at time: UInt64 = 1) {
        let books = PolymarketStage.assets.map { model($0).book(time, lastTradePrice: "0.3") }
        stage.say("[\(books.joined(separator: ","))]")
        stage.wait(0.2)
    }

    private func states(_ stage: SessionStage) -> [apus_book_state] { [stage.books.state(0), stage.books.state(1)] }

    @Test func itSubscribesAndTakesBooks() {
        let stage = liveStage()
        #expect(stage.requests.count == 1)
        #expect(
            stage.requests[0].hasPrefix("GET /ws/market HTTP/1.1\r\nHost: ws-subscriptions-clob.polymarket.com\r\n"))
        #expect(stage.takeSent() == [greeting(Self.quoted)])
        #expect(states(stage) == [APUS_STATE_LIVE, APUS_STATE_LIVE])
        let ups = stage.books.events().filter {
            $0.kind == UInt8(APUS_EVENT_CONNECTION.rawValue) && $0.flags == UInt8(APUS_CONNECTION_UP.rawValue)
        }
        #expect(ups.count == 1)
        stage.stop()
        stage.wait(2)
        #expect(stage.isStopped)
        #expect(states(stage) == [APUS_STATE_STALE, APUS_STATE_STALE])
    }

    @Test func tokensComeAndGoWhileItRuns() {
        let stage = SessionStage()
        stage.start()
        #expect(stage.requests.isEmpty, "without a token there is nothing to connect for")
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 0) == 0)
        #expect(stage.takeSent() == [greeting([Self.quoted[0]])])
        stage.say(model(PolymarketStage.first).book(1, lastTradePrice: "0.3"))
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 1) == 0)
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 1) == 0)
        stage.wait(0.2)
        #expect(stage.takeSent() == [operation("subscribe", [Self.quoted[1]])])
        stage.say("NO NEW ASSETS")
        stage.say(model(PolymarketStage.second).book(1, lastTradePrice: "0.3"))
        #expect(states(stage) == [APUS_STATE_LIVE, APUS_STATE_LIVE])
        #expect(stage.command(APUS_COMMAND_UNSUBSCRIBE, 0) == 0)
        stage.wait(0.2)
        #expect(stage.takeSent() == [operation("unsubscribe", [Self.quoted[0]])])
        #expect(states(stage) == [APUS_STATE_DROPPED, APUS_STATE_LIVE])
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 0) == 0)
        stage.wait(0.2)
        #expect(stage.takeSent() == [operation("subscribe", [Self.quoted[0]])])
        // The last one leaves: the connection ends.
        for token in UInt16(0)...1 { #expect(stage.command(APUS_COMMAND_UNSUBSCRIBE, token) == 0) }
        stage.wait(2)
        #expect(stage.linkState(0) == APUS_LINK_IDLE)
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 7) == -ENOENT)
        #expect(stage.command(APUS_COMMAND_CANCEL_ALL, 0) == -ENOTSUP)
    }

    @Test func aLostConnectionIsMadeAnewWithAllItsTokens() {
        let stage = liveStage()
        _ = stage.takeSent()
        _ = stage.books.events()
        stage.drop()
        #expect(states(stage) == [APUS_STATE_STALE, APUS_STATE_STALE])
        #expect(stage.books.reason(0) == APUS_BOOK_REASON_DISCONNECTED)
        stage.wait(1)
        #expect(stage.requests.count == 2)
        #expect(stage.takeSent() == [greeting(Self.quoted)])
        sayBooks(stage, at: 2)
        #expect(states(stage) == [APUS_STATE_LIVE, APUS_STATE_LIVE])
        #expect(stage.books[0].resyncs == 1 && stage.books[0].gaps == 0)
    }

    @Test func itKeepsTryingWhileTheVenueIsAway() {
        let stage = liveStage()
        stage.isReachable = false
        stage.drop()
        stage.wait(120)
        #expect(stage.requests.count == 1)
        #expect(states(stage) == [APUS_STATE_STALE, APUS_STATE_STALE])
        stage.isReachable = true
        stage.wait(31)
        #expect(stage.requests.count == 2)
    }

    @Test func aBrokenBookIsAskedForAnew() {
        let stage = liveStage()
        _ = stage.takeSent()
        let change = ChangeModel(
            asset: PolymarketStage.first, isBid: true, price: 3100, size: "1", hash: String(repeating: "0", count: 40))
        stage.say(ChangeModel.message(2, [change]))
        #expect(stage.books.state(0) == APUS_STATE_LIVE, "the batch may not be at its end")
        stage.wait(0.3)
        #expect(states(stage) == [APUS_STATE_STALE, APUS_STATE_LIVE])
        stage.wait(2)
        let first = [Self.quoted[0]]
        #expect(stage.takeSent() == [operation("unsubscribe", first), operation("subscribe", first)])
        stage.say(model(PolymarketStage.first).book(3, lastTradePrice: "0.3"))
        #expect(stage.books.state(0) == APUS_STATE_LIVE && stage.books[0].resyncs == 1)
    }

    @Test func aBookThatDoesNotComeIsAskedForAgain() {
        let stage = SessionStage()
        #expect(apus_polymarket_session_subscribe(stage.session, 0, stage.now) == 0)
        stage.start()
        _ = stage.takeSent()
        stage.wait(9)
        #expect(stage.takeSent().isEmpty)
        stage.wait(2)
        let first = [Self.quoted[0]]
        #expect(stage.takeSent() == [operation("unsubscribe", first), operation("subscribe", first)])
    }

    @Test func aQuietTokenIsNotADeadStream() {
        let stage = liveStage()
        _ = stage.takeSent()
        // For ten minutes nothing trades; the venue answers what it is asked.
        for round in UInt64(0)..<600 {
            stage.wait(1)
            for text in stage.takeSent() where text.contains("\"subscribe\"") {
                for asset in PolymarketStage.assets where text.contains(asset) {
                    stage.say(model(asset).book(10 + round, lastTradePrice: "0.3"))
                }
            }
        }
        #expect(stage.requests.count == 1)
        #expect(states(stage) == [APUS_STATE_LIVE, APUS_STATE_LIVE])
        #expect(stage.books[0].gaps == 0 && stage.books[0].resyncs == 0)
        #expect(stage.session.pointee.probes >= 30)
    }

    @Test func aFrozenStreamIsNotHiddenByPongs() {
        let stage = liveStage()
        _ = stage.books.events()
        stage.wait(61)
        #expect(stage.session.pointee.polymarket.controls >= 5, "PINGs were answered")
        #expect(stage.books.reason(0) == APUS_BOOK_REASON_FROZEN && stage.books.reason(1) == APUS_BOOK_REASON_FROZEN)
        stage.wait(1)
        #expect(stage.requests.count == 2)
        sayBooks(stage, at: 2)
        #expect(states(stage) == [APUS_STATE_LIVE, APUS_STATE_LIVE])
    }

    @Test func aSilentSocketIsLeftEarlier() {
        let stage = liveStage()
        stage.answersPings = false
        stage.wait(35)
        #expect(stage.requests.count == 2)
    }

    @Test func manyTokensNeedManyConnections() {
        let assets = (0..<5).map { "10\($0)" }
        let stage = SessionStage(assets: assets) {
            $0.lanes = 2
            $0.tokens_each = 2
        }
        for token in UInt16(0)...3 {
            #expect(apus_polymarket_session_subscribe(stage.session, token, stage.now) == 0)
        }
        #expect(apus_polymarket_session_subscribe(stage.session, 4, stage.now) == -ENOSPC)
        stage.start()
        #expect(stage.takeSent(0) == [greeting(["\"100\"", "\"101\""])])
        #expect(stage.takeSent(1) == [greeting(["\"102\"", "\"103\""])])
        stage.drop(1)
        stage.wait(1)
        #expect(stage.takeSent(0).isEmpty)
        #expect(stage.takeSent(1) == [greeting(["\"102\"", "\"103\""])])
        #expect(stage.command(APUS_COMMAND_UNSUBSCRIBE, 0) == 0)
        #expect(stage.command(APUS_COMMAND_SUBSCRIBE, 4) == 0)
        stage.wait(0.5)
        #expect(stage.takeSent(0) == [operation("unsubscribe", ["\"100\""]), operation("subscribe", ["\"104\""])])
    }

    @Test func whatIsReceivedCanBeTapped() {
        let stage = SessionStage()
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 12)
        let tap = UnsafeMutablePointer<apus_tap>.allocate(capacity: 1)
        defer {
            memory.deallocate()
            tap.deallocate()
        }
        apus_tap_init(tap, memory, 1 << 12)
        stage.session.pointee.tap = tap
        #expect(apus_polymarket_session_subscribe(stage.session, 0, stage.now) == 0)
        stage.start()
        func taken() -> [String] {
            var result: [String] = []
            while let head = apus_tap_peek(tap) {
                let bytes = UnsafeBufferPointer(start: apus_tap_bytes(head), count: Int(head.pointee.length))
                result.append("\(head.pointee.kind) \(head.pointee.missing) \(String(decoding: bytes, as: UTF8.self))")
                apus_tap_take(tap, head)
            }
            return result
        }
        #expect(taken() == ["4 0 connecting", "4 0 upgrading", "4 0 open"])
        let book = model(PolymarketStage.first).book(1, lastTradePrice: "0.3")
        // Many times around the ring, read in time and read too late.
        for round in 0..<50 {
            for _ in 0..<2 { stage.say(book) }
            #expect(taken() == ["1 0 \(book)", "1 0 \(book)"], "round \(round)")
        }
        for _ in 0..<50 { stage.say(book) }
        let kept = taken().count
        #expect(kept > 0 && kept < 50)
        stage.say("PONG")
        #expect(taken() == ["1 \(50 - kept) PONG"])
        #expect(tap.pointee.missing_total == UInt64(50 - kept))
    }

    @Test func aConfigurationThatCannotWorkIsRefused() {
        #expect(SessionStage(configure: { $0.lanes = 0 }).initialized == -EINVAL)
        #expect(SessionStage(configure: { $0.lanes = APUS_SESSION_CHANNELS_MAX + 1 }).initialized == -EINVAL)
        #expect(SessionStage(configure: { $0.tokens_each = 0 }).initialized == -EINVAL)
        #expect(SessionStage(configure: { $0.tx_bytes = 4096 }).initialized == -EINVAL)
        #expect(SessionStage(configure: { $0.link.max_message_bytes = 1 << 20 }).initialized == -ENOBUFS)
        #expect(SessionStage(configure: { $0.rx_bytes = 1 << 30 }).initialized == -ENOMEM)
    }
}
