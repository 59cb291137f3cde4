import Testing

@testable import ApusVenue

/// The faults that hurt orders: what was asked is done, and whoever asked does not learn it, or learns it wrongly.
@Suite struct OrderFaultTests {
    private func harness(_ rules: FaultRule...) throws -> Harness { try Harness(faults: FaultPlan(rules: rules)) }

    private let order = [
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010",
        "price": "60000", "newClientOrderId": "hurt",
    ]
    private let query = ["symbol": "BTCUSDT", "origClientOrderId": "hurt"]

    private func isPlaced(_ harness: Harness) -> Bool {
        harness.venue.order(apiKey: firstKey, clientOrderID: "hurt")?.status == .new
    }

    @Test func theConnectionIsCutBetweenOrderAndAnswer() throws {
        let harness = try harness(FaultRule(.cutAnswer, .afterMessages(0), target: FaultTarget(request: "order.place")))
        let api = harness.webSocket("/ws-fapi/v1")
        #expect(api.call("account.balance") != .null)
        #expect(api.call("order.place", order) == .null)
        #expect(api.isAborted && isPlaced(harness))
        #expect(harness.venue.faultLog.map(\.kind) == [.cutAnswer])
    }

    @Test(arguments: [500, 503]) func anOrderThatWasTakenIsAnsweredAsFailed(_ status: Int) throws {
        let rule = FaultRule(.failedAnswer(status), .afterMessages(0), target: FaultTarget(request: "order.place"))
        let harness = try harness(
            rule, FaultRule(.failedAnswer(status), .afterMessages(0), target: FaultTarget(role: .rest)))
        let api = harness.webSocket("/ws-fapi/v1")
        let answer = api.call("order.place", order)
        #expect(text(answer, "status") == String(status) && text(answer, "error", "code") == "-1001")
        #expect(isPlaced(harness))
        #expect(text(api.call("order.status", query), "result", "status") == "NEW")
        let rest = harness.limit("BUY", "0.010", at: "60000", id: "rest")
        #expect(rest.status == status && harness.venue.order(apiKey: firstKey, clientOrderID: "rest") != nil)
    }

    @Test func anAnswerOverHTTPThatIsLateHoldsBackThoseBehindIt() throws {
        let harness = try harness(
            FaultRule(.delayedAnswer(3 * second), .afterMessages(0), target: FaultTarget(request: "GET /fapi/v1/time")))
        let client = harness.connect()
        #expect(client.request("GET", "/fapi/v1/time").status == 0)
        #expect(client.request("GET", "/fapi/v1/ping").status == 0)
        harness.advance(by: 3 * second)
        #expect(client.takeAnswer()?["serverTime"] != nil)
        #expect(client.takeAnswer()?.body == .object([]))
        #expect(client.request("GET", "/fapi/v1/ping").status == 200)
    }

    @Test func afterALostAnswerOverHTTPThereIsNoOther() throws {
        let harness = try harness(FaultRule(.lostAnswer, .afterMessages(0), target: FaultTarget(role: .rest)))
        let client = harness.connect()
        #expect(client.request("GET", "/fapi/v1/ping").status == 0)
        #expect(client.request("GET", "/fapi/v1/ping").status == 0)
        #expect(harness.connect().request("GET", "/fapi/v1/ping").status == 200)
    }

    @Test func userEventsAreDoubledAndSwappedWhereOnlyTheyAre() throws {
        var plan = FaultPlan()
        plan.rates.duplicateEvent = 1_000_000
        let doubled = try Harness(speed: .still, faults: plan)
        let stream = doubled.userStream()
        let market = doubled.webSocket("/stream?streams=btcusdt@depth@0ms")
        _ = doubled.limit("BUY", "0.010", at: "60000", id: "a")
        let events = stream.takeTexts()
        #expect(events.count == 2 && events[0] == events[1] && market.takeMessages().count == 1)
        plan = FaultPlan(rules: [FaultRule(.reorder, .afterMessages(0), target: FaultTarget(role: .user))])
        let swapped = try Harness(speed: .still, faults: plan)
        let other = swapped.userStream()
        _ = swapped.limit("BUY", "0.010", at: "60000", id: "a")
        _ = swapped.limit("BUY", "0.010", at: "60000", id: "b")
        #expect(other.takeMessages().map { text($0, "o", "c") } == ["b", "a"])
    }

