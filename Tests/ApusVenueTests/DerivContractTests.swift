import Testing

@testable import ApusVenue

/// Contracts and money: priced by the stated formula, ended exactly, and never a cent made or lost.
@Suite struct DerivContractTests {
    /// Whether the start and the movements add up to the balance, at the end and after each.
    private func addsUp(_ venue: DerivVenue, _ account: String, start: Int64 = 1_000_000) -> Bool {
        var balance = start
        for transaction in venue.transactions(account: account) {
            balance += transaction.amount
            if transaction.balanceAfter != balance || balance < 0 { return false }
        }
        return venue.balance(account: account) == balance
    }

    @Test func aRiseOfFiveTicksEndsAtTheFifthQuoteAfterItsEntry() throws {
        for kind in ["CALL", "PUT", "CALLE", "PUTE"] {
            let harness = try DerivHarness()
            let client = harness.v3()
            let bought = client.buy(kind: kind)
            #expect(bought.cents("buy", "buy_price") == 1000)
            let before = harness.venue.ticks("1HZ100V").count
            harness.advance(by: 6 * second)
            let ticks = harness.venue.ticks("1HZ100V")[before...].map { $0 }
            let contract = harness.venue.contracts(account: demoAccount)[0]
            #expect(contract.entry == ticks[0] && contract.exit == ticks[5])
            let rise = ticks[5].quote - ticks[0].quote
            let isWon = kind == "CALL" ? rise > 0 : kind == "PUT" ? rise < 0 : kind == "CALLE" ? rise >= 0 : rise <= 0
            #expect(contract.status == (isWon ? .won : .lost))
            #expect(contract.sellPrice == (isWon ? contract.payout : 0))
            #expect(addsUp(harness.venue, demoAccount))
        }
    }

