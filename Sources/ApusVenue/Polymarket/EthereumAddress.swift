/// Twenty bytes that name an account or a contract.
package struct EthereumAddress: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    /// From `0x` and forty hexadecimal digits of either case; nil for anything else.
    package init?(_ text: String) {
        guard let bytes = hexBytes(text), bytes.count == 20 else { return nil }
        self.bytes = bytes
    }

    init(publicKey: [UInt8]) { bytes = Array(Keccak256.hash(publicKey)[12...]) }

    /// Mixed case, with the checksum of EIP-55.
    package var description: String {
        let digits = hexText(bytes)
        let hash = Keccak256.hash(digits)
        var out: [UInt8] = Array("0x".utf8)
        for (index, digit) in digits.enumerated() {
            let nibble = hash[index / 2] >> (index % 2 == 0 ? 4 : 0) & 15
            out.append(nibble >= 8 && digit >= 97 ? digit - 32 : digit)
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Thirty-two bytes, as the ABI encodes an address.
    var word: [UInt8] { [UInt8](repeating: 0, count: 12) + bytes }
}

/// The bytes of `0x` and an even number of hexadecimal digits; nil for anything else.
func hexBytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0, digits.count >= 2, digits[0] == 48, digits[1] | 32 == 120 else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(digits.count / 2 - 1)
    for index in stride(from: 2, to: digits.count, by: 2) {
        guard let high = hexValue(digits[index]), let low = hexValue(digits[index + 1]) else { return nil }
        out.append(high << 4 | low)
    }
    return out
}

/// `0x` and lower-case digits.
func hexString(_ bytes: [UInt8]) -> String { "0x" + String(decoding: hexText(bytes), as: UTF8.self) }

/// A decimal text as thirty-two big-endian bytes; nil when it is no number or too large.
func word(decimal text: String) -> [UInt8]? {
    guard !text.isEmpty, text.utf8.count <= 78 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 32)
    for digit in text.utf8 {
        guard (48...57).contains(digit) else { return nil }
        var carry = Int(digit - 48)
        for index in bytes.indices.reversed() {
            carry += Int(bytes[index]) * 10
            bytes[index] = UInt8(carry & 255)
            carry >>= 8
        }
        guard carry == 0 else { return nil }
    }
    return bytes
}

/// Thirty-two big-endian bytes as a decimal text.
func decimalText(ofWord word: [UInt8]) -> String {
    var rest = word
    var digits: [UInt8] = []
    while rest.contains(where: { $0 != 0 }) {
        var carry = 0
        for index in rest.indices {
            carry = carry << 8 | Int(rest[index])
            rest[index] = UInt8(carry / 10)
            carry %= 10
        }
        digits.append(48 + UInt8(carry))
    }
    return digits.isEmpty ? "0" : String(decoding: digits.reversed(), as: UTF8.self)
}

/// A number as thirty-two big-endian bytes.
func word(_ value: UInt64) -> [UInt8] {
    [UInt8](repeating: 0, count: 24) + (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - $0 * 8)) }
}
