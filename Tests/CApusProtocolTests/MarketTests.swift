import CApusProtocol
import CApusRing
import Testing

/// The layer that every venue's books share.
@Suite struct MarketTests {
    @Test func openingPublishesStateAndDirectory() {
        let stage = MarketStage()
        stage.open()
        let events = stage.events()
        #expect(events.map { [UInt32($0.kind), UInt32($0.flags)] } == [[4, APUS_STATE_SYNCING.rawValue]])
        #expect(events.first?.bid_price == Int64(APUS_BOOK_REASON_SUBSCRIBED.rawValue))
        let entry = stage.view.pointee.directory[0]
        #expect(entry.ready == 1 && entry.tick == 10 && entry.lot == 1)
        #expect(entry.price_decimals == 2 && entry.quantity_decimals == 3)
        #expect(stage.view.pointee.header.pointee.instrument_count == 1)
        #expect(stage.board().header.state == APUS_STATE_SYNCING.rawValue)
    }

    @Test func aTableWithMoreInstrumentsThanTheBoardIsRefused() {
        let stage = MarketStage()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: apus_instrument_table_bytes(5), alignment: 64)
        defer { memory.deallocate() }
        var table = apus_instrument_table()
        #expect(apus_instrument_table_init(&table, memory, 5) == 0)
        var market = apus_market()
        #expect(apus_market_init(&market, stage.out, stage.arena, &table, "x") == -22)
    }

    @Test func theBoardShowsWhatTheBookHolds() {
        let stage = MarketStage(depth: 3)
        stage.live()
        var random = seeded(7)
        var id: UInt64 = 100
        for _ in 0..<400 {
            let previous = id
            id += 1 + apus_random_below(&random, 5)
            var bids: MarketStage.Rows = [], asks: MarketStage.Rows = []
            for _ in 0..<(1 + apus_random_below(&random, 3)) {
                let quantity = apus_random_below(&random, 3) == 0 ? "0.000" : "\(1 + apus_random_below(&random, 9)).000"
                let ticks = apus_random_below(&random, 8)
                if apus_random_below(&random, 2) == 0 {
                    bids.append(("\(100 - ticks).00", quantity))
                } else {
                    asks.append(("\(101 + ticks).00", quantity))
                }
            }
            stage.depth(previous + 1, id, previous: previous, bids: bids, asks: asks)
            let board = stage.board()
            #expect(board.bids == Array(stage.levels(0).prefix(3)))
            #expect(board.asks == Array(stage.levels(1).prefix(3)))
        }
        #expect(stage.state() == MarketStage.live)
    }

    @Test func onlyAVisibleChangeRewritesTheBoard() {
        let stage = MarketStage(depth: 1)
        stage.live()
        stage.depth(101, 101, previous: 100, bids: [("99.00", "5.000")])
        #expect(stage.board().header.update_id == 100, "a level behind the board's last one")
        stage.depth(102, 102, previous: 101, bids: [("100.00", "5.000")])
        #expect(stage.board().header.update_id == 102)
        #expect(stage.board().bids == [[10_000, 5_000]])
        stage.depth(103, 103, previous: 102, bids: [("100.00", "0.000")])
        #expect(stage.board().bids == [[9_900, 5_000]])
    }

    @Test func aBatchedBoardIsWrittenOnceForATurn() {
        let stage = MarketStage(depth: 2)
        #expect(apus_market_batch_board(stage.market) == 0)
        stage.live()
        apus_market_write_behind(stage.market)
        let before = stage.board()
        #expect(before.header.update_id == 100)
        stage.depth(101, 101, previous: 100, bids: [("100.00", "5.000")])
        stage.depth(102, 102, previous: 101, bids: [("100.00", "6.000")])
        #expect(stage.board().header.sequence == before.header.sequence, "it is written when the turn ends")
        apus_market_write_behind(stage.market)
        let after = stage.board()
        #expect(after.header.sequence == before.header.sequence + 2, "and once")
        #expect(after.header.update_id == 102 && after.bids == Array(stage.levels(0).prefix(2)))
        #expect(after.header.event_number == stage.market.pointee.books[0]!.pointee.event_number)
        apus_market_write_behind(stage.market)
        #expect(stage.board().header.sequence == after.header.sequence, "nothing is behind")
    }

    @Test func aBatchedBoardShowsALossAtOnce() {
        let stage = MarketStage(depth: 2)
        #expect(apus_market_batch_board(stage.market) == 0)
        stage.live()
        stage.depth(101, 101, previous: 100, bids: [("100.00", "5.000")])
        stage.depth(150, 150, previous: 149, bids: [("100.00", "6.000")])
        #expect(stage.board().header.state == APUS_STATE_STALE.rawValue)
        apus_market_write_behind(stage.market)
        #expect(stage.board().header.state == APUS_STATE_STALE.rawValue)
    }

    @Test func flagsTellOfEmptyAndCrossedSides() throws {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 101, previous: 100, bids: [("100.00", "0.000")])
        #expect(try #require(stage.events().last).flags == UInt8(APUS_BOOK_NO_BID.rawValue))
        stage.depth(102, 102, previous: 101, bids: [("102.00", "1.000")])
        #expect(try #require(stage.events().last).flags == UInt8(APUS_BOOK_CROSSED.rawValue))
        stage.depth(103, 103, previous: 102, asks: [("101.00", "0.000")])
        #expect(try #require(stage.events().last).flags == UInt8(APUS_BOOK_NO_ASK.rawValue))
    }

    @Test func droppingGivesTheMemoryBackAndReopeningStartsAnew() {
        let stage = MarketStage()
        stage.live()
        stage.ticker(100, ("100.00", "1.000"), ("101.00", "2.000"))
        let opened = stage.arena.pointee.live
        stage.depth(101, 101, previous: 100, bids: (0..<60).map { ("\(40 + $0).00", "1.000") })
        apus_binance_market_drop(stage.binance, 0)
        #expect(stage.state() == [APUS_STATE_DROPPED.rawValue, APUS_BOOK_REASON_UNSUBSCRIBED.rawValue])
        #expect(stage.arena.pointee.live < opened)
        let dropped = stage.arena.pointee.live
        _ = stage.events()
        stage.depth(102, 102, previous: 101)
        stage.snapshot(103)
        #expect(stage.kinds().isEmpty, "nothing of a dropped instrument is told")
        stage.open()
        #expect(stage.state() == MarketStage.syncing)
        stage.snapshot(200)
        #expect(stage.state() == MarketStage.live)
        #expect(stage.book().pointee.resyncs == 0, "it is a new beginning")
        apus_binance_market_drop(stage.binance, 0)
        #expect(stage.arena.pointee.live == dropped)
    }

    @Test func aFullArenaMakesTheBookStaleAndItRecovers() {
        let stage = MarketStage(arenaBytes: 1 << 20)
        stage.live()
        stage.open(1)
        var id: UInt64 = 100
        // Prices far apart take a chunk each, until nothing is left.
        while stage.book().pointee.state == UInt8(APUS_STATE_LIVE.rawValue) && id < 4000 {
            id += 1
            let rows = (0..<100).map { ("\(UInt64($0) * 7_919 + id * 1_000_003).00", "1.000") }
            stage.depth(id, id, previous: id - 1, asks: rows)
        }
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_ARENA))
        #expect(stage.levels(0).isEmpty && stage.levels(1).isEmpty, "no truncated book")
        #expect(stage.sync().wants_snapshot)
        #expect(stage.book().pointee.gaps == 0)
        #expect(stage.board().header.state == APUS_STATE_STALE.rawValue)
        stage.snapshot(id + 1)
        #expect(stage.state() == MarketStage.live)
        #expect(stage.book().pointee.resyncs == 1)
        #expect(stage.levels(0) == [[10_000, 1_000]])
    }

    @Test func tradesAreToldOfOpenInstruments() throws {
        let stage = MarketStage()
        func trade(_ kind: String, buyerIsMaker: Bool) -> String {
            "{\"e\":\"trade\",\"E\":1700000000000,\"T\":1700000000000,\"s\":\"AAAUSDT\",\"t\":77,\"p\":\"100.50\","
                + "\"q\":\"0.250\",\"X\":\"\(kind)\",\"m\":\(buyerIsMaker)}"
        }
        stage.send(trade("MARKET", buyerIsMaker: true))
        #expect(stage.kinds().isEmpty, "not opened")
        stage.open()
        _ = stage.events()
        stage.send(trade("MARKET", buyerIsMaker: true))
        let event = try #require(stage.events().first)
        #expect(UInt32(event.kind) == APUS_EVENT_TRADE.rawValue && event.flags == UInt8(APUS_TRADE_SELL.rawValue))
        #expect(event.bid_price == 10_050 && event.bid_quantity == 250 && event.ask_price == 77)
        stage.send(trade("INSURANCE_FUND", buyerIsMaker: false))
        #expect(stage.kinds().isEmpty, "not a trade of the book")
    }

    @Test func anotherTickKeepsTheBook() {
        let stage = MarketStage()
        let book = stage.live()
        #expect(apus_market_tick_size(stage.market, book, 0) == -22)
        #expect(apus_market_tick_size(stage.market, book, 1) == 0)
        #expect(stage.levels(0) == [[10_000, 1_000]] && stage.levels(1) == [[10_100, 2_000]])
        let event = stage.events().first
        #expect(event?.kind == UInt8(APUS_EVENT_TICK_SIZE.rawValue) && event?.bid_price == 10 && event?.ask_price == 1)
        #expect(stage.view.pointee.directory[0].tick == 1)
        #expect(stage.state() == MarketStage.live)
    }
}
