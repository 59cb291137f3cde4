/// An amount of a settlement asset, exact to 10^-18 in 128 bits: notional, fee, profit and loss.
///
/// Sums that leave the range (1.7 · 10^20 whole coins) stay at its end instead of trapping: a wrong number from a
/// venue must not stop the thread that can still cancel orders.
///
/// ```swift
/// let spent = instrument.notional(price, quantity)
/// if spent > Money(whole: 1_000) { return }
/// print(spent)   // 918.517500000000000000
/// ```
@frozen
public struct Money: Sendable, Hashable, Comparable {
    /// The count of 10^-18 parts.
    public var atoms: Int128

    /// An amount of that many 10^-18 parts.
    @inlinable
    public init(atoms: Int128) { self.atoms = atoms }

    /// An amount of whole coins.
    @inlinable
    public init(whole: Int64) { atoms = Int128(whole) * Money.one }

    /// An exact decimal number of coins.
    public init(_ decimal: ExactDecimal) {
        atoms = Int128(decimal.digits) * Int128(powerOfTen(18 - decimal.decimals))
    }

    /// Reads a decimal text.
    public init(_ text: some StringProtocol) throws(DecimalError) { try self.init(ExactDecimal(text)) }

    /// An amount in 10^-8 parts, as venues report fees.
    @inlinable
    package init(hundredMillionths: Int64) { atoms = Int128(hundredMillionths) * 10_000_000_000 }

    /// The atoms of one coin.
    @inlinable
    package static var one: Int128 { 1_000_000_000_000_000_000 }

    /// Nothing.
    @inlinable
    public static var zero: Money { Money(atoms: 0) }
    /// The end of the range, where sums stop.
    @inlinable
    public static var greatest: Money { Money(atoms: .max) }

    /// The amount as a binary fraction, rounded: for plots and reports.
    @inlinable
    public var double: Double { Double(atoms) / 1e18 }

    /// Order by size.
    @inlinable
    public static func < (left: Money, right: Money) -> Bool { left.atoms < right.atoms }
    /// The sum.
    @inlinable
    public static func + (left: Money, right: Money) -> Money {
        let (sum, overflow) = left.atoms.addingReportingOverflow(right.atoms)
        return Money(atoms: overflow ? (left.atoms < 0 ? .min : .max) : sum)
    }
    /// The difference.
    @inlinable
    public static func - (left: Money, right: Money) -> Money {
        let (difference, overflow) = left.atoms.subtractingReportingOverflow(right.atoms)
        return Money(atoms: overflow ? (left.atoms < 0 ? .min : .max) : difference)
    }
    /// The other sign.
    @inlinable
    public static prefix func - (value: Money) -> Money { .zero - value }
    /// Adds in place.
    @inlinable
    public static func += (left: inout Money, right: Money) { left = left + right }
    /// Subtracts in place.
    @inlinable
    public static func -= (left: inout Money, right: Money) { left = left - right }
}

extension Money: CustomStringConvertible, Codable {
    /// The amount in digits with all 18 decimals.
    public var description: String { decimalText(atoms, decimals: 18) }

    /// The amount in digits, rounded to nearest (halves away from zero) to that many decimals, at most 18.
    public func text(decimals: Int) -> String {
        let step = Int128(powerOfTen(18 - decimals))
        let half = atoms < 0 ? -(step / 2) : step / 2
        let (rounded, overflow) = atoms.addingReportingOverflow(half)
        return decimalText((overflow ? atoms : rounded) / step, decimals: decimals)
    }

    /// Reads a decimal text or a whole JSON number.
    public init(from decoder: any Decoder) throws {
        guard let text = try? decoder.singleValueContainer().decode(String.self) else {
            self.init(try ExactDecimal(from: decoder))
            return
        }
        // An amount is written with all 18 decimals: more digits than an `ExactDecimal` holds.
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let decimals = parts.count == 2 ? parts[1] : ""
        guard parts[0].last?.isWholeNumber == true, !text.hasPrefix("+"), decimals.utf8.count <= 18,
            let atoms = Int128(parts[0] + decimals + String(repeating: "0", count: 18 - decimals.utf8.count))
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is no amount"))
        }
        self.init(atoms: atoms)
    }

    /// Writes the exact amount as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
