import Apus
import ApusEngine
import CApusProtocol
import CApusWire

/// Deriv's sessions: ticks and, without an account, proposals on the public connection; everything of an account on its own.
extension LiveFeed {
    private var derivAPI: UInt8 {
        UInt8(configuration.venue == .derivV3 ? APUS_DERIV_V3.rawValue : APUS_DERIV_CURRENT.rawValue)
    }

    private var derivCredentials: DerivCredentials? {
        if case .live(.deriv(let credentials)) = configuration.orders { return credentials }
        return nil
    }

    func makeDerivSession(_ metadata: VenueMetadata) throws -> UnsafeMutablePointer<apus_session> {
        let config = try memory.make(apus_deriv_config.self)
        apus_deriv_config_default(config, derivAPI, derivCredentials?.appID ?? DerivCredentials.trialApp)
        copyText(metadata.settlementAsset, to: &config.pointee.currency)
        if let stream = configuration.addresses.stream {
            config.pointee.stream = stream.endpoint
            if !stream.path.isEmpty { copyText(stream.path, to: &config.pointee.path) }
        }
        let session = try memory.make(apus_deriv_session.self)
        var random = freshRandom()
        try check(apus_deriv_session_init(session, config, market, &random), "cannot make the market session")
        session.pointee.line.tap = tap
        for (number, definition) in metadata.instruments.enumerated() {
            // With an account a proposal is bought where it was made.
            let isContract = try DerivShape(definition.symbol, decimals: definition.priceDecimals).isContract
            if isContract && derivCredentials != nil { continue }
            try check(
                apus_deriv_line_subscribe(&session.pointee.line, UInt16(number)),
                "cannot subscribe \(definition.symbol)")
        }
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }

    func makeDerivOrders(
        _ metadata: VenueMetadata, _ credentials: DerivCredentials
    ) throws -> UnsafeMutablePointer<apus_session> {
        let config = try memory.make(apus_deriv_orders_config.self)
        apus_deriv_orders_config_default(config, derivAPI, credentials.account, credentials.appID)
        copyText(metadata.settlementAsset, to: &config.pointee.line.currency)
        config.pointee.stall_ns = configuration.placement == .dedicated ? configuration.stallLimit : 0
        let addresses = configuration.addresses
        if let rest = addresses.rest { config.pointee.rest = rest.endpoint }
        if let stream = addresses.orders ?? addresses.stream {
            config.pointee.line.stream = stream.endpoint
            if !stream.path.isEmpty { copyText(stream.path, to: &config.pointee.line.path) }
        }
        let session = try memory.make(apus_deriv_orders.self)
        var random = freshRandom()
        try check(
            apus_deriv_orders_init(session, config, market, rings, credentials.token, &random),
            "cannot make the order session (token, account or app id may be empty, too long, or hold a character that none has)"
        )
        for (number, definition) in metadata.instruments.enumerated()
        where try DerivShape(definition.symbol, decimals: definition.priceDecimals).isContract {
            try check(
                apus_deriv_orders_subscribe(session, UInt16(number)), "cannot subscribe \(definition.symbol)")
        }
        try adoptContracts(session, metadata)
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }

    /// What recovery found held is what the engine counts: each of them ends once, and nothing else is taken for one.
    private func adoptContracts(
        _ session: UnsafeMutablePointer<apus_deriv_orders>, _ metadata: VenueMetadata
    ) throws {
        for contract in configuration.contracts {
            guard let number = metadata.instruments.firstIndex(where: { $0.symbol == contract.symbol }) else {
                continue
            }
            var holding = apus_deriv_holding()
            holding.contract_id = contract.id
            holding.client_id = contract.clientID ?? 0
            holding.buy_trade = contract.tradeID
            holding.bought_at = contract.boughtAt
            holding.buy_price = try contract.price.units(decimals: metadata.instruments[number].priceDecimals)
            try check(
                apus_deriv_orders_adopt(session, UInt16(number), &holding),
                "cannot take over the contract \(contract.id) of \(contract.symbol) (at most \(APUS_DERIV_CONTRACTS) are held)"
            )
        }
        apus_deriv_orders_recovered(session)
    }
}
