import Testing

@testable import ApusVenue

@Suite struct TextTests {
    @Test(arguments: [
        (0, 0, "0"), (0, 2, "0.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (6_180_020, 2, "61800.20"), (-123, 0, "-123"),
        (Int64.max, 3, "9223372036854775.807"), (Int64.min, 0, "-9223372036854775808"), (1, 8, "0.00000001"),
    ])
    func decimalsAreWritten(_ units: Int64, _ decimals: Int, _ text: String) {
        #expect(decimalText(units, decimals: decimals) == text)
    }

    @Test func decimalsAreReadExactly() throws {
        #expect(try parseDecimal("61800.2", decimals: 2) == 6_180_020)
        #expect(try parseDecimal("61800.20000", decimals: 2) == 6_180_020)
        #expect(try parseDecimal("-0.5", decimals: 1) == -5)
        #expect(try parseDecimal("7", decimals: 3) == 7000)
        #expect(try parseDecimal("9223372036854775807", decimals: 0) == .max)
        for (text, error) in [
            ("", DecimalError.malformed), ("-", .malformed), (".", .malformed), ("1.2.3", .malformed),
            ("1e3", .malformed),
            ("+1", .malformed), ("1-", .malformed), ("0.001", .tooManyDecimals), ("9223372036854775808", .overflow),
            ("92233720368547758070", .overflow),
        ] {
            #expect(throws: error) { try parseDecimal(text, decimals: text.contains(".") ? 2 : 0) }
        }
    }

    @Test func base64AndHexAndEscapes() {
        func encoded(_ text: String) -> String { String(decoding: base64Text(Array(text.utf8)), as: UTF8.self) }
        #expect(["", "f", "fo", "foo", "foob"].map(encoded) == ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="])
        #expect(String(decoding: hexText([0, 15, 255]), as: UTF8.self) == "000fff")
        #expect(percentDecoded("a%2Fb+c") == "a/b c")
        #expect(percentDecoded("%2") == nil && percentDecoded("%zz") == nil && percentDecoded("%ff") == nil)
        var out: [UInt8] = []
        out.append(quotedText: "a\"\\\n")
        #expect(String(decoding: out, as: UTF8.self) == "\"a\\\"\\\\\\u000a\"")
    }

    @Test func jsonIsReadAndKeepsNumbersAndOrder() throws {
        let text = " {\"b\":[1.10,-2e3,true,null],\"a\":\"x\\u00e9\\ud83d\\ude00\\n\",\"o\":{}} "
        let value = try JSONParser.parse(Array(text.utf8))
        #expect(
            value
                == .object([
                    JSONMember(
                        key: "b", value: .array([.number("1.10"), .number("-2e3"), .bool(true), .null])),
                    JSONMember(key: "a", value: .string("xé😀\n")), JSONMember(key: "o", value: .object([])),
                ]))
        var out: [UInt8] = []
        value.write(to: &out)
        #expect(try JSONParser.parse(out) == value)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "1e", "tru", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
        "\"\u{1}\"",
        "\"open", "1 2", "{a:1}", "[1 2]", "\"\\u+123\"",
    ])
    func brokenJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8)) }
    }

    @Test func deepJSONIsRefusedNotFollowed() {
        #expect(throws: JSONError.self) { try JSONParser.parse(Array(repeating: 91, count: 100_000)) }
        #expect(throws: JSONError.self) { try JSONParser.parse([34, 0xFF, 34]) }
    }

    @Test func randomNumbersHaveTheirMeans() {
        var random = DeterministicRandom(seed: 1, stream: 1)
        let count = 200_000
        var sums = (unit: 0.0, gaussian: 0.0, square: 0.0, exponential: 0.0)
        for _ in 0..<count {
            sums.unit += random.unit()
            let normal = random.gaussian()
            sums.gaussian += normal
            sums.square += normal * normal
            let waiting = random.exponential()
            #expect(waiting >= 0)
            sums.exponential += waiting
        }
        #expect(abs(sums.unit / Double(count) - 0.5) < 0.01)
        #expect(abs(sums.gaussian / Double(count)) < 0.02)
        #expect(abs(sums.square / Double(count) - 1) < 0.02)
        #expect(abs(sums.exponential / Double(count) - 1) < 0.05)
    }
}
