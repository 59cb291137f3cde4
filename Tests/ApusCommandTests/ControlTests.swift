import Apus
import ApusEngine
import ApusSamples
import ApusVenueServer
import CApusProtocol
import Foundation
import Glibc
import Synchronization
import Testing

@testable import ApusCommand
@testable import ApusLive
@testable import ApusVenue

/// A folder of its own under /tmp that goes away with the value.
final class Folder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct ControlSocketTests {
    private func echo(at path: String) throws -> ControlServer {
        let server = try ControlServer(
            path: path,
            answer: { request in
                var reply = ControlReply(engine: "echo", trading: .reducing)
                reply.error = request.reason
                return reply
            }, refuse: { .refusal($0, engine: "echo", trading: .active) })
        try server.start()
        return server
    }

    @Test func answersItsOwnUserInAFolderOfItsOwn() throws {
        let folder = Folder(), path = "\(folder.path)/apus/engine.sock"
        let server = try echo(at: path)
        var request = ControlRequest(.halt)
        request.reason = "because \"of\" Ünicode"
        for _ in 0..<40 {
            let reply = try ControlClient.ask(request, at: path, patience: .seconds(5)).reply
            #expect(reply.ok && reply.trading == "reducing" && reply.error == request.reason)
        }
        var status = stat()
        #expect(stat("\(folder.path)/apus", &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        server.stop()
        #expect(stat(path, &status) != 0)
        #expect(throws: LiveError.self) { try ControlClient.ask(request, at: path, patience: .seconds(1)) }
    }

    @Test func twoDoNotListenAtOnePlaceAndADeadSocketIsReplaced() throws {
        let folder = Folder(), path = "\(folder.path)/apus/engine.sock"
        let first = try echo(at: path)
        let error = #expect(throws: LiveError.self) { try echo(at: path) }
        #expect(error?.description.contains("already") == true)
        first.stop()
        close(try ControlSocket.listen(at: path))  // a process that died: the file stays, nobody listens
        try echo(at: path).stop()
    }

    /// Its place is not taken from it, or `apus halt` would reach another.
    @Test func oneThatHangsIsStillThere() throws {
        let folder = Folder(), path = "\(folder.path)/engine.sock"
        let hanging = try ControlSocket.listen(at: path)
        var waiting: [Int32] = []
        defer { for socket in waiting + [hanging] { close(socket) } }
        while waiting.count < 100, let socket = try? ControlSocket.connect(to: path, patience: .milliseconds(100)) {
            waiting.append(socket)
        }
        #expect(waiting.count < 100)
        let error = #expect(throws: LiveError.self) { try ControlSocket.listen(at: path) }
        #expect(error?.description.contains("already") == true)
    }

    @Test func refusesForeignThings() throws {
        let folder = Folder()
        #expect(throws: LiveError.self) { try echo(at: "\(folder.path)/\(String(repeating: "x", count: 120)).sock") }
        let file = "\(folder.path)/file.sock"
        try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
        #expect(throws: LiveError.self) { try echo(at: file) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
        chmod(folder.path, 0o777)
        let error = #expect(throws: LiveError.self) { try echo(at: "\(folder.path)/engine.sock") }
        #expect(error?.description.contains("nobody else can write") == true)
    }

    @Test(arguments: ["max_positoin=5", "max_open_orders=many", "max_open_orders"])
    func aMistypedLimitIsAnErrorOfTheCommandLine(words: String) {
        #expect(ApusProgram.run(["risk", "nobody", "--set", words], strategies: []) == ExitStatus.usage)
    }

    @Test func saysWhatIsNoRequestAndGoesOn() throws {
        let folder = Folder(), path = "\(folder.path)/engine.sock"
        let server = try echo(at: path)
        defer { server.stop() }
        let socket = try ControlSocket.connect(to: path, patience: .seconds(5))
        defer { close(socket) }
        var kept: [UInt8] = []
        for line in ["{\"request\":\"fly\"}", "not JSON", ""] {
            #expect(ControlSocket.write(Data(line.utf8), to: socket))
            let answer = try #require(ControlSocket.readLine(from: socket, kept: &kept))
            let reply = try JSONDecoder().decode(ControlReply.self, from: answer)
            #expect(!reply.ok && reply.error?.contains("halt, reduce, resume") == true)
        }
        #expect(ControlSocket.write(Data("{\"request\":\"status\"}".utf8), to: socket))
        let answer = try #require(ControlSocket.readLine(from: socket, kept: &kept))
        #expect(try JSONDecoder().decode(ControlReply.self, from: answer).ok)
    }

