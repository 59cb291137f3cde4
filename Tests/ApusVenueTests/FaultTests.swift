import Testing

@testable import ApusVenue

@Suite struct FaultTests {
    private static let depth = FaultTarget(stream: "depth@0ms")

    private func harness(_ rules: FaultRule..., speed: MarketSpeed = .real) throws -> Harness {
        try Harness(speed: speed, faults: FaultPlan(rules: rules))
    }

    private func events(_ client: TestClient) -> [(first: Int64, last: Int64, previous: Int64)] {
        client.takeMessages().compactMap { $0["data"] }.map { (number($0, "U"), number($0, "u"), number($0, "pu")) }
    }

    /// Where the chain of `pu` breaks.
    private func breaks(_ events: [(first: Int64, last: Int64, previous: Int64)]) -> [Int] {
        events.indices.dropFirst().filter { events[$0].previous != events[$0 - 1].last }
    }

    @Test func withoutFaultsTheChainIsWhole() throws {
        let harness = try harness()
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        let seen = events(client)
        #expect(seen.count > 10 && breaks(seen).isEmpty && harness.venue.faultLog.isEmpty)
    }

    @Test func aGapDropsExactlyItsMessages() throws {
        let harness = try harness(FaultRule(.gap, .afterMessages(3), target: Self.depth, repeats: 2))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        #expect(breaks(events(client)) == [3])
        #expect(harness.venue.faultLog.map(\.kind) == [.gap, .gap])
        #expect(harness.venue.faultLog.allSatisfy { $0.connection == client.id && $0.stream == "depth@0ms" })
    }

    @Test func aDuplicateComesTwiceInARow() throws {
        let harness = try harness(FaultRule(.duplicate, .afterMessages(3), target: Self.depth))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        let seen = events(client)
        #expect(seen[3] == seen[4] && Set(seen.map(\.last)).count == seen.count - 1)
    }

    @Test func reorderingSwapsTwoNeighbours() throws {
        let harness = try harness(FaultRule(.reorder, .afterMessages(3), target: Self.depth))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        let seen = events(client)
        #expect(seen[3].last > seen[4].last)
        #expect(breaks(seen.sorted { $0.last < $1.last }).isEmpty)
    }

    @Test(arguments: Corruption.allCases)
    func aCorruptFrameIsCorruptAsAsked(_ how: Corruption) throws {
        let harness = try harness(FaultRule(.corrupt(how), .afterMessages(1), target: Self.depth))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        let witness = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        let texts = client.frames.map(\.payload) + witness.frames.map(\.payload)
        let broken = texts.filter { (try? JSONParser.parse($0)) == nil }
        switch how {
        case .invalidFrame: #expect(client.brokenFrames + witness.brokenFrames == 1 && broken.isEmpty)
        case .invalidUTF8:
            #expect(broken.count == 1 && broken.allSatisfy { String(validating: $0, as: UTF8.self) == nil })
        case .invalidJSON, .truncatedJSON:
            #expect(broken.count == 1 && broken.allSatisfy { String(validating: $0, as: UTF8.self) != nil })
        }
    }

    @Test func disconnectStrikesEveryMatchingConnectionAtItsTime() throws {
        let harness = try harness(FaultRule(.disconnect, .after(second), target: FaultTarget(role: .market)))
        let first = harness.webSocket("/ws/btcusdt@trade")
        let other = harness.webSocket("/ws/btcusdt@trade")
        let api = harness.webSocket("/ws-fapi/v1")
        harness.advance(by: 999 * millisecond)
        #expect(!first.isAborted)
        harness.advance(by: millisecond)
        #expect(first.isAborted && other.isAborted && !api.isAborted)
        #expect(harness.venue.faultLog.map(\.connection) == [first.id, other.id])
        let later = harness.webSocket("/ws/btcusdt@trade")
        harness.advance(by: 10 * second)
        #expect(!later.isAborted)
    }

    @Test func aFrozenConnectionAnswersPingsButSendsNoData() throws {
        let harness = try harness(FaultRule(.freeze(3 * second), .after(second), target: FaultTarget(role: .market)))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        harness.advance(by: second)
        _ = client.takeMessages()
        harness.advance(by: 2 * second)
        client.send(TestClient.frame(9, [1]))
        #expect(client.frames.map(\.opcode) == [10])
        harness.advance(by: 2 * second)
        let after = events(client)
        #expect(after.count > 5 && breaks(after).isEmpty && !client.isAborted)
    }

