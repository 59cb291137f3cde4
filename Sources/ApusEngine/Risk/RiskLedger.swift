package import Apus

/// What positions and open orders of all instruments come to together: exposures, what of each balance is used, the
/// result. Kept in step, never summed up anew for an order.
///
/// An instrument whose touch, position or open orders have changed is put on a list and valued anew before the next
/// order is judged, each once, however often it changed: `settle`. Its old part is taken out of the sums and the new
/// one put in.
///
/// Everything is in quote value, 10^-18, but what a purse holds, which is in its own settlement asset. A position is
/// valued at the higher side of its touch, which is on the safe side for exposures; its result at the middle.
package struct RiskLedger: ~Copyable {
    let records: UnsafeMutablePointer<InstrumentRecord>
    let rows: UnsafeMutablePointer<RiskRow>
    let purses: UnsafeMutablePointer<Purse>
    let totals: UnsafeMutablePointer<RiskTotals>
    /// Each strategy's part, and what it comes to in all instruments.
    private let shares: StrategyRows
    private let sums: UnsafeMutablePointer<StrategyRisk>
    private let capacity: Int
    private let changed: UnsafeMutablePointer<UInt16>
    private(set) var purseCount = 0
    private var assets: [String] = []

    /// No part of a sum is larger (2 · 10^16 whole coins), so that no sum of 4,096 overflows.
    static var greatestPart: Int128 { 1 << 114 }

    init(_ instruments: InstrumentTable, _ shares: StrategyRows, _ sums: UnsafeMutablePointer<StrategyRisk>) {
        (self.shares, self.sums) = (shares, sums)
        records = instruments.records
        capacity = max(instruments.capacity, 1)
        rows = .allocate(capacity: capacity)
        purses = .allocate(capacity: capacity)
        changed = .allocate(capacity: capacity)
        totals = .allocate(capacity: 1)
        totals.initialize(to: RiskTotals())
    }

    deinit {
        rows.deallocate()
        purses.deallocate()
        changed.deallocate()
        totals.deallocate()
    }

    /// Makes room for an instrument that was added to the table.
    mutating func add(_ instrument: Instrument, isPaidInFull: Bool) {
        let asset = instrument.record.pointee.settlementAsset
        var purse = 0
        while purse < purseCount && assets[purse] != asset { purse += 1 }
        if purse == purseCount {
            (purses + purse).initialize(to: Purse())
            purseCount += 1
            assets.append(asset)
        }
        instrument.record.pointee.isPaidInFull = isPaidInFull
        instrument.record.pointee.isAlwaysValued = shares.isSplit || instrument.record.pointee.economics.isInverse
        (rows + instrument.index).initialize(to: RiskRow(purse: purse))
    }

    /// The settlement asset of a purse; "" where the instruments name none.
    func asset(_ purse: Int) -> String { assets[purse] }

    // MARK: What has changed

    /// Position or open orders of an instrument have changed.
    @inline(__always)
    package func note(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        if record.pointee.valuation != .old { enlist(record) }
    }

    /// Its touch has changed: of interest only while there is a value of it.
    @inline(__always)
    package func noteTouch(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        if record.pointee.valuation == .fresh { enlist(record) }
    }

    @inline(never)
    private func enlist(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        record.pointee.valuation = .old
        changed[totals.pointee.changed] = record.pointee.index
        totals.pointee.changed += 1
    }

    /// Values anew what has changed. Returns whether anything had.
    @inline(__always)
    package func settle() -> Bool {
        if totals.pointee.changed == 0 { return false }
        settleAll()
        return true
    }

    @inline(never)
    private func settleAll() {
        for place in 0..<totals.pointee.changed { value(Int(changed[place])) }
        totals.pointee.changed = 0
    }

    private func value(_ index: Int) {
        let record = records + index, row = rows + index
        let isIdle =
            record.pointee.position.quantity == 0 && record.pointee.openBuys == 0 && record.pointee.openSells == 0
        if isIdle && row.pointee.isAsFlat(record.pointee.position) && !record.pointee.isAlwaysValued {
            record.pointee.valuation = .none  // an order came and went
            return
        }
        row.pointee.mark = Self.mark(record, before: row.pointee.mark)
        var new = RiskRow(purse: row.pointee.purse)
        new.mark = row.pointee.mark
        if !isIdle { Self.expose(record, &new) }
        Self.reckon(record, &new)
        let isShared = shares.isSplit && valueShares(record, new.mark)
        // What was earned in a base asset is worth more or less as its price moves, also without a position.
        let isSettled = isIdle && (new.result == 0 || !record.pointee.economics.isInverse)
        let touch = record.pointee.touch
        new.isUnpriced =
            touch.bidQuantity == 0 && touch.askQuantity == 0 && (record.pointee.position.quantity != 0 || isShared)
        record.pointee.valuation = isSettled && !isShared ? .none : .fresh
        totals.pointee.unpriced += (new.isUnpriced ? 1 : 0) - (row.pointee.isUnpriced ? 1 : 0)
        let purse = purses + new.purse
        totals.pointee.gross += new.gross - row.pointee.gross
        totals.pointee.long += new.long - row.pointee.long
        totals.pointee.short += new.short - row.pointee.short
        totals.pointee.result += new.result - row.pointee.result
        purse.pointee.used += new.used - row.pointee.used
        purse.pointee.flow += new.flow - row.pointee.flow
        purse.pointee.loss += new.loss - row.pointee.loss
        row.pointee = new
    }

    /// What a position is valued at: the higher price of the touch, the one before when there is none.
    @inline(__always)
    static func mark(_ record: UnsafeMutablePointer<InstrumentRecord>, before: Int64) -> Int64 {
        let touch = record.pointee.touch
        if touch.askQuantity != 0 {
            return touch.bidQuantity != 0 ? max(touch.askPrice, touch.bidPrice) : touch.askPrice
        }
        if touch.bidQuantity != 0 { return touch.bidPrice }
        return before != 0 ? before : record.pointee.lastTrade
    }

    @inline(__always)
    static func bounded(_ part: Int128) -> Int128 { min(max(part, -greatestPart), greatestPart) }

    /// The position with all open buys filled, and with all open sells filled.
    @inline(__always)
    private static func extremes(_ held: Int64, _ openBuys: Int64, _ openSells: Int64) -> (most: Int64, least: Int64) {
        let (bought, tooMuch) = held.addingReportingOverflow(openBuys)
        let (sold, tooLittle) = held.subtractingReportingOverflow(openSells)
        return (tooMuch ? .max : bought, tooLittle ? .min : sold)
    }

    private static func expose(_ record: UnsafeMutablePointer<InstrumentRecord>, _ row: inout RiskRow) {
        let economics = record.pointee.economics
        let (most, least) = extremes(
            record.pointee.position.quantity, record.pointee.openBuys, record.pointee.openSells)
        row.long = bounded(economics.notional(row.mark, most))
        row.short = bounded(economics.notional(row.mark, least))
        row.gross = max(row.long, -row.short)
        if record.pointee.isPaidInFull {
            row.used = bounded(record.pointee.openCost)
        } else if economics.isInverse {
            row.used = bounded(max(economics.value(row.mark, most), -bounded(economics.value(row.mark, least))))
        } else {
            row.used = row.gross
        }
    }

    /// The result, and what of the balance has come in or gone out.
    private static func reckon(_ record: UnsafeMutablePointer<InstrumentRecord>, _ row: inout RiskRow) {
        let economics = record.pointee.economics
        let position = record.pointee.position
        let settled = bounded(position.realised) - bounded(position.fees) - bounded(position.funding)
        let open = bounded(position.unrealised(record.pointee.touch, economics))
        if record.pointee.isPaidInFull {
            row.flow = settled - bounded(position.cost)
        } else {
            row.flow = settled
            row.loss = max(-open, 0)
        }
        (row.realised, row.fees, row.funding) = (position.realised, position.fees, position.funding)
        let result = settled + open
        row.result = economics.isInverse ? quoteValue(result, row.mark, economics) : result
    }

    /// Values each strategy's part of an instrument anew. Returns whether the next touch matters to one of them.
    private func valueShares(_ record: UnsafeMutablePointer<InstrumentRecord>, _ mark: Int64) -> Bool {
        let economics = record.pointee.economics
        var matters = false
        for strategy in 0..<shares.count {
            let row = shares.row(UInt8(strategy), record), position = row.pointee.position
            var new = StrategyValue()
            let (most, least) = Self.extremes(position.quantity, row.pointee.openBuys, row.pointee.openSells)
            if most != 0 || least != 0 {
                new.long = Self.bounded(economics.notional(mark, most))
                new.short = Self.bounded(economics.notional(mark, least))
                new.gross = max(new.long, -new.short)
                matters = true
            }
            let result = Self.result(position, record.pointee.touch, economics)
            new.result = economics.isInverse ? Self.quoteValue(result, mark, economics) : result
            if economics.isInverse && result != 0 { matters = true }
            let sum = sums + strategy, old = row.pointee.value
            sum.pointee.totals.long += new.long - old.long
            sum.pointee.totals.short += new.short - old.short
            sum.pointee.totals.gross += new.gross - old.gross
            sum.pointee.totals.result += new.result - old.result
            row.pointee.value = new
        }
        return matters
    }

    /// What a position has earned and would earn, in the settlement asset.
    private static func result(_ position: PositionLedger, _ touch: Touch, _ economics: Economics) -> Int128 {
        bounded(position.realised) - bounded(position.fees) - bounded(position.funding)
            + bounded(position.unrealised(touch, economics))
    }

    /// So much of the base asset in the quote asset.
    private static func quoteValue(_ amount: Int128, _ price: Int64, _ economics: Economics) -> Int128 {
        bounded(amount.multipliedSaturating(by: Int128(price)).dividedNearest(by: economics.priceOne))
    }

    /// Values everything anew, also what is not on the list: after positions were restored.
    package func settleEverything(count: Int) {
        for index in 0..<count { note(records + index) }
        settleAll()
    }
}

