import Apus
import ApusEngine
import ApusVenue
import CApusProtocol

/// What every life has: one thread, no clock, the machine of an engine, the core of a venue, and a network between them that loses,
/// delays, cuts and refuses. The same seed lives the same life. A venue's own life overrides what is its own.
class World<Engine: EngineHost, Venue: VenueCore> {
    let character: Character
    let ledger: Ledger
    var engine: Engine
    let disk: SimulatedDisk
    let venue: Venue
    let wallOffset: Int64
    let venueOffset: Int64
    var aftermath = Aftermath()
    var isDown = false
    var diedWithMachine = false
    var runTag: UInt32 = 7
    var events = EventQueue<NetworkEvent>()
    var pipes = [Pipe?](repeating: nil, count: 2 * Int(APUS_SESSION_CHANNELS_MAX))
    var pipesByVenue: [Int: Pipe] = [:]
    var network: Dice
    var now: UInt64
    var faultsOn = true
    var refusesUntil: UInt64 = 0
    var enginePausedUntil: UInt64 = 0
    var agentPausedUntil: UInt64 = 0
    var nextEngine: UInt64 = 0
    var digest = BookFingerprint.seed
    var isSabotaged = false
    var counts = LifeCounts()
    /// What of the venue went wrong.
    private(set) var faults: [FaultRecord] = []

    static var start: UInt64 { 10 * second }
    /// Wall clock minus monotonic clock of the engine's machine.
    static var wallOffset: Int64 { 1_700_000_000_000_000_000 }

    init(_ character: Character, _ ledger: Ledger, venue: Venue, engine: Engine, disk: SimulatedDisk) {
        self.character = character
        self.ledger = ledger
        self.venue = venue
        self.engine = engine
        self.disk = disk
        wallOffset = Self.wallOffset
        venueOffset = Self.wallOffset + character.clockSkew
        network = Dice(seed: character.seed, part: 3)
        now = Self.start
    }

    // MARK: A venue's own

    /// The venue has done something: before what it wants carried out is.
    func noteVenue() {}

    /// Bytes of the venue on their way to the engine, as a sabotage may change them; nil: they are lost.
    func pass(_ bytes: [UInt8]) -> [UInt8]? { bytes }

    /// What the venue sends on a connection that is not the engine's.
    func takeStray(_ output: VenueOutput) {}

    /// A fault that only this venue has.
    func strikeVenue() {}

    /// Something may have been published.
    func checkPublished() {}

    /// Changes what the engine is told, before it is told.
    func sabotageReports() {}

    /// Changes what the engine does.
    func sabotageEngine() {}

    /// The engine has just died.
    func died() {}

    /// What has happened, by name.
    func tally() -> [String: Int] { [:] }

    /// Whether an order of the engine's has ever reached the venue.
    func isAtVenue(_ id: UInt64) -> Bool { false }

    /// Raises the engine from its disk.
    func rise() throws {}

    /// What engine and venue do not agree on.
    func differences() -> [Problem] { [] }

    // MARK: Living

    /// Lives to the end and says what was wrong.
    func live() throws -> Verdict {
        engine.openJournal(runTag, disk, now)
        try engine.start(now)
        planFault()
        try liveAndDie(until: now + character.length)
        faultsOn = false
        faults = venue.stopFaults()
        counts.venueFaults = faults.count
        run(until: now + second)
        ledger.isQuiet = true
        run(until: now + second)
        venue.quieten()
        settle()
        counts.add(engine.agent.summary)
        return Verdict(
            seed: character.seed, problems: ledger.problems, condition: ledger.condition, digest: digest,
            counts: counts, summary: engine.agent.summary, tally: tally())
    }

    /// Lives until then, and dies on the way as often as the character says: at any moment, for as long as it takes.
    private func liveAndDie(until end: UInt64) throws {
        for death in character.deaths {
            run(until: now + death.after)
            if death.withFlight { awaitFlight() }
            die(withMachine: death.withMachine)
            run(until: now + death.downtime)
            try rise()
        }
        run(until: max(end, now + 2 * second))
    }

    /// Waits until engine and venue agree, and looks once more later: agreement must last.
    private func settle() {
        let patience = now + 90 * second
        while now < patience {
            run(until: now + 250 * millisecond)
            if !differences().isEmpty { continue }
            run(until: now + 3 * second)
            if differences().isEmpty { return }
        }
        for difference in differences() {
            ledger.problem(difference.invariant, "after settling: \(difference.text)")
        }
        ledger.condition = engine.condition
    }

    func run(until end: UInt64) {
        while true {
            let venueDue = venue.nextDeadline.map { UInt64(max($0 - venueOffset, 0)) } ?? .max
            let engineDue = isDown ? UInt64.max : max(min(nextEngine, disk.due), enginePausedUntil)
            let next = min(venueDue, events.earliest, engineDue)
            guard next <= end else { break }
            now = max(now, next)
            ledger.now = now
            if venueDue <= now {
                venue.advance(to: wall)
                afterVenue()
            }
            var isDirty = min(nextEngine, disk.due) <= now
            while let event = events.take(until: now) { isDirty = handle(event) || isDirty }
            if isDirty { runEngine() }
        }
        now = max(now, end)
    }

    var wall: VenueTime { Int64(now) + venueOffset }

