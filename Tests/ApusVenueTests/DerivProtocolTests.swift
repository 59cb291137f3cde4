import Testing

@testable import ApusVenue

/// What stands on the wire: the older API by the venue's own schemas, the current one by how it differs.
@Suite struct DerivProtocolTests {
    // MARK: The older API

    private static let requests: [(String, String, String)] = [
        ("{\"ping\":1}", "ping", "ping"), ("{\"time\":1}", "time", "time"),
        ("{\"authorize\":\"\(derivToken)\"}", "authorize", "authorize"),
        ("{\"active_symbols\":\"brief\",\"product_type\":\"basic\"}", "active_symbols", "active_symbols"),
        (
            "{\"contracts_for\":\"R_50\",\"currency\":\"USD\",\"product_type\":\"basic\"}", "contracts_for",
            "contracts_for"
        ),
        ("{\"ticks\":\"R_50\",\"subscribe\":1}", "ticks", "tick"),
        (
            "{\"ticks_history\":\"R_50\",\"adjust_start_time\":1,\"count\":10,\"end\":\"latest\",\"start\":1,\"style\":\"ticks\"}",
            "ticks_history", "history"
        ),
        (
            "{\"ticks_history\":\"R_10\",\"count\":5,\"end\":\"latest\",\"style\":\"candles\",\"granularity\":60}",
            "ticks_history", "candles"
        ),
        ("{\"balance\":1,\"subscribe\":1}", "balance", "balance"),
        ("{\"transaction\":1,\"subscribe\":1}", "transaction", "transaction"),
        ("{\"portfolio\":1}", "portfolio", "portfolio"), ("{\"website_status\":1}", "website_status", "website_status"),
        ("{\"forget\":\"d1ee7d0d-3ca9-fbb4-720b-5312d487185b\"}", "forget", "forget"),
        ("{\"forget_all\":\"ticks\"}", "forget_all", "forget_all"),
        ("{\"proposal_open_contract\":1,\"contract_id\":11111111}", "proposal_open_contract", "proposal_open_contract"),
        (
            "{\"proposal\":1,\"amount\":100,\"barrier\":\"+0.1\",\"basis\":\"payout\",\"contract_type\":\"CALL\",\"currency\":\"USD\",\"duration\":60,\"duration_unit\":\"s\",\"symbol\":\"R_100\"}",
            "proposal", "proposal"
        ),
    ]

    @Test(.enabled(if: DerivSchema.isNeeded), arguments: requests)
    func theAnswerKeepsTheVenuesSchema(_ request: String, _ schema: String, _ type: String) throws {
        let client = try DerivHarness().v3()
        let answer = client.ask(request)
        #expect(try DerivSchema.check(answer, "\(schema).receive") == [])
        #expect(text(answer, "msg_type") == type && answer["error"] == nil && answer["echo_req"] != nil)
        #expect(text(answer, "req_id") == text(answer, "echo_req", "req_id"))
    }

