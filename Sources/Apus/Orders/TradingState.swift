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

    /// By its name.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let state = Self.allCases.first(where: { "\($0)" == text }) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(text) is no trading state"))
        }
        self = state
    }

    /// Its name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(self)")
    }
}
