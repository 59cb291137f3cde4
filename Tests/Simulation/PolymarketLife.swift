import ApusVenue
import CApusProtocol
import CApusRing

/// One life of Polymarket's order session from one seed: the session and the market stream's, the venue's core, and connections
/// that break. What an engine would do is done plainly here: it remembers its orders, asks about those whose answer was lost, and
/// adds fills up by their trade ids.
final class PolymarketLife {
    static let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    static let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

    /// An order as the engine knows it.
    struct Known {
        var order: apus_order
        var venueID: UInt64 = 0
        var isEnded = false
        var isRejected = false
        var isUnknown = false
        var askAt: UInt64 = 0
    }

    /// What has come of it.
    struct Verdict {
        var problems: [String] = []
        var placed = 0
        var fills = 0
        var undone = 0
        var unknown = 0
        var faults = 0
        var restarts = 0
    }

    let venue: PolymarketVenue
    let signer = EthereumAddress(PolymarketLife.address)!
    let token: String
    private var books: UnsafeMutablePointer<apus_polymarket_session>
    private var session: UnsafeMutablePointer<apus_polymarket_orders>
    private let side: PolymarketSide
    private var connections: [Int: ConnectionID] = [:]
    private var dice: Dice
    private var now: UInt64 = 10 * second
    private var nextID: UInt64 = 1
    private var nextLook: UInt64 = 0
    private var run: UInt64 = 1
    var orders: [UInt64: Known] = [:]
    /// What the engine holds of each trade's part: filled, or taken back.
    var parts: [UInt64: (quantity: Int64, isUndone: Bool)] = [:]
    var verdict = Verdict()
    private let api: [String]

    init(seed: UInt64) throws {
        dice = Dice(seed: seed, part: 9)
        var faults = FaultPlan()
        faults.rates.lostAnswer = 20_000
        faults.rates.lateAnswer = 5_000
        faults.rates.cutAnswer = 20_000
        faults.rates.failedAnswer = 20_000
        faults.rates.tooManyRequests = 5_000
        faults.rates.serverError = 10_000
        faults.rates.duplicateEvent = 50_000
        faults.rates.reorderedEvent = 50_000
        faults.rates.failedTrade = 200_000
        let market = OutcomeMarketConfiguration("life", isNegRisk: seed % 2 == 0)
        token = market.tokens[0]
        let account = PolymarketAccountConfiguration(
            signer: signer, collateral: 1_000_000_000_000, tokens: 1_000_000)
        let configuration = PolymarketConfiguration(
            markets: [market], accounts: [account], seed: seed, speed: .calm, faults: faults)
        venue = try PolymarketVenue(configuration, now: Int64(now) + PolymarketSide.wallOffset)
        side = try PolymarketSide(token: token)
        api = try Self.makeKey(venue, side, now)
        books = try side.makeBooks(seed: seed)
        session = try side.makeOrders(
            api, condition: market.conditionID, isNegRisk: market.isNegRisk, seed: seed)
    }

    private var wall: Int64 { Int64(now) + PolymarketSide.wallOffset }

    // MARK: The venue's side

    /// Asks for an API key as a wallet does; returns key, secret and passphrase.
    private static func makeKey(_ venue: PolymarketVenue, _ side: PolymarketSide, _ now: UInt64) throws -> [String] {
        let wall = Int64(now) + PolymarketSide.wallOffset
        var signature = [UInt8](repeating: 0, count: 65)
        apus_polymarket_auth_sign(side.key, 137, UInt64(wall) / 1_000_000_000, 0, &signature)
        let digits = signature.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let connection = venue.connect(now: wall)
        let request =
            "POST /auth/api-key HTTP/1.1\r\nHost: venue\r\nPOLY_ADDRESS: \(address)\r\nPOLY_SIGNATURE: 0x\(digits)\r\n"
            + "POLY_TIMESTAMP: \(wall / 1_000_000_000)\r\nPOLY_NONCE: 0\r\nContent-Length: 0\r\n\r\n"
        venue.receive(connection, Array(request.utf8), now: wall)
        var text = ""
        for output in venue.takeOutputs() where output.connection == connection {
            if case .bytes(let bytes) = output.action { text += String(decoding: bytes, as: UTF8.self) }
        }
        venue.disconnect(connection, now: wall)
        return ["apiKey", "secret", "passphrase"].map { name in
            let rest = text.components(after: "\"\(name)\":\"")
            return String(rest.prefix { $0 != "\"" })
        }
    }

    private func carryOut() {
        for output in venue.takeOutputs() {
            guard let number = connections.first(where: { $0.value == output.connection })?.key else { continue }
            let channel = side.channels[number]
            switch output.action {
            case .bytes(let bytes):
                var place: UnsafeMutablePointer<UInt8>?
                guard apus_channel_space(channel, &place) >= bytes.count, let place else {
                    verdict.problems.append("a buffer is full")
                    continue
                }
                place.update(from: bytes, count: bytes.count)
                apus_channel_received(channel, bytes.count, now, 0)
            case .close, .abort:
                connections[number] = nil
                apus_channel_closed(channel, UInt8(APUS_CLOSED_PEER), 0)
            default: break
            }
        }
    }

