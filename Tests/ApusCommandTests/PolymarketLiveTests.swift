import Apus
import ApusEngine
import ApusSamples
import ApusVenueServer
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusLive
@testable import ApusVenue

/// The publicly known first key of Hardhat.
private let publicKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
private let ownAddress = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
private let wallet = "0x1111111111111111111111111111111111111111"
private let first = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
private let secondToken = "52114319501245915516055106046884209969926127482827954674443846427813813222426"

@Suite struct PolymarketCredentialsTests {
    private func credentials(_ values: [String: String]) throws(LiveError) -> PolymarketCredentials {
        try PolymarketCredentials(
            environment: Dictionary(uniqueKeysWithValues: values.map { ("APUS_POLYMARKET_\($0)", $1) }))
    }

    private func failure(_ values: [String: String]) -> String {
        do {
            _ = try credentials(values)
            return ""
        } catch { return error.description }
    }

    @Test func aKeyAloneIsEnough() throws {
        let own = try credentials(["PRIVATE_KEY": publicKey])
        #expect(own.wallet == ownAddress && own.signatureType == 0 && own.apiKey == nil)
        #expect(try credentials(["PRIVATE_KEY": String(publicKey.dropFirst(2))]).wallet == ownAddress)
        let safe = try credentials(["PRIVATE_KEY": publicKey, "FUNDER": wallet, "SIGNATURE_TYPE": "2"])
        #expect(safe.wallet == wallet && safe.signatureType == 2)
        let known = try credentials([
            "PRIVATE_KEY": publicKey, "API_KEY": "k", "API_SECRET": "c2VjcmV0", "API_PASSPHRASE": "p",
        ])
        #expect(known.apiKey == PolymarketAPIKey(key: "k", secret: "c2VjcmV0", passphrase: "p"))
    }

    @Test func whatIsWrongIsNamedAndNoSecretIsShown() {
        #expect(failure([:]).contains("APUS_POLYMARKET_PRIVATE_KEY"))
        let bad = "0x" + String(repeating: "12", count: 20)
        #expect(failure(["PRIVATE_KEY": bad]).contains("APUS_POLYMARKET_PRIVATE_KEY"))
        #expect(!failure(["PRIVATE_KEY": bad]).contains("1212"))
        #expect(failure(["PRIVATE_KEY": publicKey, "SIGNATURE_TYPE": "4"]).contains("none of 0, 1, 2 and 3"))
        #expect(failure(["PRIVATE_KEY": publicKey, "SIGNATURE_TYPE": "1"]).contains("APUS_POLYMARKET_FUNDER"))
        #expect(failure(["PRIVATE_KEY": publicKey, "FUNDER": wallet]).contains("APUS_POLYMARKET_SIGNATURE_TYPE"))
        #expect(failure(["PRIVATE_KEY": publicKey, "FUNDER": "0x12"]).contains("is no address"))
        #expect(failure(["PRIVATE_KEY": publicKey, "API_KEY": "k"]).contains("belong together"))
    }

    @Test func secretsAreNotDescribed() throws {
        let known = try credentials([
            "PRIVATE_KEY": publicKey, "API_KEY": "k", "API_SECRET": "c2VjcmV0", "API_PASSPHRASE": "passphrase",
        ])
        for text in ["\(known)", String(reflecting: known), "\(Credentials.polymarket(known))"] {
            #expect(text == "credentials")
        }
        #expect(known.apiKey.map { "\($0)" } == "API key")
    }

    /// The venue's published answer for level 1.
    @Test func levelOne() throws {
        let key = try PolymarketKey(publicKey)
        #expect(
            key.authSignature(chain: 80002, timestamp: 10_000_000, nonce: 23)
                == "0xf62319a987514da40e57e2f4d7529f7bac38f0355bd88bb5adbb3768d80de6c1"
                + "682518e0af677d5260366425f4361e7b70c25ae232aff0ab2331e2b164a1aedc1b")
    }

    /// The venue's published answer for level 2.
    @Test func levelTwo() {
        let key = PolymarketAPIKey(
            key: "k", secret: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", passphrase: "p")
        #expect(
            key.signature(of: "1000000test-sign/orders{\"hash\": \"0x123\"}")
                == "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc=")
        #expect(PolymarketAPIKey(key: "k", secret: "!", passphrase: "p").signature(of: "x") == nil)
    }
}

@Suite struct GammaMarketsTests {
    private func markets(_ fields: String) throws -> GammaMarkets {
        let text =
            "[{\"conditionId\":\"0x01\",\"clobTokenIds\":\"[\\\"\(first)\\\", \\\"\(secondToken)\\\"]\"\(fields)}]"
        return try GammaMarkets(json: Data(text.utf8), source: "gamma")
    }

