import Testing

@testable import ApusCommand

@Suite struct FormattingTests {
    @Test(
        arguments: [
            (0, 2, "0.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (12_345, 2, "123.45"), (7, 0, "7"),
            (Int64.min, 18, "-9.223372036854775808"),
        ] as [(Int64, Int, String)])
    func decimals(_ units: Int64, _ decimals: Int, _ text: String) {
        #expect(decimalText(units, decimals: decimals) == text)
    }

    @Test(
        arguments: [
            (0, "0 ns"), (999, "999 ns"), (1000, "1.0 µs"), (12_340, "12.3 µs"), (123_400, "123 µs"),
            (1_000_000, "1.0 ms"),
            (2_500_000_000, "2.5 s"),
        ] as [(UInt64, String)])
    func durations(_ nanoseconds: UInt64, _ text: String) {
        #expect(durationText(nanoseconds) == text)
    }

    @Test func counts() {
        #expect(countText(0) == "0")
        #expect(countText(999) == "999")
        #expect(countText(1000) == "1,000")
        #expect(countText(12_345_678) == "12,345,678")
        #expect(clockText(seconds: 90_061) == "1d 01:01:01")
    }

    @Test func linesAreCutBeforeTheyAreColoured() {
        var line = StyledLine("abc", .good)
        line.add("def")
        #expect(line.plain == "abcdef" && line.width == 6)
        #expect(line.coloured(width: 4) == "\u{1B}[32mabc\u{1B}[0md")
        #expect(line.coloured(width: 2) == "\u{1B}[32mab\u{1B}[0m")
        let columns = sideBySide([[StyledLine("a"), StyledLine("bbb")], [StyledLine("c")]], gap: 2)
        #expect(columns.map(\.plain) == ["a    c", "bbb  "])
    }

    @Test func jsonKeepsOrderAndEscapes() {
        let value = JSONText.object([
            ("b", .string("a\"\\\n\u{1}é")), ("a", .array([.null, .bool(true), .integer(-1), .number("0.10")])),
            ("d", .double(.nan)),
        ])
        #expect(value.description == "{\"b\":\"a\\\"\\\\\\n\\u0001é\",\"a\":[null,true,-1,0.10],\"d\":null}")
    }
}
