import Apus
import ApusEngine
import AsyncHTTPClient
import CApusProtocol
import Foundation
import NIOCore
import NIOSSL

/// Deriv's account outside the hot path. Contracts are positions of their shapes; no order of the account ever rests.
///
/// The venue knows no number of ours. The orders of the session are known by contract: a buy's number is its contract, a sell's the
/// same with `APUS_DERIV_SALE`; a contract that ended by itself is a trade of no order.
package actor DerivAccountClient: AccountClient {
    private let api: DerivAPI
    private let credentials: DerivCredentials
    private let shapes: [DerivShape]
    private var socket: DerivSocket?

    /// - Throws: `LiveError` for an instrument that is none of Deriv's.
    package init(
        _ kind: VenueKind, addresses: VenueAddresses, caFile: String?, credentials: DerivCredentials,
        instruments: [InstrumentDefinition]
    ) throws(LiveError) {
        api = DerivAPI(kind, addresses: addresses, caFile: caFile, appID: credentials.appID)
        self.credentials = credentials
        var shapes: [DerivShape] = []
        for definition in instruments {
            let shape = try DerivShape(definition.symbol, decimals: definition.priceDecimals)
            if shape.isContract { shapes.append(shape) }
        }
        self.shapes = shapes
    }

    package func close() async {
        await socket?.close()
        socket = nil
    }

    // MARK: Asking

    private func ask(_ request: String) async throws(AccountError) -> DerivAnswer {
        if let socket, socket.isOpen { return try await socket.ask(request) }
        let fresh = try await api.open(credentials)
        socket = fresh
        return try await fresh.ask(request)
    }

    private func portfolio() async throws(AccountError) -> [DerivFields] {
        try await ask("{\"portfolio\":1").contracts(shapes)
    }

    /// Contracts of our shapes that ended since that second.
    private func ended(since second: UInt64) async throws(AccountError) -> [DerivFields] {
        var found: [DerivFields] = []
        var offset = 0
        while true {
            let page = try await ask(
                "{\"profit_table\":1,\"description\":1,\"sort\":\"DESC\",\"limit\":\(Self.pageRows),\"offset\":\(offset)"
            )
            let rows = page.contracts(shapes)
            found += rows.filter { $0.soldAt >= second }
            // The table is ordered by purchases, and a contract may live for long: a page of none that ended since ends the search.
            if page.rowCount < Self.pageRows || !rows.contains(where: { $0.soldAt >= second }) { return found }
            offset += Self.pageRows
        }
    }

    private static let pageRows = 100

    /// What the venue says of one contract; nil: it does not know it.
    private func contract(_ id: UInt64) async throws(AccountError) -> DerivFields? {
        let fields = try await ask("{\"proposal_open_contract\":1,\"contract_id\":\(id)").fields
        return fields.contract == id ? fields : nil
    }

    // MARK: AccountClient

    package func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot {
        let second = since / 1_000_000_000
        // A contract that ends in between is in both, and counts as open until the next look.
        let open = try await portfolio()
        let openIDs = Set(open.map(\.contract))
        var trades: [VenueTrade] = []
        for row in open where row.boughtAt >= second {
            if let trade = purchase(row, row.number(APUS_DERIV_TRADE), shape: row.shape) { trades.append(trade) }
        }
        for row in try await ended(since: second) where !openIDs.contains(row.contract) {
            guard let fields = try await contract(row.contract), fields.isSold else { continue }
            if row.boughtAt >= second,
                let trade = purchase(fields, fields.number(APUS_DERIV_BUY_TRADE), shape: row.shape)
            {
                trades.append(trade)
            }
            if let trade = sale(fields, shape: row.shape) { trades.append(trade) }
        }
        let balance = try await ask("{\"balance\":1").fields.decimal(APUS_DERIV_BALANCE_TEXT)
        return AccountSnapshot(
            time: UInt64(Date().timeIntervalSince1970 * 1e9), openOrders: [],
            trades: trades.sorted { ($0.time, $0.tradeID) < ($1.time, $1.tradeID) }, positions: positions(open),
            contracts: open.compactMap(holding), balance: balance.map { Money($0) })
    }

    private func holding(_ fields: DerivFields) -> VenueContract? {
        guard let trade = fields.number(APUS_DERIV_TRADE), let shape = fields.shape,
            let price = fields.decimal(APUS_DERIV_BUY_PRICE)
        else { return nil }
        return VenueContract(
            id: fields.contract, symbol: shapes[shape].symbol, tradeID: trade, price: price, boughtAt: fields.boughtAt)
    }

    private func purchase(_ fields: DerivFields, _ trade: UInt64?, shape: Int?) -> VenueTrade? {
        guard let trade, let shape, let price = fields.decimal(APUS_DERIV_BUY_PRICE) else { return nil }
        return VenueTrade(
            tradeID: trade, clientID: nil, venueID: fields.contract, symbol: shapes[shape].symbol, side: .buy,
            price: price, quantity: ExactDecimal(digits: 1), fee: .zero, isMaker: false,
            time: fields.boughtAt * 1_000_000_000)
    }

    private func sale(_ fields: DerivFields, shape: Int?) -> VenueTrade? {
        guard let trade = fields.number(APUS_DERIV_SELL_TRADE), let shape,
            let price = fields.decimal(APUS_DERIV_SELL_PRICE)
        else { return nil }
        return VenueTrade(
            tradeID: trade, clientID: nil, venueID: fields.wasSold ? fields.contract | Self.saleBit : 0,
            symbol: shapes[shape].symbol, side: .sell, price: price, quantity: ExactDecimal(digits: 1), fee: .zero,
            isMaker: false, time: fields.soldAt * 1_000_000_000)
    }

    /// `APUS_DERIV_SALE`, which Swift does not import as a number of that size.
    static let saleBit: UInt64 = 1 << 63

    private func positions(_ open: [DerivFields]) -> [VenuePosition] {
        shapes.indices.map { place in
            let held = open.filter { $0.shape == place }
            let prices = held.compactMap { $0.decimal(APUS_DERIV_BUY_PRICE) }
            let units = prices.compactMap { try? $0.units(decimals: shapes[place].decimals) }
            let average = units.isEmpty ? nil : units.reduce(0, +) / Int64(units.count)
            return VenuePosition(
                symbol: shapes[place].symbol, quantity: ExactDecimal(digits: Int64(held.count)),
                averagePrice: average.map { ExactDecimal(digits: $0, decimals: shapes[place].decimals) })
        }
    }

    package func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder? {
        guard let shape = shapes.firstIndex(where: { $0.symbol == order.symbol }) else { return nil }
        return order.side == .buy ? try await bought(order, shape) : try await sold(order, shape)
    }

    /// How far the venue's clock may be from ours, in milliseconds.
    private static let skew: UInt64 = 5_000
    /// Until how long after its placement an order's purchase or sale is looked for, in milliseconds.
    private static let lateness = VenueKind.deriv.lateArrival(receiveWindow: 0) / 1_000_000 + skew

    /// Milliseconds between a second of the venue's and a placement; nil: it is not in the placement's time.
    private static func distance(_ second: UInt64, _ order: KnownOrder) -> UInt64? {
        let at = second * 1000, first = order.wallMilliseconds / 1000 * 1000
        guard at + skew >= first, at <= first + lateness else { return nil }
        return at > first ? at - first : first - at
    }

    private func bought(_ order: KnownOrder, _ shape: Int) async throws(AccountError) -> VenueOrder? {
        if order.venueID != 0 {
            guard let fields = try await contract(order.venueID) else { return nil }
            return carriedOut(order, order.venueID, fields.decimal(APUS_DERIV_BUY_PRICE))
        }
        let first = (order.wallMilliseconds - min(order.wallMilliseconds, Self.skew)) / 1000
        let rows = try await portfolio() + ended(since: first)
        // A market order has no price of its own, but a worst one.
        let most = order.limit ?? order.price
        let found = nearest(rows.filter { $0.shape == shape && !order.others.contains($0.contract) }, order) { row in
            guard let price = row.decimal(APUS_DERIV_BUY_PRICE), most.digits == 0 || isAtMost(price, most, shape) else {
                return nil
            }
            return Self.distance(row.boughtAt, order)
        }
        return found.flatMap { carriedOut(order, $0.contract, $0.decimal(APUS_DERIV_BUY_PRICE)) }
    }

    private func sold(_ order: KnownOrder, _ shape: Int) async throws(AccountError) -> VenueOrder? {
        let id = order.venueID & ~Self.saleBit
        if id != 0 {
            guard let fields = try await contract(id), fields.isSold else { return nil }
            return fields.wasSold
                ? carriedOut(order, id | Self.saleBit, fields.decimal(APUS_DERIV_SELL_PRICE)) : notCarriedOut(order)
        }
        let first = (order.wallMilliseconds - min(order.wallMilliseconds, Self.skew)) / 1000
        let rows = try await ended(since: first).filter { row in
            row.shape == shape && !order.others.contains(row.contract | Self.saleBit)
        }
        let found = nearest(rows, order) { row in
            guard let price = row.decimal(APUS_DERIV_SELL_PRICE), isAtMost(order.price, price, shape) else {
                return nil
            }
            return Self.distance(row.soldAt, order)
        }
        guard let found, let fields = try await contract(found.contract), fields.wasSold else { return nil }
        return carriedOut(order, found.contract | Self.saleBit, fields.decimal(APUS_DERIV_SELL_PRICE))
    }

    private func nearest(
        _ rows: [DerivFields], _ order: KnownOrder, _ distance: (DerivFields) -> UInt64?
    ) -> DerivFields? {
        rows.compactMap { row in distance(row).map { (row, $0) } }.min { $0.1 < $1.1 }?.0
    }

    private func isAtMost(_ price: ExactDecimal, _ limit: ExactDecimal, _ shape: Int) -> Bool {
        let decimals = shapes[shape].decimals
        guard let price = try? price.units(decimals: decimals), let limit = try? limit.units(decimals: decimals) else {
            return false
        }
        return price <= limit
    }

    private func carriedOut(_ order: KnownOrder, _ number: UInt64, _ price: ExactDecimal?) -> VenueOrder? {
        VenueOrder(
            clientID: order.clientID, venueID: number, venueText: "\(number & ~Self.saleBit)", symbol: order.symbol,
            side: order.side, price: price ?? order.price, quantity: order.quantity, filled: order.quantity,
            end: .filled)
    }

    /// The contract ended by itself before it could be sold.
    private func notCarriedOut(_ order: KnownOrder) -> VenueOrder {
        VenueOrder(
            clientID: order.clientID, venueID: order.venueID, venueText: "\(order.venueID & ~Self.saleBit)",
            symbol: order.symbol, side: order.side, price: order.price, quantity: order.quantity,
            filled: ExactDecimal(digits: 0), end: .rejected)
    }

    /// No order rests: what was carried out is a contract, and what was not never will be.
    package func cancel(_ orders: [KnownOrder]) async throws(AccountError) -> [KnownOrder] { [] }
    package func cancelAll() async throws(AccountError) {}
    package func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool { false }
}

