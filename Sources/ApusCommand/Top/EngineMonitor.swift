import ApusEngine
import CApusRing
import Glibc

/// Looks at a running engine through its public mapping, read-only: the engine does not notice.
///
/// It belongs to one thread.
package final class EngineMonitor {
    private var view = apus_public()
    private var reader: apus_feed_reader
    private var connections: [Int: String] = [:]
    private let name: String

    /// Attaches to the engine of that name.
    package init(attachingTo name: String) throws(CommandFailure) {
        self.name = name
        let result = apus_public_attach(&view, name)
        guard result == 0 else { throw Self.failure(name, result) }
        reader = apus_public_reader(&view, true)
    }

    deinit { apus_public_close(&view) }

    /// Names in /dev/shm that are mappings of this layout, with the life of their writers.
    package static func engines() -> [(name: String, life: EngineSample.Life)] {
        Files.names(in: "/dev/shm").compactMap { name in
            var view = apus_public()
            guard apus_public_attach(&view, name) == 0 else { return nil }
            defer { apus_public_close(&view) }
            return (name, life(of: &view))
        }
    }

    /// The engine that a command is for: the named one, or the only one that is running.
    package static func choose(_ name: String?) throws(CommandFailure) -> String {
        if let name { return name }
        let living = engines().filter { $0.life == .alive || $0.life == .stalled }
        if living.count == 1 { return living[0].name }
        if living.isEmpty {
            throw CommandFailure(ExitStatus.unavailable, "no engine is running on this machine; apus run starts one")
        }
        let list = living.map { "  \($0.name) (\($0.life.rawValue))" }.joined(separator: "\n")
        throw CommandFailure(ExitStatus.usage, "several engines are running; name one of them:\n\(list)")
    }

    /// Looks once. At most `levels` a side of each book are copied.
    package func sample(levels: Int) -> EngineSample {
        followConnections()
        let now = apus_clock_monotonic()
        let header = view.header!
        let beat = header.pointee.heartbeat_ns
        let started = header.pointee.start_realtime_ns
        let wall = apus_clock_realtime()
        return EngineSample(
            name: name, pid: header.pointee.writer_pid, life: Self.life(of: &view), takenNanoseconds: now,
            uptimeSeconds: wall > started ? (wall - started) / 1_000_000_000 : 0,
            heartbeatAgeNanoseconds: now > beat ? now - beat : 0, feedSlots: header.pointee.feed_slots,
            published: apus_flag(&header.pointee.published), counters: counters(), hops: hops(),
            books: books(levels: levels, now: now),
            connections: connections.sorted { $0.key < $1.key }.map { .init(number: $0.key, state: $0.value) })
    }

    private static func failure(_ name: String, _ result: Int32) -> CommandFailure {
        switch -result {
        case ENOENT: .init(ExitStatus.unavailable, "no engine named \(name) is running (nothing at /dev/shm/\(name))")
        case EPROTO: .init(ExitStatus.unavailable, "/dev/shm/\(name) is not an engine's public mapping")
        case EPROTOTYPE:
            .init(
                ExitStatus.unavailable,
                "the engine \(name) uses another layout version than this program (\(APUS_LAYOUT_VERSION)); use the apus it was built with"
            )
        default:
            .init(ExitStatus.unavailable, "cannot attach to /dev/shm/\(name): \(String(cString: strerror(-result)))")
        }
    }

    private static func life(of view: inout apus_public) -> EngineSample.Life {
        switch apus_public_life(&view, apus_clock_monotonic()) {
        case APUS_WRITER_ALIVE: .alive
        case APUS_WRITER_CLOSED: .closed
        case APUS_WRITER_STALLED: .stalled
        default: .dead
        }
    }

    // The state of a connection is told by events alone, so that the newest one in the ring is what is known.
    private func followConnections() {
        var event = apus_event()
        while true {
            switch apus_feed_read(&reader, &event) {
            case APUS_FEED_EVENT where event.kind == UInt8(APUS_EVENT_CONNECTION.rawValue):
                connections[Int(event.instrument)] = connectionName(event.flags)
            case APUS_FEED_EMPTY: return
            default: break
            }
        }
    }

    private func counters() -> [(name: String, value: UInt64)] {
        let base = UnsafeRawPointer(view.counters!)
        func words(_ offset: Int, _ names: [String]) -> [(name: String, value: UInt64)] {
            let words = (base + offset).assumingMemoryBound(to: UInt64.self)
            return names.enumerated().map { ($1, apus_counter(words + $0)) }
        }
        let decide = Int(APUS_HOT_COUNTERS.rawValue) * MemoryLayout<UInt64>.size
        return words(0, hotCounterNames) + words(decide, decideCounterNames)
    }

    private func hops() -> [EngineSample.Hop] {
        HopSummary.names.map { name, hop in
            .init(name: name, times: HopSummary(apus_counters_hop(view.counters, hop.rawValue)))
        }
    }

    private func books(levels: Int, now: UInt64) -> [EngineSample.Book] {
        let count = min(apus_flag(&view.header.pointee.instrument_count), UInt64(view.header.pointee.instruments))
        return (0..<UInt32(count)).compactMap { instrument in
            let entry = view.directory + Int(instrument)
            guard apus_flag(&entry.pointee.ready) != 0 else { return nil }
            return book(instrument, entry.pointee, levels: levels, now: now)
        }
    }

    private func book(
        _ instrument: UInt32, _ entry: apus_directory_entry, levels: Int, now: UInt64
    ) -> EngineSample.Book {
        let depth = Int(view.board.depth)
        var header = apus_board_header()
        var bids = [apus_level](repeating: apus_level(), count: max(depth, 1))
        var asks = bids
        let result = apus_board_read(&view.board, instrument, &header, &bids, &asks)
        func rows(_ side: [apus_level], _ count: UInt32) -> [EngineSample.Level] {
            side.prefix(min(Int(count), depth, levels)).map {
                .init(
                    price: decimalText($0.price, decimals: Int(entry.price_decimals)),
                    quantity: decimalText($0.quantity, decimals: Int(entry.quantity_decimals)))
            }
        }
        let isWhole = result == 0
        return EngineSample.Book(
            symbol: fixedText(entry.symbol), venue: fixedText(entry.venue),
            state: isWhole ? bookStateName(header.state) : "torn", bids: isWhole ? rows(bids, header.bids) : [],
            asks: isWhole ? rows(asks, header.asks) : [], totalBids: UInt64(header.total_bids),
            totalAsks: UInt64(header.total_asks), updateID: header.update_id,
            ageNanoseconds: header.publish_ns == 0 || header.publish_ns > now ? 0 : now - header.publish_ns,
            torn: !isWhole)
    }
}

/// The text in a C array that is padded with zeros.
package func fixedText<Storage>(_ storage: Storage) -> String {
    withUnsafeBytes(of: storage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// The name of an `apus_book_state`.
package func bookStateName(_ state: UInt32) -> String {
    switch state {
    case APUS_STATE_SYNCING.rawValue: "syncing"
    case APUS_STATE_LIVE.rawValue: "live"
    case APUS_STATE_STALE.rawValue: "stale"
    case APUS_STATE_DROPPED.rawValue: "dropped"
    default: "unknown"
    }
}

/// The name of an `apus_connection_state`.
package func connectionName(_ state: UInt8) -> String {
    switch UInt32(state) {
    case APUS_CONNECTION_DOWN.rawValue: "down"
    case APUS_CONNECTION_CONNECTING.rawValue: "connecting"
    case APUS_CONNECTION_UP.rawValue: "up"
    case APUS_CONNECTION_CLOSING.rawValue: "closing"
    case APUS_CONNECTION_WAITING.rawValue: "waiting"
    default: "unknown"
    }
}
