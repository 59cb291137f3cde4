import CApusRing
import Testing

@testable import Apus

/// A board in memory of its own.
final class TestBoard {
    var view = apus_public()

    init(instruments: UInt32 = 4, depth: UInt32 = 3) {
        var configuration = apus_public_config(name: nil, feed_slots: 64, instruments: instruments, board_depth: depth)
        precondition(apus_public_create(&view, &configuration) == 0)
    }

    deinit { apus_public_close(&view) }

    func write(_ instrument: UInt32, event: UInt64, bids: [(Int64, Int64)], asks: [(Int64, Int64)]) {
        var header = apus_board_header()
        header.event_number = event
        header.bids = UInt32(bids.count)
        header.asks = UInt32(asks.count)
        header.total_bids = header.bids
        header.total_asks = header.asks
        header.state = APUS_STATE_LIVE.rawValue
        let low = bids.map { apus_level(price: $0.0, quantity: $0.1) }
        let high = asks.map { apus_level(price: $0.0, quantity: $0.1) }
        apus_board_write(&view.board, instrument, &header, low, high)
    }
}

func definition(_ change: (inout InstrumentDefinition) -> Void = { _ in }) -> InstrumentDefinition {
    var definition = InstrumentDefinition(
        symbol: "BTCUSDT", venue: "test", priceDecimals: 2, quantityDecimals: 3,
        tick: ExactDecimal(digits: 1, decimals: 1), lot: ExactDecimal(digits: 1, decimals: 3))
    change(&definition)
    return definition
}

@Suite struct InstrumentTests {
    @Test(arguments: ["symbol", "priceDecimals", "quantityDecimals", "tick", "lot", "multiplier", "minQuantity"])
    func errorsNameTheField(field: String) {
        let bad = definition {
            switch field {
            case "symbol": $0.symbol = ""
            case "priceDecimals": $0.priceDecimals = 19
            case "quantityDecimals": $0.quantityDecimals = 17
            case "tick": $0.tick = ExactDecimal(digits: 1, decimals: 3)
            case "lot": $0.lot = ExactDecimal(digits: 0)
            case "multiplier": $0.multiplier = 0
            default:
                $0.minQuantity = ExactDecimal(digits: 5)
                $0.maxQuantity = ExactDecimal(digits: 4)
            }
        }
        let board = TestBoard()
        let table = InstrumentTable(board: board.view.board)
        do {
            try table.add(bad)
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.field == field)
            #expect(table.count == 0)
        }
    }

    @Test func fullTableIsAnError() throws {
        let board = TestBoard(instruments: 1)
        let table = InstrumentTable(board: board.view.board)
        try table.add(definition())
        #expect(throws: InstrumentError.self) { try table.add(definition()) }
    }

    @Test func valuesAreExact() throws {
        let board = TestBoard()
        let table = InstrumentTable(board: board.view.board)
        let instrument = try table.add(definition())
        let price = try instrument.price("61234.50"), quantity = try instrument.quantity("0.015")
        #expect(instrument.notional(price, quantity) == (try Money("918.5175")))
        #expect(instrument.quantity(worth: Money(whole: 1_000), at: price) == (try instrument.quantity("0.016")))
        #expect(instrument.quantity(worth: Money(whole: 50), at: price) == .zero)
        #expect(throws: DecimalError.tooManyDecimals(allowed: 2)) { try instrument.price("1.234") }
        #expect(instrument.notional(Price(units: .max), Quantity(units: .max)) == .greatest)
    }

    @Test func depthIsReadOncePerEvent() throws {
        let board = TestBoard()
        let table = InstrumentTable(board: board.view.board)
        let instrument = try table.add(definition())
        board.write(0, event: 5, bids: [(100, 4), (90, 6)], asks: [(110, 1), (120, 2), (130, 3)])
        instrument.record.pointee.eventNumber = 5
        let book = BookView(instrument.record)
        let depth = try #require(book.depth)
        #expect(depth.bids.map(\.quantity.units) == [4, 6])
        #expect(depth.asks.quantity(levels: 2).units == 3)
        #expect(depth.asks.quantity(to: Price(units: 120)).units == 3)
        #expect(depth.bids.quantity(to: Price(units: 95)).units == 4)
        #expect(!depth.isNewer)
        board.write(0, event: 6, bids: [(101, 9)], asks: [])
        #expect(book.depth?.bids.first?.price.units == 100)
        instrument.record.pointee.eventNumber = 6
        #expect(book.depth?.bids.first?.price.units == 101)
        #expect(book.depth?.asks.isEmpty == true)
        #expect(book.depth?.asks.notional(of: Quantity(units: 1), instrument: instrument) == nil)
    }

    @Test func touchAndMiddle() throws {
        let board = TestBoard()
        let table = InstrumentTable(board: board.view.board)
        let instrument = try table.add(definition())
        let book = BookView(instrument.record)
        #expect(book.mid == nil && book.spread == nil && book.imbalance == nil && book.bid == nil)
        instrument.record.pointee.touch = Touch(100, 3, 111, 1)
        #expect(book.mid == Price(units: 105))
        #expect(book.spread == Price(units: 11))
        #expect(book.imbalance == 0.5)
        #expect(!book.isCrossed)
        instrument.record.pointee.touch = Touch(111, 3, 111, 1)
        #expect(book.isCrossed)
    }
}
