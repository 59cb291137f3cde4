package import Apus

/// An order as the venue tells it when it is asked, outside the hot path.
package struct VenueOrder: Sendable, Equatable, Codable {
    /// The engine's number; nil: not one of ours, or the venue cannot say.
    package var clientID: UInt64?
    /// The venue's number as reports carry it (Polymarket: the first eight bytes of the order hash).
    package var venueID: UInt64
    /// The venue's own text for it.
    package var venueText: String
    package var symbol: String
    package var side: Side
    package var price: ExactDecimal
    package var quantity: ExactDecimal
    package var filled: ExactDecimal
    /// The trades that `filled` counts, by their numbers in reports, where the venue names them: what it has taken back of them, it may
    /// still count.
    package var trades: [UInt64]
    /// What has become of it; nil while it is open.
    package var end: OrderState?

    package init(
        clientID: UInt64?, venueID: UInt64, venueText: String, symbol: String, side: Side, price: ExactDecimal,
        quantity: ExactDecimal, filled: ExactDecimal, trades: [UInt64] = [], end: OrderState? = nil
    ) {
        self.clientID = clientID
        self.venueID = venueID
        self.venueText = venueText
        self.symbol = symbol
        self.side = side
        self.price = price
        self.quantity = quantity
        self.filled = filled
        self.trades = trades
        self.end = end
    }
}

/// A trade of the account. `tradeID` is the same number that a report of the session carries for it.
package struct VenueTrade: Sendable, Equatable, Codable {
    package var tradeID: UInt64
    package var clientID: UInt64?
    package var venueID: UInt64
    package var symbol: String
    package var side: Side
    package var price: ExactDecimal
    package var quantity: ExactDecimal
    /// In the settlement asset, or in another.
    package var fee: Money
    package var isFeeInOtherAsset: Bool
    package var isMaker: Bool
    /// Wall clock of the venue, nanoseconds.
    package var time: UInt64
    /// The venue has taken the trade back (Polymarket: FAILED).
    package var isUndone: Bool

    package init(
        tradeID: UInt64, clientID: UInt64?, venueID: UInt64, symbol: String, side: Side, price: ExactDecimal,
        quantity: ExactDecimal, fee: Money, isMaker: Bool, time: UInt64, isUndone: Bool = false,
        isFeeInOtherAsset: Bool = false
    ) {
        self.tradeID = tradeID
        self.clientID = clientID
        self.venueID = venueID
        self.symbol = symbol
        self.side = side
        self.price = price
        self.quantity = quantity
        self.fee = fee
        self.isMaker = isMaker
        self.time = time
        self.isUndone = isUndone
        self.isFeeInOtherAsset = isFeeInOtherAsset
    }
}

/// What the account holds of an instrument; negative is short.
package struct VenuePosition: Sendable, Equatable, Codable {
    package var symbol: String
    package var quantity: ExactDecimal
    package var averagePrice: ExactDecimal?

    package init(symbol: String, quantity: ExactDecimal, averagePrice: ExactDecimal? = nil) {
        self.symbol = symbol
        self.quantity = quantity
        self.averagePrice = averagePrice
    }
}

/// A contract that the account holds, where positions are made of contracts that end by themselves, each once.
package struct VenueContract: Sendable, Equatable, Codable {
    /// The venue's number, which is that of the order that bought it too.
    package var id: UInt64
    package var symbol: String
    /// The number of its purchase, as a report of the session carries it.
    package var tradeID: UInt64
    /// What was paid for it.
    package var price: ExactDecimal
    /// Seconds of the venue's clock.
    package var boughtAt: UInt64
    /// The engine's number of the order that bought it; nil: none that is known.
    package var clientID: UInt64?

    package init(
        id: UInt64, symbol: String, tradeID: UInt64, price: ExactDecimal, boughtAt: UInt64, clientID: UInt64? = nil
    ) {
        self.id = id
        self.symbol = symbol
        self.tradeID = tradeID
        self.price = price
        self.boughtAt = boughtAt
        self.clientID = clientID
    }
}

/// Everything that the venue says of an account at one time. Recovery holds it against the journal.
package struct AccountSnapshot: Sendable, Equatable, Codable {
    /// Wall clock of the venue, nanoseconds.
    package var time: UInt64
    package var openOrders: [VenueOrder]
    /// Trades from the time that was asked for, oldest first.
    package var trades: [VenueTrade]
    package var positions: [VenuePosition]
    /// What positions are made of, where the venue knows contracts.
    package var contracts: [VenueContract]
    /// The wallet's balance of the settlement asset; nil: the venue does not say.
    package var balance: Money?

    package init(
        time: UInt64, openOrders: [VenueOrder] = [], trades: [VenueTrade] = [], positions: [VenuePosition] = [],
        contracts: [VenueContract] = [], balance: Money? = nil
    ) {
        self.time = time
        self.openOrders = openOrders
        self.trades = trades
        self.positions = positions
        self.contracts = contracts
        self.balance = balance
    }
}

/// What the engine knows of an order that it asks a venue about: enough to name it at every venue.
package struct KnownOrder: Sendable, Equatable, Codable {
    package var clientID: UInt64
    /// The venue's number; 0: not known.
    package var venueID: UInt64
    package var symbol: String
    package var side: Side
    package var price: ExactDecimal
    package var quantity: ExactDecimal
    /// Wall clock of the placement and of the order's own end (0: none), milliseconds: Polymarket's order id follows from them.
    package var wallMilliseconds: UInt64
    package var expireMilliseconds: UInt64
    package var timeInForce: TimeInForce
    /// The worst price of a market order; nil of others. Polymarket's order id follows from it too.
    package var limit: ExactDecimal?
    /// Of an order whose number at the venue is not known: those of the other orders of its instrument. What has them is not this one.
    package var others: [UInt64] = []

    package init(
        clientID: UInt64, venueID: UInt64, symbol: String, side: Side, price: ExactDecimal, quantity: ExactDecimal,
        wallMilliseconds: UInt64, expireMilliseconds: UInt64, timeInForce: TimeInForce, limit: ExactDecimal? = nil
    ) {
        self.clientID = clientID
        self.venueID = venueID
        self.symbol = symbol
        self.side = side
        self.price = price
        self.quantity = quantity
        self.wallMilliseconds = wallMilliseconds
        self.expireMilliseconds = expireMilliseconds
        self.timeInForce = timeInForce
        self.limit = limit
    }
}
