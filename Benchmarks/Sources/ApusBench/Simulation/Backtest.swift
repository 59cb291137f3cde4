import Apus
import ApusEngine
import ApusReplay
import CApusProtocol
import CApusRing
import CBench
import Foundation

/// The whole of simulated time on the deltas that hftbacktest runs on: book, ring, decision loop, strategy, risk gate, order
/// table and paper venue.
struct Backtest: Benchmark {
    let name = "backtest"
    let goal = "at least 1.5 × hftbacktest's events/s and 60 × nautilus_trader's"

    func run(_ session: Session) throws -> [Row] {
        let path = try session.l2()
        let stream = try DeltaStream(path)
        var touch: [Double] = [], quotes: [Double] = []
        var result = BacktestRun.Result()
        var peers = BacktestPeers(session, path)
        for round in 0...session.repetitions(4) {
            // Before and after each peer, so that what disturbs one disturbs all alike.
            for peer in [peers.hftbacktest, peers.nautilus] {
                for _ in 0..<3 {
                    let idle = try pinned(to: session.cpu) { try BacktestRun(stream, every: nil).go() }
                    let busy = try pinned(to: session.cpu) { try BacktestRun(stream, every: .milliseconds(1)).go() }
                    if round > 0 {
                        touch.append(idle.rate)
                        quotes.append(busy.rate)
                    }
                    result = busy
                }
                for (name, rate) in try peer() where round > 0 { peers.rates[name, default: []].append(rate) }
            }
        }
        return [
            row(
                "touch", "a strategy that reads the touch at every event", touch, peers, ["each", "Noop"],
                note: "The peers: hftbacktest's `each` (the better of its two books), nautilus_trader's idle strategy."),
            row(
                "quotes",
                "a strategy that reads the touch at every event and replaces its two quotes every millisecond",
                quotes, peers, ["mm", "Cross"],
                note: """
                    hftbacktest's `mm` (the better of its two books) replaces the quotes and reads no touch in between; beside \
                    its `each`, which only reads them, the ratio is \(peers.ratio(quotes, "each")). \
                    nautilus_trader follows a crossing of averages. Ours: \(result.text).
                    """),
        ]
    }

    private func row(
        _ name: String, _ what: String, _ samples: [Double], _ peers: BacktestPeers, _ kinds: [String], note: String
    ) -> Row {
        var row = Row(
            name: self.name + "-" + name,
            work:
                "l2.bin (2,000,000 deltas) in simulated time through book, ring, decision loop and paper venue, with \(what).",
            unit: "M events/s", isRate: true, ours: Figure("", of: samples, isRate: true))
        row.peers = kinds.flatMap { peers.figures($0) }
        row.missing = peers.missing
        let hftbacktest = peers.best(kinds[0]), nautilus = peers.best(kinds[1])
        row.goals = [
            .atLeast(1.5, hftbacktest.map { row.ours.median / $0 }, "× hftbacktest (\(kinds[0]))"),
            .atLeast(60, nautilus.map { row.ours.median / $0 }, "× nautilus_trader (\(kinds[1]))"),
        ]
        row.note = note
        return row
    }
}

/// One pass over the deltas.
struct BacktestRun {
    struct Result {
        var rate = 0.0
        var text = ""
    }

    private let stream: DeltaStream
    private let memory: MarketMemory
    private let decision: DecisionAgent
    private let loop: SimulatedLoop
    private let number: UInt16
    private let tally = Tally()

    init(_ stream: DeltaStream, every pace: Duration?) throws {
        self.stream = stream
        memory = try MarketMemory(
            venue: "binance-usdm", capacity: 4, boardDepth: 20, feedSlots: 65536, arenaBytes: 1 << 26)
        try memory.deferBoard()
        let definition = InstrumentDefinition(
            symbol: "L2", venue: "binance-usdm", priceDecimals: DeltaStream.priceDecimals,
            quantityDecimals: DeltaStream.quantityDecimals,
            tick: ExactDecimal(digits: 1, decimals: DeltaStream.priceDecimals),
            lot: ExactDecimal(digits: 1, decimals: DeltaStream.quantityDecimals))
        number = try memory.add(definition)
        var model = PaperConfiguration()
        model.orderLatency = 1_000_000
        model.reportLatency = 1_000_000
        model.makerFeePpm = 0
        let paper = try PaperVenue(feed: memory, instruments: [definition], configuration: model)
        var engine = EngineConfiguration(runTag: 1)
        engine.limits = .wide
        decision = try DecisionAgent(
            strategy: Quoter.description(every: pace, quantity: Quantity(units: 1000), tally),
            instruments: [definition],
            feed: memory, sink: paper, time: .simulated, configuration: engine)
        loop = SimulatedLoop(decision: decision, paper: paper)
    }

    func go() throws -> Result {
        guard let first = stream.deltas.first?.time, let last = stream.deltas.last?.time,
            let book = apus_market_open(memory.market, number)
        else { throw BenchmarkError("there is nothing to run") }
        apus_publisher_message(memory.publisher, first, 0)
        apus_market_state(
            memory.market, book, UInt8(APUS_STATE_LIVE.rawValue), UInt8(APUS_BOOK_REASON_SNAPSHOT.rawValue))
        try decision.start(first)
        let begin = bench_now()
        apply(book)
        let time = bench_now() - begin
        decision.stop(last)
        guard tally.checksum == DeltaStream.checksum else {
            throw BenchmarkError("the strategy saw other touches: checksum \(tally.checksum)")
        }
        let summary = decision.summary
        return Result(
            rate: Double(stream.deltas.count) / Double(time) * 1000,
            text: """
                \(tally.replacements) replacements, \(summary.orders) orders, \(summary.cancels) cancels, \(summary.fills) fills, \
                \(summary.rejections) refused as no longer post-only
                """)
    }

    private func apply(_ book: UnsafeMutablePointer<apus_market_book>) {
        let market = memory.market, out = memory.publisher, loop = self.loop
        for delta in stream.deltas {
            loop.advance(to: delta.time)
            apus_publisher_message(out, delta.time, 0)
            var level = apus_level(price: delta.price, quantity: delta.quantity)
            if delta.isAsk {
                _ = apus_market_apply(market, book, nil, 0, &level, 1)
            } else {
                _ = apus_market_apply(market, book, &level, 1, nil, 0)
            }
            apus_market_publish(market, book, 0)
            loop.settle(delta.time)
        }
    }
}
