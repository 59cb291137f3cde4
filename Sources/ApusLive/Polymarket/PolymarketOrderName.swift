import Apus
import ApusEngine
import CApusProtocol

extension PolymarketCredentials {
    /// The hash by which the venue knows an order of the engine's, computed again from the order's own numbers.
    package func hash(
        of order: KnownOrder, _ definition: InstrumentDefinition, _ listing: PolymarketListing,
        settings: PolymarketSettings, version: UInt8
    ) throws -> [UInt8] {
        var signer = apus_polymarket_signer()
        try prepare(&signer)
        defer { apus_polymarket_signer_wipe(&signer) }
        var entry = try protocolInstrument(definition)
        var place = apus_polymarket_listing()
        let token = definition.symbol
        var word = [UInt8](repeating: 0, count: Int(APUS_WORD_BYTES))
        guard apus_word_parse(token, token.utf8.count, &word) == 0 else {
            throw LiveError("\(token) is no outcome token's id")
        }
        withUnsafeMutableBytes(of: &place.token) { $0.copyBytes(from: word) }
        var request = apus_order()
        request.action = UInt8(APUS_ORDER_QUERY.rawValue)
        request.target_id = order.clientID
        request.side = order.side.rawValue
        request.price = try (order.limit ?? order.price).units(decimals: definition.priceDecimals)
        request.quantity = try order.quantity.units(decimals: definition.quantityDecimals)
        request.wall_ms = order.wallMilliseconds
        request.expire_ms = order.expireMilliseconds
        // The finest tick: an order's price, or its limit, was on its tick, whatever has become of the market's.
        let finest = powerOfTen(max(definition.priceDecimals - 4, 0))
        var typed = apus_polymarket_typed_order()
        guard apus_polymarket_make_order(&signer, &entry, &place, &request, finest, &typed) == 0 else {
            throw LiveError("the price or the quantity is none that the venue takes")
        }
        var exchange = try settings.exchange(listing, version: version)
        var hash = [UInt8](repeating: 0, count: 32)
        apus_polymarket_order_hash(&exchange, &typed, &hash)
        return hash
    }
}