/// One instrument's part of the sums.
struct RiskRow {
    let purse: Int
    /// The price that it was valued at.
    var mark: Int64 = 0
    /// Quote value of the position with all open buys filled, and with all open sells filled; with their signs.
    var long: Int128 = 0
    var short: Int128 = 0
    /// The larger of their magnitudes.
    var gross: Int128 = 0
    /// What of its purse it uses: the cost of open buys, or the value that margin is asked for.
    var used: Int128 = 0
    /// What has come into its purse, and what an open position would take out of it.
    var flow: Int128 = 0
    var loss: Int128 = 0
    var result: Int128 = 0
    /// It is held, and no touch says what it is worth.
    var isUnpriced = false

    /// What the position had earned and paid when it was valued.
    var realised: Int128 = 0
    var fees: Int128 = 0
    var funding: Int128 = 0

    init(purse: Int) { self.purse = purse }

    /// Whether it was valued without position and orders, and nothing was earned or paid since.
    func isAsFlat(_ position: PositionLedger) -> Bool {
        mark != 0 && gross == 0 && used == 0 && realised == position.realised && fees == position.fees
            && funding == position.funding
    }
}

struct RiskTotals {
    var gross: Int128 = 0
    var long: Int128 = 0
    var short: Int128 = 0
    var result: Int128 = 0
    /// Instruments that are held and of which no touch says what they are worth.
    var unpriced = 0
    /// Instruments on the list.
    var changed = 0
}

/// The balance of one settlement asset.
struct Purse {
    /// What was there before the first fill; meaningless while `isKnown` is false.
    var start: Int128 = 0
    var isKnown = false
    var flow: Int128 = 0
    /// Losses of open positions: margin accounts only.
    var loss: Int128 = 0
    var used: Int128 = 0

    /// What the wallet holds.
    var balance: Int128 { start + flow }
    /// What `used` may come to.
    func cover(_ leverage: Int) -> Int128 { (start + flow - loss).multipliedSaturating(by: Int128(leverage)) }
}
