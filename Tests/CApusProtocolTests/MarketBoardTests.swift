import CApusProtocol
import CApusRing
import Testing

/// The board's entry is changed in its place; whatever happens it must be the top of the book.
@Suite struct MarketBoardTests {
    /// A price near the touch, and now and then one off the tick or far away.
    private func price(_ random: inout apus_random, bid: Bool, spread: UInt64) -> String {
        let ticks = Int(apus_random_below(&random, spread)) + (apus_random_below(&random, 40) == 0 ? 3_000 : 0)
        let cents = bid ? 100_000 - 10 * ticks : 100_010 + 10 * ticks
        let off = apus_random_below(&random, 12) == 0 ? 5 : 0
        let units = cents + off
        return "\(units / 100).\(units % 100 < 10 ? "0" : "")\(units % 100)"
    }

    private func rows(_ random: inout apus_random, bid: Bool, most: UInt64, spread: UInt64) -> MarketStage.Rows {
        (0..<apus_random_below(&random, most + 1)).map { _ in
            let quantity = apus_random_below(&random, 3) == 0 ? 0 : 1 + apus_random_below(&random, 9)
            return (price(&random, bid: bid, spread: spread), "\(quantity).000")
        }
    }

    private func expectTop(_ stage: MarketStage, _ depth: Int) {
        let board = stage.board()
        #expect(board.bids == Array(stage.levels(0).prefix(depth)))
        #expect(board.asks == Array(stage.levels(1).prefix(depth)))
        #expect(board.header.total_bids == UInt32(stage.levels(0).count))
        #expect(board.header.total_asks == UInt32(stage.levels(1).count))
    }

    /// Few and many changes of a message; a row that is full, one that runs empty, one as deep as the book.
    @Test(arguments: [1, 2, 5, 20, 64], [4, 30, 200])
    func theEntryIsTheTopOfTheBook(_ depth: Int, _ spread: Int) {
        let stage = MarketStage(depth: UInt32(depth))
        stage.live()
        var random = seeded(UInt64(depth * 1_000 + spread))
        var id: UInt64 = 100
        for round in 0..<600 {
            let most: UInt64 = round % 7 == 0 ? 20 : 3
            stage.depth(
                id + 1, id + 1, previous: id,
                bids: rows(&random, bid: true, most: most, spread: UInt64(spread)),
                asks: rows(&random, bid: false, most: most, spread: UInt64(spread)))
            id += 1
            let touched = stage.board().header.update_id == id
            if touched { expectTop(stage, depth) }
            let top = (bids: stage.levels(0).prefix(depth), asks: stage.levels(1).prefix(depth))
            #expect(stage.board().bids == Array(top.bids) && stage.board().asks == Array(top.asks))
        }
        #expect(stage.state() == MarketStage.live)
    }

    @Test func aSideThatIsEmptiedAndFilledAgain() {
        let stage = MarketStage(depth: 2)
        stage.live()
        let levels: MarketStage.Rows = [("100.00", "1.000"), ("99.90", "2.000"), ("99.80", "3.000")]
        stage.depth(101, 101, previous: 100, bids: levels)
        expectTop(stage, 2)
        stage.depth(102, 102, previous: 101, bids: levels.map { ($0.0, "0.000") })
        expectTop(stage, 2)
        #expect(stage.board().bids.isEmpty)
        stage.depth(103, 103, previous: 102, bids: levels.reversed())
        expectTop(stage, 2)
    }

    @Test func whatOneMessageTakesAwayAndGivesBack() {
        let stage = MarketStage(depth: 3)
        stage.live()
        let first: MarketStage.Rows = [("100.00", "1.000"), ("99.90", "2.000"), ("99.80", "3.000"), ("99.70", "4.000")]
        stage.depth(101, 101, previous: 100, bids: first)
        // The last visible level goes, one behind it changes unseen, and both come into view.
        stage.depth(
            102, 102, previous: 101,
            bids: [("99.80", "0.000"), ("99.70", "7.000"), ("100.00", "0.000"), ("99.60", "5.000"), ("99.80", "6.000")])
        expectTop(stage, 3)
        #expect(stage.board().bids == [[9_990, 2_000], [9_980, 6_000], [9_970, 7_000]])
    }

    @Test func aNewSnapshotReplacesTheEntry() {
        let stage = MarketStage(depth: 3)
        stage.live()
        stage.depth(105, 105, previous: 104, bids: [("99.00", "1.000")])
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_GAP))
        stage.snapshot(200, bids: [("90.00", "1.000"), ("89.00", "2.000")], asks: [("91.00", "3.000")])
        expectTop(stage, 3)
        stage.depth(201, 201, previous: 200, asks: [("91.00", "0.000"), ("92.00", "1.000")])
        expectTop(stage, 3)
    }

    @Test func aBoardWithoutLevelsStillSaysHowManyThereAre() {
        let stage = MarketStage(depth: 0)
        stage.live()
        stage.depth(101, 101, previous: 100, bids: [("99.00", "5.000")])
        let board = stage.board()
        #expect(board.bids.isEmpty && board.asks.isEmpty && board.header.update_id == 101)
        #expect(board.header.total_bids == 2 && board.header.total_asks == 1)
    }
}