    @Test func standsInTheRuntimeFolderOrUnderTheUsersNumber() {
        #expect(
            ControlSocket.path(engine: "a", environment: ["XDG_RUNTIME_DIR": "/run/user/7"])
                == "/run/user/7/apus/a.sock")
        #expect(ControlSocket.path(engine: "a", environment: [:]) == "/tmp/apus-\(getuid())/a.sock")
        #expect(ControlSocket.path(engine: "a", environment: ["XDG_RUNTIME_DIR": "here"]).hasPrefix("/tmp/"))
    }
}

/// A venue on real sockets with one account.
struct RigVenue {
    let server: VenueServer<BinanceVenue>
    let key = randomHex(64)
    let secret = randomHex(64)
    let port: Int

    init(faults: FaultPlan = FaultPlan()) throws {
        let account = BinanceAccountConfiguration(apiKey: key, secret: secret)
        let venue = BinanceConfiguration(
            symbols: [try .btcusdt()], accounts: [account], seed: 1, speed: .brisk, faults: faults)
        server = try blocking {
            try await VenueServer.start(VenueServerConfiguration()) { try BinanceVenue(venue, now: $0) }
        }
        port = try #require(server.port)
    }

    /// Orders that the venue has ever taken from the account, and those that are open there.
    func orders() throws -> (all: Int, open: Int) {
        let key = key
        let server = server
        return try blocking {
            try await server.withVenue { venue in
                let account = venue.account(forKey: key)
                return (account?.orderCount ?? -1, account?.open.count ?? -1)
            }
        }
    }

    /// The engine's numbers of the orders that are open at the venue.
    func openNumbers() throws -> [UInt64] {
        let key = key, server = server
        return try blocking { try await server.withVenue { $0.openOrders(apiKey: key).map(\.clientOrderID) } }.map {
            let text = Array($0.utf8)
            var number: UInt64 = 0
            try #require(apus_binance_parse_client_id(text, text.count, &number))
            return number
        }
    }

    func stop() throws {
        let server = server
        try blocking { try await server.stop() }
    }
}

/// An engine that trades on a venue of its own over real sockets.
final class TradingRig {
    let venue: RigVenue
    let engine: LiveEngine
    let control: EngineControl

    init(
        _ name: String, placement: String = "shared", settings: [String] = [],
        strategies: [StrategyDescription] = Samples.all
    ) throws {
        venue = try RigVenue()
        let address = "http://127.0.0.1:\(venue.port)"
        let store = try ConfigurationStore(
            file: nil, environment: [:],
            assignments: [
                "engine.name=apus-test-\(name)-\(getpid())", "engine.placement=\(placement)", "mode=paper",
                "venue.kind=binance-usdm", "venue.rest=\(address)", "venue.stream=\(address)", "venue.user=\(address)",
                "venue.orders=\(address)",
            ] + settings)
        let plan = try RunPlan(store, strategies: strategies, allowLive: false)
        var configuration = try plan.live(loopback: nil)
        configuration.orders = .live(.binance(BinanceCredentials(key: venue.key, secret: venue.secret)))
        engine = try LiveEngine(
            configuration, try plan.metadata(configuration, log: Log(level: .error), signals: StopSignals()),
            strategies: plan.strategies)
        control = EngineControl(engine, limits: plan.tighterLimits)
        try engine.start()
    }

    func ordersAtTheVenue() throws -> (all: Int, open: Int) { try venue.orders() }

    func waitForOrders(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(120)
        while try ordersAtTheVenue().all < count {
            try #require(ContinuousClock.now < end, "the engine does not trade")
            usleep(5000)
        }
    }

    func waitForOpenOrders(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(60)
        while try ordersAtTheVenue().open != count {
            try #require(ContinuousClock.now < end, "there are never \(count) orders open")
            usleep(5000)
        }
    }

    func stop() throws -> EngineSummary {
        let summary = engine.stop()
        try venue.stop()
        return summary
    }
}

@Suite(.serialized) struct StopMeansStopTests {
    @Test(arguments: ["shared", "dedicated"], [true, false])
    func afterAHaltNoNewOrderComes(_ placement: String, _ cancels: Bool) async throws {
        try await onThread {
            let rig = try TradingRig("halt-\(placement)-\(cancels)", placement: placement)
            try rig.waitForOrders(8)
            var request = ControlRequest(.halt)
            request.cancel = cancels
            request.reason = "a test"
            let reply = rig.control.answer(request)
            let atTheAnswer = try rig.ordersAtTheVenue()
            #expect(reply.ok && reply.trading == "halted")
            #expect(!cancels || (atTheAnswer.open == 0 && reply.openOrders == 0 && reply.unconfirmed?.isEmpty == true))
            // The market goes on: the strategy sees hundreds of books and would quote on each.
            let seen = apusEvents(rig.engine)
            while apusEvents(rig.engine) < seen + 150 { usleep(5000) }
            #expect(try rig.ordersAtTheVenue().all == atTheAnswer.all)
            let transition = TradingTransition(from: .active, to: .halted, reason: "a test")
            #expect(rig.control.takeTransitions() == [transition] && rig.control.takeTransitions().isEmpty)

            #expect(rig.control.answer(ControlRequest(.resume)).trading == "active")
            try rig.waitForOrders(atTheAnswer.all + 5)
            rig.control.end()
            #expect(!rig.control.answer(ControlRequest(.resume)).ok && rig.control.trading == .halted)
            let summary = try rig.stop()
            #expect(summary.openOrders == 0 && rig.engine.unconfirmed.isEmpty)
        }
    }

