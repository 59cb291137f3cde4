package import CApusRing
internal import Glibc

/// How a journal is kept.
package struct JournalConfiguration: Sendable, Equatable {
    /// When records are made durable, and what each survives.
    ///
    /// All three survive the death of the process: what is in the mapping is the kernel's. The machine's death is survived by
    /// - `each`: every order that was sent; an order leaves only after its intent is durable;
    /// - `interval`: everything older than the interval; orders sent within it are found again at the venue, by their numbers;
    /// - `never`: what the system happened to have written. It is for tests and for disks that are too slow.
    package enum Policy: String, Sendable, CaseIterable, Codable {
        case each, interval, never
    }

    package var path: String
    package var policy = Policy.interval
    /// Nanoseconds.
    package var interval: UInt64 = 100_000_000
    /// Records of a segment.
    package var segmentRecords: UInt64 = 87_381
    /// Names the account that the journal belongs to.
    package var account: UInt64

    package init(path: String, account: UInt64) {
        self.path = path
        self.account = account
    }

    /// Records that fit into so many bytes.
    package static func records(bytes: UInt64) -> UInt64 {
        min(
            max(bytes / UInt64(APUS_JOURNAL_RECORD), UInt64(APUS_JOURNAL_SEGMENT_RECORDS_MIN) + 1) - 1,
            UInt64(APUS_JOURNAL_SEGMENT_RECORDS_MAX))
    }
}

/// The journal thread's work, a turn at a time: segments ahead of need, records made durable, segments that are done let go.
///
/// Unchecked: made by the control side, then used by the journal thread; the decision thread uses `writer` alone.
package final class JournalKeeper: @unchecked Sendable {
    package let configuration: JournalConfiguration
    /// What the decision thread appends to. It lives as long as the keeper.
    package let writer: UnsafeMutablePointer<apus_journal>
    /// What went wrong last, in words; nil while all is well. Control side: after the thread has ended, or through `problem`.
    package private(set) var failure: JournalError?
    private let folder: JournalFolder
    private let rings: UnsafeMutablePointer<apus_private>
    /// Segments that an earlier run prepared, to be offered before new ones are made.
    private var prepared: [apus_journal_file] = []
    private var nextSync: UInt64 = 0
    private var nextAttempt: UInt64 = 0
    /// A sync has failed: what the system then says is durable cannot be believed any more.
    package private(set) var isBroken = false

    /// Goes on with a journal that was read and, where its tail was torn, cut.
    /// - Parameters:
    ///   - records: how many sound records it holds; all of them are made durable here.
    ///   - rings: where the sessions look for what is durable, and whose trading state is halted when the disk fails.
    /// - Throws: `JournalError` when there is no room for the first segment.
    package init(
        _ configuration: JournalConfiguration, _ folder: JournalFolder, records: UInt64, run: UInt32,
        rings: UnsafeMutablePointer<apus_private>, wall: UInt64
    ) throws(JournalError) {
        self.configuration = configuration
        self.folder = folder
        self.rings = rings
        writer = .allocate(capacity: 1)
        writer.initialize(to: apus_journal())
        apus_journal_init(writer, records + 1, UInt64(run))
        apus_flag_set(rings.pointee.durable, records)
        for file in folder.files where file.header.first <= records {
            var file = file
            let end = min(records, file.header.first + file.header.capacity - 1)
            let result = apus_journal_file_sync(
                &file, UInt64(APUS_JOURNAL_RECORD), (end - file.header.first + 1) * UInt64(APUS_JOURNAL_RECORD))
            if result < 0 { throw JournalFolder.error(folder.path, result) }
        }
        for file in folder.files where file.header.first + file.header.capacity <= records + 1 {
            folder.release(file.header.index)
        }
        prepared = folder.files
        try offerNext(wall, used: records)
        apus_journal_take(writer)
        try offerNext(wall, used: records)
    }

    deinit { writer.deallocate() }

    /// Offers what is left of a segment that is there, or makes one.
    private func offerNext(_ wall: UInt64, used records: UInt64) throws(JournalError) {
        var file: apus_journal_file
        if prepared.isEmpty {
            file = try folder.add(
                capacity: configuration.segmentRecords, account: configuration.account, wall: wall)
        } else {
            file = prepared.removeFirst()
        }
        let used = records >= file.header.first ? records - file.header.first + 1 : 0
        let offset = (used + 1) * UInt64(APUS_JOURNAL_RECORD)
        touch(file, from: offset)
        _ = apus_journal_offer(writer, file.base + Int(offset), file.header.capacity - used)
    }

    // MARK: Turns

    /// Makes segments and syncs what is due. Blocks on the disk. Returns how much it did.
    package func turn(_ now: UInt64, wall: UInt64) -> Int {
        var work = 0
        if apus_journal_wants(writer), now >= nextAttempt {
            do {
                try offerNext(wall, used: 0)
                failure = isBroken ? failure : nil
                work += 1
            } catch {
                // A full disk: the gate sees the room shrink and refuses in time. Tried again, since space may come back.
                failure = error
                nextAttempt = now &+ 1_000_000_000
            }
        }
        switch configuration.policy {
        case .each: work += sync()
        case .interval where now >= nextSync:
            nextSync = now &+ configuration.interval
            work += sync()
        default: break
        }
        return work
    }

    /// When the next turn is due at the latest, seen from `now`.
    package func nextDue(_ now: UInt64) -> UInt64 {
        configuration.policy == .interval ? max(nextSync, now) : now &+ 10_000_000
    }

    /// Makes everything durable that was appended, after the decision thread has ended, and lets the folder go.
    package func close() {
        _ = sync()
        folder.close()
    }

    /// Makes what was published durable and says so.
    private func sync() -> Int {
        let published = apus_journal_published(writer)
        let durable = apus_journal_durable(writer)
        guard published > durable, !isBroken else { return 0 }
        for file in folder.files {
            let first = max(durable + 1, file.header.first)
            let last = min(published, file.header.first + file.header.capacity - 1)
            guard first <= last else { continue }
            let offset = (first - file.header.first + 1) * UInt64(APUS_JOURNAL_RECORD)
            var file = file
            let result = apus_journal_file_sync(&file, offset, (last - first + 1) * UInt64(APUS_JOURNAL_RECORD))
            if result < 0 {
                breakDown(result)
                return 1
            }
            touch(file, from: offset)
        }
        apus_journal_set_durable(writer, published)
        apus_flag_set(rings.pointee.durable, published)
        releaseDone(published)
        return 1
    }

    /// Pages that were just written to disk, and some ahead: without this the decision thread would meet a page fault in each.
    private func touch(_ file: apus_journal_file, from offset: UInt64) {
        var file = file
        apus_journal_file_touch(&file, offset, 1 << 18)
    }

    private func releaseDone(_ durable: UInt64) {
        // The writer has left a segment when it has published a number beyond it.
        for file in folder.files where file.header.first + file.header.capacity <= durable {
            folder.release(file.header.index)
        }
    }

    /// After a failed sync nothing tells what is on the disk (fsync(2), EIO: the pages count as clean). Trading halts; orders that
    /// wait for their intent are let go to the guard, which refuses them, so that cancels behind them leave.
    private func breakDown(_ code: Int32) {
        isBroken = true
        failure = JournalFolder.error(folder.path, code)
        apus_journal_set_failed(writer)
        apus_flag_set(
            rings.pointee.trading + Int(APUS_TRADING_JOURNAL.rawValue), UInt64(APUS_TRADING_HALTED.rawValue))
        apus_flag_set(rings.pointee.durable, .max)
    }
}
