import Apus
import ApusEngine
import CApusProtocol
import CApusWire

/// Polymarket's sessions.
extension LiveFeed {
    func makePolymarketSession(_ metadata: VenueMetadata) throws -> UnsafeMutablePointer<apus_session> {
        let config = try memory.make(apus_polymarket_config.self)
        apus_polymarket_config_default(config)
        if let stream = configuration.addresses.stream {
            config.pointee.stream = stream.endpoint
            if !stream.path.isEmpty { copyText(stream.path, to: &config.pointee.path) }
        }
        let session = try memory.make(apus_polymarket_session.self)
        var random = freshRandom()
        try check(apus_polymarket_session_init(session, config, market, &random), "cannot make the market session")
        session.pointee.tap = tap
        let now = apus_clock_now(apus_wire_clock(wire))
        for number in metadata.instruments.indices {
            try check(
                apus_polymarket_session_subscribe(session, UInt16(number), now),
                "cannot subscribe \(metadata.instruments[number].symbol)")
        }
        try tellListings(metadata, session)
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }

    /// What the hash of a book holds and the stream does not tell.
    private func tellListings(
        _ metadata: VenueMetadata, _ session: UnsafeMutablePointer<apus_polymarket_session>
    ) throws(LiveError) {
        for (number, listing) in metadata.listings.enumerated() {
            try check(
                apus_polymarket_market_configure(
                    &session.pointee.polymarket, UInt16(number), listing.minOrderSize, listing.isNegRisk),
                "cannot take the market of \(metadata.instruments[number].symbol)")
        }
    }

    func makePolymarketOrders(
        _ metadata: VenueMetadata, _ credentials: PolymarketCredentials
    ) throws -> UnsafeMutablePointer<apus_session> {
        let config = try memory.make(apus_polymarket_orders_config.self)
        apus_polymarket_orders_config_default(config)
        try configuration.polymarket.apply(to: config)
        config.pointee.stall_ns = configuration.placement == .dedicated ? configuration.stallLimit : 0
        let addresses = configuration.addresses
        if let orders = addresses.orders ?? addresses.rest { config.pointee.api = orders.endpoint }
        if let user = addresses.user {
            config.pointee.user = user.endpoint
            if !user.path.isEmpty { copyText(user.path, to: &config.pointee.user_path) }
        }
        let signer = try memory.make(apus_polymarket_signer.self)
        try credentials.prepare(signer)
        defer { apus_polymarket_signer_wipe(signer) }
        let session = try memory.make(apus_polymarket_orders.self)
        var random = freshRandom()
        try check(
            apus_polymarket_orders_init(session, config, market, rings, signer, &random),
            "cannot make the order session")
        for (number, listing) in metadata.listings.enumerated() {
            try check(
                apus_polymarket_orders_list(
                    session, UInt16(number), listing.condition, listing.isNegRisk, listing.version),
                "cannot take orders of \(metadata.instruments[number].symbol)")
        }
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }
}