    @Test(.enabled(if: DerivSchema.isNeeded))
    func aTradesAnswersAndEventsKeepTheVenuesSchemas() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        _ = client.ask("{\"transaction\":1,\"subscribe\":1}")
        _ = client.ask("{\"balance\":1,\"subscribe\":1}")
        _ = client.ask("{\"proposal_open_contract\":1,\"subscribe\":1}")
        #expect(try DerivSchema.check(client.propose("\"duration\":60,\"subscribe\":1"), "proposal.receive") == [])
        let bought = client.buy("\"duration\":60")
        #expect(try DerivSchema.check(bought, "buy.receive") == [])
        #expect(try DerivSchema.check(client.buy(), "buy.receive") == [])
        #expect(
            try DerivSchema.check(
                client.buy("\"duration\":3,\"duration_unit\":\"t\",\"barrier\":\"4\"", kind: "DIGITOVER"), "buy.receive"
            ) == [])
        #expect(try DerivSchema.check(client.ask("{\"portfolio\":1}"), "portfolio.receive") == [])
        harness.advance(by: 3 * second)
        let sold = client.ask("{\"sell\":\(text(bought, "buy", "contract_id")!),\"price\":0}")
        #expect(try DerivSchema.check(sold, "sell.receive") == [] && sold["error"] == nil)
        harness.settleAll()
        let events = client.takeMessages()
        for type in ["transaction", "balance", "proposal_open_contract", "proposal"] {
            let some = events.filter { text($0, "msg_type") == type }
            #expect(some.count > 2)
            for event in some {
                #expect(try DerivSchema.check(event, "\(type).receive") == [])
                #expect(text(event, "subscription", "id") != nil && event["echo_req"] != nil)
            }
        }
    }

    @Test(.enabled(if: DerivSchema.isNeeded)) func theSchemaCheckFindsFaults() throws {
        let answer = try JSONParser.parse(
            Array("{\"buy\":{\"balance_after\":\"1\",\"extra\":1},\"msg_type\":\"bought\",\"echo_req\":{}}".utf8))
        let faults = try DerivSchema.check(answer, "buy.receive")
        #expect(faults.contains("$.buy.extra: not allowed") && faults.contains("$.buy: contract_id is missing"))
        #expect(faults.contains { $0.hasPrefix("$.buy.balance_after: not of type") })
        #expect(faults.contains("$.msg_type: not among the allowed values"))
    }

    @Test func passthroughComesBackAndATokenDoesNot() throws {
        let harness = try DerivHarness()
        let client = harness.v3(token: nil)
        let answer = client.ask("{\"authorize\":\"\(derivToken)\",\"passthrough\":{\"form\":12}}")
        #expect(text(answer, "passthrough", "form") == "12" && text(answer, "echo_req", "authorize") == "<not shown>")
        #expect(text(answer, "authorize", "loginid") == demoAccount)
        let wrong = client.ask("{\"authorize\":\"wrong-token-1234\",\"unknown\":1}")
        #expect(text(wrong, "error", "code") == "InputValidationFailed")
        #expect(text(wrong, "echo_req", "authorize") == "<not shown>")
    }

    @Test func everyErrorHasItsCodeItsTypeAndItsNumber() throws {
        let client = try DerivHarness().v3(token: nil)
        let refused = client.ask("{\"buy\":\"1\",\"price\":1}")
        #expect(text(refused, "error", "code") == "AuthorizationRequired" && text(refused, "msg_type") == "buy")
        #expect(text(refused, "req_id") == text(refused, "echo_req", "req_id"))
        #expect(client.code("{\"authorize\":\"nobodys\"}") == "InvalidToken")
        #expect(client.code("{\"ticks\":\"R_1\"}") == "InvalidSymbol")
        #expect(client.code("{\"gibberish\":1}") == "UnrecognisedRequest")
        #expect(client.code("{\"ticks\":\"R_100\",\"subscribe\":0}") == "InputValidationFailed")
        #expect(client.code("{\"proposal\":1}") == "InputValidationFailed")
        #expect(client.code("{\"ping\":2}") == "InputValidationFailed")
        client.sendText("no json")
        #expect(text(client.takeMessages().last ?? .null, "error", "code") == "BadRequest")
        #expect(!client.isClosed)
    }

    // MARK: The current API

    @Test func theCurrentAPIRenamesTheSymbolAndRepeatsNoRequest() throws {
        let client = try DerivHarness().trading()
        #expect(text(client.propose(key: "symbol"), "error", "code") == "InputValidationFailed")
        let proposal = client.propose(key: "underlying_symbol")
        #expect(proposal["echo_req"] == nil && text(proposal, "msg_type") == "proposal")
        #expect(text(proposal, "req_id") != nil && proposal["proposal"]?["payout"]?.string != nil)
        let v3 = try DerivHarness().v3()
        #expect(text(v3.propose(key: "underlying_symbol"), "error", "code") == "InputValidationFailed")
        let bought = client.buy("\"duration\":60", key: "underlying_symbol")
        #expect(bought["buy"]?["payout"]?.string != nil)
        let listed = client.ask("{\"portfolio\":1}")["portfolio"]?["contracts"]
        guard case .array(let contracts)? = listed else { return #expect(Bool(false), "no contracts") }
        #expect(text(contracts[0], "underlying_symbol") == "1HZ100V" && contracts[0]["symbol"] == nil)
        let symbols = client.ask("{\"active_symbols\":\"brief\"}")["active_symbols"]
        guard case .array(let rows)? = symbols else { return #expect(Bool(false), "no symbols") }
        #expect(rows.count == 5 && rows.allSatisfy { text($0, "underlying_symbol") != nil && $0["symbol"] == nil })
    }

    @Test func theCurrentAPITakesASubscribeOfZeroAndKnowsNoAuthorize() throws {
        let client = try DerivHarness().trading()
        let tick = client.ask("{\"ticks\":\"R_100\",\"subscribe\":0}")
        #expect(tick["subscription"] == nil && text(tick, "tick", "symbol") == "R_100")
        #expect(client.code("{\"authorize\":\"\(derivToken)\"}") == "UnrecognisedRequest")
        #expect(client.code("{\"balance\":1,\"loginid\":\"\(demoAccount)\"}") == "InputValidationFailed")
    }

    @Test func pricesComeAsNumbersAndAsStringsInTheCurrentAPIAlone() throws {
        func kinds(_ client: DerivTestClient, key: String) -> Set<Bool> {
            Set(
                (0..<40).compactMap { _ in client.propose(key: key)["proposal"]?["ask_price"].map { $0.string == nil } }
            )
        }
        #expect(kinds(try DerivHarness().trading(), key: "underlying_symbol") == [true, false])
        #expect(kinds(try DerivHarness().v3(), key: "symbol") == [true])
    }

    @Test func thePublicSocketGivesQuotesAndTradesNothing() throws {
        let harness = try DerivHarness()
        let client = harness.connect()
        #expect(client.upgrade("/trading/v1/options/ws/public") == 101)
        for request in [
            "{\"time\":1}", "{\"active_symbols\":\"full\"}", "{\"trading_times\":\"today\"}", "{\"ping\":1}",
        ] {
            #expect(client.code(request) == nil)
        }
        #expect(client.propose(key: "underlying_symbol")["proposal"] != nil)
        for request in ["{\"balance\":1}", "{\"portfolio\":1}", "{\"sell\":1,\"price\":1}", "{\"statement\":1}"] {
            #expect(client.code(request) == "AuthorizationRequired")
        }
        #expect(client.buy(key: "underlying_symbol")["error"]?["code"]?.string == "AuthorizationRequired")
    }

    // MARK: Streams

    @Test func quotesComeEverySecondOrTwoUntilTheyAreForgotten() throws {
        let harness = try DerivHarness()
        let client = harness.v3(token: nil)
        let first = client.ask("{\"ticks\":[\"R_100\",\"1HZ100V\"],\"subscribe\":1}")
        #expect(client.code("{\"ticks\":\"R_100\",\"subscribe\":1}") == "AlreadySubscribed")
        _ = client.takeMessages()
        harness.advance(by: 10 * second)
        let seen = client.take("tick")
        let slow = seen.filter { text($0, "tick", "symbol") == "R_100" }
        #expect(slow.count == 5 && seen.count == 15)
        let truth = harness.venue.ticks("R_100").suffix(5).map { decimalText($0.quote, decimals: 2) }
        #expect(slow.map { text($0, "tick", "quote") } == truth)
        let id = text(first, "subscription", "id")!
        #expect(slow.allSatisfy { text($0, "subscription", "id") == id })
        #expect(text(client.ask("{\"forget\":\"\(id)\"}"), "forget") == "1")
        #expect(text(client.ask("{\"forget\":\"\(id)\"}"), "forget") == "0")
        harness.advance(by: 4 * second)
        #expect(client.take("tick").count == 4)
        guard case .array(let ended)? = client.ask("{\"forget_all\":[\"ticks\"]}")["forget_all"] else {
            return #expect(Bool(false), "no list")
        }
        #expect(ended.count == 1)
        harness.advance(by: 4 * second)
        #expect(client.takeMessages().isEmpty)
    }

    @Test func historyIsWhatTheStreamHasTold() throws {
        let harness = try DerivHarness()
        let client = harness.v3(token: nil)
        let history = client.ask("{\"ticks_history\":\"R_50\",\"end\":\"latest\",\"count\":7,\"subscribe\":1}")
        guard case .array(let prices)? = history["history"]?["prices"] else { return #expect(Bool(false), "no prices") }
        #expect(
            prices.map(\.parameterText)
                == harness.venue.ticks("R_50").suffix(7).map { decimalText($0.quote, decimals: 4) })
        harness.advance(by: 4 * second)
        #expect(client.take("tick").count == 2)
        let candles = client.ask(
            "{\"ticks_history\":\"R_50\",\"end\":\"latest\",\"style\":\"candles\",\"subscribe\":1}")
        guard case .array(let bars)? = candles["candles"] else { return #expect(Bool(false), "no bars") }
        func units(_ bar: JSONValue, _ key: String) throws -> Int64 {
            try parseDecimal(text(bar, key) ?? "", decimals: 4)
        }
        #expect(bars.count > 100)
        for bar in bars {
            #expect(try units(bar, "high") >= max(units(bar, "open"), units(bar, "close")))
            #expect(try units(bar, "low") <= min(units(bar, "open"), units(bar, "close")))
        }
        harness.advance(by: 2 * second)
        #expect(client.take("ohlc").count == 1)
        #expect(client.code("{\"ticks_history\":\"R_50\",\"end\":\"10\",\"start\":11}") == "InvalidStartEnd")
    }
}
