import Testing

@testable import ApusVenue

@Suite struct PolymarketLifeTests {
    @Test func theSameSeedGivesTheSameBytes() throws {
        func run(_ seed: UInt64) throws -> [[UInt8]] {
            let harness = try PolymarketHarness(speed: .real, seed: seed)
            let client = harness.marketStream()
            harness.advance(by: 3 * second)
            return client.takeTexts()
        }
        let first = try run(5)
        #expect(first.count > 100)
        let again = try run(5) == first
        let other = try run(6) == first
        #expect(again && !other)
    }

    @Test func aMarketThatFellBehindGoesOnFromTheGivenTime() throws {
        let harness = try PolymarketHarness(speed: .brisk)
        harness.advance(by: 100 * millisecond)
        let before = harness.venue.statistics
        harness.venue.dropMarket(before: harness.now)
        #expect(harness.venue.statistics == before, "it is on time")
        harness.venue.dropMarket(before: harness.now + 60 * second)
        harness.advance(by: 60 * second - 1)
        #expect(harness.venue.statistics.participantActions == before.participantActions)
        #expect(harness.venue.statistics.marketDrops == 2)
        harness.advance(by: second)
        #expect(harness.venue.statistics.participantActions > before.participantActions + 20)
    }

    @Test func aLongMarketStaysInItsRange() throws {
        let harness = try PolymarketHarness(speed: .calm) {
            $0.markets[0].startPrice = 9_000
            $0.markets[0].volatility = 60
        }
        for _ in 0..<60 {
            harness.advance(by: second)
            #expect(harness.problems().isEmpty)
        }
        let statistics = harness.venue.statistics
        #expect(statistics.fills > 100 && statistics.participantActions > 2_000)
    }

    /// Two wallets do what a seed says, while trades fail and settle: nothing is created, nothing is lost.
    @Test(arguments: UInt64(1)...12) func randomOrdersKeepBooksAndBalances(_ seed: UInt64) throws {
        var plan = FaultPlan()
        plan.rates.failedTrade = 200_000
        let harness = try PolymarketHarness(speed: .calm, seed: seed, faults: plan)
        var random = DeterministicRandom(seed: seed, stream: 77)
        let before = harness.totals().money
        var ids: [String] = []
        for _ in 0..<400 {
            let wallet = random.below(2), market = random.below(2)
            switch random.below(10) {
            case 0: harness.advance(by: VenueTime(random.below(3_000)) * millisecond)
            case 1:
                if let id = ids.randomPick(&random) {
                    _ = harness.call("DELETE", "/order", "{\"orderID\":\"\(id)\"}", wallet: wallet)
                }
            case 2 where random.below(10) == 0: _ = harness.call("DELETE", "/cancel-all", wallet: wallet)
            default:
                var order = OrderPlan(token: random.below(2), side: random.below(2) == 0 ? .buy : .sell)
                let touch = harness.venue.markets[market].touch(order.token)
                let offset = Int64(random.below(9) - 4) * 100
                order.price = min(max((random.below(2) == 0 ? touch.bid : touch.ask) + offset, 100), 9_900)
                order.size = Int64(500 + random.below(20_000))
                order.type = ["GTC", "GTC", "GTC", "FAK", "FOK", "GTD"][random.below(6)]
                order.isPostOnly = order.type == "GTC" && random.below(4) == 0
                if order.type == "GTD" { order.expiration = harness.now / second + 61 }
                let answer = harness.place(order, wallet: wallet, market: market)
                #expect(answer.status == 200 || answer.status == 400)
                if let id = answer["orderID"] { ids.append(id) }
            }
            let problems = harness.problems()
            #expect(problems.isEmpty, "seed \(seed): \(problems)")
            if !problems.isEmpty { return }
        }
        harness.venue.quieten()
        harness.advance(by: 100 * second)
        #expect(harness.totals().money == before && harness.problems().isEmpty)
        for (index, wallet) in harness.wallets.enumerated() { checkBalances(harness, index, wallet) }
    }

