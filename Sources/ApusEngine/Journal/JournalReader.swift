package import CApusRing

/// One segment as bytes: a mapped file, or memory of a simulated disk. The bytes outlive it and are not written meanwhile.
package struct JournalSegment {
    /// What a person is told: the file's path.
    package let name: String
    package let index: UInt64
    /// Number of its first record.
    package let first: UInt64
    package let capacity: UInt64
    package let account: UInt64
    let records: UnsafePointer<apus_journal_record>

    /// - Parameter records: where the first record lies, behind the header.
    package init(name: String, header: apus_journal_segment, records: UnsafeRawPointer) {
        self.name = name
        index = header.index
        first = header.first
        capacity = header.capacity
        account = header.account_hash
        self.records = records.assumingMemoryBound(to: apus_journal_record.self)
    }

    /// Where a record of this segment stands in its file, in bytes.
    package func offset(of number: UInt64) -> UInt64 { (number - first + 1) * UInt64(APUS_JOURNAL_RECORD) }

    package func record(_ number: UInt64) -> UnsafePointer<apus_journal_record> { records + Int(number - first) }
}

/// Where in a journal something is.
package struct JournalPlace: Sendable, Equatable, Codable {
    package var segment: String
    /// In the segment's file, in bytes.
    package var offset: UInt64
    package var number: UInt64
}

/// How a journal ends.
package enum JournalEnd: Sendable, Equatable {
    /// Behind the last record nothing has ever been written.
    case clean
    /// The record there was not written to its end, or was damaged, and nothing sound stands behind it.
    case torn(JournalPlace)
    /// The machine stopped before what stands there was durable; some sound records behind it are not the journal's any more, since
    /// what comes before them is lost.
    case unsynced(JournalPlace, behind: UInt64)
    /// A record that was safe on the disk is not readable. Nothing behind it may be trusted or cut: a person must look.
    case damaged(JournalPlace, JournalDamage)

    /// Where what is sound ends; nil at a clean end.
    package var place: JournalPlace? {
        switch self {
        case .clean: nil
        case .torn(let place), .unsynced(let place, _), .damaged(let place, _): place
        }
    }
}

package enum JournalDamage: String, Sendable, Codable {
    /// Magic or checksum disagree, or it is empty, with records behind it.
    case unreadable
    /// A sound record with another number stands in its place.
    case misplaced
}

/// Why segments are no journal that can be read.
package struct JournalError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Reads segments in order and says how far they are sound. Pure: bytes in, records out.
package struct JournalReader {
    package let segments: [JournalSegment]

    /// - Throws: `JournalError` when the segments do not follow each other.
    package init(_ segments: [JournalSegment]) throws(JournalError) {
        let sorted = segments.sorted { $0.index < $1.index }
        for (place, segment) in sorted.enumerated() {
            let wanted = UInt64(place + 1)
            if segment.index > wanted {
                throw JournalError("segment \(wanted) is missing before \(segment.name)")
            }
            if segment.index < wanted { throw JournalError("\(segment.name) is another segment \(segment.index)") }
            let first = place == 0 ? 1 : sorted[place - 1].first + sorted[place - 1].capacity
            if segment.first != first {
                throw JournalError("\(segment.name) begins with record \(segment.first), not \(first)")
            }
            if segment.account != sorted[0].account {
                throw JournalError("\(segment.name) is of another account than \(sorted[0].name)")
            }
        }
        self.segments = sorted
    }

    /// The number behind the last place of all segments.
    private var endOfSpace: UInt64 { segments.last.map { $0.first + $0.capacity } ?? 1 }

    /// Hands every sound record from that number on to `body`, oldest first, up to the end or the first that is not. Returns the number of
    /// the last one and how the journal ends.
    @discardableResult
    package func read<Failure: Error>(
        from start: UInt64 = 1, _ body: (UnsafePointer<apus_journal_record>) throws(Failure) -> Void
    ) throws(Failure) -> (records: UInt64, end: JournalEnd) {
        for segment in segments where segment.first + segment.capacity > start {
            for number in max(segment.first, start)..<(segment.first + segment.capacity) {
                let record = segment.record(number)
                let state = apus_journal_slot(record, number)
                if state != APUS_SLOT_VALID { return (number - 1, end(at: number, in: segment, state)) }
                try body(record)
            }
        }
        return (endOfSpace - 1, .clean)
    }

    /// What the first place that holds no sound record means: it depends on what stands behind it.
    private func end(at number: UInt64, in segment: JournalSegment, _ state: apus_slot_state) -> JournalEnd {
        let place = JournalPlace(segment: segment.name, offset: segment.offset(of: number), number: number)
        if state == APUS_SLOT_MISPLACED { return .damaged(place, .misplaced) }
        var isTorn = state != APUS_SLOT_EMPTY
        var sound: UInt64 = 0
        var durable: UInt64 = 0
        for later in segments where later.first + later.capacity > number {
            for next in max(number + 1, later.first)..<(later.first + later.capacity) {
                let record = later.record(next)
                switch apus_journal_slot(record, next) {
                case APUS_SLOT_VALID:
                    sound += 1
                    durable = max(durable, record.pointee.durable)
                case APUS_SLOT_EMPTY: break
                default: isTorn = true
                }
            }
        }
        if sound > 0 {
            // Somebody wrote on after this record was safe, or nobody ever said what was safe: then no crash has made the hole.
            return durable == 0 || durable >= number ? .damaged(place, .unreadable) : .unsynced(place, behind: sound)
        }
        return isTorn ? .torn(place) : .clean
    }
}