    @Test func aStopLeavesNoOrderBehindAndWordsForOtherStrategiesAreRefused() async throws {
        try await onThread {
            let rig = try TradingRig("stop")
            try rig.waitForOrders(10)
            var request = ControlRequest(.halt)
            request.strategy = "nobody"
            #expect(!rig.control.answer(request).ok && rig.control.trading == .active)
            let summary = rig.engine.stop()
            let after = try rig.ordersAtTheVenue()
            #expect(summary.openOrders == 0 && after.open == 0)
            #expect(rig.control.answer(ControlRequest(.status)).error?.contains("has ended") == true)
            #expect(!rig.control.answer(ControlRequest(.halt)).ok, "nobody would remember it")
            try rig.venue.stop()
        }
    }

    @Test func ordersThatNobodyConfirmsAreNamed() async throws {
        try await onThread {
            let rig = try TradingRig("unconfirmed")
            // The venue goes away while orders rest there.
            repeat { try rig.waitForOrders(4) } while try rig.ordersAtTheVenue().open == 0
            try rig.venue.stop()
            let summary = rig.engine.stop(patience: .milliseconds(300))
            let orders = rig.engine.unconfirmed
            #expect(summary.openOrders == orders.count && orders.count == rig.engine.unconfirmedOrders.count)
            guard let order = orders.first else { return }  // all had ended in that moment
            let result = RunResult(
                summary: summary, unconfirmed: orders, seconds: 1, strategy: "none", venue: "loopback", steady: nil)
            #expect(result.text.contains("not confirmed as ended") && result.text.contains(order.id))
            #expect(result.text.contains("apus reconcile"))
            #expect(result.json.description.contains("\"unconfirmed\":[{\"id\":\"\(order.id)\""))
        }
    }

    @Test func aDaysLossStopsTradingUntilAPersonResumes() async throws {
        try await onThread {
            let rig = try TradingRig("loss", settings: ["risk.max_daily_loss=0.001"])
            let end = ContinuousClock.now + .seconds(30)
            while rig.control.answer(ControlRequest(.risk)).risk?.trip == nil {
                try #require(ContinuousClock.now < end, "the strategy loses nothing")
                usleep(5000)
            }
            while try rig.ordersAtTheVenue().open > 0 {
                try #require(ContinuousClock.now < end, "what is open stays open")
                usleep(5000)
            }
            let before = try rig.ordersAtTheVenue()
            let seen = apusEvents(rig.engine)
            while apusEvents(rig.engine) < seen + 150 { usleep(5000) }
            #expect(try rig.ordersAtTheVenue().all == before.all)
            #expect(rig.control.answer(ControlRequest(.status)).trading == "halted")
            #expect(rig.control.answer(ControlRequest(.resume)).ok)
            try rig.waitForOrders(before.all + 1)
            _ = try rig.stop()
        }
    }

    @Test func limitsAreTightenedWhileTradingAndNeverLoosened() async throws {
        try await onThread {
            let rig = try TradingRig(
                "tighten", settings: ["risk.max_open_orders=20", "breakers.deriv_api.timeout_seconds=7"])
            try rig.waitForOrders(4)
            func tighten(_ key: String, _ value: String) -> ControlReply {
                var request = ControlRequest(.tighten)
                request.key = key
                request.value = value
                return rig.control.answer(request)
            }
            func limit(_ reply: ControlReply) -> String? {
                reply.risk?.limits.first { $0.key == "risk.max_open_orders" }?.limit
            }
            #expect(limit(rig.control.answer(ControlRequest(.risk))) == "20")
            #expect(limit(tighten("max_open_orders", "0")) == "0")
            #expect(tighten("max_open_orders", "21").error?.contains("loosened only by a restart") == true)
            // What was tightened stays so when something else is.
            #expect(limit(tighten("max_drawdown", "100000")) == "0")
            #expect(!tighten("max_drawdowns", "1").ok && !tighten("max_drawdown", "x").ok)
            var cancel = ControlRequest(.cancelAll)
            cancel.reason = "a test"
            #expect(rig.control.answer(cancel).ok)
            let before = try rig.ordersAtTheVenue()
            let seen = apusEvents(rig.engine)
            while apusEvents(rig.engine) < seen + 100 { usleep(5000) }
            #expect(try rig.ordersAtTheVenue().all == before.all && before.open == 0)
            let end = ContinuousClock.now + .seconds(60)
            while rig.control.answer(ControlRequest(.risk)).risk?.refusals["tooManyOpenOrders"] ?? 0 == 0 {
                try #require(ContinuousClock.now < end, "no order was ever refused for the limit")
                usleep(5000)
            }
            let breakers = try #require(rig.control.answer(ControlRequest(.breakers)).breakers)
            #expect(breakers.first { $0.name == "deriv_api" }?.timeoutSeconds == 7)
            #expect(Set(breakers.map(\.name)).isSuperset(of: ["deriv_api", "ml_predictor", "trading_engine"]))
            _ = try rig.stop()
        }
    }