    /// What a wallet holds is what it began with and what its trades that have not failed gave it.
    private func checkBalances(_ harness: PolymarketHarness, _ index: Int, _ wallet: TestWallet) {
        let fills = harness.venue.fills(signer: wallet.address)
        #expect(fills.allSatisfy { $0.status == .confirmed || $0.status == .failed })
        var money = 10_000 * tokenUnit
        var tokens: [String: Int64] = [:]
        for fill in fills where fill.status == .confirmed {
            money += fill.side == .buy ? -fill.cash : fill.cash
            tokens[fill.tokenID, default: 0] += fill.side == .buy ? fill.quantity : -fill.quantity
        }
        #expect(harness.money(index) == money)
        for market in 0..<2 {
            for token in 0..<2 {
                let id = harness.token(token, market: market)
                let held = harness.venue.tokens(signer: wallet.address, tokenID: id)
                #expect(held == 1_000 * tokenUnit + (tokens[id] ?? 0))
            }
        }
    }

    @Test func configurationsAreHeldToTheirRules() throws {
        func isRefused(_ change: (inout PolymarketConfiguration) -> Void) -> Bool {
            do {
                _ = try PolymarketHarness(change: change)
                return false
            } catch { return error is VenueConfigurationError }
        }
        #expect(!isRefused { _ in })
        #expect(isRefused { $0.markets = [] })
        #expect(isRefused { $0.markets[1] = $0.markets[0] })
        #expect(isRefused { $0.markets[0].tickSize = 20 })
        #expect(isRefused { $0.markets[0].startPrice = 100 })
        #expect(isRefused { $0.markets[0].conditionID = "0x12" })
        #expect(isRefused { $0.markets[0].exchangeVersion = "1" })
        #expect(isRefused { $0.accounts[1] = $0.accounts[0] })
        #expect(isRefused { $0.accounts[0].funder = $0.accounts[1].signer })
        #expect(isRefused { $0.accounts[0].collateral = -1 })
        #expect(isRefused { $0.contracts.exchange = "x" })
        #expect(isRefused { $0.speed = MarketSpeed(actionsPerSecond: -1, depthInterval: 0) })
    }

    @Test func marketsAreDescribedByBothServices() throws {
        let harness = try PolymarketHarness()
        let market = harness.configuration.markets[1]
        let gamma = harness.rest.request("GET", "/markets?clob_token_ids=\(market.tokens[0])").body
        guard case .array(let rows) = gamma, rows.count == 1 else {
            Issue.record("there is not one market")
            return
        }
        #expect(text(rows[0], "conditionId") == market.conditionID && rows[0]["negRisk"] == .bool(true))
        #expect(text(rows[0], "clobTokenIds") == "[\"\(market.tokens[0])\", \"\(market.tokens[1])\"]")
        #expect(text(rows[0], "orderPriceMinTickSize") == "0.01" && text(rows[0], "orderMinSize") == "5")
        let page = harness.rest.request("GET", "/markets?next_cursor=MA==")
        #expect(page["count"] == "2" && page["next_cursor"] == "LTE=")
        #expect(harness.rest.request("GET", "/markets/\(market.conditionID)")["market_slug"] == "snow")
        #expect(harness.rest.request("GET", "/markets/0x00").status == 404)
        #expect(
            harness.rest.request("GET", "/markets-by-token/\(market.tokens[1])")["condition_id"] == market.conditionID)
        #expect(harness.rest.request("GET", "/clob-markets/\(market.conditionID)")["mts"] == "0.01")
        #expect(harness.rest.request("GET", "/tick-size?token_id=\(market.tokens[0])")["minimum_tick_size"] == "0.01")
        #expect(harness.rest.request("GET", "/neg-risk?token_id=\(market.tokens[0])").body["neg_risk"] == .bool(true))
        #expect(harness.rest.request("GET", "/version")["version"] == "2")
        #expect(harness.rest.request("GET", "/time").body == .number(String(harness.now / second)))
        #expect(harness.rest.request("GET", "/price?token_id=\(market.tokens[0])&side=UP").status == 400)
        #expect(harness.call("GET", "/nothing").status == 404)
    }
}

extension Array {
    fileprivate func randomPick(_ random: inout DeterministicRandom) -> Element? {
        isEmpty ? nil : self[random.below(count)]
    }
}
