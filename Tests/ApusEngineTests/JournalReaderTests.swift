import Apus
import CApusRing
import Testing

@testable import ApusEngine

/// A journal in memory: two segments, the second partly written.
final class MemoryJournal {
    static let record = Int(APUS_JOURNAL_RECORD)
    let writer: UnsafeMutablePointer<apus_journal>
    private(set) var headers: [apus_journal_segment] = []
    private(set) var memory: [UnsafeMutablePointer<UInt8>] = []
    let capacity: Int

    init(capacity: Int, segments: Int) {
        self.capacity = capacity
        writer = .allocate(capacity: 1)
        writer.initialize(to: apus_journal())
        apus_journal_init(writer, 1, 9)
        for index in 0..<segments {
            var header = apus_journal_segment()
            header.index = UInt64(index + 1)
            header.first = UInt64(index * capacity + 1)
            header.capacity = UInt64(capacity)
            headers.append(header)
            let base = UnsafeMutablePointer<UInt8>.allocate(capacity: (capacity + 1) * Self.record)
            base.initialize(repeating: 0, count: (capacity + 1) * Self.record)
            memory.append(base)
        }
    }

    deinit {
        for base in memory { base.deallocate() }
        writer.deallocate()
    }

    /// Appends texts; all up to `durable` are said to be safe while the later ones are written.
    func fill(_ count: Int, durable: UInt64 = 0) {
        var given = (Int(writer.pointee.next - 1) + capacity - 1) / capacity
        for _ in 0..<count {
            if writer.pointee.left == 0 {
                _ = apus_journal_offer(writer, memory[given] + Self.record, UInt64(capacity))
                given += 1
            }
            if durable > 0, writer.pointee.next > durable { apus_journal_set_durable(writer, durable) }
            let payload = [UInt64](repeating: 0x5555_5555_5555_5555, count: 16)
            _ = payload.withUnsafeBytes {
                apus_journal_append(writer, UInt16(APUS_JOURNAL_TEXT.rawValue), $0.baseAddress!, 1, 2)
            }
        }
    }

    func place(_ number: Int) -> UnsafeMutablePointer<UInt8> {
        memory[(number - 1) / capacity] + ((number - 1) % capacity + 1) * Self.record
    }

    var segments: [JournalSegment] {
        headers.indices.map {
            JournalSegment(
                name: "\($0 + 1)", header: headers[$0], records: UnsafeRawPointer(memory[$0]) + Self.record)
        }
    }

    func read() throws -> (records: UInt64, end: JournalEnd) {
        let (records, end) = try JournalReader(segments).read { _ in }
        return (records, end)
    }
}

@Suite struct JournalReaderTests {
    @Test func anEmptyJournalAndAFullOne() throws {
        let journal = MemoryJournal(capacity: 4, segments: 2)
        #expect(try journal.read() == (0, .clean))
        journal.fill(3)
        #expect(try journal.read() == (3, .clean))
        journal.fill(5)
        #expect(try journal.read() == (8, .clean))
        #expect(try JournalReader([]).read { _ in }.records == 0)
    }

    @Test("the last record cut at any byte is torn there, and the one before it counts")
    func truncation() throws {
        for last in [6, 4, 5] {
            for kept in 0..<MemoryJournal.record {
                let journal = MemoryJournal(capacity: 4, segments: 2)
                journal.fill(last, durable: UInt64(last))
                (journal.place(last) + kept).update(repeating: 0, count: MemoryJournal.record - kept)
                let (records, end) = try journal.read()
                #expect(records == UInt64(last - 1))
                let offset = UInt64(((last - 1) % 4 + 1) * MemoryJournal.record)
                let place = JournalPlace(
                    segment: "\((last - 1) / 4 + 1)", offset: offset, number: UInt64(last))
                // A record whose cut-off end was zero anyway is whole; one of which nothing is left has never been.
                let isEmpty = (0..<MemoryJournal.record).allSatisfy { journal.place(last)[$0] == 0 }
                #expect(end == (isEmpty ? .clean : .torn(place)), "\(last), \(kept) bytes kept")
            }
        }
    }

    @Test("a flipped bit in any record is found there; it is cut only at the tail")
    func flippedBits() throws {
        let journal = MemoryJournal(capacity: 4, segments: 2)
        journal.fill(7, durable: 6)
        for number in 1...7 {
            for bit in stride(from: 0, to: 8 * MemoryJournal.record, by: number == 3 ? 1 : 11) {
                journal.place(number)[bit / 8] ^= 1 << UInt8(bit % 8)
                let (records, end) = try journal.read()
                journal.place(number)[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(records == UInt64(number - 1))
                let place = JournalPlace(
                    segment: "\((number - 1) / 4 + 1)", offset: UInt64(((number - 1) % 4 + 1) * MemoryJournal.record),
                    number: UInt64(number))
                #expect(
                    end == (number == 7 ? .torn(place) : .damaged(place, .unreadable)), "record \(number), bit \(bit)")
            }
        }
        #expect(try journal.read() == (7, .clean))
    }

    @Test("what was not durable when the machine stopped is lost, and not damaged")
    func unsynced() throws {
        let journal = MemoryJournal(capacity: 4, segments: 2)
        journal.fill(7, durable: 3)
        journal.place(5).update(repeating: 0, count: MemoryJournal.record)
        let (records, end) = try journal.read()
        #expect(records == 4)
        #expect(end == .unsynced(JournalPlace(segment: "2", offset: 192, number: 5), behind: 2))
        // The same hole below what a later record knew to be safe is damage.
        journal.place(3).update(repeating: 0, count: MemoryJournal.record)
        #expect(try journal.read().end == .damaged(JournalPlace(segment: "1", offset: 576, number: 3), .unreadable))
    }

    @Test("where nobody ever said what is safe, a hole is damage")
    func neverDurable() throws {
        let journal = MemoryJournal(capacity: 4, segments: 2)
        journal.fill(6)
        journal.place(2)[0] ^= 1
        #expect(try journal.read().end == .damaged(JournalPlace(segment: "1", offset: 384, number: 2), .unreadable))
    }

    @Test func aRecordInAnothersPlace() throws {
        let journal = MemoryJournal(capacity: 4, segments: 2)
        journal.fill(6)
        journal.place(6).update(from: journal.place(2), count: MemoryJournal.record)
        #expect(try journal.read().end == .damaged(JournalPlace(segment: "2", offset: 384, number: 6), .misplaced))
    }

    @Test func segmentsThatDoNotFollowEachOther() throws {
        let journal = MemoryJournal(capacity: 4, segments: 3)
        journal.fill(12)
        var segments = journal.segments
        segments.remove(at: 1)
        #expect(throws: JournalError("segment 2 is missing before 3")) { try JournalReader(segments) }
        segments = journal.segments
        segments.append(segments[2])
        #expect(throws: JournalError("3 is another segment 3")) { try JournalReader(segments) }
        var header = journal.headers[1]
        header.first = 6
        segments = journal.segments
        segments[1] = JournalSegment(name: "x", header: header, records: UnsafeRawPointer(journal.memory[1]))
        #expect(throws: JournalError("x begins with record 6, not 5")) { try JournalReader(segments) }
        header = journal.headers[1]
        header.account_hash = 5
        segments[1] = JournalSegment(name: "x", header: header, records: UnsafeRawPointer(journal.memory[1]))
        #expect(throws: JournalError("x is of another account than 1")) { try JournalReader(segments) }
    }
}
