import Testing

@testable import ApusVenue

/// Who may come in, and how often they may ask.
@Suite struct DerivAccessTests {
    // MARK: One-time passwords

    @Test func aPasswordOpensOneConnectionOnce() throws {
        let harness = try DerivHarness()
        let answer = harness.post(demoAccount)
        #expect(answer.status == 200 && text(answer.body, "meta", "method") == "POST")
        let path = harness.password()
        #expect(path.hasPrefix("/trading/v1/options/ws/demo?otp="))
        let client = harness.connect()
        #expect(client.upgrade(path) == 101)
        #expect(client.ask("{\"balance\":1}").cents("balance", "balance") == 1_000_000)
        let second = harness.connect()
        #expect(second.upgrade(path) == 401 && second.upgrade("/trading/v1/options/ws/demo?otp=nothing") == 401)
        #expect(harness.connect().upgrade("/trading/v1/options/ws/demo") == 401)
    }

    @Test func aPasswordExpiresAndFitsItsKindOfAccountAlone() throws {
        let harness = try DerivHarness()
        let late = harness.password()
        harness.advance(by: 120 * second)
        #expect(harness.connect().upgrade(late) == 401)
        let real = harness.password(realAccount)
        #expect(real.hasPrefix("/trading/v1/options/ws/real?otp="))
        let wrong = real.split(separator: "=").last.map { "/trading/v1/options/ws/demo?otp=\($0)" } ?? ""
        #expect(harness.connect().upgrade(wrong) == 401)
        #expect(harness.connect().upgrade(real) == 401)
        #expect(harness.trading(realAccount).ask("{\"balance\":1}")["balance"]?["loginid"]?.string == realAccount)
    }

