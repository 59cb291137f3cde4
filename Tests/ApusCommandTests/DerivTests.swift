import Apus
import ApusEngine
import CApusProtocol
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusLive

/// Deriv's account, metadata and a whole run against the venue in this process.
@Suite struct DerivTests {
    private static let shape = "1HZ10V/CALL/2t/stake/5"

    /// A venue on real sockets with one account.
    private final class Venue: Sendable {
        let addresses: VenueAddresses
        let token = randomHex(32)
        private let launched: LaunchedVenue

        init() async throws {
            let token = token
            launched = try await onThread {
                var launch = VenueLaunch(symbols: ["1HZ10V", "R_100"])
                launch.accounts = ["VRTC7:\(token)"]
                return try launch.start(.deriv)
            }
            addresses = .loopback(port: try #require(launched.port), isSecure: false)
        }

        func stop() async throws {
            let launched = launched
            try await onThread { try launched.stop() }
        }

        func credentials(_ token: String? = nil) -> DerivCredentials {
            DerivCredentials(token: token ?? self.token, appID: "1089", account: "VRTC7")
        }

        func metadata(_ kind: VenueKind, _ symbols: [String]) async throws -> VenueMetadata {
            try await VenueMetadata.fetch(kind, symbols: symbols, addresses: addresses, caFile: nil)
        }

        func client(_ kind: VenueKind, _ metadata: VenueMetadata) throws -> DerivAccountClient {
            try DerivAccountClient(
                kind, addresses: addresses, caFile: nil, credentials: credentials(), instruments: metadata.instruments)
        }
    }

    @Test(arguments: [VenueKind.deriv, .derivV3])
    func metadataComesFromActiveSymbols(kind: VenueKind) async throws {
        let venue = try await Venue()
        let metadata = try await venue.metadata(kind, ["R_100", Self.shape])
        #expect(metadata.instruments.map(\.priceDecimals) == [2, 2] && metadata.settlementAsset == "USD")
        #expect(metadata.instruments[1].maxQuantity == ExactDecimal(digits: 1))
        await #expect(throws: LiveError.self) { try await venue.metadata(kind, ["R_999"]) }
        await #expect(throws: LiveError.self) { try await venue.metadata(kind, ["R_100/CALL/5t"]) }
        try await venue.stop()
    }

    @Test(arguments: [VenueKind.deriv, .derivV3])
    func theAccountTellsContractsAsPositionsAndTrades(kind: VenueKind) async throws {
        let venue = try await Venue()
        let metadata = try await venue.metadata(kind, [Self.shape, "1HZ10V/PUT/3600s/stake/10"])
        let client = try venue.client(kind, metadata)
        let began = UInt64(Date().timeIntervalSince1970 * 1000)
        let before = try await client.snapshot(since: began * 1_000_000)
        #expect(before.trades.isEmpty && before.positions.map(\.quantity.digits) == [0, 0])
        #expect(before.balance == Money(whole: 10_000))

        let socket = try await DerivAPI(kind, addresses: venue.addresses, caFile: nil, appID: "1089").open(
            venue.credentials())
        let key = kind == .deriv ? "underlying_symbol" : "symbol"
        let proposal = try await socket.ask(
            "{\"proposal\":1,\"amount\":10,\"basis\":\"stake\",\"contract_type\":\"PUT\",\"currency\":\"USD\",\"duration\":3600,"
                + "\"duration_unit\":\"s\",\"\(key)\":\"1HZ10V\"")
        let id = try #require(proposal.fields.text(APUS_DERIV_ID))
        let bought = try await socket.ask("{\"buy\":\"\(id)\",\"price\":10")

        let open = try await client.snapshot(since: began * 1_000_000 - 5_000_000_000)
        #expect(open.positions.map(\.quantity.digits) == [0, 1])
        #expect(open.trades.map(\.tradeID) == [bought.fields.number(APUS_DERIV_TRADE)])
        #expect(open.trades.first?.venueID == bought.fields.contract && open.balance == Money(whole: 9_990))
        var known = KnownOrder(
            clientID: 7, venueID: 0, symbol: "1HZ10V/PUT/3600s/stake/10", side: .buy, price: ExactDecimal(digits: 10),
            quantity: ExactDecimal(digits: 1), wallMilliseconds: bought.fields.boughtAt * 1000, expireMilliseconds: 0,
            timeInForce: .goodTillCanceled)
        let order = try #require(try await client.order(known))
        #expect(order.venueID == bought.fields.contract && order.end == .filled && order.clientID == 7)
        known.others = [bought.fields.contract]
        #expect(try await client.order(known) == nil, "it is another order's")
        known.others = []
        known.price = ExactDecimal(digits: 9)
        #expect(try await client.order(known) == nil, "it was bought at more than that")
        // A market order has a worst price alone.
        known.price = ExactDecimal(digits: 0)
        for (limit, isFound) in [(11, true), (9, false), (0, true)] as [(Int64, Bool)] {
            known.limit = ExactDecimal(digits: limit)
            #expect((try await client.order(known) != nil) == isFound)
        }
        known.limit = nil

        // The contract's entry must be known before it can be sold back.
        var sold: DerivAnswer?
        let patience = ContinuousClock.now + .seconds(60)
        while sold == nil, ContinuousClock.now < patience {
            sold = try? await socket.ask("{\"sell\":\(bought.fields.contract),\"price\":0")
            if sold == nil { _ = try await client.snapshot(since: began * 1_000_000) }
        }
        let sale = try #require(sold).fields
        let after = try await client.snapshot(since: began * 1_000_000 - 5_000_000_000)
        #expect(after.positions.map(\.quantity.digits) == [0, 0])
        #expect(after.trades.map(\.side) == [.buy, .sell])
        #expect(after.trades.last?.tradeID == sale.number(APUS_DERIV_TRADE))
        #expect(after.trades.last?.venueID == bought.fields.contract | DerivAccountClient.saleBit)
        known = KnownOrder(
            clientID: 8, venueID: bought.fields.contract | DerivAccountClient.saleBit, symbol: known.symbol,
            side: .sell, price: ExactDecimal(digits: 0), quantity: ExactDecimal(digits: 1), wallMilliseconds: began,
            expireMilliseconds: 0, timeInForce: .goodTillCanceled)
        #expect(try await client.order(known)?.end == .filled)
        #expect(try await client.cancel([known]).isEmpty)
        #expect(try await client.armDeadManSwitch(seconds: 3) == false)
        await socket.close()
        await client.close()
        try await venue.stop()
    }

