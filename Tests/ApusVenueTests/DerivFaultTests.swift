import Testing

@testable import ApusVenue

/// The faults that hurt trades, hostile clients, and that a run can be repeated to the byte.
@Suite struct DerivFaultTests {
    private func harness(_ rules: FaultRule...) throws -> DerivHarness {
        try DerivHarness(derivConfiguration(faults: FaultPlan(rules: rules)))
    }

    private static let buying = FaultTarget(request: "buy")

    @Test func aLateAnswerComesLateAndThePurchaseIsMade() throws {
        let harness = try harness(FaultRule(.delayedAnswer(3 * second), .afterMessages(0), target: Self.buying))
        let client = harness.v3()
        #expect(client.buy("\"duration\":60") == .null && harness.venue.purchases(account: demoAccount) == 1)
        harness.advance(by: 2999 * millisecond)
        #expect(client.take("buy").isEmpty)
        harness.advance(by: millisecond)
        #expect(client.take("buy").count == 1)
    }

    @Test func aConnectionCutBeforeTheAnswerHasBought() throws {
        let harness = try harness(FaultRule(.cutAnswer, .afterMessages(0), target: Self.buying))
        let client = harness.v3()
        #expect(client.buy("\"duration\":60") == .null && client.isAborted)
        guard case .array(let open)? = harness.v3().ask("{\"portfolio\":1}")["portfolio"]?["contracts"] else {
            return #expect(Bool(false), "no portfolio")
        }
        #expect(open.count == 1)
    }

    @Test func anAnswerThatSaysFailureMayHaveBought() throws {
        let harness = try harness(FaultRule(.failedAnswer(502), .afterMessages(0), target: Self.buying))
        let client = harness.v3()
        #expect(client.buy("\"duration\":60")["error"]?["code"]?.string == "InternalServerError")
        #expect(harness.venue.purchases(account: demoAccount) == 1)
    }

    @Test func eventsComeTwiceOrInTheWrongOrderAsAsked() throws {
        let stream = FaultTarget(stream: "transaction")
        for kind in [FaultKind.duplicate, .reorder] {
            let harness = try harness(FaultRule(kind, .afterMessages(0), target: stream))
            let client = harness.v3()
            _ = client.ask("{\"transaction\":1,\"subscribe\":1}")
            _ = client.buy()
            _ = client.buy()
            let ids = client.take("transaction").compactMap { text($0, "transaction", "transaction_id") }
            let truth = harness.venue.transactions(account: demoAccount).map { String($0.id) }
            #expect(ids == (kind == .duplicate ? [truth[0], truth[0], truth[1]] : [truth[1], truth[0]]))
        }
    }

    @Test(arguments: [429, 503])
    func restIsRefusedAsAsked(_ status: Int) throws {
        let harness = try harness(FaultRule(.httpStatus(status), .afterMessages(0), target: FaultTarget(role: .rest)))
        let refused = harness.post(demoAccount)
        guard case .array(let errors)? = refused.body["errors"] else { return #expect(Bool(false), "no errors") }
        #expect(refused.status == status && text(errors[0], "status") == String(status))
        #expect((refused.headers["retry-after"] != nil) == (status == 429))
        #expect(harness.post(demoAccount).status == 200)
    }

    @Test func aRestartKeepsContractsAndMoneyButNoConnection() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let id = text(client.buy("\"duration\":60"), "buy", "contract_id")!
        let proposal = text(client.propose(), "proposal", "id")!
        harness.venue.restart(outage: 2 * second, status: nil)
        harness.pump()
        #expect(client.isAborted && harness.connect().isAborted)
        harness.advance(by: 2 * second)
        let again = harness.v3()
        #expect(again.code("{\"buy\":\"\(proposal)\",\"price\":100}") == "InvalidContractProposal")
        let open = again.ask("{\"proposal_open_contract\":1,\"contract_id\":\(id)}")
        #expect(text(open, "proposal_open_contract", "status") == "open")
        harness.settleAll()
        #expect(harness.venue.transactions(account: demoAccount).count == 2)
    }

    @Test func ratesStrikeFromTheSeedAndTheMoneyStillAddsUp() throws {
        var plan = FaultPlan()
        plan.rates.lostAnswer = 50_000
        plan.rates.lateAnswer = 50_000
        plan.rates.cutAnswer = 30_000
        plan.rates.duplicate = 50_000
        plan.rates.reorder = 50_000
        plan.rates.gap = 50_000
        let harness = try DerivHarness(derivConfiguration(faults: plan))
        var client = harness.connect()
        for _ in 0..<400 {
            if client.isAborted || harness.venue.role(of: client.id) != .user {
                client = harness.connect()
                #expect(client.upgrade("/websockets/v3?app_id=1089") == 101)
                _ = client.ask("{\"authorize\":\"\(derivToken)\"}")
                _ = client.ask("{\"transaction\":1,\"subscribe\":1}")
            }
            _ = client.buy("\"duration\":1,\"duration_unit\":\"t\"", kind: "DIGITEVEN")
            harness.advance(by: 300 * millisecond)
        }
        harness.settleAll()
        let moved = harness.venue.transactions(account: demoAccount)
        #expect(moved.reduce(1_000_000) { $0 + $1.amount } == harness.venue.balance(account: demoAccount))
        #expect(harness.venue.purchases(account: demoAccount) > 100)
        for kind in [FaultKind.lostAnswer, .cutAnswer, .duplicate, .reorder, .gap] {
            #expect(harness.venue.faultLog.contains { $0.kind == kind })
        }
    }

