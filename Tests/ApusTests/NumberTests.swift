import Foundation
import Testing

@testable import Apus

@Suite struct ExactDecimalTests {
    @Test(arguments: [
        ("0", 0, 0), ("-0.5", -5, 1), ("61234.50", 6_123_450, 2), (".25", 25, 2), ("7.", 7, 0),
        ("9223372036854775807", Int64.max, 0), ("-9223372036854775808", Int64.min, 0),
    ])
    func readsDigits(text: String, digits: Int64, decimals: Int) throws {
        let number = try ExactDecimal(text)
        #expect(number.digits == digits)
        #expect(number.decimals == decimals)
    }

    @Test(arguments: [
        ("", DecimalError.empty), ("-", .empty), (".", .empty), ("1e5", .invalidCharacter(offset: 1)),
        ("1.2.3", .invalidCharacter(offset: 3)), ("1-", .invalidCharacter(offset: 1)),
        (" 1", .invalidCharacter(offset: 0)),
        ("9223372036854775808", .overflow), ("-9223372036854775809", .overflow),
        ("0.1234567890123456789", .tooManyDecimals(allowed: 18)),
    ])
    func refuses(text: String, error: DecimalError) {
        #expect(throws: error) { try ExactDecimal(text) }
    }

    @Test func rescalesOnlyExactly() throws {
        #expect(try ExactDecimal("1.50").units(decimals: 1) == 15)
        #expect(try ExactDecimal("1.5").units(decimals: 8) == 150_000_000)
        #expect(throws: DecimalError.tooManyDecimals(allowed: 1)) { try ExactDecimal("1.55").units(decimals: 1) }
        #expect(throws: DecimalError.overflow) { try ExactDecimal("100000000000").units(decimals: 18) }
    }

    @Test func writesWhatItReads() throws {
        for text in ["0", "-0.05", "12.340", "-7"] { #expect(try ExactDecimal(text).description == text) }
    }
}

@Suite struct PriceTests {
    @Test func convertsAndCalculates() throws {
        let price = try Price("61234.50", decimals: 2)
        #expect(price.units == 6_123_450)
        #expect(price.text(decimals: 2) == "61234.50")
        #expect((price + Price(units: 10) - Price(units: 4)).units == 6_123_456)
        #expect((-price).text(decimals: 2) == "-61234.50")
        #expect((price * 2).units == 12_246_900)
        #expect(Quantity(units: 7) / Quantity(units: 2) == 3)
    }

    @Test func roundsToStepsOnBothSidesOfZero() {
        let step = Price(units: 10)
        #expect(Price(units: 25).roundedDown(to: step).units == 20)
        #expect(Price(units: 25).roundedUp(to: step).units == 30)
        #expect(Price(units: -25).roundedDown(to: step).units == -30)
        #expect(Price(units: -25).roundedUp(to: step).units == -20)
        #expect(Price(units: 20).roundedUp(to: step).units == 20)
        #expect(Price(units: 20).isMultiple(of: step))
        #expect(!Price(units: 21).isMultiple(of: step))
    }
}

@Suite struct MoneyTests {
    @Test func isExactAndSaturates() throws {
        let cent = try Money("0.01")
        #expect((0..<100).reduce(Money.zero) { sum, _ in sum + cent } == Money(whole: 1))
        #expect(Money.greatest + cent == .greatest)
        #expect((-Money.greatest - cent - cent).atoms == .min)
        #expect(Money(hundredMillionths: 5) == (try Money("0.00000005")))
    }

    @Test func isReadBackFromJSON() throws {
        let amounts = [
            Money(whole: 100_000), -Money(whole: 10), try Money("-0.000000000000000001"), .zero, .greatest,
            -.greatest,
        ]
        #expect(try JSONDecoder().decode([Money].self, from: JSONEncoder().encode(amounts)) == amounts)
        #expect(
            try JSONDecoder().decode([Money].self, from: Data("[\"1.5\", 3, \"7\"]".utf8)).map(\.description).first
                == "1.500000000000000000")
        for wrong in ["", ".", "-", "+1", "1.+5", "1.-5", "1e3", "1.0000000000000000001", "a", "1.2.3", "-.5"] {
            #expect(throws: DecodingError.self, "\(wrong)") {
                try JSONDecoder().decode([Money].self, from: Data("[\"\(wrong)\"]".utf8))
            }
        }
    }

    @Test func roundsTextToNearest() throws {
        #expect(try Money("1.235").text(decimals: 2) == "1.24")
        #expect(try Money("-1.235").text(decimals: 2) == "-1.24")
        #expect(try Money("-0.004").text(decimals: 2) == "0.00")
        #expect(try Money("5").description == "5.000000000000000000")
    }
}

@Suite struct WideArithmeticTests {
    @Test func scalesThrough256Bits() {
        let large = Int128.max
        #expect(large.scaled(by: 7, over: 7) == large)
        #expect((-large).scaled(by: UInt64.max, over: UInt64.max) == -large)
        #expect(Int128(10).scaled(by: 1, over: 4) == 3)
        #expect(Int128(-10).scaled(by: 1, over: 4) == -3)
        #expect(large.scaled(by: 2, over: 1) == .max)
        #expect((-large).scaled(by: 2, over: 1) == .min)
    }

    @Test func roundsHalvesAwayFromZero() {
        #expect(Int128(5).dividedNearest(by: 2) == 3)
        #expect(Int128(-5).dividedNearest(by: 2) == -3)
        #expect(Int128(4).dividedNearest(by: 3) == 1)
        #expect(Int128(5).dividedNearest(by: 3) == 2)
    }
}
