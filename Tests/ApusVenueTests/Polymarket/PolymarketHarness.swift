import CSecp256k1
import Testing

@testable import ApusVenue

/// A private key that signs as wallets do.
final class TestWallet {
    let privateKey: [UInt8]
    let address: EthereumAddress
    let type: SignatureType
    let funder: EthereumAddress
    private let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_SIGN))!

    init(_ number: UInt8, type: SignatureType = .eoa) {
        privateKey = [UInt8](repeating: 0, count: 31) + [number]
        address = SignatureRecovery().address(privateKey: privateKey)!
        self.type = type
        funder = type == .eoa ? address : EthereumAddress("0x" + String(repeating: "a\(type.rawValue)", count: 20))!
    }

    deinit { secp256k1_context_destroy(context) }

    func sign(_ hash: [UInt8]) -> [UInt8] {
        var signature = secp256k1_ecdsa_recoverable_signature()
        #expect(secp256k1_ecdsa_sign_recoverable(context, &signature, hash, privateKey, nil, nil) == 1)
        var bytes = [UInt8](repeating: 0, count: 65)
        var recovery: Int32 = 0
        secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &bytes, &recovery, &signature)
        bytes[64] = UInt8(27 + recovery)
        return bytes
    }

    func signature(_ order: SignedOrder, _ domain: ExchangeDomain) -> [UInt8] {
        guard type == .poly1271 else { return sign(order.hash(domain)) }
        let text = Array(SignedOrder.typeText.utf8)
        return sign(order.nestedHash(domain)) + domain.separator + order.structHash + text
            + [UInt8(text.count >> 8), UInt8(text.count & 255)]
    }

    var configuration: PolymarketAccountConfiguration {
        PolymarketAccountConfiguration(
            signer: address, funder: funder, signatureType: type, collateral: 10_000 * tokenUnit, tokens: 1_000)
    }
}

/// What an order is made of; the harness signs and sends it.
struct OrderPlan: Sendable {
    var token = 0
    var side = Side.buy
    /// Price units of the token.
    var price: Int64 = 100
    /// Hundredths of tokens.
    var size: Int64 = 1_000
    var type = "GTC"
    var isPostOnly = false
    var expiration: Int64 = 0
    var amounts: (maker: Int64, taker: Int64)?
    var version = "2"
    var salt: Int64 = 0
    /// Changes the order after it was signed.
    var forge: (@Sendable (inout SignedOrder) -> Void)?
    var owner: String?
}

/// Drives a Polymarket venue in one thread and signs for its wallets.
final class PolymarketHarness: ClientHost {
    let venue: PolymarketVenue
    let configuration: PolymarketConfiguration
    private(set) var now = testStart
    let wallets: [TestWallet]
    private var clients: [ConnectionID: TestClient] = [:]
    private var keys: [Int: JSONValue] = [:]
    private var salt: Int64 = 1_000
    private(set) lazy var rest = connect()

    init(
        wallets: [TestWallet] = [TestWallet(1), TestWallet(2)], speed: MarketSpeed = .still, seed: UInt64 = 7,
        faults: FaultPlan = FaultPlan(), change: (inout PolymarketConfiguration) -> Void = { _ in }
    ) throws {
        self.wallets = wallets
        var configuration = PolymarketConfiguration(
            markets: [OutcomeMarketConfiguration("rain"), OutcomeMarketConfiguration("snow", isNegRisk: true)],
            accounts: wallets.map(\.configuration), seed: seed, speed: speed, faults: faults)
        change(&configuration)
        self.configuration = configuration
        venue = try PolymarketVenue(configuration, now: testStart)
    }

    func connect() -> TestClient {
        let client = TestClient(venue.connect(now: now), self)
        clients[client.id] = client
        pump()
        return client
    }

    func webSocket(_ path: String, sourceLocation: SourceLocation = #_sourceLocation) -> TestClient {
        let client = connect()
        let status = client.upgrade(path)
        #expect(status == 101, sourceLocation: sourceLocation)
        return client
    }

    func send(_ client: TestClient, _ bytes: [UInt8]) {
        venue.receive(client.id, bytes, now: now)
        pump()
    }

    func advance(by time: VenueTime) {
        now += time
        venue.advance(to: now)
        pump()
    }

    private func pump() {
        for output in venue.takeOutputs() { clients[output.connection]?.carryOut(output.action) }
    }

    func reconnect() { rest = connect() }

    // MARK: Access

