import Apus
import ApusEngine
import ApusSamples
import Foundation
import Glibc
import Testing

@testable import ApusCommand

private func store(_ assignments: [String]) throws -> ConfigurationStore {
    try ConfigurationStore(file: nil, environment: [:], assignments: assignments)
}

@Suite struct RunPlanTests {
    private func plan(_ assignments: [String], live: Bool = false) throws -> RunPlan {
        try RunPlan(store(assignments), strategies: Samples.all, allowLive: live)
    }

    @Test func ordersStayOnPaperUnlessTwiceAllowed() throws {
        #expect(try plan([]).isLive)
        #expect(try !plan(["mode=paper"]).isLive)
        #expect(try !plan(["venue.kind=binance-usdm"]).isLive)
        #expect(try !plan(["venue.kind=binance-usdm"], live: true).isLive)
        let error = #expect(throws: ConfigurationError.self) { try plan(["venue.kind=binance-usdm", "mode=live"]) }
        #expect(error?.key == "mode")
        #expect(try plan(["venue.kind=binance-usdm", "mode=live"], live: true).isLive)
    }

    @Test func aVenueOnThisMachineNeedsNoSecondWord() throws {
        let addresses = ["rest", "stream", "user", "orders"].map { "venue.\($0)=http://127.0.0.1:9080" }
        #expect(try plan(["venue.kind=binance-usdm", "mode=live"] + addresses).isLive)
        let elsewhere = ["venue.kind=binance-usdm", "mode=live"] + addresses + ["venue.rest=https://fapi.binance.com"]
        #expect(throws: ConfigurationError.self) { try plan(elsewhere) }
    }

    @Test func strategiesAreFoundByName() throws {
        #expect(try plan([]).names == Samples.all.first?.name)
        #expect(try plan(["strategy.name=ema-cross"]).names == "ema-cross")
        let error = #expect(throws: ConfigurationError.self) { try plan(["strategy.name=nobody"]) }
        #expect(error?.problem.contains("market-maker") == true)
    }

    @Test func limitsOfOneInstrumentAndTheVenuesFunding() throws {
        let limits = try RunPlan.limits(
            store(["risk.instruments.BTCUSDT.max_position=0.5", "venue.kind=polymarket", "risk.loss_state=reducing"]))
        #expect(limits.instruments["BTCUSDT"]?.maxPosition == (try ExactDecimal("0.5")))
        #expect(limits.funding == .cash && limits.lossState == .reducing)
        #expect(try RunPlan.limits(store(["venue.kind=binance-usdm"])).funding == .margin)
        #expect(try RunPlan.limits(store(["venue.kind=binance-usdm", "risk.funding=cash"])).funding == .cash)
        for wrong in ["BTCUSDT=1", "BTCUSDT.max_profit=1", "BTCUSDT.max_position=-1"] {
            #expect(throws: ConfigurationError.self) { try RunPlan.limits(store(["risk.instruments.\(wrong)"])) }
        }
    }

    @Test func theFundingIsThatOfTheProtocol() throws {
        let usual = try ["binance-spot", "polymarket", "binance-coinm", "deriv", "deriv-v3"].map {
            try RunPlan.limits(store([]), venue: $0).funding
        }
        #expect(usual == [.cash, .cash, .margin, .unchecked, .unchecked])
    }

    /// Before the venue is asked or an order touched.
    @Test(arguments: [
        ("risk.instruments.BTCUSD.max_position=1", "BTCUSDT"), ("strategy.parameters.sise=1", "sise"),
        ("engine.hot_cpu=1023", "there is no processor 1023"),
    ])
    func whatCannotRunIsToldFirst(assignment: String, told: String) throws {
        let plan = try plan([assignment])
        let error = #expect(throws: ConfigurationError.self) { try plan.check(symbols: ["BTCUSDT"]) }
        #expect(error?.description.contains(told) == true)
        try self.plan([]).check(symbols: ["BTCUSDT"])
    }

    @Test func breakersComeFromTheConfiguration() throws {
        let breakers = BreakerSettings.breakers(
            try store(["breakers.venue.failure_threshold=7", "breakers.deriv_api.timeout_seconds=9"]))
        #expect(breakers.named(BreakerSettings.name(venue: "binance-usdm")).configuration.failureThreshold == 7)
        #expect(breakers.named(BreakerSettings.name(venue: "deriv")).configuration.timeoutSeconds == 9)
        #expect(breakers.named("trading_engine").configuration.failureThreshold == 2)
    }

    @Test func onlyPaperMoneyIsMadeUp() async throws {
        let balances = try await onThread {
            let venue = try LoopbackVenue.start(.binanceUSDM, symbols: ["BTCUSDT"], seed: 1, speed: "still")
            defer { try? venue.stop() }
            return try ["live", "paper"].map { mode in
                try RunPlan(store(["mode=\(mode)"]), strategies: Samples.all, allowLive: true)
                    .live(loopback: venue).engine.startBalance
            }
        }
        #expect(balances == [nil, Money(whole: 100_000)])
    }

    @Test func limitsComeFromTheConfiguration() throws {
        let limits = try RunPlan.limits(store(["risk.max_order_notional=250.5", "risk.orders_per_second=3"]))
        #expect(limits.maxOrderNotional == Money(try ExactDecimal("250.5")))
        #expect(limits.ordersPerSecond == 3)
        #expect(limits.maxOpenOrders == 50)
    }
}

