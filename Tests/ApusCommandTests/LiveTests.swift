import ApusVenue
import ApusVenueServer
import Foundation
import Testing

@testable import ApusCommand
@testable import ApusLive

@Suite struct VenueAddressTests {
    @Test(arguments: [
        ("https://fapi.binance.com", "fapi.binance.com", 443, true, ""),
        ("ws://127.0.0.1:9080", "127.0.0.1", 9080, false, ""),
        ("wss://[::1]:8443/public/stream", "::1", 8443, true, "/public/stream"),
        ("http://localhost/", "localhost", 80, false, "/"),
    ])
    func reads(_ text: String, _ host: String, _ port: UInt16, _ isSecure: Bool, _ path: String) throws {
        let address = try VenueAddress(text)
        #expect(address == VenueAddress(host: host, port: port, isSecure: isSecure, path: path))
    }

    @Test(arguments: [
        "fapi.binance.com", "ftp://a", "https://", "https://a:0", "https://a:70000", "https://a:b", "wss://[::1]x",
        "https://" + String(repeating: "a", count: 300),
    ])
    func refuses(_ text: String) {
        #expect(throws: LiveError.self) { try VenueAddress(text) }
    }

    @Test func knowsLoopback() throws {
        #expect(VenueAddresses.loopback(port: 1, isSecure: false).isLoopback)
        #expect(!VenueAddresses().isLoopback)
        var mixed = VenueAddresses.loopback(port: 1, isSecure: false)
        mixed.orders = try VenueAddress("wss://ws-fapi.binance.com/ws-fapi/v1")
        #expect(!mixed.isLoopback)
        mixed.orders = try VenueAddress("wss://127.0.0.1.example.com/")
        #expect(!mixed.isLoopback)
    }
}

@Suite struct CredentialsTests {
    @Test func comeFromTheEnvironmentAlone() throws {
        #expect(throws: LiveError.self) { try BinanceCredentials(environment: ["APUS_BINANCE_API_KEY": "k"]) }
        #expect(throws: LiveError.self) {
            try BinanceCredentials(environment: ["APUS_BINANCE_API_KEY": "", "APUS_BINANCE_API_SECRET": "s"])
        }
        let found = try BinanceCredentials(environment: [
            "APUS_BINANCE_API_KEY": "keyword", "APUS_BINANCE_API_SECRET": "hunter2",
        ])
        #expect(!"\(found) \(String(reflecting: found))".contains("hunter2"))
    }

    @Test func aPrivateKeyTakesTheSecretsPlace() throws {
        let key = ["APUS_BINANCE_API_KEY": "keyword"]
        let pem = "-----BEGIN PRIVATE KEY-----"
        let given = try BinanceCredentials(environment: key.merging(["APUS_BINANCE_PRIVATE_KEY": pem]) { $1 })
        guard case .ed25519(pem) = given.secret else { throw LiveError("not taken") }
        let path = NSTemporaryDirectory() + "apus-key-\(getpid()).pem"
        try pem.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let read = try BinanceCredentials(environment: key.merging(["APUS_BINANCE_PRIVATE_KEY_FILE": path]) { $1 })
        guard case .ed25519(pem) = read.secret else { throw LiveError("not read") }
        #expect(!"\(given) \(String(reflecting: read))".contains("PRIVATE"))
        for wrong in [
            ["APUS_BINANCE_PRIVATE_KEY_FILE": path + "x"],
            ["APUS_BINANCE_PRIVATE_KEY": pem, "APUS_BINANCE_API_SECRET": "s"],
        ] {
            #expect(throws: LiveError.self) { try BinanceCredentials(environment: key.merging(wrong) { $1 }) }
        }
    }
}

@Suite struct ExchangeInfoTests {
    private func info(_ symbols: String) throws -> ExchangeInfo {
        try ExchangeInfo(json: Data("{\"symbols\":[\(symbols)]}".utf8), source: "test")
    }

    private let bitcoin = """
        {"symbol":"BTCUSDT","status":"TRADING","pricePrecision":2,"quantityPrecision":3,"quoteAsset":"USDT",
        "marginAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"261.10","tickSize":"0.10"},
        {"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},
        {"filterType":"MIN_NOTIONAL","notional":"50"}]}
        """