    @Test func everyConnectionNeedsItsOwnPassword() throws {
        let harness = try DerivHarness()
        let paths = (0..<20).map { _ in harness.password() }
        #expect(Set(paths).count == 20)
        for path in paths { #expect(harness.connect().upgrade(path) == 101) }
    }

    @Test func theAddressNamesTheSchemeByWhichTheClientCame() throws {
        let harness = try DerivHarness()
        let headers = "Authorization: Bearer \(derivToken)\r\nDeriv-App-ID: 1089\r\n"
        for (isSecure, scheme) in [(false, "ws://venue/"), (true, "wss://venue/")] {
            let answer = harness.connect(isSecure: isSecure).request(
                "POST", "/trading/v1/options/accounts/\(demoAccount)/otp", headers: headers)
            #expect(text(answer.body, "data", "url")?.hasPrefix(scheme) == true)
        }
    }

    // MARK: REST

    @Test func aRefusalOverRESTHasTheVenuesShape() throws {
        let harness = try DerivHarness()
        func first(_ answer: Answer) -> JSONValue {
            guard case .array(let errors)? = answer.body["errors"] else { return .null }
            return errors.first ?? .null
        }
        for (answer, status, code) in [
            (harness.post(demoAccount, token: "wrong"), 401, "Unauthorized"),
            (harness.post(demoAccount, app: nil), 401, "Unauthorized"),
            (harness.post(demoAccount, app: "7"), 401, "Unauthorized"),
            (harness.post("nobody"), 400, "ValidationError"), (harness.post("CR12345"), 400, "ValidationError"),
            (harness.post(otherAccount), 400, "ValidationError"),
            (
                harness.connect().request("GET", "/trading/v1/options/accounts/\(demoAccount)/otp"), 405,
                "MethodNotAllowed"
            ),
            (harness.connect().request("GET", "/trading/v2"), 404, "NotFound"),
            (harness.connect().request("GET", "/trading/v1/options/accountsX"), 404, "NotFound"),
        ] {
            #expect(answer.status == status && text(first(answer), "code") == code)
            #expect(text(first(answer), "status") == String(status) && answer.body["meta"]?["endpoint"] != nil)
        }
        #expect(harness.post(otherAccount, token: otherToken, app: nil).status == 200)
    }

    @Test func theAccountsOfATokenAreListed() throws {
        let harness = try DerivHarness()
        let answer = harness.connect().request(
            "GET", "/trading/v1/options/accounts",
            headers: "Authorization: Bearer \(derivToken)\r\nDeriv-App-ID: 1089\r\n")
        guard case .array(let rows)? = answer.body["data"] else { return #expect(Bool(false), "no list") }
        #expect(rows.map { text($0, "account_id") } == [demoAccount, realAccount])
        #expect(rows.map { text($0, "account_type") } == ["demo", "real"])
    }

    @Test func theOlderAPINeedsAKnownApplication() throws {
        let harness = try DerivHarness()
        for query in ["", "?app_id=7", "?app_id=abc", "?app_id="] {
            #expect(harness.connect().upgrade("/websockets/v3" + query) == 401)
        }
        #expect(harness.connect().upgrade("/websockets/v3?app_id=1089&l=EN&brand=") == 101)
    }

    @Test func loggingOutEndsWhatIsOfTheAccount() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        _ = client.ask("{\"ticks\":\"1HZ100V\",\"subscribe\":1}")
        _ = client.ask("{\"balance\":1,\"subscribe\":1}")
        let id = text(client.propose(), "proposal", "id")!
        #expect(text(client.ask("{\"logout\":1}"), "logout") == "1")
        #expect(client.code("{\"balance\":1}") == "AuthorizationRequired")
        _ = client.ask("{\"authorize\":\"\(otherToken)\"}")
        #expect(client.code("{\"buy\":\"\(id)\",\"price\":100}") == "InvalidContractProposal")
        _ = harness.v3().buy()
        _ = client.takeMessages()
        harness.advance(by: 8 * second)
        #expect(Set(client.takeMessages().compactMap { text($0, "msg_type") }) == ["tick"])
    }

    // MARK: Idle connections

    @Test func theOlderAPIClosesWhatIsSilentForTwoMinutes() throws {
        let harness = try DerivHarness()
        let silent = harness.v3()
        let spoken = harness.v3()
        let current = harness.trading()
        harness.advance(by: 119 * second)
        _ = spoken.ask("{\"ping\":1}")
        #expect(!silent.isClosed)
        harness.advance(by: second)
        #expect(silent.isClosed && silent.closeCode == 1000 && !spoken.isClosed)
        harness.advance(by: 119 * second)
        #expect(spoken.isClosed)
        harness.advance(by: 3600 * second)
        #expect(!current.isClosed)
    }

    // MARK: Budgets

    private static let rows: [(String, Int)] = [
        ("{\"proposal_open_contract\":1,\"contract_id\":1}", 360), ("{\"balance\":1}", 100), ("{\"statement\":1}", 100),
        ("{\"portfolio\":1}", 30), ("{\"profit_table\":1}", 30), ("{\"time\":1}", 220),
    ]

    @Test(arguments: rows)
    func eachRowAllowsSoManyAMinute(_ request: String, _ limit: Int) throws {
        let harness = try DerivHarness(derivConfiguration(withLimits: true))
        let client = harness.trading()
        for _ in 0..<limit { #expect(client.code(request) == nil) }
        #expect(client.code(request) == "RateLimit")
        // Another connection of the account shares the row; another account does not.
        #expect(harness.trading().code(request) == "RateLimit")
        #expect(harness.trading(otherAccount, token: otherToken).code(request) == nil)
        harness.advance(by: 60 * second)
        #expect(client.code(request) == nil)
    }

    @Test func aRowIsSharedByItsRequestsAndHasAnHourToo() throws {
        let harness = try DerivHarness(derivConfiguration(withLimits: true))
        let client = harness.trading()
        for _ in 0..<15 {
            #expect(client.code("{\"portfolio\":1}") == nil && client.code("{\"profit_table\":1}") == nil)
        }
        #expect(client.code("{\"portfolio\":1}") == "RateLimit" && client.code("{\"balance\":1}") == nil)
        var allowed = 30
        for _ in 0..<59 {
            harness.advance(by: 60 * second)
            for _ in 0..<30 where client.code("{\"portfolio\":1}") == nil { allowed += 1 }
        }
        // The one that was refused in the first minute has counted too.
        #expect(allowed == 1499)
    }

    @Test func aRefusedBuyBuysNothing() throws {
        let harness = try DerivHarness(derivConfiguration(withLimits: true))
        let client = harness.trading()
        let id = text(client.propose(key: "underlying_symbol"), "proposal", "id")!
        for _ in 0..<359 { _ = client.ask("{\"proposal_open_contract\":1,\"contract_id\":1}") }
        let refused = client.ask("{\"buy\":\"\(id)\",\"price\":100}")
        #expect(text(refused, "error", "code") == "RateLimit" && text(refused, "msg_type") == "buy")
        #expect(harness.venue.purchases(account: demoAccount) == 0)
        harness.advance(by: 60 * second)
        #expect(client.code("{\"buy\":\"\(id)\",\"price\":100}") == nil)
    }

    @Test func pingIsOutsideTheRowsAndHasItsOwnLimit() throws {
        let harness = try DerivHarness(derivConfiguration(withLimits: true))
        let client = harness.trading()
        for _ in 0..<30 {
            for _ in 0..<10 { #expect(client.code("{\"ping\":1}") == nil) }
            harness.advance(by: second)
        }
        for _ in 0..<10 { _ = client.ask("{\"ping\":1}") }
        #expect(client.code("{\"ping\":1}") == "RateLimit" && harness.trading().code("{\"ping\":1}") == nil)
    }

    @Test func restHasItsBudgetsForAUserAndForAnAddress() throws {
        let harness = try DerivHarness(derivConfiguration(withLimits: true))
        for _ in 0..<80 { #expect(harness.post(demoAccount).status == 200) }
        let refused = harness.post(realAccount)
        #expect(refused.status == 429 && refused.headers["retry-after"] == "60")
        for _ in 0..<80 { #expect(harness.post(otherAccount, token: otherToken).status == 200) }
        for _ in 0..<139 { #expect(harness.post(demoAccount, token: "unknown").status == 401) }
        #expect(harness.post(demoAccount, token: "unknown").status == 429)
        harness.advance(by: 60 * second)
        #expect(harness.post(demoAccount).status == 200)
    }

    @Test func withoutEnforcementNothingIsRefused() throws {
        let client = try DerivHarness().trading()
        for _ in 0..<400 { #expect(client.code("{\"portfolio\":1}") == nil) }
    }

    @Test func aConnectionHoldsSoManySubscriptionsAndProposals() throws {
        let client = try DerivHarness().v3()
        let first = text(client.propose("\"duration\":60"), "proposal", "id")!
        for _ in 0..<100 { #expect(client.propose("\"duration\":60,\"subscribe\":1")["error"] == nil) }
        #expect(client.propose("\"duration\":60,\"subscribe\":1")["error"]?["code"]?.string == "RateLimit")
        #expect(client.code("{\"buy\":\"\(first)\",\"price\":100}") == "InvalidContractProposal")
    }
}
