import Apus
import ApusLive
import CApusRing
import Glibc
import Synchronization
import Testing

@testable import ApusCommand
@testable import ApusEngine

/// A public mapping as an engine would make it, with one book of two levels a side.
private final class MadeEngine {
    var view = apus_public()
    let name: String

    init(_ label: String) throws {
        name = "apus-test-\(label)-\(getpid())"
        let result = name.withCString { text in
            var config = apus_public_config(name: text, feed_slots: 64, instruments: 4, board_depth: 3)
            return apus_public_create(&view, &config)
        }
        try #require(result == 0)
    }

    deinit { apus_public_close(&view) }

    func addBook() {
        let entry = view.directory!
        withUnsafeMutableBytes(of: &entry.pointee.symbol) { $0.copyBytes(from: "BTCUSDT".utf8) }
        withUnsafeMutableBytes(of: &entry.pointee.venue) { $0.copyBytes(from: "binance-usdm".utf8) }
        entry.pointee.price_decimals = 2
        entry.pointee.quantity_decimals = 3
        entry.pointee.ready = 1
        view.header.pointee.instrument_count = 1
        var header = apus_board_header()
        header.update_id = 77
        header.publish_ns = apus_clock_monotonic()
        (header.bids, header.asks, header.total_bids, header.total_asks) = (2, 1, 1200, 900)
        header.state = APUS_STATE_LIVE.rawValue
        let bids = [apus_level(price: 6_180_010, quantity: 1500), apus_level(price: 6_180_000, quantity: 7)]
        let asks = [apus_level(price: 6_180_020, quantity: 42)]
        apus_board_write(&view.board, 0, &header, bids, asks)
    }

    func publish(connection: UInt16, state: apus_connection_state) {
        var writer = apus_public_writer(&view)
        var event = apus_event()
        event.kind = UInt8(APUS_EVENT_CONNECTION.rawValue)
        event.instrument = connection
        event.flags = UInt8(state.rawValue)
        _ = apus_feed_publish(&writer, &event)
    }

    func count(_ index: Int, _ amount: UInt64) {
        apus_count(UnsafeMutableRawPointer(view.counters!).assumingMemoryBound(to: UInt64.self) + index, amount)
    }

    func record(_ hop: apus_hop, nanoseconds: Int64) {
        apus_histogram_record_signed(apus_counters_hop(view.counters, hop.rawValue), nanoseconds)
    }
}

