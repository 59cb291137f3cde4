/// Why a text is no usable decimal number.
public enum DecimalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There are no digits.
    case empty
    /// The character at this offset (in UTF-8 bytes) does not belong into a number.
    case invalidCharacter(offset: Int)
    /// The number has more decimals than the instrument (or any instrument) has.
    case tooManyDecimals(allowed: Int)
    /// The number does not fit into 64 bits.
    case overflow

    /// The error in words.
    public var description: String {
        switch self {
        case .empty: "a number is missing"
        case .invalidCharacter(let offset): "not a decimal number: unexpected character at offset \(offset)"
        case .tooManyDecimals(let allowed): "more than \(allowed) decimals"
        case .overflow: "the number is too large"
        }
    }
}

/// A decimal number as it is written, for example in a configuration: exact, with no instrument behind it yet.
///
/// ```swift
/// let size: ExactDecimal = try ExactDecimal("0.015")
/// let quantity = try instrument.quantity(size)
/// ```
public struct ExactDecimal: Sendable, Hashable {
    /// The digits without the point: 15 for `0.015`.
    public let digits: Int64
    /// How many of the digits stand behind the point, 0 to 18.
    public let decimals: Int

    /// The number `digits` · 10^-`decimals`.
    public init(digits: Int64, decimals: Int = 0) {
        precondition((0...18).contains(decimals), "a decimal number has 0 to 18 decimals")
        self.digits = digits
        self.decimals = decimals
    }

    /// Reads `-12.345`; no exponent, no grouping, no blanks.
    public init(_ text: some StringProtocol) throws(DecimalError) {
        var digits: Int64 = 0
        var decimals = 0
        var negative = false
        var sawPoint = false
        var sawDigit = false
        var offset = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-") where offset == 0: negative = true
            case UInt8(ascii: ".") where !sawPoint: sawPoint = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                sawDigit = true
                if sawPoint {
                    decimals += 1
                    guard decimals <= 18 else { throw .tooManyDecimals(allowed: 18) }
                }
                let (tenfold, high) = digits.multipliedReportingOverflow(by: 10)
                let digit = Int64(byte - UInt8(ascii: "0"))
                let (sum, carry) = tenfold.addingReportingOverflow(negative ? -digit : digit)
                guard !high, !carry else { throw .overflow }
                digits = sum
            default: throw .invalidCharacter(offset: offset)
            }
            offset += 1
        }
        guard sawDigit else { throw .empty }
        self.digits = digits
        self.decimals = decimals
    }

    /// The number in units of 10^-`decimals`; an error when that would need rounding or does not fit.
    public func units(decimals wanted: Int) throws(DecimalError) -> Int64 {
        if wanted >= decimals {
            let (units, overflow) = digits.multipliedReportingOverflow(by: powerOfTen(wanted - decimals))
            guard wanted - decimals <= 18, !overflow else { throw .overflow }
            return units
        }
        let (units, rest) = digits.quotientAndRemainder(dividingBy: powerOfTen(decimals - wanted))
        guard rest == 0 else { throw .tooManyDecimals(allowed: wanted) }
        return units
    }
}

extension ExactDecimal: CustomStringConvertible, Codable {
    /// The number in digits, as `ExactDecimal.init(_:)` reads it.
    public var description: String { decimalText(Int128(digits), decimals: decimals) }

    /// Reads a text (`"0.015"`) or a whole JSON number (`5`).
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let whole = try? container.decode(Int64.self) {
            self.init(digits: whole)
            return
        }
        do {
            try self.init(container.decode(String.self))
        } catch let error as DecimalError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the number as text, so that no reader makes a binary fraction of it.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// 10^`exponent` for 0 to 18; larger exponents give 10^18.
@inlinable
package func powerOfTen(_ exponent: Int) -> Int64 {
    var power: Int64 = 1
    for _ in 0..<min(max(exponent, 0), 18) { power *= 10 }
    return power
}

/// `units` · 10^-`decimals` in digits, with exactly `decimals` of them behind the point.
package func decimalText(_ units: Int128, decimals: Int) -> String {
    var digits = String(units.magnitude)
    if decimals > 0 {
        if digits.utf8.count <= decimals {
            digits = String(repeating: "0", count: decimals + 1 - digits.utf8.count) + digits
        }
        digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
    }
    return units < 0 ? "-" + digits : digits
}