    @Test(arguments: DerivContractKind.allCases.filter(\.isDigit))
    func aDigitContractLooksAtTheLastDigitOfItsLastQuote(_ kind: DerivContractKind) throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let barrier = kind.needsDigit ? ",\"barrier\":\"4\"" : ""
        var outcomes: Set<DerivContractStatus> = []
        for _ in 0..<60 {
            _ = client.buy("\"duration\":1,\"duration_unit\":\"t\"\(barrier)", kind: kind.rawValue)
            harness.settleAll()
        }
        for contract in harness.venue.contracts(account: demoAccount) {
            #expect(contract.entry == contract.exit)
            let digit = Int(contract.exit!.quote % 10)
            let isWon: Bool =
                switch kind {
                case .digitMatch: digit == 4
                case .digitDiff: digit != 4
                case .digitOver: digit > 4
                case .digitUnder: digit < 4
                case .digitEven: digit % 2 == 0
                default: digit % 2 == 1
                }
            #expect(contract.status == (isWon ? .won : .lost))
            outcomes.insert(contract.status)
        }
        #expect(outcomes == [.won, .lost] && addsUp(harness.venue, demoAccount))
    }

    @Test func aContractOfSecondsEndsAtItsSecondWithTheNewestQuote() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        harness.advance(by: 500 * millisecond)
        let bought = client.buy("\"duration\":15", symbol: "R_100")
        let purchase = derivStart / second
        #expect(text(bought, "buy", "purchase_time") == String(purchase))
        harness.advance(by: 14 * second + 499 * millisecond)
        #expect(harness.venue.openContracts(account: demoAccount).count == 1)
        harness.advance(by: millisecond)
        let contract = harness.venue.contracts(account: demoAccount)[0]
        #expect(contract.status != .open && contract.sellTime == purchase + 15)
        #expect(contract.entry?.epoch == purchase + 2 && contract.exit?.epoch == purchase + 14)
    }

    @Test func higherAndLowerAreDecidedByTheirBarrier() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let spot = harness.venue.ticks("R_100").last!.quote
        let high = decimalText(spot + 100, decimals: 2)
        let absolute = client.buy("\"duration\":120,\"barrier\":\"\(high)\"", symbol: "R_100")
        let relative = client.buy("\"duration\":120,\"barrier\":\"-0.50\"", kind: "PUT", symbol: "R_100")
        #expect(absolute["error"] == nil && relative["error"] == nil)
        // The farther side is cheaper: the same stake wins more.
        #expect(absolute.cents("buy", "payout")! > 2 * 1000 && relative.cents("buy", "payout")! > 2 * 900)
        harness.settleAll()
        for contract in harness.venue.contracts(account: demoAccount) {
            let exit = contract.exit!.quote
            let start = try #require(contract.entry).quote
            let isWon = contract.kind == .call ? exit > spot + 100 : exit < start - 50
            #expect(contract.status == (isWon ? .won : .lost))
        }
        #expect(addsUp(harness.venue, demoAccount))
    }

    // MARK: Prices

    @Test func theFormulaIsThatOfTheDocumentation() throws {
        #expect(DerivPricing.normal(0) == 0.5 && abs(DerivPricing.normal(1) - 0.8413) < 0.0003)
        #expect(abs(DerivPricing.normal(-2) - 0.0228) < 0.0003)
        let client = try DerivHarness().v3()
        // A chance of one half and a margin of 1.25 %: 10 / 0.5125 and 100 * 0.5125.
        #expect(client.propose().cents("proposal", "payout") == 1951)
        let payout = client.ask(
            "{\"proposal\":1,\"amount\":100,\"basis\":\"payout\",\"contract_type\":\"PUT\",\"currency\":\"USD\",\"duration\":5,\"duration_unit\":\"t\",\"symbol\":\"R_10\"}"
        )
        #expect(payout.cents("proposal", "ask_price") == 5125)
        let match = client.propose("\"duration\":5,\"duration_unit\":\"t\",\"barrier\":\"3\"", kind: "DIGITMATCH")
        #expect(match.cents("proposal", "payout") == 8888)
    }

    @Test func onTheWholeTheHouseWinsItsMargin() throws {
        let harness = try DerivHarness(derivConfiguration(seed: 11, balance: 100_000_000))
        let client = harness.v3()
        var staked: Int64 = 0
        for _ in 0..<400 {
            staked += client.buy("\"duration\":2,\"duration_unit\":\"t\"", kind: "DIGITEVEN").cents("buy", "buy_price")!
            harness.settleAll()
        }
        let lost = 100_000_000 - harness.venue.balance(account: demoAccount)!
        // 2.4 % of the stakes, give or take three standard deviations of 400 even bets.
        #expect(abs(Double(lost) / Double(staked) - 0.0244) < 0.15)
        #expect(harness.venue.contracts(account: demoAccount).count == 400)
    }

    @Test func aPriceAboveTheLimitIsRefusedAndCostsNothing() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        #expect(client.buy(price: "9.99")["error"]?["code"]?.string == "PriceMoved")
        #expect(harness.venue.purchases(account: demoAccount) == 0)
        #expect(client.buy(price: "10")["error"] == nil && client.buy(price: "10.009")["error"] == nil)
        #expect(harness.venue.purchases(account: demoAccount) == 2)
    }

    @Test func aPriceThatHasMovedAboveTheLimitIsRefused() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let spot = harness.venue.ticks("R_100").last!.quote
        var refused = 0
        for _ in 0..<40 {
            let proposal = client.ask(
                "{\"proposal\":1,\"amount\":100,\"basis\":\"payout\",\"contract_type\":\"CALL\",\"currency\":\"USD\",\"duration\":300,\"symbol\":\"R_100\",\"barrier\":\"\(decimalText(spot, decimals: 2))\"}"
            )
            let ask = proposal.cents("proposal", "ask_price")!
            harness.advance(by: 2 * second)
            let answer = client.ask("{\"buy\":\"\(text(proposal, "proposal", "id")!)\",\"price\":\(moneyText(ask))}")
            if text(answer, "error", "code") == "PriceMoved" {
                refused += 1
            } else {
                #expect(answer.cents("buy", "buy_price")! <= ask)
            }
        }
        #expect(refused > 5 && refused < 35)
        #expect(harness.venue.purchases(account: demoAccount) == 40 - refused)
    }

    // MARK: Buying

    @Test func aProposalBuysOnce() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let other = harness.v3()
        let id = text(client.propose("\"duration\":60,\"subscribe\":1"), "proposal", "id")!
        #expect(other.code("{\"buy\":\"\(id)\",\"price\":100}") == "InvalidContractProposal")
        #expect(client.code("{\"buy\":\"\(id)\",\"price\":100}") == nil)
        #expect(client.code("{\"buy\":\"\(id)\",\"price\":100}") == "InvalidContractProposal")
        _ = client.takeMessages()
        harness.advance(by: 3 * second)
        #expect(client.take("proposal").isEmpty && harness.venue.purchases(account: demoAccount) == 1)
        let failed = text(client.propose(), "proposal", "id")!
        #expect(client.code("{\"buy\":\"\(failed)\",\"price\":1}") == "PriceMoved")
        #expect(client.code("{\"buy\":\"\(failed)\",\"price\":100}") == "InvalidContractProposal")
    }

    @Test func aPurchaseNeedsNoProposalWhenItNamesItsShape() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let shape =
            "\"amount\":10,\"basis\":\"stake\",\"contract_type\":\"CALL\",\"currency\":\"USD\",\"duration\":60,\"symbol\":\"R_100\""
        let bought = client.ask("{\"buy\":\"1\",\"price\":10,\"parameters\":{\(shape)},\"subscribe\":1}")
        #expect(bought.cents("buy", "payout") == 1951 && bought["subscription"] != nil)
        harness.advance(by: 2 * second)
        #expect(!client.take("proposal_open_contract").isEmpty)
        #expect(client.code("{\"buy\":\"1\",\"price\":10}") == "InputValidationFailed")
        #expect(
            client.code("{\"buy\":\"1\",\"price\":10,\"parameters\":{\(shape),\"x\":1}}") == "InputValidationFailed")
    }

    @Test func moneyThatIsNotThereBuysNothing() throws {
        let harness = try DerivHarness(derivConfiguration(balance: 1999))
        let client = harness.v3()
        #expect(client.buy()["error"] == nil)
        #expect(client.buy()["error"]?["code"]?.string == "InsufficientBalance")
        #expect(harness.venue.balance(account: demoAccount) == 999)
    }

    @Test(arguments: [
        ("CALL", "\"duration\":14", "OfferingsValidationError"),
        ("CALL", "\"duration\":11,\"duration_unit\":\"t\"", "OfferingsValidationError"),
        ("CALL", "\"duration\":1,\"duration_unit\":\"d\"", "OfferingsValidationError"),
        ("CALL", "\"duration_unit\":\"t\"", "ContractCreationFailure"),
        ("MULTUP", "\"duration\":60", "OfferingsValidationError"),
        ("DIGITEVEN", "\"duration\":60", "OfferingsValidationError"),
        ("DIGITMATCH", "\"duration\":5,\"duration_unit\":\"t\"", "ContractCreationFailure"),
        ("DIGITOVER", "\"duration\":5,\"duration_unit\":\"t\",\"barrier\":\"9\"", "ContractCreationFailure"),
        ("CALLE", "\"duration\":60,\"barrier\":\"+1\"", "ContractCreationFailure"),
        ("CALL", "\"duration\":60,\"barrier\":\"+0.001\"", "InputValidationFailed"),
        ("CALL", "\"duration\":60,\"barrier\":\"1\"", "ContractBuyValidationError"),
        ("PUT", "\"duration\":60,\"barrier\":\"1\"", "ContractBuyValidationError"),
    ])
    func whatIsNotOfferedIsRefused(_ kind: String, _ fields: String, _ code: String) throws {
        let client = try DerivHarness().v3()
        #expect(text(client.propose(fields, kind: kind), "error", "code") == code)
    }

    // MARK: Selling

    @Test func aSalePaysTheBidOnce() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let id = text(client.buy("\"duration\":60"), "buy", "contract_id")!
        #expect(client.code("{\"sell\":\(id),\"price\":0}") == "NotResalable")
        harness.advance(by: 5 * second)
        let open = client.ask("{\"proposal_open_contract\":1,\"contract_id\":\(id)}")
        let bid = open.cents("proposal_open_contract", "bid_price")!
        #expect(text(open, "proposal_open_contract", "is_valid_to_sell") == "1" && bid < 1951)
        #expect(client.code("{\"sell\":\(id),\"price\":\(moneyText(bid + 1))}") == "PriceMoved")
        let sold = client.ask("{\"sell\":\(id),\"price\":\(moneyText(bid))}")
        #expect(sold.cents("sell", "sold_for") == bid && sold.cents("sell", "balance_after") == 1_000_000 - 1000 + bid)
        let contract = harness.venue.contracts(account: demoAccount)[0]
        #expect(contract.status == .sold && text(sold, "sell", "reference_id") == String(contract.buyTransaction))
        #expect(text(sold, "sell", "transaction_id") == String(contract.sellTransaction))
        #expect(client.code("{\"sell\":\(id),\"price\":0}") == "NoOpenPosition")
        #expect(client.code("{\"sell\":12,\"price\":0}") == "InvalidSellContractProposal")
        harness.advance(by: 60 * second)
        #expect(addsUp(harness.venue, demoAccount) && harness.venue.transactions(account: demoAccount).count == 2)
    }

    @Test func nobodySellsOrSeesTheContractOfAnother() throws {
        let harness = try DerivHarness()
        let id = text(harness.v3().buy("\"duration\":60"), "buy", "contract_id")!
        harness.advance(by: 5 * second)
        let other = harness.v3(token: otherToken)
        #expect(other.code("{\"sell\":\(id),\"price\":0}") == "InvalidSellContractProposal")
        #expect(
            other.ask("{\"proposal_open_contract\":1,\"contract_id\":\(id)}")["proposal_open_contract"] == .object([]))
        #expect(harness.venue.openContracts(account: demoAccount).count == 1)
    }

    // MARK: What is told

    @Test func aPurchaseWhoseAnswerWasLostIsInThePortfolioAndLaterInTheHistory() throws {
        let rule = FaultRule(.lostAnswer, .afterMessages(0), target: FaultTarget(request: "buy"))
        let harness = try DerivHarness(derivConfiguration(faults: FaultPlan(rules: [rule])))
        let client = harness.trading()
        #expect(client.buy("\"duration\":15", key: "underlying_symbol") == .null)
        guard case .array(let open)? = client.ask("{\"portfolio\":1}")["portfolio"]?["contracts"] else {
            return #expect(Bool(false), "no portfolio")
        }
        #expect(open.count == 1 && text(open[0], "contract_type") == "CALL" && open[0].cents("buy_price") == 1000)
        harness.settleAll()
        let table = client.ask("{\"profit_table\":1,\"description\":1,\"limit\":10}")["profit_table"]
        guard case .array(let ended)? = table?["transactions"] else { return #expect(Bool(false), "no table") }
        #expect(ended.count == 1 && text(ended[0], "contract_id") == text(open[0], "contract_id"))
        #expect(text(ended[0], "shortcode") == text(open[0], "shortcode"))
        guard case .array(let moved)? = client.ask("{\"statement\":1,\"limit\":10}")["statement"]?["transactions"]
        else {
            return #expect(Bool(false), "no statement")
        }
        #expect(moved.map { text($0, "action_type") } == ["sell", "buy"] && moved[1].cents("amount") == -1000)
    }

    @Test func aContractIsToldToItsEndAndNoFurther() throws {
        let harness = try DerivHarness()
        let client = harness.v3()
        let id = text(client.buy(), "buy", "contract_id")!
        let first = client.ask("{\"proposal_open_contract\":1,\"contract_id\":\(id),\"subscribe\":1}")
        #expect(text(first, "proposal_open_contract", "status") == "open" && first["subscription"] != nil)
        harness.advance(by: 30 * second)
        let events = client.take("proposal_open_contract")
        #expect(events.count == 6)
        let last = events.last!["proposal_open_contract"]!
        let contract = harness.venue.contracts(account: demoAccount)[0]
        #expect(text(last, "status") == contract.status.rawValue && text(last, "is_sold") == "1")
        #expect(last.cents("profit") == contract.sellPrice - 1000 && last.cents("sell_price") == contract.sellPrice)
        #expect(text(last, "exit_tick_time") == String(contract.exit!.epoch))
        #expect(text(last, "transaction_ids", "sell") == String(contract.sellTransaction))
        #expect(events.dropLast().allSatisfy { text($0, "proposal_open_contract", "status") == "open" })
    }

    /// Random trading on several sockets: whatever happens, the money adds up and every stream tells the truth.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func withRandomTradingTheMoneyAlwaysAddsUp(_ seed: UInt64) throws {
        let harness = try DerivHarness(derivConfiguration(seed: seed, balance: 200_000))
        var random = DeterministicRandom(seed: seed, stream: 5)
        let clients = [harness.trading(), harness.trading(otherAccount, token: otherToken)]
        let listener = harness.trading()
        _ = listener.ask("{\"transaction\":1,\"subscribe\":1}")
        let kinds = ["CALL", "PUT", "CALLE", "DIGITEVEN", "DIGITODD"]
        for _ in 0..<300 {
            let client = clients[random.below(2)]
            let account = client === clients[0] ? demoAccount : otherAccount
            switch random.below(5) {
            case 0, 1:
                let kind = kinds[random.below(kinds.count)]
                let isCounted = kind.hasPrefix("DIGIT") || random.below(2) == 0
                let length = isCounted ? 1 + random.below(10) : 15 + random.below(60)
                let fields = "\"duration\":\(length),\"duration_unit\":\"\(isCounted ? "t" : "s")\""
                _ = client.buy(fields, kind: kind, key: "underlying_symbol")
            case 2:
                let open = harness.venue.openContracts(account: account)
                guard !open.isEmpty else { continue }
                _ = client.ask("{\"sell\":\(open[random.below(open.count)].id),\"price\":0}")
            default: harness.advance(by: VenueTime(random.below(4000)) * millisecond)
            }
            #expect(addsUp(harness.venue, demoAccount, start: 200_000))
            #expect(addsUp(harness.venue, otherAccount, start: 200_000))
        }
        harness.settleAll()
        harness.settleAll(otherAccount)
        let told = listener.take("transaction").compactMap { text($0, "transaction", "transaction_id") }
        #expect(told == harness.venue.transactions(account: demoAccount).map { String($0.id) })
        for contract in harness.venue.contracts(account: demoAccount) where contract.status != .sold {
            #expect(contract.sellPrice == (contract.status == .won ? contract.payout : 0))
        }
    }
}
