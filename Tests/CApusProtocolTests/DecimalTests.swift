import CApusProtocol
import Testing

@Suite struct DecimalTests {
    private func parse(_ text: String, _ decimals: UInt32) -> (result: Int32, value: Int64, offset: Int) {
        var value: Int64 = 0
        var offset = 0
        let bytes = Array(text.utf8)
        let result = apus_decimal_parse(bytes, bytes.count, decimals, &value, &offset)
        return (result, value, offset)
    }

    @Test(arguments: [
        ("61496.50", 2, 6_149_650), ("61496.5", 2, 6_149_650), ("61496", 2, 6_149_600), ("0.3510", 3, 351),
        ("-0.25", 2, -25), ("-0", 8, 0), (".5", 1, 5), ("007", 0, 7), ("1.5e3", 0, 1_500), ("15E-1", 1, 15),
        ("1e-8", 8, 1), ("0.00000000000000000000", 2, 0), ("0e99999999999", 0, 0), ("100e-2", 0, 1),
        ("9223372036854775807", 0, Int64.max), ("-9223372036854775808", 0, Int64.min),
        ("92233720368547758.07", 2, Int64.max), ("0.000000000000000001", 18, 1),
    ])
    func exactValues(text: String, decimals: UInt32, value: Int64) {
        let read = parse(text, decimals)
        #expect(read.result == 0 && read.value == value)
    }

    @Test(arguments: [
        ("", 0), ("-", 1), (".", 1), ("5.", 2), ("1.2.3", 3), ("+1", 0), ("1e", 2), ("1e+", 3), ("0x10", 1), ("1 ", 1),
        (" 1", 0), ("--1", 1), ("1,5", 1), ("nan", 0), ("1e5x", 3), ("1\u{0}", 1),
    ])
    func garbageIsAnErrorWithItsPlace(text: String, offset: Int) {
        let read = parse(text, 4)
        #expect(read.result == -EINVAL && read.offset == offset)
    }

    @Test(arguments: [("0.3511", 3, 5), ("1.5", 0, 2), ("1e-9", 8, 0), ("12e-1", 0, 1)])
    func moreDecimalsThanTheInstrumentHasAreAnError(text: String, decimals: UInt32, offset: Int) {
        let read = parse(text, decimals)
        #expect(read.result == -EDOM && read.offset == offset)
    }

    @Test(arguments: [
        ("9223372036854775808", 0), ("-9223372036854775809", 0), ("92233720368547758.08", 2), ("1e19", 0), ("10", 18),
        ("99999999999999999999999", 0), ("1e99999999999", 0),
    ])
    func whatDoesNotFitIsAnError(text: String, decimals: UInt32) {
        #expect(parse(text, decimals).result == -ERANGE)
    }

    @Test(arguments: [
        (6_149_650, 2, "61496.50"), (-25, 2, "-0.25"), (0, 0, "0"), (0, 3, "0.000"), (7, 0, "7"),
        (Int64.max, 0, "9223372036854775807"), (Int64.min, 0, "-9223372036854775808"),
        (Int64.min, 18, "-9.223372036854775808"), (1, 18, "0.000000000000000001"),
    ])
    func textHasExactlyTheDecimals(value: Int64, decimals: UInt32, text: String) {
        var out = [CChar](repeating: 0, count: Int(APUS_DECIMAL_TEXT_BYTES))
        let length = apus_decimal_format(value, decimals, &out)
        #expect(String(decoding: out.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) == text)
        let read = parse(text, decimals)
        #expect(read.result == 0 && read.value == value)
    }

    @Test(arguments: [("0", 0), ("7", 7), ("18446744073709551615", UInt64.max), ("1723161256299", 1_723_161_256_299)])
    func unsignedIntegers(text: String, value: UInt64) {
        var read: UInt64 = 0
        let bytes = Array(text.utf8)
        #expect(apus_u64_parse(bytes, bytes.count, &read) == 0 && read == value)
        var out = [CChar](repeating: 0, count: Int(APUS_DECIMAL_TEXT_BYTES))
        #expect(apus_u64_format(value, &out) == bytes.count)
        #expect(out.prefix(bytes.count).map { UInt8(bitPattern: $0) } == bytes)
    }

    @Test(arguments: ["", "01", "-1", "1.0", "1e3", " 1", "x"])
    func otherIntegersAreRefused(text: String) {
        var read: UInt64 = 0
        let bytes = Array(text.utf8)
        #expect(apus_u64_parse(bytes, bytes.count, &read) == -EINVAL)
        let large = Array("18446744073709551616".utf8)
        #expect(apus_u64_parse(large, large.count, &read) == -ERANGE)
    }

    @Test func eightDigitsAtOnce() {
        var value: UInt64 = 0
        for text in ["00000000", "12345678", "99999999", "00000001", "10000000"] {
            let word = Array(text.utf8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
            #expect(apus_eight_digits(word, &value) && value == UInt64(text))
            for place in 0..<8 {
                for other in [UInt8(0), 0x2F, 0x3A, 0x40, 0x7F, 0x80, 0xB0, 0xFF] {
                    let wrong = word & ~(0xFF << (8 * UInt64(place))) | UInt64(other) << (8 * UInt64(place))
                    #expect(!apus_eight_digits(wrong, &value))
                }
            }
        }
    }
}
