/// What a contract bets on.
package enum DerivContractKind: String, Sendable, CaseIterable {
    case call = "CALL"
    case put = "PUT"
    /// As `CALL` and `PUT`, but an exit on the barrier wins too.
    case callEqual = "CALLE"
    case putEqual = "PUTE"
    case digitMatch = "DIGITMATCH"
    case digitDiff = "DIGITDIFF"
    case digitOver = "DIGITOVER"
    case digitUnder = "DIGITUNDER"
    case digitEven = "DIGITEVEN"
    case digitOdd = "DIGITODD"

    /// Whether the last digit of the exit decides.
    package var isDigit: Bool { rawValue.hasPrefix("DIGIT") }

    /// Whether it needs a digit as barrier.
    var needsDigit: Bool { isDigit && self != .digitEven && self != .digitOdd }

    var isHigher: Bool { self == .call || self == .callEqual }

    /// The digits that `DIGITOVER` and the like may name: no bet that always or never wins.
    var digits: ClosedRange<Int> {
        switch self {
        case .digitOver: 0...8
        case .digitUnder: 1...9
        default: 0...9
        }
    }
}

/// Where the exit must lie.
package enum DerivBarrier: Sendable, Equatable {
    /// The entry spot; what digit contracts without a digit have too.
    case entry
    /// Quote units from the entry spot.
    case relative(Int64)
    /// Quote units.
    case absolute(Int64)
    case digit(Int)
}

/// How long a contract lives.
package enum DerivDuration: Sendable, Equatable {
    case ticks(Int)
    case seconds(Int64)
}

/// Whether the client named what it pays or what it may win.
package enum DerivBasis: String, Sendable {
    case stake, payout
}

/// The shape of a contract, without its price.
package struct DerivTerms: Sendable, Equatable {
    package var kind: DerivContractKind
    /// Place among the symbols of the configuration.
    package var symbol: Int
    package var duration: DerivDuration
    package var barrier: DerivBarrier
    package var basis: DerivBasis
    /// Cents.
    package var amount: Int64
}

/// What a contract costs and pays, in cents.
package struct DerivQuote: Sendable, Equatable {
    package var ask: Int64
    package var payout: Int64
}

/// Prices by one stated formula.
///
/// The chance p of winning is Φ((spot − barrier) / (spot · σ · √T)) for a rise or a higher, its complement for a fall or a lower, with σ the
/// volatility of a second and T the seconds left, and the share of winning digits for digit contracts. The house sells at
/// payout · (p + margin) and buys back at payout · (p − margin).
struct DerivPricing {
    let marginPpm: Int64

    static let million: Int64 = 1_000_000
    /// Nobody is offered what is all but certain, or all but hopeless.
    static let offered: ClosedRange<Int64> = 20_000...980_000
    /// Cents.
    static let minStake: Int64 = 35
    static let maxPayout: Int64 = 5_000_000

    /// The normal distribution function by formula 26.2.18 of Abramowitz and Stegun, right to 2.5e-4; it needs no
    /// function whose last bit differs between libraries.
    static func normal(_ z: Double) -> Double {
        let x = min(z.magnitude, 8)
        let sum = 1 + x * (0.196854 + x * (0.115194 + x * (0.000344 + x * 0.019527)))
        let tail = 0.5 / (sum * sum * sum * sum)
        return z < 0 ? tail : 1 - tail
    }

    /// The chance that the quote ends above the barrier, in millionths.
    static func chanceAbove(spot: Int64, barrier: Int64, seconds: Int64, volatility: Double) -> Int64 {
        guard seconds > 0 else { return spot > barrier ? million : spot < barrier ? 0 : million / 2 }
        let deviation = Double(spot) * volatility * Double(seconds).squareRoot()
        return Int64((normal(Double(spot - barrier) / deviation) * Double(million)).rounded())
    }

    /// The chance that a digit contract wins, in millionths.
    static func chance(_ kind: DerivContractKind, digit: Int) -> Int64 {
        let winning: Int =
            switch kind {
            case .digitMatch: 1
            case .digitDiff: 9
            case .digitOver: 9 - digit
            case .digitUnder: digit
            default: 5
            }
        return Int64(winning) * million / 10
    }

    /// What a contract with that chance costs; the client's amount is kept and the other number rounded for the house.
    func quote(_ terms: DerivTerms, chance: Int64) throws(DerivError) -> DerivQuote {
        let share = chance + marginPpm
        guard Self.offered.contains(chance), share < Self.million else { throw .noReturn }
        let quote: DerivQuote
        switch terms.basis {
        case .stake:
            // A stake above the largest payout can win nothing, and keeps the product inside 64 bits.
            guard terms.amount <= Self.maxPayout else { throw .payoutTooLarge }
            quote = DerivQuote(ask: terms.amount, payout: terms.amount * Self.million / share)
        case .payout:
            guard terms.amount <= Self.maxPayout else { throw .payoutTooLarge }
            let ask = (terms.amount * share + Self.million - 1) / Self.million
            quote = DerivQuote(ask: ask, payout: terms.amount)
        }
        guard quote.ask >= Self.minStake else { throw .stakeTooSmall }
        guard quote.payout <= Self.maxPayout else { throw .payoutTooLarge }
        guard quote.payout > quote.ask else { throw .noReturn }
        return quote
    }

    /// What the house pays to have a contract back.
    func bid(payout: Int64, chance: Int64) -> Int64 {
        payout * min(max(chance - marginPpm, 0), Self.million) / Self.million
    }

    /// Whether a contract wins with that exit; the barrier is the resolved one.
    static func wins(_ kind: DerivContractKind, exit: Int64, barrier: Int64, digit: Int) -> Bool {
        switch kind {
        case .call: exit > barrier
        case .put: exit < barrier
        case .callEqual: exit >= barrier
        case .putEqual: exit <= barrier
        case .digitMatch: DerivIndex.digit(exit) == digit
        case .digitDiff: DerivIndex.digit(exit) != digit
        case .digitOver: DerivIndex.digit(exit) > digit
        case .digitUnder: DerivIndex.digit(exit) < digit
        case .digitEven: DerivIndex.digit(exit) % 2 == 0
        case .digitOdd: DerivIndex.digit(exit) % 2 == 1
        }
    }
}
