/// A quantity of one instrument: an order's, a level's, or, with a sign, a position's.
///
/// It is a whole number of the instrument's smallest quantity unit: with two decimals, 61234.50 is 6,123,450 units.
/// So it compares, adds and subtracts exactly; only the instrument knows where the point stands.
///
/// ```swift
/// let quantity = try instrument.quantity("0.015")
/// let next = quantity + instrument.lot
/// print(instrument.text(next))
/// ```
@frozen
public struct Quantity: Sendable, Hashable, Comparable {
    /// The count of the instrument's smallest units.
    public var units: Int64

    /// A quantity of that many units.
    @inlinable
    public init(units: Int64) { self.units = units }

    /// Reads a decimal text; an error when it has more than `decimals` decimals.
    public init(_ text: some StringProtocol, decimals: Int) throws(DecimalError) {
        units = try ExactDecimal(text).units(decimals: decimals)
    }

    /// Nothing.
    @inlinable
    public static var zero: Self { Self(units: 0) }

    /// The quantity in digits, with exactly that many behind the point.
    public func text(decimals: Int) -> String { decimalText(Int128(units), decimals: decimals) }

    /// The quantity as a binary fraction, rounded to the nearest: for indicators and plots, never for an order.
    @inlinable
    public func double(decimals: Int) -> Double { Double(units) / Double(powerOfTen(decimals)) }

    /// The distance from zero.
    @inlinable
    public var magnitude: Self { Self(units: units < 0 ? -units : units) }

    /// The largest multiple of `step` that is not above it.
    @inlinable
    public func roundedDown(to step: Self) -> Self {
        let rest = units % step.units
        return Self(units: units - (rest < 0 ? rest + step.units : rest))
    }

    /// The smallest multiple of `step` that is not below it.
    @inlinable
    public func roundedUp(to step: Self) -> Self {
        let down = roundedDown(to: step)
        return down == self ? self : Self(units: down.units + step.units)
    }

    /// Whether it is a whole number of steps.
    @inlinable
    public func isMultiple(of step: Self) -> Bool { units % step.units == 0 }

    /// Order by size.
    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.units < right.units }
    /// The sum; traps when it does not fit into 64 bits, like `Int`.
    @inlinable
    public static func + (left: Self, right: Self) -> Self { Self(units: left.units + right.units) }
    /// The difference.
    @inlinable
    public static func - (left: Self, right: Self) -> Self { Self(units: left.units - right.units) }
    /// The other sign.
    @inlinable
    public static prefix func - (value: Self) -> Self { Self(units: -value.units) }
    /// A whole multiple.
    @inlinable
    public static func * (left: Self, right: Int) -> Self { Self(units: left.units * Int64(right)) }
    /// A part, rounded towards zero to a whole unit.
    @inlinable
    public static func / (left: Self, right: Int) -> Self { Self(units: left.units / Int64(right)) }
    /// How many times the other fits, rounded towards zero.
    @inlinable
    public static func / (left: Self, right: Self) -> Int64 { left.units / right.units }
    /// Adds in place.
    @inlinable
    public static func += (left: inout Self, right: Self) { left.units += right.units }
    /// Subtracts in place.
    @inlinable
    public static func -= (left: inout Self, right: Self) { left.units -= right.units }
}
