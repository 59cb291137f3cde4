import Testing

@testable import ApusCommand

private func load(_ text: String, environment: [String: String] = [:], set: [String] = []) throws -> ConfigurationStore
{
    try ConfigurationStore(file: ("apus.yaml", text), environment: environment, assignments: set)
}

private func failure(_ text: String, environment: [String: String] = [:], set: [String] = []) -> ConfigurationError? {
    do {
        _ = try load(text, environment: environment, set: set)
        return nil
    } catch {
        return error as? ConfigurationError
    }
}

@Suite struct ConfigurationFileTests {
    @Test func builtInValuesAreSafe() throws {
        let store = try ConfigurationStore(file: nil, environment: [:], assignments: [])
        #expect(store.text("venue.kind") == "loopback")
        #expect(store.text("mode") == nil)
        #expect(store.text("engine.placement") == "shared")
        #expect(store.setting("engine.idle")?.origin == .builtIn)
        for field in configurationSchema {
            if case .scalar(let text)? = field.standard { #expect(field.kind.refusal(of: text) == nil, "\(field.key)") }
        }
    }

    @Test func readsYAMLAndRemembersLines() throws {
        let store = try load(
            """
            # a comment
            mode: paper
            engine:
              idle: spin
              feed_slots: 4096
            venue:
              tls:
                ca_file: ca.pem
              symbols:
                - BTCUSDT
                - ETHUSDT
            strategy:
              parameters:
                half_spread: 2.5
            """)
        #expect(store.text("engine.idle") == "spin")
        #expect(store.setting("engine.idle")?.origin == .file(path: "apus.yaml", line: 4))
        #expect(store.integer("engine.feed_slots") == 4096)
        #expect(store.text("venue.tls.ca_file") == "ca.pem")
        #expect(store.list("venue.symbols") == ["BTCUSDT", "ETHUSDT"])
        let parameter = try #require(store.table("strategy.parameters").first)
        #expect(parameter.name == "half_spread")
        #expect(parameter.value == "2.5")
        #expect(parameter.origin == .file(path: "apus.yaml", line: 14))
    }

    @Test func readsJSONWithTabs() throws {
        let store = try load("{\n\t\"engine\": {\n\t\t\"idle\": \"park\"\n\t}\n}")
        #expect(store.text("engine.idle") == "park")
        #expect(store.setting("engine.idle")?.origin == .file(path: "apus.yaml", line: 3))
    }

    @Test(arguments: [
        ("engine:\n  idel: spin\n", 2, "engine.idel", "did you mean engine.idle?"),
        ("engine:\n  idle: spinn\n", 2, "engine.idle", "did you mean spin?"),
        ("engine:\n  idle:\n    - spin\n", 3, "engine.idle", "not a list"),
        ("engine:\n  idle:\n", 2, "engine.idle", "it has no value"),
        ("\nengine: spin\n", 2, "engine", "section"),
        ("engine:\n  feed_slots: many\n", 2, "engine.feed_slots", "\"many\" is not a power of two"),
        ("engine:\n  feed_slots: 65535\n", 2, "engine.feed_slots", "out of range"),
        ("engine:\n  feed_slots: 32\n", 2, "engine.feed_slots", "out of range"),
        ("engine:\n  board_depth: 100000\n", 2, "engine.board_depth", "out of range"),
        ("risk:\n  max_position: -1\n", 2, "risk.max_position", "decimal number"),
        ("mode: paper\nmode: live\n", 1, "mode", "more than once"),
        ("venue:\n  symbols: [A, [B]]\n", 2, "venue.symbols", "not a list"),
        ("venue:\n  api_secret: abc\n", 2, "venue.api_secret", "APUS_BINANCE_API_SECRET"),
        ("venue:\n  tls:\n    ca: x\n", 3, "venue.tls.ca", "no such key"),
        ("- 1\n", 1, "", "keys and values"),
    ])
    func namesFileLineAndKey(_ text: String, _ line: Int, _ key: String, _ part: String) throws {
        let error = try #require(failure(text))
        #expect(error.origin == .file(path: "apus.yaml", line: line))
        #expect(error.key == key)
        #expect(error.problem.contains(part), "\(error)")
        #expect("\(error)".hasPrefix("apus.yaml:\(line): "))
    }

    @Test func neverRepeatsASecret() throws {
        let error = try #require(failure("api_key: hunter2\n"))
        #expect(!"\(error)".contains("hunter2"))
    }

    @Test func malformedYAMLNamesTheLine() throws {
        let error = try #require(failure("mode: paper\nengine: {idle: spin\nvenue: 3\n"))
        guard case .file("apus.yaml", let line) = error.origin else { throw error }
        #expect(line >= 2)
    }

    @Test func emptyFileIsTheDefault() throws {
        #expect(try load("").text("venue.kind") == "loopback")
        #expect(try load("engine:\n").text("engine.idle") == "yield")
    }
}

@Suite struct ConfigurationSourceTests {
    @Test func laterSourcesWin() throws {
        let text = "engine:\n  idle: spin\n"
        let environment = ["APUS_ENGINE_IDLE": "park"]
        let byEnvironment = try load(text, environment: environment)
        #expect(byEnvironment.text("engine.idle") == "park")
        #expect(byEnvironment.setting("engine.idle")?.origin == .environment(variable: "APUS_ENGINE_IDLE"))
        let byFlag = try load(text, environment: environment, set: ["engine.idle=yield"])
        #expect(byFlag.text("engine.idle") == "yield")
    }