    @Test func aToken() throws {
        let found = try markets(
            ",\"orderPriceMinTickSize\":0.001,\"orderMinSize\":15,\"negRisk\":true,\"version\":\"3\",\"closed\":false"
        ).definition(of: secondToken)
        #expect(found.0.symbol == secondToken && found.0.tick.description == "0.001" && found.0.contract == .binary)
        #expect(found.0.minQuantity?.description == "15" && found.0.lot.description == "0.01")
        #expect(found.0.minLifetimeSeconds == 60)
        #expect(
            found.1
                == PolymarketListing(condition: "0x01", isNegRisk: true, version: 3, minOrderSize: "15"))
    }

    @Test func whatMayBeMissing() throws {
        let listing = try markets(",\"orderPriceMinTickSize\":0.01").definition(of: first).1
        #expect(listing == PolymarketListing(condition: "0x01", isNegRisk: false, version: 0, minOrderSize: "5"))
    }

    @Test func whatCannotBeTraded() throws {
        func failure(_ fields: String, _ token: String = first) throws -> String {
            let found = try markets(fields)
            return (#expect(throws: LiveError.self) { try found.definition(of: token) })?.description ?? ""
        }
        let tick = ",\"orderPriceMinTickSize\":0.01"
        #expect(try failure(tick + ",\"closed\":true").contains("takes no orders"))
        #expect(try failure(tick + ",\"acceptingOrders\":false").contains("takes no orders"))
        #expect(try failure("").contains("orderPriceMinTickSize"))
        #expect(try failure(tick + ",\"version\":4").contains("version 4"))
        #expect(try failure(tick, String(first.dropLast())).contains("no outcome token"))
        #expect(throws: LiveError.self) { try GammaMarkets(json: Data("{}".utf8), source: "gamma") }
    }
}

@Suite struct PolymarketSettingsTests {
    @Test func configuredValuesReachTheSession() throws {
        let store = try ConfigurationStore(
            file: nil, environment: [:],
            assignments: [
                "venue.polymarket.chain_id=80002", "venue.polymarket.orders_per_second=7",
                "venue.polymarket.exchange=\(wallet)",
            ])
        let settings = store.polymarketSettings
        #expect(settings.chain == 80002 && settings.ordersPerSecond == 7 && settings.exchange == wallet)
        #expect(settings.orderBurst == 60 && settings.heartbeatSeconds == 5)
        #expect(throws: LiveError.self) { try PolymarketSettings.address("0x12") }
    }

    @Test func anOrdersNameFollowsFromItsNumbers() throws {
        let key = PolymarketAPIKey(key: "k", secret: "c2VjcmV0", passphrase: "p")
        let credentials = try PolymarketCredentials(
            key: PolymarketKey(publicKey), funder: nil, signatureType: 0, api: key)
        let definition = InstrumentDefinition(
            symbol: first, venue: "polymarket", contract: .binary, priceDecimals: 4, quantityDecimals: 6,
            tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 2))
        let listing = PolymarketListing(condition: "", isNegRisk: false, version: 0, minOrderSize: "5")
        let order = KnownOrder(
            clientID: 77, venueID: 0, symbol: first, side: .sell, price: ExactDecimal(digits: 31, decimals: 2),
            quantity: ExactDecimal(digits: 10), wallMilliseconds: 1_700_000_000_123, expireMilliseconds: 0,
            timeInForce: .goodTillCanceled)
        func name(_ order: KnownOrder, version: UInt8 = 2) throws -> [UInt8] {
            try credentials.hash(of: order, definition, listing, settings: PolymarketSettings(), version: version)
        }
        var other = order
        other.clientID = 78
        #expect(try name(order) == name(order))
        #expect(try name(order) != name(other))
        #expect(try name(order) != name(order, version: 3))
        other = order
        other.price = ExactDecimal(digits: 2)
        #expect(throws: LiveError.self) { try name(other) }
    }
}

/// The engine on a venue in this process, over real sockets: its key derived, its orders signed and taken.
@Suite struct PolymarketRunTests {
    @Test func tradesOnTheLoopbackVenueAndLeavesNothingOpen() async throws {
        let store = try ConfigurationStore(
            file: nil, environment: [:],
            assignments: [
                "engine.name=apus-test-polymarket-\(getpid())", "venue.protocol=polymarket",
                "venue.symbols=will-it-rain", "venue.speed=brisk", "engine.idle=yield", "strategy.name=market-maker",
                "strategy.parameters.size=10", "strategy.parameters.max-inventory=50",
                "strategy.parameters.half-spread=2", "risk.price_band_ppm=500000",
            ])
        let result = try await onThread {
            let plan = try RunPlan(store, strategies: Samples.all, allowLive: false)
            return try RunSession(
                plan, log: Log(level: .error), signals: StopSignals(), seconds: 5, hasView: false
            ).run()
        }
        #expect(result.summary.events > 0)
        #expect(result.summary.orders > 0)
        #expect(result.summary.openOrders == 0)
        #expect(result.summary.overfills == 0 && result.summary.strangeReports == 0)
    }