    @Test func readsFutures() throws {
        let definition = try #require(try info(bitcoin).definitions(of: ["BTCUSDT"], venue: .binanceUSDM).first)
        #expect(definition.priceDecimals == 2 && definition.quantityDecimals == 3)
        #expect(definition.contract == .linear && definition.multiplier == 1)
        #expect(definition.minLifetimeSeconds == 605)
        let entry = try protocolInstrument(definition)
        #expect(entry.tick_units == 10 && entry.lot_units == 1 && entry.minimum_quantity == 1)
        #expect(entry.maximum_quantity == 1_000_000 && entry.minimum_notional == 5000)
        #expect(try info(bitcoin).settlementAsset(of: "BTCUSDT") == "USDT")
    }

    @Test func readsInverseContractsAndSpot() throws {
        let inverse = """
            {"symbol":"BTCUSD_PERP","contractStatus":"TRADING","contractSize":100,"pricePrecision":1,"quantityPrecision":0,
            "quoteAsset":"USD","marginAsset":"BTC","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},
            {"filterType":"LOT_SIZE","minQty":"1","maxQty":"60000","stepSize":"1"}]}
            """
        let coin = try #require(try info(inverse).definitions(of: ["BTCUSD_PERP"], venue: .binanceCOINM).first)
        #expect(coin.contract == .inverse && coin.multiplier == 100 && coin.minNotional == nil)
        #expect(try info(inverse).settlementAsset(of: "BTCUSD_PERP") == "BTC")
        let spot = """
            {"symbol":"BTCUSDT","status":"TRADING","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER",
            "tickSize":"0.01000000"},{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000",
            "stepSize":"0.00001000"},{"filterType":"NOTIONAL","minNotional":"5.00000000"}]}
            """
        let pair = try #require(try info(spot).definitions(of: ["BTCUSDT"], venue: .binanceSpot).first)
        #expect(pair.priceDecimals == 8 && pair.quantityDecimals == 8)
        #expect(try protocolInstrument(pair).tick_units == 1_000_000)
    }

    @Test func saysWhatIsWrong() throws {
        func failure(_ symbols: String, _ name: String) -> String {
            do {
                _ = try info(symbols).definitions(of: [name], venue: .binanceUSDM)
                return ""
            } catch { return "\(error)" }
        }
        #expect(failure(bitcoin, "btcusdt").contains("did you mean BTCUSDT?"))
        #expect(failure(bitcoin, "BTCUSDC").contains("there are BTCUSDT"))
        let halted = bitcoin.replacing("TRADING", with: "BREAK")
        #expect(failure(halted, "BTCUSDT").contains("its status is BREAK"))
        #expect(failure(bitcoin.replacing("stepSize", with: "x"), "BTCUSDT").contains("LOT_SIZE.stepSize"))
        #expect(failure(bitcoin.replacing("0.10", with: "a.b"), "BTCUSDT").contains("tickSize"))
        #expect(throws: LiveError.self) { try ExchangeInfo(json: Data("{}".utf8), source: "test") }
    }

    /// An engine that starts is not to fail by one lost answer.
    @Test func isAskedForAgainWhenTheVenueFails() async throws {
        let target = FaultTarget(request: "GET /fapi/v1/exchangeInfo")
        let faults = FaultPlan(rules: [
            FaultRule(.failedAnswer(503), .afterMessages(0), target: target),
            FaultRule(.cutAnswer, .afterMessages(0), target: target),
        ])
        let metadata = try await onThread {
            let venue = try VenueLaunch(faults: faults).start(.binanceUSDM)
            defer { try? venue.stop() }
            let addresses = VenueAddresses.loopback(port: venue.port ?? 0, isSecure: false)
            return try blocking {
                try await VenueMetadata.fetch(.binanceUSDM, symbols: ["BTCUSDT"], addresses: addresses, caFile: nil)
            }
        }
        #expect(metadata.instruments.map(\.symbol) == ["BTCUSDT"] && metadata.requestLimits.isEmpty)
    }
}
