import CApusProtocol
import CApusRing
import Glibc
import Testing

@Suite struct PolymarketBookTests {
    private func change(_ token: TokenModel, _ isBid: Bool, _ price: Int, _ size: String, _ hash: String) -> ChangeModel
    {
        ChangeModel(asset: token.asset, isBid: isBid, price: price, size: size, hash: hash)
    }

    @Test func theReferenceHashIsRight() {
        #expect(sha1Hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(sha1Hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test func aBookIsLiveWhenItsHashAgrees() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        #expect(stage.state(0) == APUS_STATE_LIVE)
        #expect(stage.hash(0) == [1, 1])
        #expect(stage.side(0, bids: true) == [[3000, 50_500_000], [2900, 100_000_000]])
        #expect(stage.side(0, bids: false) == [[3500, 70_000_000], [4000, 20_000_000]])
        #expect(stage.state(1) == APUS_STATE_SYNCING)
        let books = stage.events().filter { $0.kind == UInt8(APUS_EVENT_BOOK.rawValue) }
        #expect(books.map(\.bid_price) == [3000] && books.map(\.ask_price) == [3500])
        #expect(books.first?.flags == UInt8(APUS_BOOK_SNAPSHOT.rawValue))
    }

    @Test func aChangeIsPublishedAtOnceAndCountedWhenItsBatchEnds() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        token.set(true, 3100, "7")
        stage.receive(
            ChangeModel.message(2_000, [change(token, true, 3100, "7", token.hash(2_000, lastTradePrice: "0.255"))]))
        #expect(stage.events().map(\.bid_price) == [3100])
        #expect(stage.hash(0) == [1, 1])
        stage.flush()
        #expect(stage.hash(0) == [2, 2])
        #expect(stage[0].applied == 1)
    }

    @Test func changesWithoutABookClaimNothing() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.second)
        token.set(true, 3100, "7")
        stage.receive(
            ChangeModel.message(2_000, [change(token, true, 3100, "7", token.hash(2_000, lastTradePrice: "0.255"))]))
        stage.flush()
        #expect(stage.state(1) == APUS_STATE_SYNCING)
        #expect(stage.hash(1) == [0, 0] && stage[1].applied == 0)
        #expect(stage.side(1, bids: true).isEmpty)
    }

    /// A taker buys 30 of 70 at 0.35: three messages of one time, all with the final hash.
    private func crossing(_ token: inout TokenModel, _ time: UInt64, lastTradePrice: String) -> [String] {
        token.set(false, 3500, "40")
        let hash = token.hash(time, lastTradePrice: lastTradePrice)
        return [
            change(token, true, 3500, "30", hash), change(token, true, 3500, "0", hash),
            change(token, false, 3500, "40", hash),
        ].map { ChangeModel.message(time, [$0]) }
    }

    @Test func aCrossedMomentInsideABatchReachesNobody() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        let messages = crossing(&token, 2_000, lastTradePrice: "0.35")
        stage.receive(messages[0])
        stage.receive(messages[1])
        #expect(stage.events().isEmpty)
        #expect(stage.state(0) == APUS_STATE_LIVE)
        // The price that the batch took away is the last trade price: the hash agrees with it.
        stage.receive(messages[2])
        let events = stage.events()
        #expect(events.map(\.ask_quantity) == [40_000_000] && events.map(\.flags) == [0])
        stage.flush()
        #expect(stage.hash(0) == [2, 2])
        // And it is the one for what follows.
        token.set(true, 3000, "1")
        stage.receive(
            ChangeModel.message(3_000, [change(token, true, 3000, "1", token.hash(3_000, lastTradePrice: "0.35"))]))
        stage.flush()
        #expect(stage.hash(0) == [3, 3] && stage[0].gaps == 0)
    }

    @Test func theSisterLearnsTheLastTradePrice() {
        let stage = PolymarketStage()
        var one = TokenModel(asset: PolymarketStage.first)
        var two = TokenModel(asset: PolymarketStage.second)
        stage.begin(&one)
        two.bids = [6000: "20", 6500: "70"]
        two.asks = [7000: "50.5", 7100: "100"]
        stage.receive(two.book(1_000, lastTradePrice: "0.255"))
        one.set(false, 3500, "60")
        two.set(true, 6500, "60")
        // The venue's price is 0.35 for both, though the sister's level stood at 0.65.
        let changes = [
            change(two, true, 6500, "60", two.hash(2_000, lastTradePrice: "0.35")),
            change(one, false, 3500, "60", one.hash(2_000, lastTradePrice: "0.35")),
        ]
        stage.receive(ChangeModel.message(2_000, changes))
        stage.flush()
        #expect(stage.hash(0) == [2, 2] && stage.hash(1) == [2, 2])
    }

    // MARK: unproven

    /// A batch that took something away, with a last trade price that nothing in it tells.
    private func unproven(_ stage: PolymarketStage, _ token: inout TokenModel, _ time: UInt64 = 2_000) {
        token.set(false, 3500, "40")
        stage.receive(
            ChangeModel.message(time, [change(token, false, 3500, "40", token.hash(time, lastTradePrice: "0.123"))]))
    }

    @Test func anUnprovenBatchStaysLiveUntilItsTradeSettlesIt() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        unproven(stage, &token)
        #expect(stage.events().isEmpty)
        stage.flush()
        #expect(stage.state(0) == APUS_STATE_LIVE)
        #expect(stage.events().map(\.ask_quantity) == [40_000_000])
        #expect(stage.hash(0) == [1, 2])
        stage.receive(tradeMessage(token.asset, 2_000, price: "0.123"))
        #expect(stage.hash(0) == [2, 2])
        #expect(stage.state(0) == APUS_STATE_LIVE && stage[0].gaps == 0)
        #expect(stage.events().first?.kind == UInt8(APUS_EVENT_TRADE.rawValue))
    }

    @Test func aTradeThatComesBeforeTheBatchEndsSettlesItToo() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        unproven(stage, &token)
        stage.receive(tradeMessage(PolymarketStage.second, 2_000, price: "0.123"))
        stage.flush()
        #expect(stage.hash(0) == [2, 2])
    }

    @Test func aTradeThatDisagreesMakesItStale() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        unproven(stage, &token)
        stage.flush()
        // One from before the batch says nothing about it.
        stage.receive(tradeMessage(token.asset, 1_999, price: "0.3"))
        #expect(stage.state(0) == APUS_STATE_LIVE)
        stage.receive(tradeMessage(token.asset, 2_001, price: "0.4"))
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_HASH)
        #expect(stage.hash(0) == [1, 2] && stage[0].gaps == 1)
    }

    @Test func aLaterBatchSettlesIt() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        unproven(stage, &token)
        // The next match is at 0.4: its hash proves the whole book.
        token.set(false, 4000, "19")
        stage.receive(
            ChangeModel.message(3_000, [change(token, false, 4000, "19", token.hash(3_000, lastTradePrice: "0.4"))]))
        stage.flush()
        #expect(stage.hash(0) == [3, 3] && stage.state(0) == APUS_STATE_LIVE)
    }

    @Test func theVenuesBookSettlesItOrShowsThatItWasWrong() {
        for isRight in [true, false] {
            let stage = PolymarketStage()
            var token = TokenModel(asset: PolymarketStage.first)
            stage.begin(&token)
            if !isRight { token.set(true, 2900, "101") }  // a change that never reaches us
            unproven(stage, &token)
            stage.receive(token.book(2_000, lastTradePrice: "0.123"))
            #expect(stage.state(0) == APUS_STATE_LIVE)
            #expect(stage[0].gaps == (isRight ? 0 : 1) && stage[0].resyncs == (isRight ? 0 : 1))
            #expect(stage.hash(0) == (isRight ? [3, 3] : [2, 3]))
        }
    }

    @Test func aProofThatDoesNotComeInTimeMakesItStale() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        unproven(stage, &token)
        stage.wait(0.3)  // the batch is over
        #expect(stage.hash(0) == [1, 2] && stage.state(0) == APUS_STATE_LIVE)
        #expect(apus_polymarket_market_deadline(stage.polymarket) < .max)
        stage.wait(9)
        #expect(stage.state(0) == APUS_STATE_LIVE)
        stage.wait(2)
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_HASH)
        #expect(apus_polymarket_market_deadline(stage.polymarket) == .max)
    }

    // MARK: broken

    @Test func aHashThatNoTradeCanExplainMakesTheBookStaleAtOnce() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        token.set(true, 2800, "1")  // a change that never reaches us
        token.set(true, 3100, "7")
        stage.receive(
            ChangeModel.message(2_000, [change(token, true, 3100, "7", token.hash(2_000, lastTradePrice: "0.255"))]))
        #expect(stage.events().isEmpty)
        stage.receive(
            ChangeModel.message(3_000, [change(token, true, 3200, "7", token.hash(3_000, lastTradePrice: "0.255"))]))
        #expect(stage.events().map(\.kind) == [UInt8(APUS_EVENT_BOOK_STATE.rawValue)])
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_HASH)
        #expect(stage.hash(0) == [1, 2] && stage[0].gaps == 1)
        // Nothing more is applied until the venue's book heals it.
        token.set(true, 3200, "7")
        stage.receive(token.book(4_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_LIVE && stage[0].resyncs == 1)
        #expect(stage.side(0, bids: true).count == 5)
    }

    @Test func aBatchThatEndsCrossedIsBroken() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        let messages = crossing(&token, 2_000, lastTradePrice: "0.35")
        stage.receive(messages[0])
        stage.receive(messages[2])
        _ = stage.events()
        stage.wait(0.3)
        #expect(stage.state(0) == APUS_STATE_STALE)
        #expect(stage.events().allSatisfy { $0.kind != UInt8(APUS_EVENT_BOOK.rawValue) })
    }

    @Test func anUnreadableFrameTakesTheDoubtAway() {
        // The market is named: its books are stale at once.
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        let bad = ChangeModel.message(2_000, [change(token, true, 3100, "7x", String(repeating: "0", count: 40))])
        #expect(stage.receive(bad) == -EBADMSG)
        #expect(stage.polymarket.pointee.last.fault == UInt8(APUS_POLYMARKET_FAULT_NUMBER.rawValue))
        #expect(
            stage.polymarket.pointee.last.error_offset == bad.utf8.count
                - bad[bad.firstRange(of: "7x")!.lowerBound...].utf8.count + 1)
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_DECODE)
        #expect(stage.side(0, bids: true).count == 2)
        // Nothing is named: what might have been unproven is broken, because something is missing.
        let other = PolymarketStage()
        var second = TokenModel(asset: PolymarketStage.first)
        other.begin(&second)
        #expect(other.receive("{\"market\":\"0x28") == -EBADMSG)
        #expect(other.state(0) == APUS_STATE_LIVE)
        unproven(other, &second)
        other.flush()
        #expect(other.state(0) == APUS_STATE_STALE && other.reason(0) == APUS_BOOK_REASON_HASH)
    }

    @Test func aBadElementSpoilsTheWholeArrayBeforeAnyOfItIsApplied() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        token.bids = [2900: "100"]
        token.asks = [3500: "70"]
        let book = token.book(1_000, lastTradePrice: "0.255")
        #expect(stage.receive("[\(book),{\"event_type\":\"book\"}]") == -EBADMSG)
        #expect(stage.polymarket.pointee.last.error_offset == book.utf8.count + 2)
        #expect(stage.state(0) == APUS_STATE_SYNCING && stage.side(0, bids: true).isEmpty)
        #expect(stage.receive(" [ \(book) , {\"event_type\":\"new_market\"} ] ") == 0)
        #expect(stage.state(0) == APUS_STATE_LIVE)
    }

    @Test func aWrongConfigurationIsNeverLive() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        token.negRisk = true
        token.minOrderSize = "15"
        stage.begin(&token)
        #expect(stage.state(0) == APUS_STATE_STALE && stage.hash(0) == [0, 1])
        #expect(apus_polymarket_market_configure(stage.polymarket, 0, "15", true) == 0)
        stage.receive(token.book(2_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.hash(0) == [1, 2])
        #expect(apus_polymarket_market_configure(stage.polymarket, 0, "many", true) == -EINVAL)
        #expect(apus_polymarket_market_configure(stage.polymarket, 9, "5", true) == -ENOENT)
    }

    @Test func theBodyOfARestBookTellsTheConfiguration() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        token.negRisk = true
        token.minOrderSize = "15"
        token.bids = [2900: "100"]
        token.asks = [3500: "70"]
        let body = token.book(1_000, lastTradePrice: "0.2").replacing(
            "\"event_type\":\"book\"", with: "\"min_order_size\":\"15\",\"neg_risk\":true")
        #expect(stage.receive(body) == 0)
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.hash(0) == [1, 1])
    }

    // MARK: the rest of a token's life

    @Test func theFirstBookWithoutATradePriceWaitsForIt() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        token.bids = [2900: "100"]
        token.asks = [3500: "70"]
        stage.receive(token.book(1_000, lastTradePrice: "0.3", opening: false))
        #expect(stage.state(0) == APUS_STATE_SYNCING && stage.hash(0) == [0, 1])
        stage.receive(tradeMessage(token.asset, 1_000, price: "0.3"))
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.hash(0) == [1, 1])
    }

    @Test func aNewTickSizeVoidsTheBook() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        stage.receive(
            "{\"market\":\"\(TokenModel.market)\",\"asset_id\":\"\(token.asset)\",\"old_tick_size\":\"0.001\","
                + "\"new_tick_size\":\"0.0001\",\"timestamp\":\"\(stamp(2_000))\",\"event_type\":\"tick_size_change\"}")
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_TICK_SIZE)
        let ticks = stage.events().filter { $0.kind == UInt8(APUS_EVENT_TICK_SIZE.rawValue) }
        #expect(ticks.map(\.bid_price) == [10] && ticks.map(\.ask_price) == [1])
        // Changes are not applied meanwhile.
        stage.receive(ChangeModel.message(2_500, [change(token, true, 2999, "7", String(repeating: "0", count: 40))]))
        #expect(stage.side(0, bids: true).count == 2)
        token.tick = "0.0001"
        stage.receive(token.book(3_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_LIVE && stage[0].gaps == 0)
    }

    @Test func aLostConnectionMakesBooksStale() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        apus_polymarket_market_lost(stage.polymarket, 0, UInt8(APUS_BOOK_REASON_DISCONNECTED.rawValue))
        apus_polymarket_market_lost(stage.polymarket, 1, UInt8(APUS_BOOK_REASON_DISCONNECTED.rawValue))
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_DISCONNECTED)
        #expect(stage.state(1) == APUS_STATE_SYNCING)
        token.set(true, 2000, "1")
        stage.receive(token.book(2_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_LIVE && stage[0].resyncs == 1 && stage[0].gaps == 0)
    }

    @Test func tokensComeAndGo() {
        let stage = PolymarketStage(assets: [PolymarketStage.first])
        var one = TokenModel(asset: PolymarketStage.first)
        var two = TokenModel(asset: PolymarketStage.second)
        stage.begin(&one)
        two.asks = [7000: "5"]
        // The sister is not ours yet; its changes are passed over, also by the one-pass reader.
        one.set(true, 3100, "5")
        var hash = one.hash(2_000, lastTradePrice: "0.255")
        stage.receive(
            ChangeModel.message(2_000, [change(one, true, 3100, "5", hash), change(two, false, 6900, "5", hash)]))
        stage.flush()
        #expect(stage.hash(0) == [2, 2])
        stage.add(PolymarketStage.second)
        stage.receive(two.book(3_000, lastTradePrice: "0.255"))
        #expect(stage.state(1) == APUS_STATE_LIVE)
        two.set(false, 6800, "3")
        hash = two.hash(4_000, lastTradePrice: "0.255")
        let fast = stage.polymarket.pointee.decoder.fast
        stage.receive(ChangeModel.message(4_000, [change(two, false, 6800, "3", hash)]))
        stage.flush()
        #expect(stage.hash(1) == [2, 2] && stage.polymarket.pointee.decoder.fast == fast + 1)
        apus_polymarket_market_drop(stage.polymarket, 0)
        #expect(stage.state(0) == APUS_STATE_DROPPED && stage.side(0, bids: true).isEmpty)
        stage.receive(ChangeModel.message(5_000, [change(one, true, 3300, "5", hash)]))
        stage.receive(one.book(6_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_DROPPED)
        #expect(apus_polymarket_market_open(stage.polymarket, 0) != nil)
        stage.receive(one.book(7_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_LIVE)
    }

    @Test func tradesAndTickersAreEvents() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        _ = stage.events()
        stage.receive(tradeMessage(token.asset, 2_000, price: "0.3", size: "12.5", side: "SELL"))
        stage.receive(
            "{\"market\":\"\(TokenModel.market)\",\"asset_id\":\"\(token.asset)\",\"best_bid\":\"0.3\",\"best_ask\":\"0.36\","
                + "\"spread\":\"0.06\",\"timestamp\":\"\(stamp(2_001))\",\"event_type\":\"best_bid_ask\"}")
        let events = stage.events()
        #expect(events.map { Int($0.kind) } == [APUS_EVENT_TRADE, APUS_EVENT_TICKER].map { Int($0.rawValue) })
        #expect(events[0].bid_price == 3000 && events[0].bid_quantity == 12_500_000)
        #expect(events[0].flags == UInt8(APUS_TRADE_SELL.rawValue))
        // The venue tells no quantities: those of our book, where it has the price.
        #expect([events[1].bid_price, events[1].bid_quantity] == [3000, 50_500_000])
        #expect([events[1].ask_price, events[1].ask_quantity] == [3600, 0])
        #expect(stage[0].ticker_compared == 0)
    }

    @Test func controlTextsAndUnknownEventsAreCounted() {
        let stage = PolymarketStage()
        for text in ["PONG", "NO NEW ASSETS"] { #expect(stage.receive(text) == 0) }
        #expect(stage.polymarket.pointee.controls == 2)
        #expect(stage.receive("{\"event_type\":\"market_resolved\",\"market\":\"0x1\",\"id\":\"7\"}") == 0)
        #expect(stage.receive("[]") == 0)
        let counters = stage.view.pointee.counters
        #expect(apus_counter(apus_counters_hot(counters, APUS_COUNT_UNKNOWN.rawValue)) == 1)
        #expect(apus_counter(apus_counters_hot(counters, APUS_COUNT_FRAMES.rawValue)) == 4)
        #expect(apus_counter(apus_counters_hot(counters, APUS_COUNT_DECODE_ERRORS.rawValue)) == 0)
        #expect(stage.receive("PONGO") == -EBADMSG)
        #expect(apus_counter(apus_counters_hot(counters, APUS_COUNT_DECODE_ERRORS.rawValue)) == 1)
    }

    @Test func textsThatValuesDoNotLeadBackToAreKept() {
        let stage = PolymarketStage()
        var token = TokenModel(asset: PolymarketStage.first)
        token.bids = [2900: "100.0", 3000: "050"]
        token.asks = [3500: "70.50"]
        stage.receive(token.book(1_000, lastTradePrice: "0.255"))
        #expect(stage.hash(0) == [1, 1])
        for (time, price, size) in [(2_000, 3000, "7"), (3_000, 2900, "0"), (4_000, 2800, "1.000"), (5_000, 2800, "1")]
        {
            token.set(true, price, size)
            let hash = token.hash(UInt64(time), lastTradePrice: "0.255")
            stage.receive(ChangeModel.message(UInt64(time), [change(token, true, price, size, hash)]))
        }
        stage.flush()
        #expect(stage.state(0) == APUS_STATE_LIVE)
        #expect(stage.hash(0).first == stage.hash(0).last)
    }

    @Test func aFullArenaIsAnErrorState() {
        let stage = PolymarketStage(arenaBytes: 1 << 17)
        var token = TokenModel(asset: PolymarketStage.first)
        for price in 1...1000 { token.bids[price * 4] = "\(price).5" }
        stage.receive(token.book(1_000, lastTradePrice: "0.255"))
        #expect(stage.state(0) == APUS_STATE_STALE && stage.reason(0) == APUS_BOOK_REASON_ARENA)
    }

    // MARK: a long life

    /// A venue that adds, changes and takes levels and matches orders in batches, told late, twice or never what the
    /// trade price was.
    @Test(arguments: UInt64(1)...12) func aRandomLifeEndsInTheVenuesBook(seed: UInt64) {
        var random = apus_random()
        apus_random_seed(&random, seed)
        func pick(_ bound: Int) -> Int { Int(apus_random_below(&random, UInt64(bound))) }
        let stage = PolymarketStage()
        apus_polymarket_decoder_force(&stage.polymarket.pointee.decoder, APUS_VECTOR_PORTABLE, seed % 3 == 0)
        var token = TokenModel(asset: PolymarketStage.first)
        stage.begin(&token)
        var price = "0.255"
        var time: UInt64 = 1_000
        for _ in 0..<400 {
            time += 1
            var changes: [ChangeModel] = []
            let bestAsk = token.asks.keys.min() ?? 9000
            let bestBid = token.bids.keys.max() ?? 1000
            if pick(4) == 0, let size = token.asks[bestAsk] {
                // A match: the taker's order crosses for a moment.
                price = TokenModel.price(bestAsk)
                token.asks[bestAsk] = nil
                changes = [
                    ChangeModel(asset: token.asset, isBid: true, price: bestAsk, size: size, hash: ""),
                    ChangeModel(asset: token.asset, isBid: false, price: bestAsk, size: "0", hash: ""),
                    ChangeModel(asset: token.asset, isBid: true, price: bestAsk, size: "0", hash: ""),
                ]
            } else {
                let isBid = pick(2) == 0
                let level = isBid ? bestBid - 10 * pick(8) + 10 : bestAsk + 10 * pick(8) - 10
                guard level > 0, level < 10_000, isBid ? level < bestAsk : level > bestBid else { continue }
                let sizes = ["0", "1", "12.5", "1.25", "400000", "0.000001", "7.10"]
                let size = sizes[pick(sizes.count)]
                token.set(isBid, level, size)
                changes = [ChangeModel(asset: token.asset, isBid: isBid, price: level, size: size, hash: "")]
            }
            let hash = token.hash(time, lastTradePrice: price)
            for index in changes.indices { changes[index].hash = hash }
            for change in changes { stage.receive(ChangeModel.message(time, [change])) }
            if changes.count > 1, pick(2) == 0 { stage.receive(tradeMessage(token.asset, time, price: price)) }
            if pick(40) == 0 { stage.receive(token.book(time, lastTradePrice: price, opening: pick(2) == 0)) }
            #expect(stage.state(0) == APUS_STATE_LIVE)
        }
        stage.flush()
        #expect(stage.hash(0).first == stage.hash(0).last && stage[0].gaps == 0)
        let bids = token.bids.keys.sorted(by: >).map { Int64($0) }
        #expect(stage.side(0, bids: true).map { $0[0] } == bids)
        let touches = stage.events().filter { $0.kind == UInt8(APUS_EVENT_BOOK.rawValue) }
        #expect(touches.allSatisfy { $0.flags & UInt8(APUS_BOOK_CROSSED.rawValue) == 0 })
    }
}
