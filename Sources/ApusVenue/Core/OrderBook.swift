/// The side of an order.
package enum Side: UInt8, Sendable {
    case buy, sell

    /// The side an order of this side trades with.
    package var opposite: Side { self == .buy ? .sell : .buy }

    var name: StaticString { self == .buy ? "BUY" : "SELL" }
}

/// One order in the book, a node of its level's queue.
struct RestingOrder {
    var id: Int64
    var price: Int64
    var remaining: Int64
    var owner: Int32
    fileprivate(set) var next: Int32 = -1
    fileprivate(set) var previous: Int32 = -1
    var side: Side
}

/// One price with the queue of its orders, oldest first.
struct BookLevel {
    var price: Int64
    var quantity: Int64
    fileprivate(set) var head: Int32
    fileprivate(set) var tail: Int32
}

/// The levels of one side, the best one last: nearly all work is at the touch, where an array moves almost nothing.
struct BookSide {
    fileprivate(set) var levels: ContiguousArray<BookLevel> = []
    fileprivate let sign: Int64

    fileprivate init(side: Side) {
        sign = side == .buy ? 1 : -1
        levels.reserveCapacity(4096)
    }

    var best: BookLevel? { levels.last }

    /// Where the price is, or where it would be inserted.
    func find(_ price: Int64) -> (index: Int, found: Bool) {
        let key = price &* sign
        return levels.withUnsafeBufferPointer { levels in
            var low = 0
            var high = levels.count
            // Most prices are within a few levels of the touch: gallop from there before halving.
            var step = 4
            while high - step > 0 {
                let probe = high - step
                if levels[probe].price &* sign <= key {
                    low = probe
                    break
                }
                high = probe
                step &*= 2
            }
            while low < high {
                let middle = (low + high) >> 1
                if levels[middle].price &* sign < key { low = middle + 1 } else { high = middle }
            }
            return (low, low < levels.count && levels[low].price == price)
        }
    }

    /// Quantity at a price, zero when there is none.
    func quantity(at price: Int64) -> Int64 {
        let place = find(price)
        return place.found ? levels[place.index].quantity : 0
    }
}

/// A book of orders by price and time. Orders live in one slab and are named by their slot; a slot is reused after
/// its order is gone, so whoever keeps a slot keeps the order's id beside it.
struct OrderBook {
    private(set) var bids = BookSide(side: .buy)
    private(set) var asks = BookSide(side: .sell)
    private var orders: ContiguousArray<RestingOrder> = []
    private var firstFree: Int32 = -1

    func side(_ side: Side) -> BookSide { side == .buy ? bids : asks }

    func best(_ side: Side) -> BookLevel? { side == .buy ? bids.best : asks.best }

    func quantity(_ side: Side, at price: Int64) -> Int64 {
        side == .buy ? bids.quantity(at: price) : asks.quantity(at: price)
    }

    subscript(slot: Int32) -> RestingOrder { orders[Int(slot)] }

    /// Whether the slot still holds the order of that id.
    func holds(slot: Int32, id: Int64) -> Bool {
        slot >= 0 && Int(slot) < orders.count && orders[Int(slot)].id == id
    }

    /// The order behind this one in its level's queue.
    func next(after slot: Int32) -> Int32? {
        let next = orders[Int(slot)].next
        return next < 0 ? nil : next
    }

    /// Appends an order to the queue of its price and returns its slot.
    mutating func add(_ order: RestingOrder) -> Int32 {
        let slot = takeSlot(order)
        if order.side == .buy { Self.link(slot, in: &bids, &orders) } else { Self.link(slot, in: &asks, &orders) }
        return slot
    }

    /// Takes an order out.
    mutating func remove(slot: Int32) {
        if orders[Int(slot)].side == .buy {
            Self.unlink(slot, in: &bids, &orders)
        } else {
            Self.unlink(slot, in: &asks, &orders)
        }
        orders[Int(slot)].id = 0
        orders[Int(slot)].next = firstFree
        firstFree = slot
    }

    /// Makes an order smaller; it keeps its place. A quantity that leaves nothing removes it.
    mutating func reduce(slot: Int32, by quantity: Int64) {
        if orders[Int(slot)].remaining <= quantity { return remove(slot: slot) }
        orders[Int(slot)].remaining -= quantity
        let order = orders[Int(slot)]
        if order.side == .buy {
            bids.levels[bids.find(order.price).index].quantity -= quantity
        } else {
            asks.levels[asks.find(order.price).index].quantity -= quantity
        }
    }

    private mutating func takeSlot(_ order: RestingOrder) -> Int32 {
        guard firstFree >= 0 else {
            orders.append(order)
            return Int32(orders.count - 1)
        }
        let slot = firstFree
        firstFree = orders[Int(slot)].next
        orders[Int(slot)] = order
        return slot
    }

    private static func link(
        _ slot: Int32, in side: inout BookSide, _ orders: inout ContiguousArray<RestingOrder>
    ) {
        let order = orders[Int(slot)]
        let place = side.find(order.price)
        orders[Int(slot)].next = -1
        if place.found {
            let tail = side.levels[place.index].tail
            orders[Int(tail)].next = slot
            orders[Int(slot)].previous = tail
            side.levels[place.index].tail = slot
            side.levels[place.index].quantity += order.remaining
        } else {
            orders[Int(slot)].previous = -1
            let level = BookLevel(price: order.price, quantity: order.remaining, head: slot, tail: slot)
            side.levels.insert(level, at: place.index)
        }
    }

    private static func unlink(
        _ slot: Int32, in side: inout BookSide, _ orders: inout ContiguousArray<RestingOrder>
    ) {
        let order = orders[Int(slot)]
        let index = side.find(order.price).index
        if order.previous < 0 && order.next < 0 {
            side.levels.remove(at: index)
            return
        }
        if order.previous < 0 {
            side.levels[index].head = order.next
        } else {
            orders[Int(order.previous)].next = order.next
        }
        if order.next < 0 {
            side.levels[index].tail = order.previous
        } else {
            orders[Int(order.next)].previous = order.previous
        }
        side.levels[index].quantity -= order.remaining
    }
}