    // MARK: The same again

    @Test func theSameCallsGiveTheSameBytes() throws {
        var plan = FaultPlan()
        plan.rates.lostAnswer = 20_000
        plan.rates.duplicate = 20_000
        func run(seed: UInt64) throws -> [UInt8] {
            let harness = try DerivHarness(derivConfiguration(seed: seed, faults: plan))
            let client = harness.trading()
            _ = client.ask("{\"ticks\":\"R_100\",\"subscribe\":1}")
            _ = client.ask("{\"transaction\":1,\"subscribe\":1}")
            for _ in 0..<20 {
                _ = client.buy(key: "underlying_symbol")
                harness.advance(by: 1700 * millisecond)
            }
            return client.received
        }
        let first = try run(seed: 3)
        #expect(try run(seed: 3) == first && first.count > 10_000)
        #expect(try run(seed: 4) != first)
    }

    @Test func itDoesNotMatterInHowManyStepsTimePasses() throws {
        func run(step: VenueTime) throws -> [TrueContract] {
            let harness = try DerivHarness()
            let client = harness.v3()
            for _ in 0..<5 { _ = client.buy("\"duration\":20") }
            _ = client.buy()
            for _ in 0..<(60 * second / step) { harness.advance(by: step) }
            return harness.venue.contracts(account: demoAccount)
        }
        let fine = try run(step: 100 * millisecond)
        #expect(try run(step: 60 * second) == fine && fine.allSatisfy { $0.status != .open })
    }

    // MARK: Hostile clients

    private static let extremes = [
        "0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e308", "0.000001", "-0",
        "99999999999999999999999999999999", "\"\"", "\" \"", "\"NaN\"", "null", "true", "[]", "{}", "\"\\u0000\"",
        "[[[]]]",
        "\"+9223372036854775807\"", "\"99999999999999999999\"",
    ]

    @Test(arguments: [
        "amount", "basis", "barrier", "contract_type", "currency", "duration", "duration_unit", "symbol", "subscribe",
        "price",
        "buy", "sell", "contract_id", "ticks", "ticks_history", "count", "start", "end", "granularity", "style",
        "limit", "offset",
        "date_from", "date_expiry", "forget", "forget_all", "authorize", "passthrough", "req_id", "parameters",
    ])
    func extremesInAnyFieldAreAnswered(_ field: String) throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let requests: [[(String, String)]] = [
            [
                ("proposal", "1"), ("amount", "10"), ("basis", "\"stake\""), ("contract_type", "\"CALL\""),
                ("currency", "\"USD\""), ("duration", "60"), ("duration_unit", "\"s\""), ("symbol", "\"R_100\""),
            ],
            [("buy", "\"1\""), ("price", "10")], [("sell", "1"), ("price", "10")], [("ticks", "\"R_100\"")],
            [("ticks_history", "\"R_100\""), ("end", "\"latest\""), ("style", "\"candles\"")],
            [("proposal_open_contract", "1")], [("profit_table", "1")], [("statement", "1")],
        ]
        for request in requests {
            for extreme in Self.extremes {
                let members = request.filter { $0.0 != field } + [(field, extreme)]
                client.sendText("{\(members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}")
                let answers = client.takeMessages()
                #expect(answers.contains { text($0, "msg_type") != nil }, "\(members)")
            }
        }
        #expect(!client.isClosed && harness.venue.balance(account: demoAccount)! <= 1_000_000)
    }

    @Test(arguments: [1 as UInt64, 2, 3])
    func randomAndDamagedBytesDoNotStopTheVenue(_ seed: UInt64) throws {
        let harness = try DerivHarness()
        var random = DeterministicRandom(seed: seed, stream: 3)
        let buy = Array("{\"buy\":\"1\",\"price\":100,\"parameters\":{\"amount\":10,\"symbol\":\"R_100\"}}".utf8)
        let request = Array(
            "POST /trading/v1/options/accounts/CR90000001/otp HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n".utf8)
        for round in 0..<300 {
            let isSocket = round % 2 == 0
            let client = isSocket ? harness.v3() : harness.connect()
            var bytes = isSocket ? TestClient.frame(1, buy) : request
            for _ in 0..<(1 + random.below(4)) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            let cut = random.below(bytes.count)
            client.send(Array(bytes[..<cut]))
            client.send(Array(bytes[cut...]))
            harness.leave(client)
        }
        #expect(harness.venue.openConnections.isEmpty && harness.post(demoAccount).status == 200)
    }

    @Test func aConfigurationThatCannotBeIsRefused() {
        func refused(_ change: (inout DerivVenueConfiguration) -> Void) -> Bool {
            var configuration = derivConfiguration()
            change(&configuration)
            do throws(VenueConfigurationError) {
                _ = try DerivVenue(configuration, now: derivStart)
                return false
            } catch { return !error.description.isEmpty }
        }
        #expect(refused { $0.symbols = [] } && refused { $0.symbols[1] = $0.symbols[0] })
        #expect(refused { $0.symbols[0].interval = 0 } && refused { $0.symbols[0].startQuote = 1 })
        #expect(refused { $0.accounts[1].id = $0.accounts[0].id } && refused { $0.accounts[0].id = "me" })
        #expect(refused { $0.accounts[0].token = "with space" } && refused { $0.accounts[0].balance = -1 })
        #expect(refused { $0.marginPpm = -1 } && refused { $0.passwordLife = 0 } && !refused { _ in })
    }
}