@Suite struct TopTests {
    @Test func showsABook() throws {
        let engine = try MadeEngine("book")
        engine.addBook()
        let sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 10)
        let book = try #require(sample.books.first)
        #expect(book.symbol == "BTCUSDT" && book.venue == "binance-usdm" && book.state == "live")
        #expect(
            book.bids == [.init(price: "61800.10", quantity: "1.500"), .init(price: "61800.00", quantity: "0.007")])
        #expect(book.asks == [.init(price: "61800.20", quantity: "0.042")])
        let text = TopView(sample, previous: nil).lines(depth: 5).map(\.plain).joined(separator: "\n")
        #expect(text.contains("alive"))
        #expect(text.contains("levels 1200 x 900  update 77"))
        #expect(text.contains("61800.10   61800.20"))
    }

    @Test func countersAndHopsHaveTheirNames() throws {
        #expect(hotCounterNames.count == Int(APUS_COUNT_ARENA_BYTES.rawValue) + 1)
        #expect(decideCounterNames.count == Int(APUS_COUNT_DECIDE_TURNS.rawValue) + 1)
        #expect(HopSummary.names.map(\.hop.rawValue) == Array(0...APUS_HOP_SENT_ANSWER.rawValue))
        let engine = try MadeEngine("counters")
        engine.count(Int(APUS_COUNT_GAPS.rawValue), 3)
        engine.count(Int(APUS_HOT_COUNTERS.rawValue + APUS_COUNT_EVENTS_LOST.rawValue), 12_345)
        for value in [100, 200, 300] as [Int64] {
            engine.record(APUS_HOP_PUBLISH_DECIDE, nanoseconds: value)
        }
        let sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 1)
        #expect(sample.counter("gaps") == 3)
        #expect(sample.counter("events_lost") == 12_345)
        let hop = try #require(sample.hops.first { $0.name == "publish_decide" })
        #expect(hop.times.count == 3 && hop.times.max == 300)
        #expect((200...203).contains(hop.times.p50) && (300...305).contains(hop.times.p999))
        let text = TopView(sample, previous: nil).lines(depth: 1).map(\.plain).joined(separator: "\n")
        #expect(text.contains("lost 12,345") && text.contains("publish_decide"))
        #expect(!text.contains("order_sent"))
    }

    @Test func negativeDelaysAreClockSkew() throws {
        let engine = try MadeEngine("skew")
        for value in [-300_000, 400_000, -820_000] as [Int64] {
            engine.record(APUS_HOP_VENUE_KERNEL, nanoseconds: value)
        }
        let sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 1)
        let hop = try #require(sample.hops.first { $0.name == "venue_kernel" })
        #expect(hop.times.count == 1 && hop.times.p50 == 400_000 && hop.times.max == 400_000)
        #expect(hop.times.skewed == 2 && hop.times.worstSkew == 820_000)
        let text = hopTable(sample.hops).map(\.plain).joined(separator: "\n")
        #expect(
            text.contains("clock skew: 2 of 3 messages were stamped ahead of our clock, by 820 µs at worst"), "\(text)")
        #expect(!text.contains("-300") && !text.contains("-820"))
        let json = sample.json.description
        #expect(
            json.contains(
                #""venue_kernel":{"p50":400000,"p99":400000,"p999":400000,"max":400000,"count":1,"#
                    + #""clock_skew":2,"worst_clock_skew_ns":820000}"#), "\(json)")
    }

    @Test func aHopOfNothingButSkewIsStillShown() throws {
        let engine = try MadeEngine("only-skew")
        engine.record(APUS_HOP_VENUE_KERNEL, nanoseconds: -5000)
        engine.record(APUS_HOP_PUBLISH_DECIDE, nanoseconds: -40)
        let sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 1)
        let lines = hopTable(sample.hops).map(\.plain)
        let row = try #require(lines.first { $0.hasPrefix("venue_kernel") })
        #expect(row.split(separator: " ") == ["venue_kernel", "0", "-", "-", "-", "-"])
        #expect(lines.contains { $0.contains("1 of 1 messages were stamped ahead of our clock, by 5.0 µs at worst") })
        #expect(lines.contains { $0.contains("1 of 1 times of publish_decide ended before they began, by 40 ns") })
        #expect(!lines.contains { $0.hasPrefix("order_sent") })
        #expect(HopSummary.all(engine.view.counters).keys.sorted() == ["publish_decide", "venue_kernel"])
    }

    @Test func ratesNeedTwoLooks() throws {
        let engine = try MadeEngine("rates")
        let monitor = try EngineMonitor(attachingTo: engine.name)
        let first = monitor.sample(levels: 1)
        engine.count(Int(APUS_COUNT_FRAMES.rawValue), 1_000_000)
        let second = monitor.sample(levels: 1)
        #expect(TopView(second, previous: nil).lines(depth: 1)[1].plain.contains("frames 1,000,000 "))
        #expect(TopView(second, previous: first).lines(depth: 1)[1].plain.contains("/s)"))
    }

    @Test func severalStrategiesHaveALineEach() throws {
        let engine = try MadeEngine("strategies")
        var sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 1)
        func text() -> String { TopView(sample, previous: nil).lines(depth: 1).map(\.plain).joined(separator: "\n") }
        #expect(!text().contains("STRATEGY") && sample.json.description.contains("\"strategies\":[]"))
        sample.strategies = lines
        let rows = text().split(separator: "\n").map { $0.split(separator: " ") }
        #expect(rows.contains(["maker", "active", "2", "-1.5000"]) && rows.contains(["taker", "halted", "0", "-"]))
        #expect(
            sample.json.description.contains(
                #""strategies":[{"name":"maker","state":"active","open_orders":2,"day_result":-1.5"#))
    }

    private var lines: [RiskReport.StrategyLine] {
        [
            .init(name: "maker", state: .active, openOrders: 2, dayResult: Money(hundredMillionths: -150_000_000)),
            .init(name: "taker", state: .halted, openOrders: 0),
        ]
    }

    /// An engine's control socket that counts what it is asked.
    private func asked(_ strategies: [RiskReport.StrategyLine]?, _ body: (inout StrategyQuestions) throws -> Void)
        throws
        -> Int
    {
        let folder = Folder(), path = "\(folder.path)/engine.sock"
        let count = Atomic<Int>(0)
        let server = try ControlServer(
            path: path,
            answer: { request in
                if request.request == .status { count.add(1, ordering: .relaxed) }
                var reply = ControlReply(engine: "engine", trading: .active)
                reply.strategies = strategies
                return reply
            }, refuse: { .refusal($0, engine: "engine", trading: .active) })
        try server.start()
        defer { server.stop() }
        var questions = StrategyQuestions(at: path)
        try body(&questions)
        return count.load(ordering: .relaxed)
    }

    @Test func strategiesAreAskedForAtMostOnceASecond() throws {
        let begin = ContinuousClock.now
        let count = try asked(lines) { questions in
            repeat {
                #expect(questions.answer() == lines)
                usleep(1000)
            } while ContinuousClock.now < begin + .milliseconds(1200)
        }
        let seconds = Int((ContinuousClock.now - begin) / .seconds(1))
        #expect((2...(seconds + 1)).contains(count))
        let alone = try asked(nil) { questions in
            #expect(questions.answer().isEmpty)
            let end = ContinuousClock.now + .milliseconds(1200)
            while ContinuousClock.now < end { #expect(questions.answer().isEmpty) }
        }
        #expect(alone == 1)
        var nobody = StrategyQuestions(at: "/tmp/apus-test-nobody.sock")
        #expect(nobody.answer().isEmpty)
    }

    @Test func connectionsFollowTheEvents() throws {
        let engine = try MadeEngine("connections")
        engine.publish(connection: 2, state: APUS_CONNECTION_CONNECTING)
        engine.publish(connection: 2, state: APUS_CONNECTION_UP)
        let monitor = try EngineMonitor(attachingTo: engine.name)
        #expect(monitor.sample(levels: 1).connections.map(\.state) == ["up"])
        engine.publish(connection: 2, state: APUS_CONNECTION_DOWN)
        #expect(monitor.sample(levels: 1).connections.map(\.state) == ["down"])
    }

    @Test func noticesHowTheWriterEnded() throws {
        let engine = try MadeEngine("life")
        let monitor = try EngineMonitor(attachingTo: engine.name)
        #expect(monitor.sample(levels: 1).life == .alive)
        #expect(EngineMonitor.engines().contains { $0.name == engine.name && $0.life == .alive })
        engine.view.header.pointee.heartbeat_ns = apus_clock_monotonic() - 5_000_000_000
        #expect(monitor.sample(levels: 1).life == .stalled)
        engine.view.header.pointee.writer_start_ticks += 1
        #expect(monitor.sample(levels: 1).life == .dead)
        apus_public_close(&engine.view)
        #expect(monitor.sample(levels: 1).life == .closed)
    }

    @Test func aMissingEngineIsNamed() throws {
        let error = #expect(throws: CommandFailure.self) { try EngineMonitor(attachingTo: "apus-test-nobody") }
        #expect(error?.status == ExitStatus.unavailable)
        #expect(error?.description.contains("apus-test-nobody") == true)
    }

    @Test func anotherFileIsNoEngine() throws {
        let path = "/dev/shm/apus-test-noise-\(getpid())"
        try Files.create(path, String(repeating: "noise ", count: 2000))
        defer { unlink(path) }
        let error = #expect(throws: CommandFailure.self) {
            try EngineMonitor(attachingTo: path.replacing("/dev/shm/", with: ""))
        }
        #expect(error?.description.contains("not an engine") == true)
    }

    @Test func aTornEntryIsSaidToBeTorn() throws {
        let engine = try MadeEngine("torn")
        engine.addBook()
        apus_board_entry(&engine.view.board, 0).pointee.sequence += 1
        let sample = try EngineMonitor(attachingTo: engine.name).sample(levels: 1)
        #expect(sample.books.first?.state == "torn")
        #expect(sample.json.description.contains("\"torn\":true"))
    }
}