/// Where Deriv's services are, and how a connection of an account is opened.
struct DerivAPI: Sendable {
    let isV3: Bool
    let rest: VenueAddress
    let stream: VenueAddress
    let publicPath: String
    let caFile: String?

    init(_ kind: VenueKind, addresses: VenueAddresses, caFile: String?, appID: String?) {
        isV3 = kind == .derivV3
        let standard = VenueAddress(host: isV3 ? "ws.derivws.com" : "api.derivws.com", port: 443, isSecure: true)
        rest = addresses.rest ?? VenueAddress(host: "api.derivws.com", port: 443, isSecure: true)
        stream = addresses.orders ?? addresses.stream ?? standard
        self.caFile = caFile
        let path =
            isV3 ? "/websockets/v3?app_id=\(appID ?? DerivCredentials.trialApp)" : "/trading/v1/options/ws/public"
        publicPath = addresses.stream.flatMap { $0.path.isEmpty ? nil : $0.path } ?? path
    }

    /// A connection that may do what the account may.
    func open(_ credentials: DerivCredentials) async throws(AccountError) -> DerivSocket {
        if isV3 {
            let socket = try await DerivSocket.connect(stream, path: publicPath, caFile: caFile)
            _ = try await socket.ask("{\"authorize\":\"\(credentials.token)\"")
            return socket
        }
        return try await DerivSocket.connect(stream, path: try await password(credentials), caFile: caFile)
    }

