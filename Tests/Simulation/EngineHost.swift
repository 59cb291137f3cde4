import Apus
import ApusEngine
import CApusProtocol
import CApusRing

/// The memory of an engine's process: rings, books and what its sessions are made in.
final class EngineMemory {
    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let queues = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    private let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    private let venueName = UnsafeMutablePointer<CChar>.allocate(capacity: 16)
    private let arenaMemory: UnsafeMutableRawPointer
    private let tableMemory: UnsafeMutableRawPointer

    /// - Parameter instruments: how many there will be.
    init(
        _ character: Character, venue: StaticString, instruments: UInt32, boardDepth: UInt32, arenaBytes: Int,
        wallOffset: Int64
    ) throws {
        view.initialize(to: apus_public())
        queues.initialize(to: apus_private())
        out.initialize(to: apus_publisher())
        market.initialize(to: apus_market())
        table.initialize(to: apus_instrument_table())
        arena.initialize(to: apus_arena())
        arenaMemory = .allocate(byteCount: arenaBytes, alignment: 64)
        let tableBytes = apus_instrument_table_bytes(instruments)
        tableMemory = .allocate(byteCount: tableBytes, alignment: 64)
        for (index, byte) in venue.description.utf8CString.enumerated() { venueName[index] = byte }
        var config = apus_public_config()
        config.feed_slots = character.feedSlots
        config.instruments = instruments
        config.board_depth = boardDepth
        try check(apus_public_create(view, &config), "apus_public_create")
        try check(apus_private_create(queues), "apus_private_create")
        queues.pointee.reports.pointee.mask = character.reportSlots - 1
        out.pointee = apus_publisher_make(view, nil)
        out.pointee.realtime_offset = wallOffset
        apus_arena_init(arena, arenaMemory, arenaBytes)
        try check(apus_instrument_table_init(table, tableMemory, instruments), "apus_instrument_table_init")
        try check(apus_market_init(market, out, arena, table, venueName), "apus_market_init")
    }

    deinit {
        apus_public_close(view)
        apus_private_close(queues)
        arenaMemory.deallocate()
        tableMemory.deallocate()
        venueName.deallocate()
        view.deallocate()
        queues.deallocate()
        out.deallocate()
        market.deallocate()
        arena.deallocate()
        table.deallocate()
    }

    static func one<T>(_ value: T) -> UnsafeMutablePointer<T> {
        let pointer = UnsafeMutablePointer<T>.allocate(capacity: 1)
        pointer.initialize(to: value)
        return pointer
    }
}

/// An engine's process: its memory, its sessions as the hot thread has them, and the decision agent beside them.
class EngineHost {
    let memory: EngineMemory
    let sessions: [UnsafeMutablePointer<apus_session>]
    let channels: [UnsafeMutablePointer<apus_channel>]
    let agent: DecisionAgent
    var reader: apus_feed_reader

    init(_ memory: EngineMemory, sessions: [UnsafeMutablePointer<apus_session>], agent: DecisionAgent) {
        self.memory = memory
        self.sessions = sessions
        self.agent = agent
        channels = sessions.flatMap { session in
            (0..<Int(session.pointee.channel_count)).map { session.pointee.channels[$0]! }
        }
        reader = apus_public_reader(memory.view, false)
    }

    var queues: UnsafeMutablePointer<apus_private> { memory.queues }

    static func session<Whole>(_ whole: UnsafeMutablePointer<Whole>) -> UnsafeMutablePointer<apus_session> {
        UnsafeMutableRawPointer(whole).assumingMemoryBound(to: apus_session.self)
    }

    func openJournal(_ tag: UInt32, _ disk: SimulatedDisk, _ now: UInt64) {
        var run = apus_journal_run()
        run.run_tag = tag
        run.policy = UInt8(JournalConfiguration.Policy.allCases.firstIndex(of: disk.policy) ?? 0)
        run.interval_ms = UInt32(SimulatedDisk.interval / millisecond)
        agent.openJournal(run, now)
    }

    /// Times that fit into a life of some seconds.
    static func hasten(_ link: inout apus_link_config) {
        link.connect_timeout_ns = 2 * second
        link.upgrade_timeout_ns = 2 * second
        link.close_timeout_ns = second
        link.ping_interval_ns = second
        link.liveness_timeout_ns = 3 * second
        link.max_lifetime_ns = 9 * second
        link.lifetime_jitter_ns = 3 * second
        link.backoff_min_ns = 50 * millisecond
        link.backoff_max_ns = second
        link.stable_ns = 2 * second
        link.max_message_bytes = 128 << 10
    }

    // MARK: Turns

    /// One turn of the hot thread.
    func hotTurn(_ now: UInt64) -> Int {
        sessions.reduce(0) { $0 + Int($1.pointee.ops.pointee.turn($1, now)) }
    }

    func start(_ now: UInt64) throws {
        for session in sessions { session.pointee.ops.pointee.start(session, now) }
        try agent.start(now)
    }

    /// When a session or the agent has something to do without news.
    var due: UInt64 {
        sessions.reduce(agent.nextDue ?? .max) { min($0, $1.pointee.ops.pointee.deadline($1)) }
    }

    /// Where the sessions stand, for the report of a life that did not end well.
    var condition: String { "channels \(channels.map { [$0.pointee.state, $0.pointee.want] })" }

    func book(_ index: Int) -> UnsafeMutablePointer<apus_market_book>? { apus_market_at(memory.market, UInt16(index)) }
}

/// The feed of a life: the sessions' turns are taken by the life itself.
final class SimulatedFeed: FeedSource {
    let view: UnsafeMutablePointer<apus_public>
    init(_ view: UnsafeMutablePointer<apus_public>) { self.view = view }
    func turn(_ now: UInt64) -> Int { 0 }
}

final class SimulatedSink: OrderSink {
    let queues: UnsafeMutablePointer<apus_private>
    init(_ queues: UnsafeMutablePointer<apus_private>) { self.queues = queues }
}

/// A call into C that must not fail while a life is made.
struct SetUpError: Error, CustomStringConvertible {
    let description: String
}

func check(_ result: Int32, _ what: String) throws {
    if result < 0 { throw SetUpError(description: "\(what) says \(result)") }
}
