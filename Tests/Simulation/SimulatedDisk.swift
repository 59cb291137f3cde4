import ApusEngine
import CApusRing

/// The disk of a life, and the journal thread beside it: segments in memory, of which a sync makes the written part durable some time
/// after it was begun. It outlives the engine.
final class SimulatedDisk {
    let policy: JournalConfiguration.Policy
    let segmentRecords: UInt64
    private(set) var segments: [(header: apus_journal_segment, base: UnsafeMutablePointer<UInt8>)] = []
    private(set) var writer: UnsafeMutablePointer<apus_journal>
    private var rings: UnsafeMutablePointer<apus_private>?
    private var dice: Dice
    private var prepared: [Int] = []
    private var syncTarget: UInt64 = 0
    private var syncEnds: UInt64 = .max
    private var nextSync: UInt64 = 0
    /// No space for another segment until then.
    var fullUntil: UInt64 = 0
    /// How many records were durable when the engine died, and how many were lost for want of room.
    private(set) var durable: UInt64 = 0
    private(set) var lost: UInt64 = 0

    static let interval = 100 * millisecond

    init(seed: UInt64) {
        dice = Dice(seed: seed, part: 6)
        policy = JournalConfiguration.Policy.allCases[dice.below(3)]
        segmentRecords = dice.between(UInt64(APUS_JOURNAL_SEGMENT_RECORDS_MIN), 700)
        writer = .allocate(capacity: 1)
        writer.initialize(to: apus_journal())
    }

    deinit {
        for segment in segments { segment.base.deallocate() }
        writer.deallocate()
    }

    /// What one loses with the machine: intents of orders that were sent.
    var losesOrders: Bool { policy != .each }

    // MARK: A run

    /// The journal thread's start, behind so many sound records.
    func begin(records: UInt64, run: UInt32, rings: UnsafeMutablePointer<apus_private>) -> JournalPort {
        self.rings = rings
        apus_journal_init(writer, records + 1, UInt64(run))
        apus_flag_set(rings.pointee.durable, records)
        (durable, syncEnds) = (records, .max)
        // What is left of the segment that was written last, and those that were prepared.
        prepared = segments.indices.filter { segments[$0].header.first + segments[$0].header.capacity > records + 1 }
        offer(used: records)
        apus_journal_take(writer)
        offer()
        return JournalPort(writer, holdsOrders: policy == .each, segmentRecords: segmentRecords)
    }

    private func offer(used records: UInt64 = 0) {
        if !prepared.isEmpty {
            let segment = segments[prepared.removeFirst()]
            let used = records >= segment.header.first ? records - segment.header.first + 1 : 0
            _ = apus_journal_offer(
                writer, segment.base + Int((used + 1) * UInt64(APUS_JOURNAL_RECORD)), segment.header.capacity - used)
            return
        }
        var header = apus_journal_segment()
        header.magic = APUS_JOURNAL_MAGIC
        header.index = UInt64(segments.count + 1)
        header.first = segments.last.map { $0.header.first + $0.header.capacity } ?? 1
        header.capacity = segmentRecords
        let bytes = Int((segmentRecords + 1) * UInt64(APUS_JOURNAL_RECORD))
        let base = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes)
        base.initialize(repeating: 0, count: bytes)
        segments.append((header, base))
        _ = apus_journal_offer(writer, base + Int(APUS_JOURNAL_RECORD), segmentRecords)
    }

    /// A turn of the journal thread. Returns whether anything changed.
    func turn(_ now: UInt64) -> Bool {
        var worked = false
        if apus_journal_wants(writer), now >= fullUntil {
            offer()
            worked = true
        }
        if now >= syncEnds {
            durable = syncTarget
            apus_journal_set_durable(writer, durable)
            if let rings { apus_flag_set(rings.pointee.durable, durable) }
            syncEnds = .max
            worked = true
        }
        let isDue = policy == .each || (policy == .interval && now >= nextSync)
        if isDue, syncEnds == .max, apus_journal_published(writer) > durable {
            syncTarget = apus_journal_published(writer)
            syncEnds = now + dice.between(50 * microsecond, dice.once(in: 50) ? 300 * millisecond : 4 * millisecond)
            nextSync = now + Self.interval
        }
        return worked
    }

    var due: UInt64 {
        if syncEnds != .max { return syncEnds }
        return policy == .interval && apus_journal_published(writer) > durable ? nextSync : .max
    }

    // MARK: Death

    /// The process is gone: what is in the mapping stays. Then perhaps the machine too: of what was not durable each page of memory has
    /// reached the disk or not.
    func die(withMachine: Bool) {
        lost = writer.pointee.lost
        rings = nil
        syncEnds = .max
        guard withMachine else { return }
        let record = UInt64(APUS_JOURNAL_RECORD)
        for segment in segments where segment.header.first + segment.header.capacity > durable + 1 {
            let start = durable >= segment.header.first ? (durable - segment.header.first + 2) * record : record
            let end = (segment.header.capacity + 1) * record
            var at = start
            while at < end {
                let page = min((at / 4096 + 1) * 4096, end)
                if dice.below(2) == 0 { (segment.base + Int(at)).update(repeating: 0, count: Int(page - at)) }
                at = page
            }
        }
    }

    // MARK: Reading

    func reader() throws -> JournalReader {
        try JournalReader(
            segments.map {
                JournalSegment(
                    name: "segment \($0.header.index)", header: $0.header,
                    records: UnsafeRawPointer($0.base) + Int(APUS_JOURNAL_RECORD))
            })
    }

    /// Cuts the line there.
    func cut(_ place: JournalPlace) {
        let record = UInt64(APUS_JOURNAL_RECORD)
        for segment in segments where segment.header.first + segment.header.capacity > place.number {
            let start = (max(place.number, segment.header.first) - segment.header.first + 1) * record
            let end = (segment.header.capacity + 1) * record
            (segment.base + Int(start)).update(repeating: 0, count: Int(end - start))
        }
    }
}
