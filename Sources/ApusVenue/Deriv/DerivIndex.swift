/// One quote of an index.
package struct DerivTick: Sendable, Equatable {
    /// Whole seconds since 1970.
    package var epoch: Int64
    /// Quote units.
    package var quote: Int64

    package init(epoch: Int64, quote: Int64) {
        self.epoch = epoch
        self.quote = quote
    }
}

/// A synthetic index: its quotes follow from the seed alone. A step is the volatility of one interval times a nearly normal
/// draw, as in a geometric random walk.
final class DerivIndex {
    /// So many quotes are kept at least.
    static let history = 5000

    let place: Int
    let symbol: DerivSymbol
    /// Oldest first; never empty.
    private(set) var ticks: [DerivTick] = []
    private var random: DeterministicRandom
    /// One standard deviation of the return of one second.
    let volatilityPerSecond: Double
    private let step: Double

    init(place: Int, symbol: DerivSymbol, seed: UInt64, now: VenueTime) {
        self.place = place
        self.symbol = symbol
        random = DeterministicRandom(seed: seed, stream: 0xDE21 &+ UInt64(place))
        volatilityPerSecond = symbol.volatility / 100 / (365.0 * 86_400).squareRoot()
        step = volatilityPerSecond * Double(symbol.interval).squareRoot()
        let last = now / second / symbol.interval * symbol.interval
        // The market is older than the venue: clients ask for history at once.
        let first = max(0, last - Int64(Self.history - 1) * symbol.interval)
        ticks.append(DerivTick(epoch: first, quote: symbol.startQuote))
        while newest.epoch < last { tick() }
    }

    var newest: DerivTick { ticks[ticks.count - 1] }

    /// When the next quote comes.
    var nextTime: VenueTime { (newest.epoch + symbol.interval) * second }

    /// Moves the index by one step.
    func tick() {
        let quote = Double(newest.quote)
        let moved = Int64((quote * (1 + step * random.gaussian())).rounded())
        // Far from every quote that a run reaches; it keeps products with a quote inside 64 bits.
        let next = min(max(moved, 100), 1_000_000_000_000_000)
        ticks.append(DerivTick(epoch: newest.epoch + symbol.interval, quote: next))
        if ticks.count >= 2 * Self.history { ticks.removeFirst(ticks.count - Self.history) }
    }

    /// A quote as the venue writes it.
    func text(_ quote: Int64) -> String { decimalText(quote, decimals: symbol.decimals) }

    /// The last digit of a quote, by which digit contracts are decided.
    static func digit(_ quote: Int64) -> Int { Int(quote % 10) }
}
