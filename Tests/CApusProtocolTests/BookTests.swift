import CApusProtocol
import Testing

@Suite struct BookTests {
    @Test func anEmptyBookHasNothing() {
        let book = TestBook()
        #expect(apus_book_empty(book.book, 0) && apus_book_empty(book.book, 1))
        #expect(!apus_book_crossed(book.book))
        let touch = apus_book_best(book.book)
        #expect(touch.bid_quantity == 0 && touch.ask_quantity == 0)
        #expect(book.levels(.bid).isEmpty && book.levels(.ask).isEmpty)
        #expect(book.set(.bid, 100, 0) == 0)
        #expect(apus_book_memory(book.book) == 0)
    }

    @Test func aChangeSaysWhatItDid() {
        let book = TestBook(tick: 10)
        #expect(book.set(.bid, 1000, 5) == 1 | 4)
        #expect(book.set(.bid, 990, 7) == 1)
        #expect(book.set(.bid, 990, 8) == 3)
        #expect(book.set(.bid, 1000, 5) == 3)  // the same again: nothing at the touch has changed
        #expect(book.set(.bid, 1000, 6) == 3 | 4)
        #expect(book.set(.bid, 980, 0) == 0)
        #expect(book.set(.bid, 1000, 0) == 2 | 4)
        #expect(book.set(.bid, 995, 1) == 1 | 4)  // off the tick
        #expect(book.set(.bid, 995, 2) == 3 | 4)
        #expect(book.set(.bid, 995, 0) == 2 | 4)
        #expect(book.touch[0...1] == [990, 8])
        #expect(book.set(.bid, 990, 0) == 2 | 4)
        #expect(book.touch == [0, 0, 0, 0])
    }

    @Test(arguments: [Int64(10), 1000]) func aLevelOffTheTickLeadsWhenItsTurnComes(tick: Int64) {
        let book = TestBook(tick: tick)
        for (price, quantity) in [(100 * tick, 1), (90 * tick + 3, 2), (90 * tick, 3), (80 * tick, 4)] {
            book.set(.bid, price, Int64(quantity))
            book.set(.ask, 200 * tick - price, Int64(quantity))
        }
        for (price, quantity) in [(100 * tick, 1), (90 * tick + 3, 2), (90 * tick, 3), (80 * tick, 4)] {
            #expect(book.touch == [price, Int64(quantity), 200 * tick - price, Int64(quantity)])
            #expect(book.set(.bid, price, 0) == 2 | 4)
            #expect(book.set(.ask, 200 * tick - price, 0) == 2 | 4)
        }
        #expect(apus_book_empty(book.book, 0) && apus_book_empty(book.book, 1))
    }

    @Test func crossedAndLockedBooksAreSeen() {
        let book = TestBook()
        book.set(.bid, 100, 1)
        book.set(.ask, 101, 1)
        #expect(!apus_book_crossed(book.book))
        book.set(.bid, 101, 1)
        #expect(apus_book_crossed(book.book))
        book.set(.bid, 105, 1)
        #expect(apus_book_crossed(book.book))
        #expect(book.touch == [105, 1, 101, 1])
    }

    @Test func sumsAndRanksCountFromTheTouch() {
        let book = TestBook(tick: 5)
        for (price, quantity) in [(100, 1), (95, 2), (93, 4), (-1_000_000, 8), (90, 16)] {
            book.set(.bid, Int64(price), Int64(quantity))
        }
        #expect(apus_book_sum_depth(book.book, 0, 3) == 7)
        #expect(apus_book_sum_depth(book.book, 0, 99) == 31)
        #expect(apus_book_sum_price(book.book, 0, 93) == 7)
        #expect(apus_book_sum_price(book.book, 0, 91) == 7)
        #expect(apus_book_rank(book.book, 0, 93, 100) == 2)
        #expect(apus_book_rank(book.book, 0, 1, 100) == 4)
        #expect(apus_book_rank(book.book, 0, 1, 2) == 2)
        #expect(apus_book_quantity(book.book, 0, -1_000_000) == 8)
        #expect(apus_book_quantity(book.book, 0, 94) == 0)
        book.set(.bid, 80, Int64.max)
        #expect(apus_book_sum_depth(book.book, 0, 99) == Int64.max)
    }

