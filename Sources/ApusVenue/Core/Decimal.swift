/// Why a decimal text could not be taken.
package enum DecimalError: Error, Equatable {
    /// Not a plain decimal number.
    case malformed
    /// More decimals than the instrument has; trailing zeros do not count.
    case tooManyDecimals
    /// Does not fit 64 bits.
    case overflow
}

/// Powers of ten that fit `Int64`.
func powerOfTen(_ exponent: Int) -> Int64 {
    var result: Int64 = 1
    for _ in 0..<exponent { result *= 10 }
    return result
}

/// Reads a decimal text as units of `10^-decimals`: `"61800.2", 2` is `6180020`.
///
/// An exponent is refused: the real venue refuses it too.
package func parseDecimal(_ text: String, decimals: Int) throws(DecimalError) -> Int64 {
    var value: Int64 = 0
    var negative = false
    var digits = 0
    var fraction = -1
    for (index, byte) in text.utf8.enumerated() {
        switch byte {
        case 45 where index == 0: negative = true
        case 46 where fraction < 0: fraction = 0
        case 48...57:
            digits += 1
            if fraction >= 0 {
                fraction += 1
                if fraction > decimals {
                    guard byte == 48 else { throw .tooManyDecimals }
                    continue
                }
            }
            value = try appendDigit(byte - 48, to: value)
        default: throw .malformed
        }
    }
    guard digits > 0 else { throw .malformed }
    var missing = decimals - max(fraction, 0)
    while missing > 0 {
        value = try appendDigit(0, to: value)
        missing -= 1
    }
    return negative ? -value : value
}

private func appendDigit(_ digit: UInt8, to value: Int64) throws(DecimalError) -> Int64 {
    let (scaled, overflowed) = value.multipliedReportingOverflow(by: 10)
    let (sum, carried) = scaled.addingReportingOverflow(Int64(digit))
    guard !overflowed, !carried else { throw .overflow }
    return sum
}

/// The text of `units / 10^decimals` with exactly that many decimals.
package func decimalText(_ units: Int64, decimals: Int) -> String {
    var bytes: [UInt8] = []
    bytes.append(decimal: units, decimals: decimals)
    return String(decoding: bytes, as: UTF8.self)
}
