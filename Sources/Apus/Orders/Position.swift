/// What is held of one instrument and what it has earned. Exact; formulas with P&L in the settlement asset:
///
/// - value v(p, q): linear and binary p · q · multiplier (quote asset); inverse q · multiplier / p (base asset)
/// - a fill that enlarges the position adds v to its cost; one that reduces it takes cost · closed / held out of it
///   (average cost)
/// - realised, long: v(exit) - cost taken out; short: the opposite; inverse: the opposite sign of both
/// - unrealised: the same with the whole position at the middle of the touch (at the one side there is, if one is
///   empty)
///
/// Sources: Binance, "USDⓈ-M and COIN-M profit and loss calculation"; an outcome token settles at 0 or 1, which is a
/// linear sale.
///
/// ```swift
/// let position = context.position(of: book.instrument)
/// if position.quantity > limit { sell() }
/// ```
@frozen
public struct Position {
    @usableFromInline let record: UnsafeMutablePointer<InstrumentRecord>
    @usableFromInline let ledger: UnsafeMutablePointer<PositionLedger>

    @inlinable
    package init(
        _ record: UnsafeMutablePointer<InstrumentRecord>, _ ledger: UnsafeMutablePointer<PositionLedger>
    ) {
        self.record = record
        self.ledger = ledger
    }

    /// The account's.
    package init(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        self.init(record, record.pointer(to: \.position)!)
    }

    /// The instrument.
    @inlinable
    public var instrument: Instrument { Instrument(record) }
    /// What is held; negative is short.
    @inlinable
    public var quantity: Quantity { Quantity(units: ledger.pointee.quantity) }
    /// Whether nothing is held.
    @inlinable
    public var isFlat: Bool { ledger.pointee.quantity == 0 }
    /// The average entry price, rounded to a price unit; nil when flat. The cost behind it is kept exactly.
    public var averagePrice: Price? {
        record.pointee.economics.price(ofValue: ledger.pointee.cost, ledger.pointee.quantity).map { Price(units: $0) }
    }
    /// Earned by closed parts, before fees.
    @inlinable
    public var realised: Money { Money(atoms: ledger.pointee.realised) }
    /// Fees paid; negative is a rebate received.
    @inlinable
    public var fees: Money { Money(atoms: ledger.pointee.fees) }
    /// Paid for holding it, from one funding time to the next; negative was received.
    @inlinable
    public var funding: Money { Money(atoms: ledger.pointee.funding) }
    /// Fees that were paid in another asset, in that asset. They are in `fees` only where a rate is known.
    public var otherFees: Money { Money(atoms: ledger.pointee.otherFees) }
    /// How many fees were paid in another asset of which no rate is known: they are in no profit.
    public var unvaluedFees: Int { ledger.pointee.unvaluedFees }
    /// What closing at the middle of the touch would earn; zero when flat or when the book is empty.
    public var unrealised: Money {
        Money(atoms: ledger.pointee.unrealised(record.pointee.touch, record.pointee.economics))
    }
    /// Realised plus unrealised minus fees and funding.
    public var profit: Money { realised + unrealised - fees - funding }
    /// Bought so far.
    @inlinable
    public var bought: Quantity { Quantity(units: ledger.pointee.bought) }
    /// Sold so far.
    @inlinable
    public var sold: Quantity { Quantity(units: ledger.pointee.sold) }
}