    func openPublic() async throws(AccountError) -> DerivSocket {
        try await DerivSocket.connect(stream, path: publicPath, caFile: caFile)
    }

    /// The path of a one-time address. It is told to nobody.
    private func password(_ credentials: DerivCredentials) async throws(AccountError) -> String {
        let base = "\(rest)".hasSuffix("/") ? String("\(rest)".dropLast()) : "\(rest)"
        var request = HTTPClientRequest(url: "\(base)/trading/v1/options/accounts/\(credentials.account)/otp")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(credentials.token)")
        request.headers.add(name: "Content-Length", value: "0")
        if let app = credentials.appID { request.headers.add(name: "Deriv-App-ID", value: app) }
        let (status, body, retry) = try await send(request)
        guard status / 100 == 2 else {
            let kind: AccountError.Kind = status == 429 ? .rateLimit : status / 100 == 4 ? .refused : .venue
            let advice =
                status == 401 ? "; look at APUS_DERIV_TOKEN, and at APUS_DERIV_APP_ID where it is a personal one" : ""
            throw AccountError(
                kind, "the venue gives no one-time address: it answered \(status)\(advice)", retryAfter: retry)
        }
        let url = try DerivAnswer(body).fields.text(APUS_DERIV_URL)?.replacingOccurrences(of: "\\/", with: "/")
        guard let url, let host = url.range(of: "://"),
            let path = url[host.upperBound...].firstIndex(of: "/").map({ String(url[$0...]) })
        else { throw AccountError(.venue, "the venue's one-time address has no path") }
        return path
    }

    private func send(_ request: HTTPClientRequest) async throws(AccountError) -> (Int, [UInt8], Int?) {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        if let caFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(caFile)
            configuration.tlsConfiguration = tls
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let response = try await client.execute(request, timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 1 << 16)
            try await client.shutdown()
            let retry = response.headers.first(name: "Retry-After").flatMap { Int($0) }
            return (Int(response.status.code), Array(body.readableBytesView), retry)
        } catch {
            try? await client.shutdown()
            throw AccountError(.venue, "the venue gives no one-time address: \(error)")
        }
    }
}