/// A run waits on its thread, which must not be one of the few that Swift's tasks share.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try work() }) }.start()
    }
}

@Suite struct RunTests {
    @Test(arguments: ["shared", "dedicated"])
    func tradesOnTheLoopbackVenueAndLeavesNothingOpen(_ placement: String) async throws {
        let name = "apus-test-run-\(placement)-\(getpid())"
        let store = try store([
            "engine.name=\(name)", "engine.placement=\(placement)", "venue.speed=brisk", "engine.idle=yield",
        ])
        let result = try await onThread { try run(store, seconds: 4) }
        #expect(result.summary.events > 0)
        #expect(result.summary.orders > 0)
        #expect(result.summary.openOrders == 0)
        #expect(result.summary.overfills == 0 && result.summary.strangeReports == 0)
        let hops = Set(result.summary.hops.keys)
        #expect(
            hops.isSuperset(of: [
                "venue_kernel", "kernel_receive", "receive_publish", "publish_decide", "decide_order", "order_sent",
                "sent_answer",
            ]))
        #expect(result.json.description.hasPrefix("{\"events\":"))
        #expect(!EngineMonitor.engines().contains { $0.name == name })
    }

    @Test func parametersOfAStrategyAreLocated() async throws {
        let store = try store(["strategy.parameters.half-spread=wide", "engine.name=apus-test-parameters-\(getpid())"])
        let error = await #expect(throws: ConfigurationError.self) { try await onThread { try run(store, seconds: 1) } }
        #expect(error?.key == "strategy.parameters.half-spread")
        #expect(error?.origin == .commandLine(flag: "--set strategy.parameters.half-spread"))
    }
}

@Suite struct RunResultTests {
    private func result(_ hops: [String: HopSummary]) -> RunResult {
        var summary = EngineSummary()
        summary.hops = hops
        return RunResult(
            summary: summary, unconfirmed: [], seconds: 2, strategy: "none", venue: "loopback", steady: nil)
    }

    @Test func hopsAreToldInAMessagesOrderWithTheirSkew() {
        var venue = HopSummary()
        (venue.skewed, venue.worstSkew) = (7, 1_200_000)
        var decide = HopSummary()
        (decide.count, decide.p50, decide.p99, decide.p999, decide.max) = (5, 80, 90, 95, 99)
        let result = result(["publish_decide": decide, "venue_kernel": venue])
        #expect(
            result.json.description.contains(
                #""hops":{"venue_kernel":{"p50":0,"p99":0,"p999":0,"max":0,"count":0,"clock_skew":7,"#
                    + #""worst_clock_skew_ns":1200000},"publish_decide":{"p50":80,"p99":90,"p999":95,"max":99,"count":5,"#
                    + #""clock_skew":0,"worst_clock_skew_ns":0}}"#))
        #expect(result.text.contains("clock skew: 7 of 7 messages were stamped ahead of our clock, by 1.2 ms at worst"))
        #expect(!result.text.contains("times of publish_decide"))
    }
}

extension RunPlan {
    /// Those of the venue that the configuration names.
    static func limits(_ store: ConfigurationStore) throws -> RiskLimits {
        try limits(store, venue: store.text("venue.kind") ?? "binance-usdm")
    }
}

private func run(_ store: ConfigurationStore, seconds: Double) throws -> RunResult {
    let plan = try RunPlan(store, strategies: Samples.all, allowLive: false)
    return try RunSession(plan, log: Log(level: .error), signals: StopSignals(), seconds: seconds, hasView: false).run()
}

@Suite struct FaultOptionsTests {
    @Test func readsRatesAndRules() throws {
        let rates = try FaultOptions.rates("gap=100,disconnect=5")
        #expect(rates.gap == 100 && rates.disconnect == 5 && rates.reorder == 0)
        #expect(try FaultOptions.rule("gap@1000").trigger == .afterMessages(1000))
        let rule = try FaultOptions.rule("freeze@250ms:stream=bookTicker")
        #expect(rule.trigger == .after(250_000_000) && rule.target.stream == "bookTicker")
        let lost = try FaultOptions.rule("lost-answer@0:request=POST /order")
        #expect(lost.kind == .lostAnswer && lost.target.request == "POST /order")
        #expect(try FaultOptions.rule("duplicate-event@3").target.role == .user)
    }

    @Test func everyNameIsARateAndARule() throws {
        for name in FaultOptions.names.split(separator: ", ") {
            #expect(try FaultOptions.rates("\(name)=7") != FaultOptions.rates(""), "\(name)")
            #expect(try FaultOptions.rule("\(name)@1s").trigger == .after(1_000_000_000), "\(name)")
        }
    }

    @Test(arguments: ["gap", "gap@", "gap@x", "hole@3", "gap@-1", "gap@3:symbol=x"])
    func refusesRules(_ text: String) {
        #expect(throws: CommandFailure.self) { try FaultOptions.rule(text) }
    }

    @Test(arguments: ["gap", "gap=x", "hole=3", "gap=-1", "gap=1000001"])
    func refusesRates(_ text: String) {
        #expect(throws: CommandFailure.self) { try FaultOptions.rates(text) }
    }
}