    @Test func parametersMergeByName() throws {
        let store = try load(
            "strategy:\n  parameters:\n    size: 1\n    edge: 2\n",
            environment: ["APUS_STRATEGY_PARAMETERS_SIZE": "3", "APUS_STRATEGY_PARAMETERS_HALF_EDGE": "5"],
            set: ["strategy.parameters.skew=4"])
        let values = Dictionary(uniqueKeysWithValues: store.table("strategy.parameters").map { ($0.name, $0.value) })
        #expect(values == ["size": "3", "half-edge": "5", "edge": "2", "skew": "4"])
    }

    @Test func listsAreSplitAtCommas() throws {
        #expect(try load("", environment: ["APUS_VENUE_SYMBOLS": "A, B,"]).list("venue.symbols") == ["A", "B"])
    }

    @Test func aMistypedVariableIsAnError() throws {
        let error = try #require(failure("", environment: ["APUS_ENGINE_IDEL": "spin"]))
        #expect(error.origin == .environment(variable: "APUS_ENGINE_IDEL"))
        #expect(error.problem.contains("APUS_ENGINE_IDLE"))
    }

    @Test func otherVariablesAreLeftAlone() {
        #expect(failure("", environment: ["APUS_BINANCE_API_KEY": "k", "APUSX": "1", "APUS_TEST_SEED": "3"]) == nil)
    }

    @Test func aBadVariableNamesVariableAndKey() throws {
        let error = try #require(failure("", environment: ["APUS_ENGINE_FEED_SLOTS": "17"]))
        #expect(error.origin == .environment(variable: "APUS_ENGINE_FEED_SLOTS"))
        #expect(error.key == "engine.feed_slots")
    }

    @Test(arguments: [
        ("engine.idle", "KEY=VALUE"), ("engine.idel=spin", "did you mean engine.idle?"), ("engine.idle=", ""),
    ])
    func badAssignments(_ assignment: String, _ part: String) throws {
        let error = try #require(failure("", set: [assignment]))
        #expect(part.isEmpty || error.problem.contains(part), "\(error)")
    }

    @Test func listingShowsValuesAndOrigins() throws {
        let store = try load("engine:\n  idle: spin\n", environment: ["APUS_MODE": "paper"])
        let table = ConfigurationListing(store).table()
        let lines = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.contains(["engine.idle", "spin", "apus.yaml:2"]))
        #expect(lines.contains(["mode", "paper", "environment", "APUS_MODE"]))
        #expect(lines.contains(["engine.hot_cpu", "-1", "default"]))
        let json = ConfigurationListing(store).json().description
        #expect(json.contains(#""engine.idle":{"value":"spin","from":"apus.yaml:2"}"#))
        #expect(json.contains(#""venue.rest":null"#))
    }
}