    @Test func aSlowReaderTricklesAndLosesNothing() throws {
        let rule = FaultRule(
            .slowReader(2 * second, bytesPerMillisecond: 1), .after(100 * millisecond),
            target: FaultTarget(role: .market))
        let harness = try harness(rule)
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        let witness = harness.webSocket("/ws-fapi/v1")
        harness.advance(by: 100 * millisecond)
        #expect(client.isPaused && !witness.isPaused)
        let early = events(client).count
        harness.advance(by: second)
        let slow = events(client)
        #expect(slow.count < 12)
        harness.advance(by: second)
        #expect(!client.isPaused)
        harness.advance(by: 100 * millisecond)
        let rest = events(client)
        #expect(breaks(slow + rest).isEmpty && early + slow.count + rest.count > 15)
    }

    @Test(arguments: [429, 503])
    func aRequestAndAnUpgradeAreRefused(_ status: Int) throws {
        let harness = try harness(
            FaultRule(.httpStatus(status), .afterMessages(1), target: FaultTarget(role: .rest), repeats: 2),
            speed: .still)
        #expect(harness.rest.request("GET", "/fapi/v1/ping").status == 200)
        let refused = harness.rest.request("GET", "/fapi/v1/ping")
        #expect(refused.status == status && (refused.headers["retry-after"] != nil) == (status == 429))
        #expect(harness.connect().upgrade("/ws/btcusdt@trade") == status)
        #expect(harness.rest.request("GET", "/fapi/v1/ping").status == 200)
        #expect(harness.venue.faultLog.count == 2)
    }

    @Test func aLostAnswerLeavesTheOrderInTheBook() throws {
        let harness = try harness(
            FaultRule(.lostAnswer, .afterMessages(0), target: FaultTarget(role: .api)), speed: .still)
        let api = harness.webSocket("/ws-fapi/v1")
        let order = [
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010",
            "price": "60000",
            "newClientOrderId": "lost",
        ]
        #expect(api.call("order.place", order) == .null)
        #expect(harness.venue.order(apiKey: firstKey, clientOrderID: "lost")?.status == .new)
        let asked = api.call("order.status", ["symbol": "BTCUSDT", "origClientOrderId": "lost"])
        #expect(text(asked, "result", "status") == "NEW")
        #expect(harness.venue.faultLog.map(\.kind) == [.lostAnswer])
    }

    @Test func aDelayedAnswerComesLater() throws {
        let harness = try harness(
            FaultRule(.delayedAnswer(300 * millisecond), .afterMessages(0), target: FaultTarget(role: .api)),
            speed: .still)
        let api = harness.webSocket("/ws-fapi/v1")
        #expect(api.call("account.balance") == .null)
        harness.advance(by: 299 * millisecond)
        #expect(api.takeMessages().isEmpty)
        harness.advance(by: millisecond)
        #expect(api.takeMessages().map { text($0, "status") } == ["200"])
    }

    @Test func ratesStrikeFromTheSeedAndEveryStrikeIsLogged() throws {
        var plan = FaultPlan()
        plan.rates.gap = 20_000
        plan.rates.duplicate = 20_000
        plan.rates.reorder = 20_000
        plan.rates.corrupt = 20_000
        func run() throws -> (texts: [[UInt8]], log: [FaultRecord]) {
            let harness = try Harness(speed: .brisk, faults: plan)
            let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker")
            harness.advance(by: 2 * second)
            return (client.takeTexts(), harness.venue.faultLog)
        }
        let first = try run()
        let again = try run()
        let same = first.texts == again.texts && first.log == again.log
        #expect(same)
        for kind in [FaultKind.gap, .duplicate, .reorder] { #expect(first.log.contains { $0.kind == kind }) }
        let broken = first.texts.filter { (try? JSONParser.parse($0)) == nil }.count
        let corrupted = first.log.filter {
            if case .corrupt(let how) = $0.kind { return how != .invalidFrame }
            return false
        }
        #expect(broken == corrupted.count && broken > 0)
    }
}
