import Apus
import ApusEngine
import ApusSamples
import Testing

@testable import ApusCommand

/// Several strategies in one configuration.
@Suite struct StrategiesTests {
    private let two = """
        strategies:
          - name: maker
            type: market-maker
            symbols: [BTCUSDT]
            parameters:
              half-spread: 5
            limits:
              max_open_orders: 4
              max_position: 0.5
          - name: ema-cross
            parameters: {size: 0.01}
        risk:
          strategies:
            maker.max_open_orders: 2
            ema-cross.max_daily_loss: 10.5
        """

    private func plan(_ text: String, _ assignments: [String] = []) throws -> RunPlan {
        let store = try ConfigurationStore(
            file: (path: "apus.yaml", text: text), environment: [:], assignments: assignments)
        return try RunPlan(store, strategies: Samples.all, allowLive: false)
    }

    private func error(_ text: String, _ assignments: [String] = []) -> ConfigurationError? {
        do {
            _ = try plan(text, assignments)
            return nil
        } catch { return error as? ConfigurationError }
    }

    @Test func eachHasItsSettingsInTheConfiguredOrder() throws {
        let strategies = try plan(two).strategies
        #expect(strategies.map(\.name) == ["maker", "ema-cross"])
        #expect(strategies.map(\.description.name) == ["market-maker", "ema-cross"])
        #expect(strategies.map(\.symbols) == [["BTCUSDT"], []])
        #expect(strategies.map(\.parameters) == [["half-spread": "5"], ["size": "0.01"]])
        let changed = try plan(two, ["strategies.maker.parameters.half-spread=7", "strategies.maker.symbols=A, B"])
        #expect(
            changed.strategies[0].parameters == ["half-spread": "7"] && changed.strategies[0].symbols == ["A", "B"])
        #expect(changed.strategies.map(\.name) == ["maker", "ema-cross"], "the order is the list's")
    }

    @Test func limitsAreReadFromBothPlaces() throws {
        let limits = try RunPlan.limits(try plan(two).store)
        #expect(limits.strategies["maker"]?.maxOpenOrders == 2, "risk.strategies is the nearer one")
        #expect(limits.strategies["maker"]?.maxPosition == ExactDecimal(digits: 5, decimals: 1))
        #expect(limits.strategies["ema-cross"]?.maxDailyLoss == Money(ExactDecimal(digits: 105, decimals: 1)))
    }

    @Test func errorsNameTheKeyAndTheLine() throws {
        let twice = error("strategies:\n  - name: a\n    type: ema-cross\n  - name: a\n    type: ema-cross\n")
        #expect(twice?.key == "strategies[1].name" && twice?.origin == .file(path: "apus.yaml", line: 4))
        let nameless = error("strategies:\n  - type: ema-cross\n")
        #expect(nameless?.key == "strategies[0]")
        #expect(error("strategies:\n  - name: a.b\n")?.key == "strategies[0].name")
        let unknown = error("strategies:\n  - name: a\n    type: nobody\n")
        #expect(unknown?.key == "strategies.a.type" && unknown?.origin == .file(path: "apus.yaml", line: 3))
        #expect(unknown?.description.contains("market-maker") == true, "it says which there are")
        #expect(error("strategies:\n  - name: ema-cross\n    sybmols: [A]\n")?.key == "strategies.ema-cross.sybmols")
        #expect(error(two, ["strategy.name=ema-cross"])?.key == "strategy.name")
        #expect(error(two, ["strategies.maker.name=other"])?.key == "strategies.maker.name")
        #expect(error(two, ["risk.strategies.makre.max_open_orders=1"])?.key == "risk.strategies.makre.max_open_orders")
        let limit = #expect(throws: ConfigurationError.self) {
            try RunPlan.limits(try plan(two, ["risk.strategies.maker.max_orders=1"]).store)
        }
        #expect(limit?.key == "risk.strategies.maker.max_orders")
    }

    @Test func whatTheEngineFindsWrongIsLocated() throws {
        let plan = try plan(two)
        var wrong = ParameterError(key: "half-spread", reason: "too wide")
        wrong.strategy = "maker"
        let parameter = #expect(throws: ConfigurationError.self) { try plan.locating { throw wrong } as Void }
        #expect(parameter?.key == "strategies.maker.parameters.half-spread")
        #expect(parameter?.origin == .file(path: "apus.yaml", line: 6))
        let symbol = #expect(throws: ConfigurationError.self) {
            try plan.locating { throw StrategySettingError(strategy: "maker", reason: "no such instrument") } as Void
        }
        #expect(symbol?.key == "strategies.maker.symbols")
    }
}