    /// Prices near a wandering centre, with jumps, strays far away, prices off the tick and below zero.
    @Test(arguments: [Int64(1), 3, 10, 1000], [UInt64(1), 2, 3])
    func anySequenceGivesWhatADictionaryGives(tick: Int64, seed: UInt64) {
        let book = TestBook(tick: tick)
        var plain = PlainBook()
        var random = Sequence64(state: seed)
        var centre: Int64 = seed == 3 ? 40 : 60_000
        for step in 0..<12_000 {
            let side = random.below(2) == 0 ? BookSide.bid : .ask
            let price: Int64
            switch random.below(100) {
            case 0: price = Int64(bitPattern: random.next()) / 4
            case 1: price = (centre + random.below(200_000) - 100_000) * tick
            case 2: price = centre * tick + random.below(50)
            case 3:
                if random.below(10) == 0 { centre += random.below(9_000) - 4_500 }
                price = centre * tick
            default: price = (centre + random.below(600) - 300) * tick
            }
            let quantity = random.below(3) == 0 ? 0 : random.below(1_000) + 1
            let result = book.set(side, price, quantity)
            let expected = plain.set(side, price, quantity)
            guard result == expected else {
                Issue.record("step \(step): \(side) \(price) \(quantity) gave \(result), not \(expected)")
                return
            }
        }
        for side in BookSide.allCases {
            #expect(book.levels(side) == plain.rows(side))
            #expect(Int(apus_book_level_count(book.book, side.number)) == plain.rows(side).count)
        }
        #expect(apus_book_memory(book.book) == book.arena.pointee.live)
    }

    @Test(arguments: [Int64(1), 7]) func extremePricesAreKept(tick: Int64) {
        let book = TestBook(tick: tick)
        let prices: [Int64] = [.min, .min + 1, -7, -1, 0, 7, 1 << 62, .max - 1, .max]
        for (number, price) in prices.enumerated() {
            book.set(.bid, price, Int64(number) + 1)
            book.set(.ask, price, Int64(number) + 1)
        }
        #expect(book.levels(.bid).map(\.price) == prices.reversed())
        #expect(book.levels(.ask).map(\.price) == prices)
        #expect(book.touch == [.max, 9, .min, 1])
        for price in prices {
            book.set(.bid, price, 0)
            book.set(.ask, price, 0)
        }
        #expect(apus_book_empty(book.book, 0) && apus_book_empty(book.book, 1))
    }