    @Test func aRestartCutsEverybodyAndKeepsEverything() throws {
        let harness = try harness(FaultRule(.restart(5 * second, status: nil), .after(second)))
        let stream = harness.userStream()
        let api = harness.webSocket("/ws-fapi/v1")
        _ = api.call("order.place", order)
        harness.advance(by: second)
        #expect(stream.isAborted && api.isAborted && harness.rest.isAborted)
        #expect(harness.connect().isAborted)
        #expect(harness.venue.openConnections.isEmpty)
        harness.advance(by: 5 * second)
        let again = harness.webSocket("/ws-fapi/v1")
        #expect(text(again.call("order.status", query), "result", "status") == "NEW")
        #expect(isPlaced(harness))
        #expect(
            harness.venue.faultLog == [
                FaultRecord(
                    time: testStart + second, connection: nil, role: nil, kind: .restart(5 * second, status: nil),
                    stream: nil)
            ])
    }

    @Test func aRestartMayAnswerInsteadOfRefusing() throws {
        let harness = try harness(
            FaultRule(.restart(5 * second, status: 503), .afterMessages(0), target: FaultTarget(request: "order.place"))
        )
        let api = harness.webSocket("/ws-fapi/v1")
        #expect(api.call("order.place", order) == .null)
        #expect(api.isAborted && isPlaced(harness))
        let client = harness.connect()
        #expect(client.request("GET", "/fapi/v1/ping").status == 503)
        #expect(harness.connect().upgrade("/ws-fapi/v1") == 503)
        harness.advance(by: 5 * second)
        #expect(client.request("GET", "/fapi/v1/ping").status == 200)
    }

    @Test func faultsStrikeOrdersFromTheSeedAlone() throws {
        var plan = FaultPlan()
        plan.rates.cutAnswer = 100_000
        plan.rates.failedAnswer = 100_000
        plan.rates.lateAnswer = 100_000
        plan.rates.restart = 50_000
        plan.rates.tooEarly = 50_000
        func run() throws -> [FaultRecord] {
            let harness = try Harness(speed: .still, faults: plan)
            for index in 0..<200 {
                let api = harness.connect()
                if api.upgrade("/ws-fapi/v1") == 101 {
                    _ = api.call("order.place", order.merging(["newClientOrderId": "n\(index)"]) { $1 })
                }
                harness.advance(by: 500 * millisecond)
            }
            return harness.venue.faultLog
        }
        let log = try run()
        let same = try run() == log
        #expect(same)
        #expect(log.contains { $0.kind == .cutAnswer } && log.contains { $0.kind == .delayedAnswer(3 * second) })
        #expect(log.contains { $0.kind == .httpStatus(425) })
        #expect(log.contains { if case .failedAnswer = $0.kind { true } else { false } })
        #expect(log.contains { if case .restart = $0.kind { true } else { false } })
    }

    @Test func anOrderOfAnotherVenueIsFoundByItsIDAfterALostAnswer() throws {
        let rule = FaultRule(.lostAnswer, .afterMessages(0), target: FaultTarget(request: "POST /order"))
        let harness = try PolymarketHarness(faults: FaultPlan(rules: [rule]))
        let (json, id) = harness.order(OrderPlan())
        #expect(harness.call("POST", "/order", json).status == 0)
        harness.reconnect()
        #expect(harness.call("GET", "/data/order/\(id)")["status"] == "LIVE")
        #expect(harness.call("POST", "/order", json)["error"]?.contains("Duplicated") == true)
    }

    @Test func stoppingFaultsEndsThem() throws {
        var plan = FaultPlan()
        plan.rates.cutAnswer = 1_000_000
        let harness = try Harness(speed: .still, faults: plan)
        #expect(harness.connect().request("GET", "/fapi/v1/ping").status == 0)
        #expect(harness.venue.stopFaults().map(\.kind) == [.cutAnswer])
        #expect(harness.connect().request("GET", "/fapi/v1/ping").status == 200)
    }
}
