package import Apus
internal import CApusRing

/// What is whose where several strategies trade one account: each one's positions and what it has open. What is nobody's is kept
/// apart, so that all of them together are the account's.
///
/// It owns the memory that `StrategyRows` leads to.
package final class StrategyLedger {
    package let rows: StrategyRows
    /// By number; the last place is nobody's.
    private let blocks: UnsafeMutablePointer<UnsafeMutablePointer<StrategyRow>?>
    private let instruments: Int
    private let count: UnsafeMutablePointer<Int>

    private static var places: Int { Int(Order.nobody) + 1 }

    /// - Parameter instruments: how many there may be.
    package init(strategies: Int, instruments: Int) {
        self.instruments = max(instruments, 1)
        blocks = .allocate(capacity: Self.places)
        blocks.initialize(repeating: nil, count: Self.places)
        count = .allocate(capacity: 1)
        count.initialize(to: 0)
        rows = StrategyRows(blocks: blocks, counter: count)
        blocks[Int(Order.nobody)] = block()
        for _ in 0..<strategies { add() }
    }

    deinit {
        for place in 0..<Self.places { blocks[place]?.deallocate() }
        blocks.deallocate()
        count.deallocate()
    }

    /// Makes room for one more strategy; at most 255.
    package func add() {
        precondition(count.pointee < Int(Order.nobody), "a strategy's number fits into a byte")
        blocks[count.pointee] = block()
        count.pointee += 1
    }

    private func block() -> UnsafeMutablePointer<StrategyRow> {
        let block = UnsafeMutablePointer<StrategyRow>.allocate(capacity: instruments)
        block.initialize(repeating: StrategyRow(), count: instruments)
        return block
    }
}

/// One strategy's part of one instrument.
package struct StrategyRow {
    package var position = PositionLedger()
    var openBuys: Int64 = 0
    var openSells: Int64 = 0
    /// Fills so far.
    var fills: UInt64 = 0
    /// What the risk gate has valued it at.
    var value = StrategyValue()
}

/// The way to a `StrategyLedger`'s rows, without counting references; none where one strategy has everything.
package struct StrategyRows {
    private let blocks: UnsafeMutablePointer<UnsafeMutablePointer<StrategyRow>?>?
    private let counter: UnsafeMutablePointer<Int>?

    package init() {
        blocks = nil
        counter = nil
    }

    fileprivate init(
        blocks: UnsafeMutablePointer<UnsafeMutablePointer<StrategyRow>?>, counter: UnsafeMutablePointer<Int>
    ) {
        self.blocks = blocks
        self.counter = counter
    }

    /// Whether several share the account.
    @inline(__always)
    package var isSplit: Bool { blocks != nil }

    /// How many strategies there are, without nobody.
    var count: Int { counter?.pointee ?? 0 }

    /// The first instrument's row of a strategy. Only where the account is split.
    func block(_ strategy: UInt8) -> UnsafeMutablePointer<StrategyRow> { blocks.unsafelyUnwrapped[Int(strategy)]! }

    func row(_ strategy: UInt8, _ record: UnsafeMutablePointer<InstrumentRecord>) -> UnsafeMutablePointer<StrategyRow> {
        block(strategy) + Int(record.pointee.index)
    }

    func row(_ record: UnsafeMutablePointer<OrderRecord>) -> UnsafeMutablePointer<StrategyRow> {
        row(record.pointee.order.strategy, record.pointee.order.instrument.record)
    }

    // MARK: What happens to the account alone

    /// A trade of no order of ours. As far as it closes what the account holds, it closes everybody's part of that alike; the rest is
    /// nobody's. To be called before the account's own position takes it in.
    func share(
        _ side: Side, price: Int64, quantity: Int64, fee: Int128, _ record: UnsafeMutablePointer<InstrumentRecord>
    ) {
        let economics = record.pointee.economics
        var rest = quantity * side.sign, restOfFee = fee
        let held = record.pointee.position.quantity
        if held.signum() == -side.sign {
            let closed = min(quantity, Int64(clamping: held.magnitude))
            forEach { strategy in
                let own = row(strategy, record)
                let part = Self.part(Int128(closed), own.pointee.position.quantity, held)
                guard part != 0 else { return }
                let ownFee = Self.part(Self.part(fee, closed, quantity), own.pointee.position.quantity, held)
                let traded = Int64(clamping: part) * side.sign
                own.pointee.position.apply(
                    traded > 0 ? .buy : .sell, price: price, quantity: Int64(clamping: traded.magnitude), fee: ownFee,
                    economics)
                rest -= traded
                restOfFee -= ownFee
            }
        }
        let own = row(Order.nobody, record)
        own.pointee.position.apply(
            rest >= 0 ? .buy : .sell, price: price, quantity: Int64(clamping: rest.magnitude), fee: restOfFee, economics
        )
    }

    /// Funding is everybody's by what they hold: who is short receives what who is long pays.
    func share(funding paid: Int128, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        let held = record.pointee.position.quantity
        var rest = paid
        if held != 0 {
            forEach { strategy in
                let own = row(strategy, record)
                let part = Self.part(paid, own.pointee.position.quantity, held)
                own.pointee.position.pay(funding: part)
                rest -= part
            }
        }
        row(Order.nobody, record).pointee.position.pay(funding: rest)
    }

    private func forEach(_ body: (UInt8) -> Void) {
        for strategy in 0..<count { body(UInt8(strategy)) }
    }

    /// amount · held / whole, rounded to nearest.
    private static func part(_ amount: Int128, _ held: Int64, _ whole: Int64) -> Int128 {
        let part = amount.scaled(by: held.magnitude, over: whole.magnitude)
        return (held < 0) == (whole < 0) ? part : -part
    }

    // MARK: Together

    /// What belongs to no strategy: the account's position less all of theirs.
    func takeOver(_ account: PositionLedger, price: Int64, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        var rest = account.quantity
        forEach { rest -= row($0, record).pointee.position.quantity }
        row(Order.nobody, record).pointee.position.hold(rest, at: price, record.pointee.economics)
    }
}
