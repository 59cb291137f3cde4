package import Apus
internal import CApusRing

/// A change of what may be sent, for journal, log and metrics.
package struct RiskStateChange: Sendable, Equatable {
    package enum Cause: UInt8, Sendable, Codable {
        /// The word that a person, a signal or the control plane sets for the whole.
        case control = 1
        /// A strategy's own word.
        case strategy = 2
        case dailyLoss = 3
        case drawdown = 4
        /// A person has resumed after a limit was reached.
        case resumed = 5
        /// A trading day has begun; nothing else has changed.
        case newDay = 6
        /// The day as it is, written down for its peak; nothing has changed. Only the journal is told.
        case peak = 7
    }

    /// From 1, in this run.
    package let number: UInt64
    package let time: UInt64
    package let cause: Cause
    package let from: TradingState
    package let to: TradingState
    /// The strategy's number; nil: the whole.
    package let strategy: UInt8?
}

/// Who says what may be sent, and the newest changes of that. Decision thread only.
struct RiskStates: ~Copyable {
    static let strategies = 256
    /// A start notes at most the word, the day and the trip of each strategy and of the whole before the journal is told.
    private static let room = 4 * (Int(APUS_STRATEGIES_MAX) + 1)

    /// By strategy: the strictest of its own word, what its own limits have set, and the gate's.
    let effective: UnsafeMutablePointer<TradingState>
    private let words: UnsafeMutablePointer<TradingState>
    private let trips: UnsafeMutablePointer<TradingState>
    private let changes: UnsafeMutablePointer<RiskStateChange>
    /// How many changes there have been; the newest ones are kept.
    private(set) var count: UInt64 = 0
    /// The gate's own: a day's limit that was reached, or the end of the run.
    private(set) var own = TradingState.active
    /// The newest of the shared word that was noted.
    var seen = TradingState.active

    init() {
        effective = .allocate(capacity: Self.strategies)
        effective.initialize(repeating: .active, count: Self.strategies)
        words = .allocate(capacity: Self.strategies)
        words.initialize(repeating: .active, count: Self.strategies)
        trips = .allocate(capacity: Self.strategies)
        trips.initialize(repeating: .active, count: Self.strategies)
        // What is nobody's is canceled and never placed.
        (words[Int(Order.nobody)], effective[Int(Order.nobody)]) = (.halted, .halted)
        changes = .allocate(capacity: Self.room)
    }

    deinit {
        effective.deallocate()
        words.deallocate()
        trips.deallocate()
        changes.deallocate()
    }

    func word(_ strategy: Int) -> TradingState { words[strategy] }

    /// What a strategy's own limits of the day have set.
    func trip(_ strategy: Int) -> TradingState { trips[strategy] }

    mutating func set(word: TradingState, of strategy: Int, at now: UInt64) {
        note(.strategy, from: words[strategy], to: word, strategy: UInt8(strategy), at: now)
        words[strategy] = word
        renew(strategy)
    }

    /// What a strategy's own limits of the day have set; taken back when a person has resumed.
    mutating func set(
        trip: TradingState, of strategy: Int, because cause: RiskStateChange.Cause, at now: UInt64
    ) {
        note(cause, from: trips[strategy], to: trip, strategy: UInt8(strategy), at: now)
        trips[strategy] = trip
        renew(strategy)
    }

    private func renew(_ strategy: Int) { effective[strategy] = max(words[strategy], trips[strategy], own) }

    mutating func set(own new: TradingState, because cause: RiskStateChange.Cause, at now: UInt64) {
        note(cause, from: own, to: new, at: now)
        own = new
        for strategy in 0..<Self.strategies { renew(strategy) }
    }

    mutating func note(
        _ cause: RiskStateChange.Cause, from: TradingState, to: TradingState, strategy: UInt8? = nil, at now: UInt64
    ) {
        guard from != to || cause == .newDay else { return }
        let place = Int(count % UInt64(Self.room))
        count += 1
        (changes + place).initialize(
            to: RiskStateChange(number: count, time: now, cause: cause, from: from, to: to, strategy: strategy))
    }

    /// The oldest one after that number that is kept.
    func change(after number: UInt64) -> RiskStateChange? {
        guard count > number else { return nil }
        let oldest = count - min(count, UInt64(Self.room)) + 1
        return changes[Int((max(number + 1, oldest) - 1) % UInt64(Self.room))]
    }
}
