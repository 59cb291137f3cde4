package import Apus

/// A trading day's result so far. It is journaled, and given back at the next start, so that a restart does not forget
/// a loss. `start` and `peak` are the account's whole result at those times, in quote value: positions and what they
/// have earned are restored with them.
package struct TradingDay: Sendable, Equatable, Codable {
    /// Days since 1970, each from the configured hour on; `.min`: none has begun.
    package var number = Int64.min
    /// The result when the day began, or when a person resumed after a trip.
    package var start = Money.zero
    /// The highest result since.
    package var peak = Money.zero
    /// A limit was reached and nobody has resumed since.
    package var trip: Trip?

    package enum Trip: UInt8, Sendable, Codable, CaseIterable {
        case dailyLoss = 1
        case drawdown = 2

        /// By its name.
        package init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            guard let found = Self.allCases.first(where: { "\($0)" == text }) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "\(text) is none of \(Self.allCases)"))
            }
            self = found
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode("\(self)")
        }
    }

    package init() {}
}

/// Watches the result of a trading day.
struct DayWatch {
    private(set) var day = TradingDay()
    /// The result below which a limit is reached.
    private var floor = Int128.min
    /// When the day ends, on the engine's scale.
    private(set) var end: UInt64 = 0
    private var maxLoss: Int128?
    private var maxDrawdown: Int128?
    private var hasRisen = false
    private let hour: Int
    private static var length: Int128 { 86_400_000_000_000 }

    init(hour: Int, maxLoss: Money?, maxDrawdown: Money?) {
        self.hour = hour
        tighten(maxLoss: maxLoss, maxDrawdown: maxDrawdown)
    }

    mutating func tighten(maxLoss: Money?, maxDrawdown: Money?) {
        self.maxLoss = maxLoss?.atoms
        self.maxDrawdown = maxDrawdown?.atoms
        renewFloor()
    }

    /// Begins the day that the time lies in, unless it is the one that is known.
    /// - Returns: whether a new day has begun.
    mutating func enter(_ now: UInt64, wallOffset: Int64, result: Int128) -> Bool {
        let shift = Int128(hour) * 3_600_000_000_000
        let time = Int128(now) + Int128(wallOffset) - shift
        let (whole, rest) = time.quotientAndRemainder(dividingBy: Self.length)
        let number = Int64(rest < 0 ? whole - 1 : whole)
        end = UInt64(clamping: (Int128(number) + 1) * Self.length + shift - Int128(wallOffset))
        guard number > day.number else { return false }
        day.number = number
        begin(result)
        return true
    }

    /// Whether the peak has risen since the day was written down, and a limit depends on it.
    var owesPeak: Bool { hasRisen && maxDrawdown != nil }

    /// The day was written down as it is.
    mutating func wrote() { hasRisen = false }

    /// Takes up a day that a run before has begun.
    mutating func restore(_ day: TradingDay) {
        self.day = day
        end = 0
        hasRisen = false
        renewFloor()
    }

    /// A person has resumed: what was lost until now is accepted, and the limits hold from here on.
    mutating func resume(_ result: Int128) {
        day.trip = nil
        begin(result)
    }

    private mutating func begin(_ result: Int128) {
        (day.start, day.peak) = (Money(atoms: result), Money(atoms: result))
        hasRisen = false
        renewFloor()
    }

    private mutating func renewFloor() {
        let byLoss = maxLoss.map { (day.start - Money(atoms: $0)).atoms } ?? .min
        let byFall = maxDrawdown.map { (day.peak - Money(atoms: $0)).atoms } ?? .min
        floor = max(byLoss, byFall)
    }

    /// Takes in the newest result. Returns the limit that it has gone beyond, once.
    @inline(__always)
    mutating func judge(_ result: Int128) -> TradingDay.Trip? {
        if result > day.peak.atoms { rise(result) }
        return result < floor && day.trip == nil ? fall(result) : nil
    }

    private mutating func rise(_ result: Int128) {
        day.peak = Money(atoms: result)
        hasRisen = true
        renewFloor()
    }

    private mutating func fall(_ result: Int128) -> TradingDay.Trip {
        let isLoss = maxLoss.map { Money(atoms: result) < day.start - Money(atoms: $0) } ?? false
        day.trip = isLoss ? .dailyLoss : .drawdown
        return isLoss ? .dailyLoss : .drawdown
    }
}
