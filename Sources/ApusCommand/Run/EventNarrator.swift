import CApusProtocol
import CApusRing

/// Follows the feed ring beside the engine and tells what a person wants to know: connections, book states, losses.
final class EventNarrator {
    private var view = apus_public()
    private var reader: apus_feed_reader
    private let log: Log
    private let symbols: [String]
    /// The newest state of each connection that was told, so that steps within a state are not repeated.
    private var told: [UInt16: UInt8] = [:]

    init(attachingTo name: String, symbols: [String], log: Log) throws(CommandFailure) {
        guard apus_public_attach(&view, name) == 0 else {
            throw CommandFailure(ExitStatus.unavailable, "cannot attach to /dev/shm/\(name)")
        }
        reader = apus_public_reader(&view, true)
        self.log = log
        self.symbols = symbols
    }

    deinit { apus_public_close(&view) }

    /// Reads what has come since the last time. A narrator that is lapped misses lines, which costs nobody else anything.
    func follow() {
        var event = apus_event()
        while true {
            switch apus_feed_read(&reader, &event) {
            case APUS_FEED_EVENT: tell(event)
            case APUS_FEED_EMPTY: return
            default: break
            }
        }
    }

    private func tell(_ event: apus_event) {
        switch UInt32(event.kind) {
        case APUS_EVENT_CONNECTION.rawValue: connection(event)
        case APUS_EVENT_BOOK_STATE.rawValue: bookState(event)
        case APUS_EVENT_TICK_SIZE.rawValue:
            log.info("\(symbol(event.instrument)): tick size \(event.bid_price) is now \(event.ask_price) price units")
        default: break
        }
    }

    private func connection(_ event: apus_event) {
        let reason = String(cString: apus_link_reason_name(UInt8(truncatingIfNeeded: event.bid_price)))
        let code = event.ask_price == 0 ? "" : ", code \(event.ask_price)"
        let isPlain = event.bid_price <= Int64(APUS_REASON_STOPPED)
        let text = "\(connectionTitle(event.instrument)) \(connectionName(event.flags))"
        if isPlain && told[event.instrument] == event.flags { return }
        told[event.instrument] = event.flags
        isPlain ? log.info(text) : log.warning("\(text) (\(reason)\(code))")
    }

    private func bookState(_ event: apus_event) {
        let state = bookStateName(UInt32(event.flags))
        let text = "\(symbol(event.instrument)): book \(state)"
        let reason = bookReasonName(event.bid_price)
        let isTrouble = UInt32(event.flags) == APUS_STATE_STALE.rawValue
        isTrouble ? log.warning("\(text) (\(reason))") : log.info("\(text) (\(reason))")
    }

    private func symbol(_ number: UInt16) -> String {
        Int(number) < symbols.count ? symbols[Int(number)] : "instrument \(number)"
    }
}

/// What a connection's number means: the sessions of an engine are made in a fixed order, market data first.
package func connectionTitle(_ number: UInt16) -> String {
    switch UInt32(number) {
    case 0: "market stream"
    case 1: "market REST"
    case APUS_SESSION_CHANNELS_MAX, APUS_SESSION_CHANNELS_MAX + 1: "user stream"
    case APUS_SESSION_CHANNELS_MAX + 2..<2 * APUS_SESSION_CHANNELS_MAX:
        "order connection \(UInt32(number) - APUS_SESSION_CHANNELS_MAX - 1)"
    default: "connection \(number)"
    }
}

/// Why a book changed its state.
package func bookReasonName(_ reason: Int64) -> String {
    let names = [
        "", "subscribed", "snapshot applied", "gap", "unreadable message", "hash differs", "disconnected",
        "stream frozen",
        "tick size changed", "memory for books is used up", "unsubscribed", "differs from the ticker",
    ]
    return reason > 0 && reason < names.count ? names[Int(reason)] : "reason \(reason)"
}