    @Test func aStrategysOwnHaltIsItsOwnAndEndsWithItsResume() async throws {
        try await onThread {
            let rig = try TradingRig("strategy")
            try rig.waitForOrders(4)
            var request = ControlRequest(.halt)
            request.strategy = rig.engine.strategyNames[0]
            let reply = rig.control.answer(request)
            #expect(reply.ok && rig.control.trading == .active)
            let before = try rig.ordersAtTheVenue()
            let seen = apusEvents(rig.engine)
            while apusEvents(rig.engine) < seen + 100 { usleep(5000) }
            #expect(try rig.ordersAtTheVenue().all == before.all && before.open == 0)
            let wrong = rig.control.answer(ControlRequest(.resume))
            #expect(!wrong.ok && wrong.error?.contains("apus resume --strategy \(rig.engine.strategyNames[0])") == true)
            #expect(rig.control.answer(ControlRequest(.reduce)).ok)
            request.request = .resume
            #expect(rig.control.answer(request).error?.contains("for all; apus resume opens it") == true)
            #expect(rig.control.answer(ControlRequest(.resume)).ok)
            try rig.waitForOrders(before.all + 2)
            _ = try rig.stop()
        }
    }

    @Test func oneOfTwoIsHaltedAndItsOrdersAloneAreCanceled() async throws {
        try await onThread {
            // Each has one order that rests far away, and places another one when it is gone.
            let rig = try TradingRig(
                "two",
                settings: [
                    "strategies.near.type=resting", "strategies.far.type=resting",
                    "strategies.far.parameters.away=6000", "risk.price_band_ppm=100000",
                ], strategies: [Resting.description])
            // As a client reads it.
            func lines() throws -> [RiskReport.StrategyLine] {
                let bytes = try JSONEncoder().encode(rig.control.answer(ControlRequest(.risk)))
                return try #require(try JSONDecoder().decode(ControlReply.self, from: bytes).risk?.strategies)
            }
            func orders(of strategy: String) -> [OrderID] {
                rig.engine.visit(patience: .seconds(2)) {
                    $0.context(of: strategy)?.openOrders.filter { $0.state == .live }.map(\.id)
                }.flatMap { $0 } ?? []
            }
            let end = ContinuousClock.now + .seconds(20)
            while orders(of: "near").isEmpty || orders(of: "far").isEmpty {
                try #require(ContinuousClock.now < end, "both have an order")
                usleep(5000)
            }
            let far = orders(of: "far")
            var request = ControlRequest(.halt)
            request.strategy = "near"
            let reply = rig.control.answer(request)
            #expect(reply.ok && reply.unconfirmed?.isEmpty == true && rig.control.trading == .active)
            let status = rig.control.answer(ControlRequest(.status))
            #expect(status.strategies?.map(\.openOrders) == [0, 1])
            #expect(controlText(status).contains("\nstrategy near is halted, 0 orders open"))
            #expect(!controlText(status).contains("strategy far"))
            #expect(try lines().map(\.name) == ["near", "far"])
            #expect(try lines().map(\.state) == [.halted, .active])
            #expect(try lines().map(\.openOrders) == [0, 1] && orders(of: "far") == far)
            #expect(try rig.ordersAtTheVenue() == (2, 1))
            request.request = .resume
            #expect(rig.control.answer(request).ok)
            try rig.waitForOrders(3)
            request.strategy = "middle"
            #expect(rig.control.answer(request).error?.contains("near, far") == true)
            #expect(try rig.ordersAtTheVenue() == (3, 2) && orders(of: "far") == far)
            let summary = try rig.stop()
            #expect(summary.strategies.map(\.orders) == [2, 1] && summary.orders == 3)
        }
    }

    private func apusEvents(_ engine: LiveEngine) -> UInt64 {
        (try? EngineMonitor(attachingTo: engine.name).sample(levels: 1).counter("events_read")) ?? .max
    }
}