    // MARK: The network

    private func cut(_ number: Int) {
        guard let connection = connections.removeValue(forKey: number) else { return }
        venue.disconnect(connection, now: wall)
        apus_channel_closed(side.channels[number], UInt8(APUS_CLOSED_IO), 104)
    }

    private func perform(_ number: Int) {
        let channel = side.channels[number]
        if channel.pointee.want == UInt8(APUS_WANT_OPEN), channel.pointee.state == UInt8(APUS_CHANNEL_CLOSED) {
            apus_channel_opening(channel)
            connections[number] = venue.connect(now: wall)
            apus_channel_opened(channel, now)
        } else if channel.pointee.want == UInt8(APUS_WANT_CLOSE), channel.pointee.state != UInt8(APUS_CHANNEL_CLOSED) {
            if let connection = connections.removeValue(forKey: number) { venue.disconnect(connection, now: wall) }
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
        }
        guard channel.pointee.state == UInt8(APUS_CHANNEL_OPEN), let connection = connections[number] else { return }
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        guard count > 0 else { return }
        let sent = Array(UnsafeBufferPointer(start: bytes, count: count))
        apus_channel_sent(channel, count, now)
        venue.receive(connection, sent, now: wall)
    }

    private func step(_ nanoseconds: UInt64 = 1_000_000) {
        now += nanoseconds
        venue.advance(to: wall)
        carryOut()
        side.turn(now)
        for number in side.channels.indices {
            perform(number)
            carryOut()
        }
        takeReports()
    }

    // MARK: The engine's side

    private func push(_ order: apus_order) {
        var order = order
        if apus_order_push(side.rings.pointee.orders, &order) != 0 { verdict.problems.append("the order ring is full") }
    }

    private func place() {
        guard let book = venue.book(tokenID: token), let bid = book.bids.first, let ask = book.asks.first else {
            return
        }
        var order = apus_order()
        order.client_id = run << 32 | nextID
        nextID += 1
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.side = UInt8(dice.below(2))
        let tick: Int64 = 100
        let offset = Int64(dice.below(5)) * tick - 2 * tick
        order.price = min(max((order.side == 0 ? bid.price : ask.price) + offset, tick), 10_000 - tick)
        order.quantity = Int64(5 + dice.below(40)) * 1_000_000
        order.time_in_force = UInt8(dice.below(4))
        order.band_high = 10_000
        order.decided_ns = now
        order.wall_ms = UInt64(wall / 1_000_000)
        orders[order.client_id] = Known(order: order)
        verdict.placed += 1
        push(order)
    }

    private func request(_ action: apus_order_action, _ id: UInt64) {
        guard let known = orders[id] else { return }
        var request = known.order
        request.action = UInt8(action.rawValue)
        request.target_id = id
        request.venue_id = known.venueID
        push(request)
    }

    private func takeReports() {
        var report = apus_report()
        while apus_report_pop(side.rings.pointee.reports, &report) { take(report) }
        // A look now and then is enough.
        guard now >= nextLook else { return }
        nextLook = now + 50 * millisecond
        for (id, known) in orders.sorted(by: { $0.key < $1.key }) where known.isUnknown && now >= known.askAt {
            orders[id]?.askAt = now + 2 * second
            request(APUS_ORDER_QUERY, id)
        }
    }

    private func take(_ report: apus_report) {
        let id = report.client_id
        if UInt32(report.kind) == APUS_REPORT_MISSED.rawValue {
            for (id, known) in orders.sorted(by: { $0.key < $1.key }) where !known.isEnded {
                orders[id]?.isUnknown = true
                orders[id]?.askAt = now + second
            }
            return
        }
        guard orders[id] != nil else { return verdict.problems.append("a report of \(id), which is not ours") }
        if report.venue_order_id != 0 { orders[id]?.venueID = report.venue_order_id }
        switch UInt32(report.kind) {
        case APUS_REPORT_FILL.rawValue: fill(report)
        case APUS_REPORT_UNDONE.rawValue: undo(report)
        case APUS_REPORT_UNKNOWN.rawValue:
            verdict.unknown += 1
            fallthrough
        case APUS_REPORT_CANCEL_REJECTED.rawValue:
            if orders[id]?.isEnded == false {
                orders[id]?.isUnknown = true
                orders[id]?.askAt = now + second / 2
            }
        case APUS_REPORT_STATUS.rawValue:
            orders[id]?.isUnknown = false
            if ![APUS_STATUS_NEW.rawValue, APUS_STATUS_PARTIALLY_FILLED.rawValue].contains(UInt32(report.status)) {
                orders[id]?.isEnded = true
            }
        case APUS_REPORT_CANCELED.rawValue, APUS_REPORT_EXPIRED.rawValue: end(id)
        case APUS_REPORT_REJECTED.rawValue:
            orders[id]?.isRejected = true
            end(id)
        case APUS_REPORT_REFUSED.rawValue where UInt32(report.action) == APUS_ORDER_PLACE.rawValue:
            orders[id]?.isRejected = true
            end(id)
        case APUS_REPORT_NOT_FOUND.rawValue:
            // It may be on its way for as long as an answer is waited for.
            if let known = orders[id], now - known.order.decided_ns > 7 * second {
                orders[id]?.isRejected = true
                end(id)
            }
        default: break
        }
    }