    // MARK: The engine's machine

    private func runEngine() {
        if isDown { return }
        guard now >= enginePausedUntil else {
            nextEngine = enginePausedUntil
            return
        }
        var work = 0
        var rounds = 0
        repeat {
            work = disk.turn(now) ? 1 : 0
            work += serveChannels() + engine.hotTurn(now)
            checkPublished()
            work += serveChannels()
            sabotageReports()
            if now >= agentPausedUntil { work += engine.agent.turn(now) }
            sabotageEngine()
            rounds += 1
        } while work > 0 && rounds < 64
        counts.turns += rounds
        let due = engine.due
        nextEngine = due > now ? due : max(agentPausedUntil, now + 500 * microsecond)
    }

    private func serveChannels() -> Int {
        var work = 0
        for index in engine.channels.indices { work += serve(index) }
        return work
    }

    /// What a shell does with a channel.
    private func serve(_ index: Int) -> Int {
        let channel = engine.channels[index]
        if channel.pointee.want == UInt8(APUS_WANT_OPEN) && channel.pointee.state == UInt8(APUS_CHANNEL_CLOSED) {
            open(index)
            return 1
        }
        if channel.pointee.want == UInt8(APUS_WANT_CLOSE) && channel.pointee.state != UInt8(APUS_CHANNEL_CLOSED) {
            if channel.pointee.state == UInt8(APUS_CHANNEL_OPEN), let pipe = pipes[index] { _ = write(channel, pipe) }
            leave(index)
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
            return 1
        }
        guard channel.pointee.state == UInt8(APUS_CHANNEL_OPEN), let pipe = pipes[index] else { return 0 }
        return write(channel, pipe) + read(channel, pipe)
    }

    private func write(_ channel: UnsafeMutablePointer<apus_channel>, _ pipe: Pipe) -> Int {
        var at: UnsafePointer<UInt8>?
        let pending = apus_channel_pending(channel, &at)
        var count = min(pending, 65_536 - pipe.inFlight)
        guard count > 0, let at else { return 0 }
        if network.once(in: character.cutOnce * 4) { count = 1 + network.below(count) }
        let bytes = Array(UnsafeBufferPointer(start: at, count: count))
        apus_channel_sent(channel, count, now)
        sendUp(pipe, bytes)
        return 1
    }

    private func read(_ channel: UnsafeMutablePointer<apus_channel>, _ pipe: Pipe) -> Int {
        if channel.pointee.paused { return 0 }
        let available = pipe.inbox.count - pipe.inboxRead
        if available > 0 {
            var at: UnsafeMutablePointer<UInt8>?
            let count = min(available, apus_channel_space(channel, &at))
            guard count > 0, let at else { return 0 }
            pipe.inbox.withUnsafeBufferPointer { at.update(from: $0.baseAddress! + pipe.inboxRead, count: count) }
            pipe.inboxRead += count
            if pipe.inboxRead == pipe.inbox.count {
                pipe.inbox.removeAll(keepingCapacity: true)
                pipe.inboxRead = 0
            }
            apus_channel_received(channel, count, now, 0)
            return 1
        }
        guard pipe.endSeen else { return 0 }
        pipes[pipe.channel] = nil
        pipe.isLeft = true
        apus_channel_closed(channel, pipe.endReason, pipe.endReason == UInt8(APUS_CLOSED_IO) ? 104 : 0)
        return 1
    }
}

/// How much has happened in a life: a simulation in which nothing happens proves nothing.
struct LifeCounts: Sendable, Equatable {
    var turns = 0
    var booksChecked = 0
    var touchesChecked = 0
    var venueFaults = 0
    var networkFaults = 0
    var connections = 0
    var bytes = 0

    // Of all engines of the life.
    var orders = 0
    var fills = 0
    var queries = 0
    /// Reports that brought nothing new: what was told twice, or late.
    var duplicates = 0

    // At its deaths.
    var deaths = 0
    var machineDeaths = 0
    /// With an order that had no answer yet, a change or a cancel that had none, or an order that was asked about.
    var deathsInFlight = 0
    var deathsInChange = 0
    var deathsInDoubt = 0
    /// The journal did not end cleanly.
    var tornTails = 0
    /// Orders whose intent was lost with the machine, and of these those that recovery found open.
    var lostIntents = 0
    var adopted = 0
    var missedTrades = 0
    /// Rounds in which recovery waited for what might still arrive.
    var waits = 0

    mutating func add(_ summary: EngineSummary) {
        orders += Int(summary.orders)
        fills += Int(summary.fills)
        queries += Int(summary.queries)
        duplicates += Int(summary.duplicateReports)
    }
}

/// What came of a life.
struct Verdict: Sendable {
    var seed: UInt64
    var problems: [Problem]
    /// Where the engine stood when it did not come to agree with the venue.
    var condition = ""
    var digest: UInt64
    var counts: LifeCounts
    var summary: EngineSummary
    /// What else has happened on its venue, by name.
    var tally: [String: Int] = [:]
}

extension Verdict {
    /// Of a life that could not be lived.
    init(seed: UInt64, failure: any Error) {
        self.init(
            seed: seed, problems: [Problem(.recovery, "the life could not be lived: \(failure)")], digest: 0,
            counts: LifeCounts(), summary: .init())
    }
}
