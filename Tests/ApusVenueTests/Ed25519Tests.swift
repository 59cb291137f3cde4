import Crypto
import Foundation
import Testing

@testable import ApusVenue

/// Accounts whose keys sign with Ed25519, and the dead-man switch.
@Suite struct Ed25519Tests {
    private let key = Curve25519.Signing.PrivateKey()

    private func harness() throws -> Harness {
        var configuration = try testConfiguration()
        configuration.accounts[0] = BinanceAccountConfiguration(
            apiKey: firstKey, publicKey: Array(key.publicKey.rawRepresentation))
        return try Harness(configuration)
    }

    private func ask(
        _ harness: Harness, _ signer: Curve25519.Signing.PrivateKey, encodes: Bool = true
    ) throws -> Int64? {
        let text = "symbol=BTCUSDT&timestamp=\(testStart / millisecond)"
        var signature = try signer.signature(for: Array(text.utf8)).base64EncodedString()
        if encodes {
            for (plain, escaped) in [("+", "%2B"), ("/", "%2F"), ("=", "%3D")] {
                signature = signature.replacing(plain, with: escaped)
            }
        }
        let answer = harness.rest.request(
            "GET", "/fapi/v1/openOrders?\(text)&signature=\(signature)", headers: "X-MBX-APIKEY: \(firstKey)\r\n")
        return answer.status == 200 ? 200 : answer.code.map { Int64($0) }
    }

    @Test func theRightKeyIsTakenAndAnotherIsNot() throws {
        let harness = try harness()
        #expect(try ask(harness, key) == 200)
        #expect(try ask(harness, Curve25519.Signing.PrivateKey()) == -1022)
        let hmac = harness.signed("GET", "/fapi/v1/openOrders", secret: "secret-one")
        #expect(hmac.code == -1022, "not with a secret")
    }

    @Test func base64IsReadAsItIsWritten() {
        for length in 0...70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            let text = Data(bytes).base64EncodedString()
            #expect(BinanceAuthentication.base64Bytes(text) == (length == 0 ? nil : bytes))
        }
        for text in ["A", "AAA", "AA-A", "A===", "====", "AA=A"] {
            #expect(BinanceAuthentication.base64Bytes(text) == nil)
        }
    }

    @Test func anAccountNeedsOneWayToSign() throws {
        var configuration = try testConfiguration()
        configuration.accounts[0].publicKey = [UInt8](repeating: 1, count: 32)
        #expect(throws: VenueConfigurationError.self) { try configuration.validate() }
        configuration.accounts[0].secret = ""
        try configuration.validate()
        configuration.accounts[0].publicKey.removeLast()
        #expect(throws: VenueConfigurationError.self) { try configuration.validate() }
    }

    @Test func theCountdownCancelsWhatIsOpenUnlessItIsRenewed() throws {
        let harness = try Harness()
        func openCount() -> Int {
            guard case .array(let orders) = harness.signed("GET", "/fapi/v1/openOrders").body else { return -1 }
            return orders.count
        }
        func countDown(_ milliseconds: Int) -> Int {
            harness.signed("POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=\(milliseconds)").status
        }
        func place(_ symbol: String, _ price: String) {
            let placed = harness.signed(
                "POST", "/fapi/v1/order",
                "symbol=\(symbol)&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.100&price=\(price)")
            #expect(placed.status == 200)
        }
        place("BTCUSDT", "60000")
        place("ETHUSDT", "2600")
        #expect(countDown(3000) == 200)
        harness.advance(by: 2 * second)
        #expect(countDown(3000) == 200 && openCount() == 2)
        harness.advance(by: 2 * second)
        #expect(openCount() == 2)
        harness.advance(by: 2 * second)
        #expect(openCount() == 1, "the other symbol's stays")
        place("BTCUSDT", "60000")
        #expect(countDown(1000) == 200 && countDown(0) == 200)
        harness.advance(by: 5 * second)
        #expect(openCount() == 2, "ended by zero")
        #expect(countDown(-1) == 400)
    }
}