    private func end(_ id: UInt64) {
        orders[id]?.isEnded = true
        orders[id]?.isUnknown = false
    }

    private func fill(_ report: apus_report) {
        if parts[report.trade_id] != nil {
            // A trade that an earlier run of the session has told: an engine's journal knows it too.
            return
        }
        verdict.fills += 1
        parts[report.trade_id] = (report.quantity, false)
    }

    private func undo(_ report: apus_report) {
        guard let part = parts[report.trade_id] else {
            // Told by nobody: an engine ignores what it does not know.
            return
        }
        if part.isUndone { return }
        verdict.undone += 1
        parts[report.trade_id] = (part.quantity, true)
    }

    // MARK: The life

    func live(seconds: Int) throws -> Verdict {
        side.start(now)
        for millisecond in 0..<(seconds * 1000) {
            step()
            if dice.below(40) == 0 { place() }
            if dice.below(60) == 0, let id = orders.filter({ !$0.value.isEnded }).keys.min() {
                request(APUS_ORDER_CANCEL, id)
            }
            if dice.below(4_000) == 0 { cut(dice.below(side.channels.count)) }
            if millisecond == seconds * 500 { try restart() }
        }
        verdict.faults = venue.stopFaults().count
        settle()
        compare()
        return verdict
    }

    /// The engine's process dies and comes back: the session knows nothing, the engine its orders and fills.
    private func restart() throws {
        for number in side.channels.indices { cut(number) }
        takeReports()
        run += 1
        verdict.restarts += 1
        try side.forget()
        books = try side.makeBooks(seed: run)
        session = try side.makeOrders(api, condition: nil, isNegRisk: nil, seed: run)
        side.start(now)
        for (id, known) in orders where !known.isEnded {  // order does not matter: each is asked about later
            orders[id]?.isUnknown = true
            orders[id]?.askAt = now + second
        }
    }

    /// Everything that is open is canceled and asked about until nothing moves.
    private func settle() {
        venue.quieten()
        for _ in 0..<20 {
            for (id, known) in orders.sorted(by: { $0.key < $1.key }) where !known.isEnded {
                request(APUS_ORDER_CANCEL, id)
            }
            for _ in 0..<1000 { step() }
            for (id, known) in orders.sorted(by: { $0.key < $1.key }) where !known.isEnded {
                request(APUS_ORDER_QUERY, id)
            }
            for _ in 0..<1000 { step() }
            if orders.values.allSatisfy(\.isEnded) { break }
        }
        var command = apus_command()
        command.kind = UInt8(APUS_COMMAND_RECONNECT.rawValue)
        side.command(&command, now)
        for _ in 0..<12_000 { step() }
    }

    private func compare() {
        if !venue.openOrders(signer: signer).isEmpty { verdict.problems.append("orders are open at the venue") }
        if !orders.values.allSatisfy(\.isEnded) { verdict.problems.append("orders are open at the engine") }
        var expected: [UInt64: Int64] = [:]
        for fill in venue.fills(signer: signer) where fill.status != .failed {
            let uuid = Array(fill.tradeID.utf8)
            let number = UInt64(fill.orderID.dropFirst(2).prefix(16), radix: 16) ?? 0
            expected[apus_polymarket_trade_id(uuid, uuid.count, number), default: 0] += fill.quantity
        }
        let held = parts.filter { !$0.value.isUndone }.mapValues(\.quantity)
        for (trade, quantity) in expected where held[trade] != quantity {  // order does not matter: problems are told
            verdict.problems.append("\(quantity) were filled by trade \(trade), the engine has \(held[trade] ?? 0)")
        }
        for (trade, quantity) in held where expected[trade] == nil {  // order does not matter: problems are told
            verdict.problems.append("the engine holds \(quantity) of trade \(trade), which the venue does not have")
        }
    }
}

extension String {
    /// What stands behind the first occurrence of that text.
    fileprivate func components(after text: String) -> Substring {
        var rest = self[...]
        while !rest.isEmpty, !rest.hasPrefix(text) { rest = rest.dropFirst() }
        return rest.dropFirst(text.count)
    }
}