    func token(_ token: Int, market: Int = 0) -> String { configuration.markets[market].tokens[token] }

    /// Headers of a wallet's signature.
    func walletHeaders(_ wallet: Int = 0, nonce: String = "0", by signer: TestWallet? = nil, late: Int64 = 0) -> String
    {
        let owner = wallets[wallet]
        let timestamp = String(now / second - late)
        let message = ClobAuth(
            address: owner.address, timestamp: timestamp, nonce: word(decimal: nonce)!,
            chainID: configuration.contracts.chainID)
        let signature = hexString((signer ?? owner).sign(message.hash))
        return "POLY_ADDRESS: \(owner.address)\r\nPOLY_SIGNATURE: \(signature)\r\nPOLY_TIMESTAMP: \(timestamp)\r\n"
            + "POLY_NONCE: \(nonce)\r\n"
    }

    /// The API key of a wallet, made when there is none.
    func key(_ wallet: Int = 0) -> JSONValue {
        if let key = keys[wallet] { return key }
        let answer = rest.request("POST", "/auth/api-key", headers: walletHeaders(wallet))
        #expect(answer.status == 200)
        keys[wallet] = answer.body
        return answer.body
    }

    /// Headers of an API key's HMAC. What is given replaces what is right.
    func keyHeaders(
        _ method: String, _ target: String, _ body: String, wallet: Int = 0, key name: String? = nil,
        secret: String? = nil, passphrase: String? = nil, late: Int64 = 0
    ) -> String {
        let key = self.key(wallet)
        let timestamp = String(now / second - late)
        let path = String(target.prefix { $0 != "?" })
        let signature = PolymarketVenue.hmac(
            secret ?? text(key, "secret")!, timestamp, method, path, Array(body.utf8))!
        return "POLY_ADDRESS: \(wallets[wallet].address)\r\nPOLY_SIGNATURE: \(signature)\r\n"
            + "POLY_TIMESTAMP: \(timestamp)\r\nPOLY_API_KEY: \(name ?? text(key, "apiKey")!)\r\n"
            + "POLY_PASSPHRASE: \(passphrase ?? text(key, "passphrase")!)\r\n"
    }

    func call(_ method: String, _ target: String, _ body: String = "", wallet: Int = 0) -> Answer {
        rest.request(method, target, headers: keyHeaders(method, target, body, wallet: wallet), body: body)
    }

    // MARK: Orders

    /// The signed order as JSON, and its id.
    func order(_ plan: OrderPlan, wallet index: Int = 0, market: Int = 0) -> (json: String, id: String) {
        let wallet = wallets[index]
        salt += 1
        let quantity = plan.size * 10_000
        let value = cost(price: plan.price, quantity: quantity)
        let amounts = plan.amounts ?? (plan.side == .buy ? (value, quantity) : (quantity, value))
        var order = SignedOrder(
            salt: word(decimal: String(plan.salt == 0 ? salt : plan.salt))!, maker: wallet.funder,
            signer: wallet.type == .poly1271 ? wallet.funder : wallet.address,
            tokenID: word(decimal: token(plan.token, market: market))!, makerAmount: amounts.maker,
            takerAmount: amounts.taker, side: plan.side, signatureType: wallet.type,
            timestamp: UInt64(now / millisecond), metadata: [UInt8](repeating: 0, count: 32),
            builder: [UInt8](repeating: 0, count: 32))
        let contracts = configuration.contracts
        let contract =
            plan.version == "3"
            ? contracts.exchangeV3
            : configuration.markets[market].isNegRisk ? contracts.negRiskExchange : contracts.exchange
        let domain = ExchangeDomain(
            version: plan.version, chainID: contracts.chainID, contract: EthereumAddress(contract)!)
        let signature = wallet.signature(order, domain)
        let id = hexString(order.hash(domain))
        plan.forge?(&order)
        let json = """
            {"order":{"salt":\(decimalText(ofWord: order.salt)),"maker":"\(order.maker)","signer":"\(order.signer)",\
            "tokenId":"\(decimalText(ofWord: order.tokenID))","makerAmount":"\(order.makerAmount)",\
            "takerAmount":"\(order.takerAmount)","side":"\(order.side == .buy ? "BUY" : "SELL")",\
            "expiration":"\(plan.expiration)","signatureType":\(order.signatureType.rawValue),\
            "timestamp":"\(order.timestamp)","metadata":"\(hexString(order.metadata))",\
            "builder":"\(hexString(order.builder))","signature":"\(hexString(signature))"},\
            "owner":"\(plan.owner ?? text(key(index), "apiKey")!)","orderType":"\(plan.type)","deferExec":false,\
            "postOnly":\(plan.isPostOnly)}
            """
        return (json, id)
    }

