import Apus
import ApusEngine
import CApusProtocol
import CApusWire

/// Binance's sessions: market data, and order entry on USDⓈ-M.
extension LiveFeed {
    func makeBinanceSession(_ metadata: VenueMetadata) throws -> UnsafeMutablePointer<apus_session> {
        let config = try memory.make(apus_binance_config.self)
        switch configuration.venue {
        case .binanceCOINM: apus_binance_config_coinm(config)
        case .binanceSpot: apus_binance_config_spot(config)
        default: apus_binance_config_usdm(config)
        }
        if let stream = configuration.addresses.stream {
            config.pointee.stream = stream.endpoint
            if !stream.path.isEmpty { copyText(stream.path, to: &config.pointee.stream_path) }
        }
        if let rest = configuration.addresses.rest { config.pointee.rest = rest.endpoint }
        let session = try memory.make(apus_binance_session.self)
        var random = freshRandom()
        try check(apus_binance_session_init(session, config, market, &random), "cannot make the market session")
        session.pointee.tap = tap
        for number in metadata.instruments.indices {
            try check(
                apus_binance_session_subscribe(session, UInt16(number)),
                "cannot subscribe \(metadata.instruments[number].symbol)")
        }
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }

    func makeBinanceOrders(
        _ metadata: VenueMetadata, _ credentials: BinanceCredentials
    ) throws -> UnsafeMutablePointer<apus_session> {
        guard configuration.venue.takesOrders else {
            throw LiveError("orders cannot be sent to \(configuration.venue.rawValue) yet; use mode: paper")
        }
        let config = try memory.make(apus_binance_orders_config.self)
        apus_binance_orders_config_usdm(config)
        let addresses = configuration.addresses
        if let orders = addresses.orders {
            config.pointee.api = orders.endpoint
            if !orders.path.isEmpty { copyText(orders.path, to: &config.pointee.api_path) }
        }
        if let user = addresses.user {
            config.pointee.user = user.endpoint
            if !user.path.isEmpty { copyText(user.path, to: &config.pointee.user_path) }
        }
        copyText(metadata.settlementAsset, to: &config.pointee.settlement_asset)
        config.pointee.api_count = UInt32(configuration.binance.connections)
        config.pointee.receive_window_ms = UInt32(configuration.binance.receiveWindow)
        config.pointee.stall_ns = configuration.placement == .dedicated ? configuration.stallLimit : 0
        Self.setLimits(metadata.requestLimits, &config.pointee)
        let signer = try memory.make(apus_binance_signer.self)
        try BinanceSigner.prepare(signer, credentials)
        signers.append(signer)
        let session = try memory.make(apus_binance_orders.self)
        var random = freshRandom()
        try check(
            apus_binance_orders_init(session, config, market, rings, signer, &random), "cannot make the order session")
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }

    /// The venue's budgets as it announces them, the first eight.
    private static func setLimits(_ limits: [RequestLimit], _ config: inout apus_binance_orders_config) {
        let room = Int(APUS_BINANCE_LIMITS_MAX)
        config.limit_count = UInt32(min(limits.count, room))
        withUnsafeMutableBytes(of: &config.limits) { bytes in
            let rows = bytes.bindMemory(to: apus_binance_limit.self)
            for (row, limit) in limits.prefix(room).enumerated() {
                let kind = limit.kind == .weight ? APUS_BINANCE_WEIGHT : APUS_BINANCE_ORDERS
                rows[row] = apus_binance_limit(
                    window_ns: limit.windowSeconds * 1_000_000_000, limit: limit.limit, used: 0,
                    kind: UInt8(kind.rawValue))
            }
        }
    }
}
