import CApusProtocol

/// A book with an arena of its own.
final class TestBook {
    let memory: UnsafeMutableRawPointer
    let arena: UnsafeMutablePointer<apus_arena>
    let book: UnsafeMutablePointer<apus_book>

    init(tick: Int64 = 1, bytes: Int = 1 << 22) {
        memory = .allocate(byteCount: bytes, alignment: 64)
        arena = .allocate(capacity: 1)
        book = .allocate(capacity: 1)
        apus_arena_init(arena, memory, bytes)
        precondition(apus_book_init(book, arena, tick) == 0)
    }

    deinit {
        book.deallocate()
        arena.deallocate()
        memory.deallocate()
    }

    @discardableResult func set(_ side: BookSide, _ price: Int64, _ quantity: Int64) -> Int32 {
        apus_book_set(book, side.number, price, quantity)
    }

    func side(_ side: BookSide) -> apus_book_side {
        side == .bid ? book.pointee.sides.0 : book.pointee.sides.1
    }

    func levels(_ side: BookSide, _ count: Int = 1 << 16) -> [Row] {
        var levels = [apus_level](repeating: apus_level(), count: count)
        let found = apus_book_depth(book, side.number, &levels, UInt32(count))
        return levels.prefix(Int(found)).map { Row(price: $0.price, quantity: $0.quantity) }
    }

    var touch: [Int64] {
        let touch = apus_book_best(book)
        return [touch.bid_price, touch.bid_quantity, touch.ask_price, touch.ask_quantity]
    }
}

struct Row: Equatable {
    var price: Int64
    var quantity: Int64
}

enum BookSide: CaseIterable {
    case bid
    case ask

    var number: UInt32 { self == .bid ? 0 : 1 }
}

/// The book as a dictionary.
struct PlainBook {
    var sides: [BookSide: [Int64: Int64]] = [.bid: [:], .ask: [:]]

    /// Returns the same bits as `apus_book_set`.
    mutating func set(_ side: BookSide, _ price: Int64, _ quantity: Int64) -> Int32 {
        let before = best(side)
        let existed = sides[side]?[price] != nil
        sides[side]?[price] = quantity == 0 ? nil : quantity
        let touch = before != best(side)
        return (quantity != 0 ? 1 : 0) | (existed ? 2 : 0) | (touch ? 4 : 0)
    }

    func rows(_ side: BookSide) -> [Row] {
        let rows = (sides[side] ?? [:]).map { Row(price: $0.key, quantity: $0.value) }
        return rows.sorted { side == .bid ? $0.price > $1.price : $0.price < $1.price }
    }

    func best(_ side: BookSide) -> Row? {
        let levels = sides[side] ?? [:]
        guard let price = side == .bid ? levels.keys.max() : levels.keys.min() else { return nil }
        return levels[price].map { Row(price: price, quantity: $0) }
    }
}

/// Numbers in a fixed order.
struct Sequence64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int64) -> Int64 { Int64(next() % UInt64(bound)) }
}
