/// What may be sent. The strictest of all that say so holds: a person's word, the strategy's own, the gate's.
@frozen
public enum TradingState: UInt8, Sendable, Codable, CaseIterable, Comparable {
    /// All that the risk gate lets through.
    case active = 0
    /// Reduce-only orders, changes of such, and cancels.
    case reducing = 1
    /// Cancels alone.
    case halted = 2

    /// The stricter one is greater.
    @inlinable
    public static func < (left: TradingState, right: TradingState) -> Bool { left.rawValue < right.rawValue }
}