    @Test(arguments: [Int64(1), 2, 3, 7, 10, 64, 1000, 12_345, 1 << 40])
    func onlyWholeTicksHaveATick(tick: Int64) {
        let book = TestBook(tick: tick)
        let largest = UInt64.max / UInt64(tick)
        var random = Sequence64(state: UInt64(tick))
        for _ in 0..<2_000 {
            let price = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
            let found = apus_book_tick(book.book, price)
            if price >= 0 && price % tick == 0 {
                #expect(found == UInt64(price / tick))
            } else if price < 0 {
                #expect(found > UInt64(Int64.max / tick))
            } else {
                #expect(found > largest)
            }
            let whole = price / tick * tick
            if whole >= 0 { #expect(apus_book_tick(book.book, whole) == UInt64(whole / tick)) }
        }
    }

    @Test(arguments: [Int64(1), 10, 1000], [BookSide.bid, .ask])
    func theLowestTicksAreAsGoodAsOthers(tick: Int64, side: BookSide) {
        let book = TestBook(tick: tick)
        var plain = PlainBook()
        var random = Sequence64(state: UInt64(tick) + 3)
        for _ in 0..<5_000 {
            let price = Int64(random.next() % 300) * tick
            let quantity = Int64(random.next() % 3)
            #expect(book.set(side, price, quantity) == plain.set(side, price, quantity))
        }
        #expect(book.levels(side) == plain.rows(side))
        let window = book.side(side)
        #expect(window.base == (side == .bid ? 0 : 0 &- UInt64(window.window)))
        #expect(window.limit == UInt64(window.window) * (side == .bid ? 15 : 16) / 16 && window.far.levels == 0)
        // A price below the lowest tick, or beside a tick, is never taken for one in the window.
        for price in [-1, -tick, -2 * tick, -64 * tick - 1, tick / 2 + 300 * tick] {
            #expect(book.set(side, price, 7) == plain.set(side, price, 7))
            #expect(book.levels(side) == plain.rows(side))
        }
    }

    @Test func bestPricesAreKnownWithoutTheirQuantities() {
        let book = TestBook()
        var price: Int64 = 5
        #expect(!apus_book_best_price(book.book, 0, &price) && price == 0)
        book.set(.bid, -3, 2)
        #expect(apus_book_best_price(book.book, 0, &price) && price == -3)
        book.set(.bid, 0, 2)
        #expect(apus_book_best_price(book.book, 0, &price) && price == 0)
        #expect(!apus_book_best_price(book.book, 1, &price))
        book.set(.bid, 0, 0)
        book.set(.bid, -3, 0)
        #expect(!apus_book_best_price(book.book, 0, &price))
    }

    @Test func theWindowGrowsWhenItsMissesAreManyAndFollowsTheMarket() {
        let book = TestBook()
        let start = 1_000_000
        book.set(.bid, Int64(start), 1)
        #expect(book.book.pointee.sides.0.window == APUS_BOOK_WINDOW_MIN)
        for pass in 1...8 {
            for distance in stride(from: 0, to: 6_000, by: 2) {
                book.set(.bid, Int64(start - distance), Int64(pass))
            }
        }
        let grown = book.book.pointee.sides.0
        #expect(grown.window >= 8_192 && grown.window <= APUS_BOOK_WINDOW_MAX)
        #expect(grown.far.levels == 0)
        // The market walks far away; its book goes with it, and what it left behind stays.
        for step in 1...20_000 {
            book.set(.bid, Int64(start + step), 9)
        }
        let moved = book.book.pointee.sides.0
        #expect(moved.best_key == Int64(start + 20_000))
        #expect(UInt64(bitPattern: moved.best_key) - moved.base < UInt64(moved.window))
        #expect(apus_book_quantity(book.book, 0, Int64(start - 5_998)) == 8)
        #expect(apus_book_level_count(book.book, 0) == 23_000)
    }

    @Test func aStrayPriceDoesNotCarryTheWindowAway() {
        let book = TestBook()
        for distance in 0..<100 {
            book.set(.ask, Int64(50_000 + distance), 1)
        }
        let base = book.book.pointee.sides.1.base
        #expect(book.set(.ask, 3, 5) == 1 | 4)
        #expect(book.touch[2...3] == [3, 5])
        #expect(book.book.pointee.sides.1.base == base)
        #expect(book.set(.ask, 50_000, 2) == 3)
        #expect(book.set(.ask, 3, 0) == 2 | 4)
        #expect(book.touch[2...3] == [50_000, 2])
    }

    @Test func aQuietInstrumentIsSmall() {
        let book = TestBook(tick: 10)
        for level in 0..<500 {
            book.set(.bid, Int64(100_000 - level * 30), 1)
            book.set(.ask, Int64(100_010 + level * 30), 1)
        }
        #expect(apus_book_memory(book.book) + UInt64(MemoryLayout<apus_book>.size) <= 65_536)
    }

    @Test func aFullArenaIsAnErrorAndNotATruncatedBook() {
        let book = TestBook(tick: 10, bytes: 30_000)
        var result: Int32 = 0
        var price: Int64 = 0
        while result >= 0 && price < 10_000_000 {
            price += 10_000
            result = book.set(.bid, price, 1)
        }
        #expect(result == -ENOMEM)
        #expect(book.book.pointee.error == -ENOMEM)
        #expect(book.levels(.bid).isEmpty && apus_book_best(book.book).bid_quantity == 0)
        #expect(book.set(.ask, 10, 1) == -ENOMEM)
        #expect(apus_book_set_tick(book.book, 5) == -ENOMEM)
        #expect(book.arena.pointee.live == 0)
        apus_book_clear(book.book)
        #expect(book.set(.ask, 10, 1) == 1 | 4)
    }

    @Test func aNegativeQuantityIsRefused() {
        let book = TestBook()
        book.set(.bid, 10, 1)
        #expect(book.set(.bid, 11, -1) == -EINVAL)
        #expect(book.book.pointee.error == -EINVAL)
        #expect(book.set(.bid, 10, 1) == -EINVAL)
        apus_book_clear(book.book)
        #expect(book.set(.bid, 10, 1) == 1 | 4)
    }

    @Test func clearingGivesAllMemoryBack() {
        let book = TestBook()
        for level in 0..<5_000 {
            book.set(.bid, Int64(level * 777), 1)
        }
        #expect(book.arena.pointee.live > 0)
        apus_book_clear(book.book)
        #expect(book.arena.pointee.live == 0)
        #expect(book.levels(.bid).isEmpty)
    }

    @Test func anotherTickSizeKeepsEveryLevel() {
        let book = TestBook(tick: 10)
        for level in 0..<3_000 {
            book.set(.bid, Int64(100_000 - level * 10), Int64(level + 1))
            book.set(.ask, Int64(100_010 + level * 10), Int64(level + 1))
        }
        let before = (book.levels(.bid), book.levels(.ask))
        for tick in [Int64(1), 25, 10] {
            #expect(apus_book_set_tick(book.book, tick) == 0)
            #expect(book.levels(.bid) == before.0 && book.levels(.ask) == before.1)
            #expect(book.touch == [100_000, 1, 100_010, 1])
        }
        #expect(apus_book_set_tick(book.book, 0) == -EINVAL)
        #expect(book.arena.pointee.live == apus_book_memory(book.book))
    }

    @Test func manyLevelsAreAppliedInOneCall() {
        let book = TestBook()
        let levels = [(10, 1), (11, 2), (12, 0), (10, 0)].map { apus_level(price: $0.0, quantity: $0.1) }
        #expect(apus_book_apply(book.book, 1, levels, UInt32(levels.count)) == 1 | 2 | 4)
        #expect(book.levels(.ask) == [Row(price: 11, quantity: 2)])
    }

    @Test func badTicksAreRefused() {
        let book = UnsafeMutablePointer<apus_book>.allocate(capacity: 1)
        let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
        defer {
            book.deallocate()
            arena.deallocate()
        }
        apus_arena_init(arena, nil, 0)
        #expect(apus_book_init(book, arena, 0) == -EINVAL)
        #expect(apus_book_init(book, nil, 1) == -EINVAL)
        #expect(apus_book_init(book, arena, 1) == 0)
        #expect(apus_book_set(book, 0, 5, 1) == -ENOMEM)
    }
}