/// The arithmetic behind `Position`: quantities in units, money in 10^-18.
@usableFromInline
package struct PositionLedger: Equatable {
    /// Signed: negative is short.
    @usableFromInline package var quantity: Int64 = 0
    /// The entry value, with the sign of the quantity.
    @usableFromInline package var cost: Int128 = 0
    @usableFromInline package var realised: Int128 = 0
    @usableFromInline package var fees: Int128 = 0
    @usableFromInline package var funding: Int128 = 0
    /// Fees in another asset, in that asset, and of how many no value is known.
    package var otherFees: Int128 = 0
    package var unvaluedFees = 0
    @usableFromInline package var bought: Int64 = 0
    @usableFromInline package var sold: Int64 = 0

    @usableFromInline
    package init() {}

    /// Takes in a fill of a positive quantity.
    package mutating func apply(_ side: Side, price: Int64, quantity filled: Int64, fee: Int128, _ economics: Economics)
    {
        fees = (Money(atoms: fees) + Money(atoms: fee)).atoms
        if side == .buy { bought &+= filled } else { sold &+= filled }
        let reduces = quantity != 0 && (quantity > 0) != (side == .buy)
        let closing = reduces ? min(filled, Int64(clamping: quantity.magnitude)) : 0
        if closing > 0 { close(closing, price, economics) }
        let opening = filled - closing
        if opening > 0 {
            let value = economics.value(price, opening) * Int128(side.sign)
            cost = (Money(atoms: cost) + Money(atoms: value)).atoms
            let (sum, overflow) = quantity.addingReportingOverflow(opening * side.sign)
            quantity = overflow ? (side == .buy ? .max : .min) : sum
        }
    }

    /// A fee in another asset, or one that is taken back.
    package mutating func note(otherFee change: Int128, isUndone: Bool, isValued: Bool) {
        otherFees = (Money(atoms: otherFees) + Money(atoms: change)).atoms
        if !isValued { unvaluedFees += isUndone ? -1 : 1 }
    }

    /// Funding that was paid; negative was received.
    package mutating func pay(funding paid: Int128) { funding = (Money(atoms: funding) + Money(atoms: paid)).atoms }

    private mutating func close(_ closing: Int64, _ price: Int64, _ economics: Economics) {
        let sign: Int64 = quantity > 0 ? 1 : -1
        let part =
            closing == quantity.magnitude
            ? cost : cost.scaled(by: UInt64(closing), over: UInt64(quantity.magnitude))
        earn(Money(atoms: economics.value(price, closing) * Int128(sign)) - Money(atoms: part), economics)
        cost -= part
        quantity -= closing * sign
    }

    private mutating func earn(_ gain: Money, _ economics: Economics) {
        realised = (Money(atoms: realised) + (economics.isInverse ? -gain : gain)).atoms
    }

    /// A fill that was taken in at an assumed price turns out to have had another one.
    package mutating func correct(
        _ side: Side, from assumed: Int64, to price: Int64, quantity filled: Int64, fee: Int128, _ economics: Economics
    ) {
        fees = (Money(atoms: fees) + Money(atoms: fee)).atoms
        let gain = Money(atoms: economics.value(assumed, filled)) - Money(atoms: economics.value(price, filled))
        earn(side == .buy ? gain : -gain, economics)
    }

    /// Takes a fill back. What it cost and earned in all is gone exactly; how that is shared between the realised and the unrealised part
    /// follows the average cost at the time of the undoing.
    package mutating func undo(
        _ side: Side, price: Int64, quantity undone: Int64, fee: Int128, _ economics: Economics
    ) {
        let (bought, sold) = (bought, sold)
        apply(side.opposite, price: price, quantity: undone, fee: -fee, economics)
        self.bought = side == .buy ? bought &- undone : bought
        self.sold = side == .sell ? sold &- undone : sold
    }

    /// Takes in another position in the same instrument, and what it has earned and paid.
    package mutating func add(_ other: PositionLedger) {
        func sum(_ one: Int128, _ two: Int128) -> Int128 { (Money(atoms: one) + Money(atoms: two)).atoms }
        quantity += other.quantity
        cost = sum(cost, other.cost)
        realised = sum(realised, other.realised)
        fees = sum(fees, other.fees)
        funding = sum(funding, other.funding)
        otherFees = sum(otherFees, other.otherFees)
        unvaluedFees += other.unvaluedFees
        bought &+= other.bought
        sold &+= other.sold
    }

    /// Holds so much from now on, entered at that price; 0: nobody knows at which, and it cost nothing.
    package mutating func hold(_ quantity: Int64, at price: Int64, _ economics: Economics) {
        self.quantity = quantity
        cost = price > 0 ? economics.value(price, quantity) : 0
    }

    /// The gain if all were closed at the middle of the touch.
    package func unrealised(_ touch: Touch, _ economics: Economics) -> Int128 {
        guard quantity != 0, touch.bidQuantity != 0 || touch.askQuantity != 0 else { return 0 }
        let bid = touch.bidQuantity != 0 ? touch.bidPrice : touch.askPrice
        let ask = touch.askQuantity != 0 ? touch.askPrice : touch.bidPrice
        let gain = Money(atoms: economics.value(between: bid, and: ask, quantity)) - Money(atoms: cost)
        return economics.isInverse ? (-gain).atoms : gain.atoms
    }
}

/// Profit and loss of the whole engine, summed over instruments that settle in one asset.
public struct Profit: Sendable, Equatable {
    /// Earned by closed parts, before fees.
    public var realised: Money
    /// What closing everything at the middle of the touch would earn.
    public var unrealised: Money
    /// Fees paid.
    public var fees: Money
    /// Funding paid.
    public var funding: Money
    /// Realised plus unrealised minus fees and funding.
    public var net: Money { realised + unrealised - fees - funding }

    /// A profit of these parts.
    public init(
        realised: Money = .zero, unrealised: Money = .zero, fees: Money = .zero, funding: Money = .zero
    ) {
        self.realised = realised
        self.unrealised = unrealised
        self.fees = fees
        self.funding = funding
    }
}
