// Text is written into [UInt8] by hand: the market path renders tens of thousands of messages a second, and general
// formatting would cost more than matching does.

extension [UInt8] {
    /// Appends a literal.
    @inline(__always)
    mutating func append(_ literal: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a text as it is, without escaping.
    mutating func append(text: String) {
        append(contentsOf: text.utf8)
    }

    /// Appends an integer in base ten.
    mutating func append(integer: Int64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            var position = 24
            var rest = integer.magnitude
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                position -= 1
                buffer[position] = 48 &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0
            if integer < 0 {
                position -= 1
                buffer[position] = 45
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: buffer[position..<24]))
        }
    }

    /// Appends `units / 10^decimals` with exactly that many decimals, as the venue does: `6180020, 2` is `61800.20`.
    mutating func append(decimal units: Int64, decimals: Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { buffer in
            var position = 48
            var rest = units.magnitude
            var written = 0
            repeat {
                if written == decimals && decimals > 0 {
                    position -= 1
                    buffer[position] = 46
                }
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                position -= 1
                buffer[position] = 48 &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
                written += 1
            } while rest > 0 || written <= decimals
            if units < 0 {
                position -= 1
                buffer[position] = 45
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: buffer[position..<48]))
        }
    }

    /// Appends a quoted decimal.
    @inline(__always)
    mutating func append(quotedDecimal units: Int64, decimals: Int) {
        append(34)
        append(decimal: units, decimals: decimals)
        append(34)
    }

    /// Appends a quoted decimal, with `"0"` for zero as order events show it.
    mutating func append(quotedShortZero units: Int64, decimals: Int) {
        if units == 0 { append("\"0\"") } else { append(quotedDecimal: units, decimals: decimals) }
    }

    /// Appends a JSON string with what JSON demands escaped.
    mutating func append(quotedText text: String) {
        append(34)
        for byte in text.utf8 {
            switch byte {
            case 34, 92:
                append(92)
                append(byte)
            case 0..<32:
                append("\\u00")
                append(hexDigits[Int(byte >> 4)])
                append(hexDigits[Int(byte & 15)])
            default: append(byte)
            }
        }
        append(34)
    }

    /// Appends `true` or `false`.
    mutating func append(bool: Bool) {
        if bool { append("true") } else { append("false") }
    }
}

let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

/// Lower-case hexadecimal text of some bytes.
func hexText(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    for byte in bytes {
        out.append(hexDigits[Int(byte >> 4)])
        out.append(hexDigits[Int(byte & 15)])
    }
    return out
}

/// Base64 with padding, RFC 4648.
func base64Text(_ bytes: [UInt8]) -> [UInt8] {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
        let first = bytes[index]
        let second = index + 1 < bytes.count ? bytes[index + 1] : 0
        let third = index + 2 < bytes.count ? bytes[index + 2] : 0
        out.append(alphabet[Int(first >> 2)])
        out.append(alphabet[Int((first & 3) << 4 | second >> 4)])
        out.append(index + 1 < bytes.count ? alphabet[Int((second & 15) << 2 | third >> 6)] : 61)
        out.append(index + 2 < bytes.count ? alphabet[Int(third & 63)] : 61)
        index += 3
    }
    return out
}

/// Decodes percent escapes and `+`; nil when an escape is cut short or not hexadecimal.
func percentDecoded(_ text: Substring) -> String? {
    var out: [UInt8] = []
    var bytes = text.utf8.makeIterator()
    while let byte = bytes.next() {
        switch byte {
        case 43: out.append(32)
        case 37:
            guard let high = bytes.next().flatMap(hexValue), let low = bytes.next().flatMap(hexValue) else {
                return nil
            }
            out.append(high << 4 | low)
        default: out.append(byte)
        }
    }
    return String(validating: out, as: UTF8.self)
}

func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
}

/// Escapes everything but letters, digits and `_.-~`, with `+` for a space, as clients do before they sign.
func percentEncoded(_ text: String) -> [UInt8] {
    var out: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.append(byte)
        case 32: out.append(43)
        default:
            out.append(37)
            out.append(contentsOf: String(byte >> 4, radix: 16, uppercase: true).utf8)
            out.append(contentsOf: String(byte & 15, radix: 16, uppercase: true).utf8)
        }
    }
    return out
}

extension [UInt8] {
    /// Appends `units / 10^decimals` without zeros at its end, as Polymarket shows numbers: `422690000, 6` is `422.69`.
    mutating func append(shortDecimal units: Int64, decimals: Int) {
        var rest = units
        var shown = decimals
        while shown > 0 && rest % 10 == 0 {
            rest /= 10
            shown -= 1
        }
        append(decimal: rest, decimals: shown)
    }

    /// Appends a quoted decimal without zeros at its end.
    mutating func append(quotedShortDecimal units: Int64, decimals: Int) {
        append(34)
        append(shortDecimal: units, decimals: decimals)
        append(34)
    }
}

/// The text of `units / 10^decimals` without zeros at its end.
package func shortDecimalText(_ units: Int64, decimals: Int) -> String {
    var bytes: [UInt8] = []
    bytes.append(shortDecimal: units, decimals: decimals)
    return String(decoding: bytes, as: UTF8.self)
}

/// Decodes base64 of either alphabet, RFC 4648, with its padding; nil for anything else.
func base64Decoded(_ text: String) -> [UInt8]? {
    var out: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    for byte in text.utf8 {
        let value: UInt32
        switch byte {
        case 65...90: value = UInt32(byte) - 65
        case 97...122: value = UInt32(byte) - 71
        case 48...57: value = UInt32(byte) + 4
        case 43, 45: value = 62
        case 47, 95: value = 63
        case 61:
            padding += 1
            continue
        default: return nil
        }
        guard padding == 0 else { return nil }
        bits = bits << 6 | value
        count += 1
        if count % 4 != 1 { out.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - 2 * ((count - 1) % 4)))) }
    }
    return padding <= 2 && (count + padding) % 4 == 0 ? out : nil
}

/// Base64 with the URL-safe alphabet and padding.
func base64URLText(_ bytes: [UInt8]) -> [UInt8] {
    base64Text(bytes).map { $0 == 43 ? 45 : $0 == 47 ? 95 : $0 }
}
