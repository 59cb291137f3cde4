import CApusProtocol
import CApusRing
import Glibc

/// SHA-1 as FIPS 180-4 writes it down: independent of what is tested.
func sha1Hex(_ text: String) -> String {
    var message = Array(text.utf8)
    let bits = UInt64(message.count) * 8
    message.append(0x80)
    while message.count % 64 != 56 { message.append(0) }
    for shift in stride(from: 56, through: 0, by: -8) {
        message.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    var h: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    func rotate(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
    for block in stride(from: 0, to: message.count, by: 64) {
        var w = (0..<16).map { i in (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[block + 4 * i + $1]) } }
        for i in 16..<80 { w.append(rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1)) }
        var (a, b, c, d, e) = (h[0], h[1], h[2], h[3], h[4])
        for i in 0..<80 {
            let (f, k): (UInt32, UInt32) =
                switch i / 20 {
                case 0: ((b & c) | (~b & d), 0x5A82_7999)
                case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                case 2: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            (e, d, c, b, a) = (d, c, rotate(b, 30), a, rotate(a, 5) &+ f &+ e &+ k &+ w[i])
        }
        h = zip(h, [a, b, c, d, e]).map { $0 &+ $1 }
    }
    return h.map { String(String($0, radix: 16).reversed()).padded(to: 8) }.joined()
}

extension String {
    /// A reversed hexadecimal number, filled up with zeros and turned round again.
    fileprivate func padded(to count: Int) -> String {
        String((self + String(repeating: "0", count: count - self.count)).reversed())
    }
}

/// A time in the milliseconds of a test, as the venue writes it.
func stamp(_ milliseconds: UInt64) -> String { String(1_700_000_000_000 + milliseconds) }

/// What the venue knows of one token: it writes the messages, and it alone knows the last trade price for certain.
struct TokenModel {
    static let market = "0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01"

    var asset: String
    /// Price in units of 10^-4 to size as text.
    var bids: [Int: String] = [:]
    var asks: [Int: String] = [:]
    var tick = "0.001"
    var minOrderSize = "5"
    var negRisk = false

    static func price(_ units: Int) -> String {
        var text = String(units)
        while text.count < 5 { text = "0" + text }
        text.insert(".", at: text.index(text.endIndex, offsetBy: -4))
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    private func rows(_ side: [Int: String], ascending: Bool) -> String {
        let prices = ascending ? side.keys.sorted() : side.keys.sorted(by: >)
        let rows = prices.map { "{\"price\":\"\(Self.price($0))\",\"size\":\"\(side[$0] ?? "")\"}" }
        return "[\(rows.joined(separator: ","))]"
    }

    func hash(_ timestamp: UInt64, lastTradePrice: String) -> String {
        sha1Hex(
            "{\"market\":\"\(Self.market)\",\"asset_id\":\"\(asset)\",\"timestamp\":\"\(stamp(timestamp))\",\"hash\":\"\","
                + "\"bids\":\(rows(bids, ascending: true)),\"asks\":\(rows(asks, ascending: false)),"
                + "\"min_order_size\":\"\(minOrderSize)\",\"tick_size\":\"\(tick)\",\"neg_risk\":\(negRisk),"
                + "\"last_trade_price\":\"\(lastTradePrice)\"}")
    }

    /// A book; one that follows a trade leaves tick size and last trade price out.
    func book(_ timestamp: UInt64, lastTradePrice: String, opening: Bool = true, hash: String? = nil) -> String {
        let hash = hash ?? self.hash(timestamp, lastTradePrice: lastTradePrice)
        let tail = opening ? ",\"tick_size\":\"\(tick)\",\"last_trade_price\":\"\(lastTradePrice)\"" : ""
        return "{\"market\":\"\(Self.market)\",\"asset_id\":\"\(asset)\",\"bids\":\(rows(bids, ascending: true)),"
            + "\"asks\":\(rows(asks, ascending: false)),\"hash\":\"\(hash)\",\"timestamp\":\"\(stamp(timestamp))\","
            + "\"event_type\":\"book\"\(tail)}"
    }

    mutating func set(_ isBid: Bool, _ price: Int, _ size: String) {
        let kept = size == "0" ? nil : size
        if isBid { bids[price] = kept } else { asks[price] = kept }
    }
}

/// One change of a price_change message.
struct ChangeModel {
    var asset: String
    var isBid: Bool
    var price: Int
    var size: String
    var hash: String

    var text: String {
        "{\"asset_id\":\"\(asset)\",\"price\":\"\(TokenModel.price(price))\",\"size\":\"\(size)\",\"side\":\"\(isBid ? "BUY" : "SELL")\","
            + "\"hash\":\"\(hash)\",\"best_bid\":\"0.1\",\"best_ask\":\"0.9\"}"
    }

    static func message(_ timestamp: UInt64, _ changes: [ChangeModel]) -> String {
        "{\"market\":\"\(TokenModel.market)\",\"price_changes\":[\(changes.map(\.text).joined(separator: ","))],"
            + "\"timestamp\":\"\(stamp(timestamp))\",\"event_type\":\"price_change\"}"
    }
}

func tradeMessage(_ asset: String, _ timestamp: UInt64, price: String, size: String = "10", side: String = "BUY")
    -> String
{
    "{\"market\":\"\(TokenModel.market)\",\"asset_id\":\"\(asset)\",\"price\":\"\(price)\",\"size\":\"\(size)\",\"side\":\"\(side)\","
        + "\"fee_rate_bps\":\"0\",\"timestamp\":\"\(stamp(timestamp))\",\"event_type\":\"last_trade_price\"}"
}

/// Polymarket's market layer with memory of its own, and everything that it publishes.
final class PolymarketStage {
    static let first = "76670567130917723816490572615540605537878462672464291990940067659127658071111"
    static let second = "54179564009642723353355316176091991063553046330768303687769988635499280029688"
    static let assets = [first, second]
    static let millisecond: UInt64 = 1_000_000

    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    let polymarket = UnsafeMutablePointer<apus_polymarket_market>.allocate(capacity: 1)
    var reader: apus_feed_reader
    var now: UInt64 = 1_000_000_000
    private let region: UnsafeMutableRawPointer
    private let tableMemory: UnsafeMutableRawPointer
    private let levels: UnsafeMutablePointer<apus_polymarket_level>
    private let venue: UnsafeMutablePointer<CChar>

    init(
        assets: [String] = PolymarketStage.assets, open: Bool = true, arenaBytes: Int = 16 << 20,
        levelCapacity: UInt32 = 2048,
        session: Bool = false
    ) {
        view.initialize(to: apus_public())
        var configuration = apus_public_config(name: nil, feed_slots: 65536, instruments: 16, board_depth: 10)
        precondition(apus_public_create(view, &configuration) == 0)
        out.initialize(to: apus_publisher_make(view, nil))
        region = .allocate(byteCount: arenaBytes, alignment: 64)
        arena.initialize(to: apus_arena())
        apus_arena_init(arena, region, arenaBytes)
        tableMemory = .allocate(byteCount: apus_instrument_table_bytes(16), alignment: 64)
        table.initialize(to: apus_instrument_table())
        precondition(apus_instrument_table_init(table, tableMemory, 16) == 0)
        market.initialize(to: apus_market())
        venue = strdup("polymarket")
        precondition(apus_market_init(market, out, arena, table, venue) == 0)
        levels = .allocate(capacity: Int(levelCapacity))
        if !session {
            precondition(apus_polymarket_market_init(polymarket, market, levels, levelCapacity) == 0)
        }
        reader = apus_public_reader(view, false)
        for asset in assets { add(asset, open: open && !session) }
    }

    deinit {
        apus_public_close(view)
        for pointer in [region, tableMemory] { pointer.deallocate() }
        levels.deallocate()
        view.deallocate()
        out.deallocate()
        arena.deallocate()
        table.deallocate()
        market.deallocate()
        polymarket.deallocate()
        free(venue)
    }

    func add(_ asset: String, open: Bool = true) {
        var entry = apus_instrument()
        entry.price_decimals = 4
        entry.quantity_decimals = 6
        entry.tick_units = 10
        entry.lot_units = 1
        entry.contract_multiplier = 1
        let number = apus_instrument_add(table, asset, asset.utf8.count, &entry)
        precondition(number >= 0)
        if open { precondition(apus_polymarket_market_open(polymarket, UInt16(number)) != nil) }
    }

    /// Gives a frame, a millisecond after the one before.
    @discardableResult func receive(_ text: String) -> Int32 {
        now += Self.millisecond
        return withPadded(text) { apus_polymarket_market_message(polymarket, $0, $1, now, 0) }
    }

    func wait(_ seconds: Double) {
        now += UInt64(seconds * 1e9)
        apus_polymarket_market_tick(polymarket, now)
    }

    func flush() { apus_polymarket_market_flush(polymarket) }

    subscript(_ number: UInt16) -> apus_market_book { apus_market_at(market, number)!.pointee }

    func hash(_ number: UInt16) -> [UInt64] { [self[number].hash_equal, self[number].hash_compared] }
    func state(_ number: UInt16) -> apus_book_state { apus_book_state(UInt32(self[number].state)) }
    func reason(_ number: UInt16) -> apus_state_reason { apus_state_reason(UInt32(self[number].reason)) }

    /// Everything published since the last call.
    func events() -> [apus_event] {
        var result: [apus_event] = []
        var event = apus_event()
        while apus_feed_read(&reader, &event) == APUS_FEED_EVENT { result.append(event) }
        precondition(reader.lost == 0)
        return result
    }

    /// All levels of a side, best first, as price units and size units.
    func side(_ number: UInt16, bids: Bool) -> [[Int64]] {
        var levels = [apus_level](repeating: apus_level(), count: 4096)
        let book = apus_market_at(market, number)!
        let side = UInt32(bids ? APUS_SIDE_BID : APUS_SIDE_ASK)
        let count = withUnsafePointer(to: &book.pointee.book) { apus_book_depth($0, side, &levels, 4096) }
        return levels.prefix(Int(count)).map { [$0.price, $0.quantity] }
    }

    /// Opens the first token with a small book: bids 0.29 and 0.3, asks 0.35 and 0.4.
    func begin(_ token: inout TokenModel, at timestamp: UInt64 = 1_000, lastTradePrice: String = "0.255") {
        token.bids = [2900: "100", 3000: "50.5"]
        token.asks = [3500: "70", 4000: "20"]
        receive(token.book(timestamp, lastTradePrice: lastTradePrice))
    }
}

/// Calls `body` with the text's bytes and readable bytes behind them that would be noticed if they were taken for text.
func withPadded<Result>(_ text: String, _ body: (UnsafePointer<UInt8>, Int) -> Result) -> Result {
    let bytes = Array(text.utf8)
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count + Int(APUS_PADDING)) { buffer in
        _ = buffer.initialize(from: bytes + Array(repeating: UInt8(ascii: "\""), count: Int(APUS_PADDING)))
        return body(buffer.baseAddress!, bytes.count)
    }
}