    @Test(arguments: [VenueKind.deriv, .derivV3])
    func aWrongTokenIsRefusedWithoutBeingShown(kind: VenueKind) async throws {
        let venue = try await Venue()
        let api = DerivAPI(kind, addresses: venue.addresses, caFile: nil, appID: "1089")
        let error = await #expect(throws: AccountError.self) { try await api.open(venue.credentials("wrong-secret")) }
        #expect(error?.kind == .refused && error?.description.contains("wrong-secret") == false)
        try await venue.stop()
    }

    /// The engine knows the session's numbers without knowing the session.
    @Test func refusalsCountAsTheirCodesSay() {
        let family = VenueFamily(venue: "deriv")
        #expect(family.outcome(ofCode: Int32(APUS_DERIV_ERROR_RATE_LIMIT.rawValue)) == .rateLimited)
        #expect(family.outcome(ofCode: Int32(APUS_DERIV_ERROR_INTERNAL.rawValue)) == .venueError)
        #expect(family.outcome(ofCode: Int32(APUS_DERIV_ERROR_BALANCE.rawValue)) == .ourFault)
    }

    @Test func credentialsComeFromTheEnvironmentAlone() throws {
        let whole = ["APUS_DERIV_TOKEN": "hunter2", "APUS_DERIV_ACCOUNT": "VRTC1", "APUS_DERIV_APP_ID": "7"]
        for kind in [VenueKind.deriv, .derivV3] {
            let found = try Credentials(kind, environment: whole)
            #expect(!"\(found) \(String(reflecting: found))".contains("hunter2"))
            let missing = kind == .deriv ? "APUS_DERIV_ACCOUNT" : "APUS_DERIV_APP_ID"
            for name in ["APUS_DERIV_TOKEN", missing] {
                var part = whole
                part[name] = ""
                let error = #expect(throws: LiveError.self) { try Credentials(kind, environment: part) }
                #expect(error?.description.contains(name) == true)
            }
        }
    }

    @Test(arguments: ["shared", "dedicated"])
    func aRunBuysContractsAndHoldsThemToTheirEnd(placement: String) async throws {
        let store = try ConfigurationStore(
            file: nil, environment: [:],
            assignments: [
                "engine.name=apus-test-deriv-\(placement)-\(getpid())", "engine.placement=\(placement)",
                "venue.protocol=deriv", "venue.symbols=1HZ10V,\(Self.shape)", "strategy.name=contract-buyer",
            ])
        let result = try await onThread {
            let plan = try RunPlan(store, strategies: [ContractBuyer.description], allowLive: false)
            return try RunSession(
                plan, log: Log(level: .error), signals: StopSignals(), seconds: 14, hasView: false
            ).run()
        }
        #expect(result.summary.fills >= 2 && result.summary.openOrders == 0)
        #expect(result.summary.overfills == 0 && result.summary.strangeReports == 0)
    }
}

/// Buys a contract of each shape whenever it holds none.
private struct ContractBuyer: Strategy {
    static let description = StrategyDescription(
        name: "contract-buyer", summary: "Holds one contract of each shape"
    ) { _ in ContractBuyer() }

    private var working: OrderID?

    mutating func book(_ book: BookView, _ context: Context) {
        guard book.instrument.symbol.contains("/"), book.isLive, working == nil, let ask = book.ask,
            context.position(of: book.instrument).quantity == .zero
        else { return }
        working = context.limit(.buy, Quantity(units: 1), of: book.instrument, at: ask, .immediateOrCancel).id
    }

    mutating func report(_ report: Report, _ context: Context) {
        if report.order.id == working, !report.order.isOpen { working = nil }
    }
}
