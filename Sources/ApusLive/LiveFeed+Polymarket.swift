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
        return UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
    }
}
