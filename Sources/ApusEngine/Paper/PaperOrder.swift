internal import Apus

/// An order at the paper venue.
struct PaperOrder {
    var id: UInt64
    var venueID: UInt64
    var instrument: Int
    var side: Side
    var timeInForce: TimeInForce
    var price: Int64
    var quantity: Int64
    var filled: Int64 = 0
    var isResting = false
    var status: UInt8 = 0
    /// What stands before it at its price; `unknownQueue` while its price is deeper than the board shows.
    var ahead: Int64 = 0
    var decided: UInt64
    /// When it ends by itself; `.max`: never.
    var expiry = UInt64.max

    var remaining: Int64 { quantity - filled }

    static let unknownQueue = Int64.max
}

/// The paper venue's memory of its orders: the newest `capacity`, so that a query finds ended ones too.
struct PaperOrders: ~Copyable {
    static let capacity = 4096
    static let restingCapacity = 1024

    let orders: UnsafeMutablePointer<PaperOrder>
    /// Places of resting orders, in the order of their arrival.
    let resting: UnsafeMutablePointer<Int>
    private(set) var restingCount = 0
    private var next = 0
    private var used = 0

    init() {
        orders = .allocate(capacity: Self.capacity)
        resting = .allocate(capacity: Self.restingCapacity)
    }

    deinit {
        orders.deallocate()
        resting.deallocate()
    }

    var hasRoomToRest: Bool { restingCount < Self.restingCapacity }

    /// Remembers an order in place of the oldest that does not rest.
    mutating func add(_ order: PaperOrder) -> Int {
        while next < used && orders[next].isResting { next = (next + 1) % Self.capacity }
        let place = next
        (orders + place).initialize(to: order)
        used = max(used, place + 1)
        next = (next + 1) % Self.capacity
        return place
    }

    /// The newest order with that client id. Looks at resting ones first; O(orders), for cancels, changes and queries.
    func find(_ id: UInt64) -> Int? {
        for index in 0..<restingCount where orders[resting[index]].id == id { return resting[index] }
        // What is asked about is mostly new.
        var place = next
        for _ in 0..<used {
            place = place == 0 ? used - 1 : place - 1
            if orders[place].id == id { return place }
        }
        return nil
    }

    mutating func rest(_ place: Int) {
        orders[place].isResting = true
        resting[restingCount] = place
        restingCount += 1
    }

    /// False when it does not rest.
    mutating func leave(_ place: Int) -> Bool {
        guard orders[place].isResting, let index = (0..<restingCount).first(where: { resting[$0] == place }) else {
            return false
        }
        orders[place].isResting = false
        restingCount -= 1
        for later in index..<restingCount { resting[later] = resting[later + 1] }
        return true
    }
}

/// What the paper venue knows of one instrument's market.
struct PaperMarket {
    var touch = Touch.empty
    var state = BookState.syncing
    var eventNumber: UInt64 = 0
    /// Our orders that rest in it, and between which prices no touch meets any of them (the bounds may be too narrow).
    var resting = 0
    var highestBuy = Int64.min
    var lowestSell = Int64.max
    /// A queue must be looked up at every event: its price is deeper than the board.
    var hasDeepQueue = false

    /// Takes note of an order that rests.
    mutating func bound(_ order: borrowing PaperOrder) {
        if order.side == .buy {
            highestBuy = max(highestBuy, order.price)
        } else {
            lowestSell = min(lowestSell, order.price)
        }
    }

    /// Whether one of our orders may meet the touch.
    var mayCross: Bool { touch.askPrice <= highestBuy || touch.bidPrice >= lowestSell }
    /// What our own orders have taken from each side since its book last changed: nobody sells the same quantity twice.
    var takenBids: Int64 = 0
    var takenAsks: Int64 = 0
}