    @Test func theAccountIsAskedOverREST() async throws {
        let answers = try await onThread {
            let venue = try LoopbackVenue.start(.polymarket, symbols: ["will-it-rain"], seed: 3, speed: "still")
            defer { try? venue.stop() }
            guard let credentials = venue.credentials else { throw LiveError("no account") }
            var configuration = LiveConfiguration(
                venue: .polymarket, symbols: venue.symbols, orders: .live(credentials),
                engine: EngineConfiguration(runTag: 1))
            configuration.addresses = venue.addresses
            return try ask(configuration)
        }
        #expect(answers.snapshot.openOrders.isEmpty && answers.snapshot.positions.isEmpty)
        #expect(answers.snapshot.trades.isEmpty && answers.snapshot.balance == Money(whole: 100_000))
        #expect(answers.listing.condition.count == 66 && answers.listing.minOrderSize == "5")
        #expect(answers.order == nil && answers.left.isEmpty && answers.hasSwitch)
    }
}

@Suite struct PolymarketHeartbeatTests {
    /// The venue's word for the one account: how many orders are open, and when it would cancel them; `.max`: never.
    private func account(_ server: VenueServer<PolymarketVenue>) throws -> (open: Int, deadline: VenueTime) {
        try blocking { try await server.withVenue { ($0.accounts[0].open.count, $0.accounts[0].heartbeatDeadline) } }
    }

    private func wait(
        _ server: VenueServer<PolymarketVenue>, until isAsExpected: (Int, VenueTime) -> Bool
    ) throws -> VenueTime {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let (open, deadline) = try account(server)
            if isAsExpected(open, deadline) { return deadline }
            try #require(ContinuousClock.now < end, "\(open) orders are open, until \(deadline)")
            usleep(10_000)
        }
    }

    @Test func theVenueCancelsWhenTheHeartbeatsEnd() async throws {
        try await onThread { [self] in
            let key = newPrivateKey(), folder = Folder()
            var venue = PolymarketConfiguration(
                markets: [OutcomeMarketConfiguration("will-it-rain")],
                accounts: [PolymarketAccountConfiguration(signer: key.address)], speed: .brisk)
            venue.timing.heartbeat = 8 * second
            let server = try blocking { [venue] in
                try await VenueServer.start(VenueServerConfiguration()) { try PolymarketVenue(venue, now: $0) }
            }
            let address = "http://127.0.0.1:\(try #require(server.port))"
            let settings =
                ["rest", "stream", "user", "orders", "metadata"].map { "venue.\($0)=\(address)" } + [
                    "mode=live", "venue.kind=polymarket", "venue.symbols=\(venue.markets[0].tokens[0])",
                    "engine.name=apus-test-beats-\(getpid())", "engine.socket=\(folder.path)/c.sock",
                    "journal.path=\(folder.path)/journal", "journal.segment_mb=1", "strategy.parameters.how=stay",
                    "strategy.parameters.away=20", "risk.price_band_ppm=500000",
                ]
            let process = try crashProgram(
                ["run", "--plain", "--strategy", "crasher"] + settings.flatMap { ["--set", $0] },
                keys: ["APUS_POLYMARKET_PRIVATE_KEY": key.text])
            // Renewed again and again while the order rests.
            let armed = try wait(server) { $0 == 1 && $1 != .max }
            let renewed = try wait(server) { $0 == 1 && $1 > armed && $1 != .max }
            _ = try wait(server) { $0 == 1 && $1 > renewed && $1 != .max }
            let supervisor = try #require(try children(of: process.processIdentifier).first)
            kill(supervisor, SIGSTOP)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            kill(supervisor, SIGKILL)
            #expect(try account(server).open == 1)
            #expect(try wait(server) { open, _ in open == 0 } == .max)
            try blocking { try await server.stop() }
        }
    }
}

private struct AccountAnswers: Sendable {
    var snapshot: AccountSnapshot
    var listing: PolymarketListing
    var order: VenueOrder?
    var left: [KnownOrder]
    var hasSwitch: Bool
}

/// Derives the key, and asks everything that can be asked of an account without orders.
private func ask(_ configuration: LiveConfiguration) throws -> AccountAnswers {
    try blocking {
        try await configuration.prepareCredentials()
        let metadata = try await VenueMetadata.fetch(
            .polymarket, symbols: configuration.symbols, addresses: configuration.addresses, caFile: nil)
        guard let client = try configuration.accountClient(metadata) else { throw LiveError("no client") }
        let unknown = KnownOrder(
            clientID: 5, venueID: 0, symbol: configuration.symbols[0], side: .buy,
            price: ExactDecimal(digits: 31, decimals: 2), quantity: ExactDecimal(digits: 10),
            wallMilliseconds: 1_700_000_000_123, expireMilliseconds: 0, timeInForce: .goodTillCanceled)
        let answers = AccountAnswers(
            snapshot: try await client.snapshot(since: 0), listing: metadata.listings[0],
            order: try await client.order(unknown), left: try await client.cancel([]),
            hasSwitch: try await client.armDeadManSwitch(seconds: 10))
        try await client.cancelAll()
        await client.close()
        return answers
    }
}