    @discardableResult
    func place(_ plan: OrderPlan, wallet: Int = 0, market: Int = 0) -> Answer {
        call("POST", "/order", order(plan, wallet: wallet, market: market).json, wallet: wallet)
    }

    /// A user stream that has authenticated.
    func userStream(_ wallet: Int = 0, markets: String = "[]") -> TestClient {
        let client = webSocket("/ws/user")
        let key = self.key(wallet)
        client.sendText(
            """
            {"auth":{"apiKey":"\(text(key, "apiKey")!)","secret":"\(text(key, "secret")!)",\
            "passphrase":"\(text(key, "passphrase")!)"},"markets":\(markets),"type":"user"}
            """)
        return client
    }

    /// A market stream of these tokens of the first market.
    func marketStream(_ tokens: [Int] = [0, 1], features: Bool = false) -> TestClient {
        let client = webSocket("/ws/market")
        let ids = tokens.map { "\"\(token($0))\"" }.joined(separator: ",")
        client.sendText("{\"assets_ids\":[\(ids)],\"type\":\"market\",\"custom_feature_enabled\":\(features)}")
        return client
    }

    func book(_ token: Int) -> TrueBook { venue.book(tokenID: self.token(token))! }

    func held(_ token: Int, wallet: Int = 0) -> Int64 {
        venue.tokens(signer: wallets[wallet].address, tokenID: self.token(token))!
    }

    func money(_ wallet: Int = 0) -> Int64 { venue.collateral(signer: wallets[wallet].address)! }

    /// Takes asks out of the first market's book until there is room between the touch; returns a price in it.
    func openGap() -> Int64 {
        let market = venue.markets[0]
        while let ask = market.book.best(.sell), let bid = market.book.best(.buy), ask.price - bid.price < 300 {
            market.cancel(slot: ask.head, number: market.book[ask.head].id)
        }
        _ = market.takeChanges()
        return book(0).bids[0].price + 100
    }

    // MARK: Invariants

    /// Collateral with what is locked, and for each market what both outcomes are short of the locked collateral.
    func totals() -> (money: Int128, missing: [Int128]) {
        let ledger = venue.ledger
        let money = ledger.owners.reduce(Int128(0)) { $0 + Int128($1.collateral) } + ledger.locked.reduce(0, +)
        let missing = (0..<ledger.locked.count * 2).map { index in
            ledger.locked[index / 2] - ledger.owners.reduce(Int128(0)) { $0 + Int128($1.tokens[index]) }
        }
        return (money, missing)
    }

    /// Everything that must hold between two calls; a text for each thing that does not.
    func problems() -> [String] {
        var found: [String] = []
        if totals().missing.contains(where: { $0 != 0 }) { found.append("tokens are not what is locked") }
        for (index, market) in venue.markets.enumerated() {
            let first = venue.book(tokenID: token(0, market: index))!
            let second = venue.book(tokenID: token(1, market: index))!
            let mirror = second.asks.map { TrueLevel(price: wholePrice - $0.price, quantity: $0.quantity) }
            if first.bids != mirror { found.append("the books of market \(index) are no mirrors") }
            if let bid = first.bids.first, let ask = first.asks.first, bid.price >= ask.price {
                found.append("the book of market \(index) is crossed")
            }
            if !market.changes.isEmpty { found.append("changes of market \(index) were not told") }
        }
        for account in venue.accounts {
            let owner = venue.ledger.owners[Int(account.index)]
            if owner.collateral < account.reservedCollateral { found.append("collateral is promised twice") }
            for token in 0..<owner.tokens.count
            where owner.tokens[token] < account.reservedTokens(market: token / 2, token: token % 2) {
                found.append("tokens are promised twice")
            }
            for order in account.open {
                let resting = order.market.book.holds(slot: order.slot, id: order.number)
                if order.status != .live || !resting || order.market.book[order.slot].remaining != order.remaining {
                    found.append("order \(order.id) does not rest as it should")
                }
            }
        }
        if venue.resting.count != venue.accounts.reduce(0, { $0 + $1.open.count }) {
            found.append("orders rest that are not open")
        }
        return found
    }
}
