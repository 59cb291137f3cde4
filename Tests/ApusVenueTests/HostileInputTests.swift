import Testing

@testable import ApusVenue

/// A venue on a port meets anything; whatever comes, it must answer or close, and go on.
@Suite struct HostileInputTests {
    /// Numbers at every edge of what a field can hold.
    private static let extremes = [
        "0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e308", "0.00000001", "-0",
        "99999999999999999999999999999999", "", " ", "NaN", "null", "true", "[]", "{}", "\\u0000",
    ]

    @Test(arguments: [
        "symbol", "side", "type", "timeInForce", "quantity", "price", "timestamp", "recvWindow", "newClientOrderId",
        "reduceOnly",
        "orderId", "origClientOrderId", "limit",
    ])
    func extremesInAnyFieldAreAnswered(_ field: String) throws {
        let harness = try Harness()
        let api = harness.webSocket("/ws-fapi/v1")
        let methods = ["order.place", "order.modify", "order.cancel", "order.status", "account.balance", "depth"]
        for method in methods {
            for extreme in Self.extremes {
                let parameters = [
                    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010",
                    "price": "60000", "origClientOrderId": "a",
                ].merging([field: extreme]) { $1 }
                let answer = api.call(method, parameters)
                #expect(text(answer, "status") != nil, "\(method) with \(field)=\(extreme) got \(answer)")
            }
        }
        #expect(!api.isClosed)
        #expect(harness.venue.book("BTCUSDT")!.bids.count > 500)
    }

    @Test(arguments: [1 as UInt64, 2, 3])
    func randomAndDamagedBytesDoNotStopTheVenue(_ seed: UInt64) throws {
        let harness = try Harness()
        var random = DeterministicRandom(seed: seed, stream: 3)
        let order = Array(
            "{\"id\":1,\"method\":\"order.place\",\"params\":{\"symbol\":\"BTCUSDT\",\"price\":60000.10}}".utf8)
        let subscribe = Array("{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\"],\"id\":1}".utf8)
        let request = Array("POST /fapi/v1/order?symbol=BTCUSDT HTTP/1.1\r\nContent-Length: 4\r\n\r\na=b&".utf8)
        for round in 0..<600 {
            let client: TestClient
            var bytes: [UInt8]
            switch round % 4 {
            case 0:
                client = harness.webSocket("/ws-fapi/v1")
                bytes = TestClient.frame(1, order)
            case 1:
                client = harness.webSocket("/ws")
                bytes = TestClient.frame(1, subscribe)
            case 2:
                client = harness.connect()
                bytes = request
            default:
                client = harness.connect()
                bytes = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            for _ in 0..<(1 + random.below(4)) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            let cut = random.below(bytes.count)
            client.send(Array(bytes[..<cut]))
            client.send(Array(bytes[cut...]))
            harness.leave(client)
        }
        #expect(harness.venue.openConnections.isEmpty)
        #expect(harness.rest.request("GET", "/fapi/v1/ping").status == 200)
    }

    @Test func aTimestampAtTheEdgeOfSixtyFourBitsIsRefused() throws {
        let api = try Harness().webSocket("/ws-fapi/v1")
        for timestamp in ["-9223372036854775808", "9223372036854775807"] {
            #expect(text(api.call("account.balance", ["timestamp": timestamp]), "error", "code") == "-1021")
        }
    }

    @Test func amountsThatSixtyFourBitsCannotHoldAreRefusedAtTheStart() throws {
        var configuration = try testConfiguration()
        configuration.accounts[0].balance = .max
        #expect(throws: VenueConfigurationError.self) { try BinanceVenue(configuration, now: testStart) }
        configuration = try testConfiguration()
        configuration.symbols[0].maxQuantity = 1 << 50
        #expect(throws: VenueConfigurationError.self) { try BinanceVenue(configuration, now: testStart) }
    }
}
