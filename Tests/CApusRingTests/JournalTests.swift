import CApusRing
import Glibc
import Testing

@Suite struct JournalTests {
    @Test("the checksum is CRC-32C, by instruction and by table")
    func checksum() {
        let digits = Array("123456789".utf8)
        #expect(apus_crc32c(digits, 9) == 0xE306_9283)  // the check value of CRC-32C
        #expect(apus_crc32c_portable(digits, 9) == 0xE306_9283)
        let zeros = [UInt8](repeating: 0, count: 32)
        #expect(apus_crc32c(zeros, 32) == 0x8A91_36AA)  // RFC 3720, B.4
        var bytes: [UInt8] = []
        for length in 0..<300 {
            #expect(apus_crc32c(bytes, length) == apus_crc32c_portable(bytes, length))
            bytes.append(UInt8(truncatingIfNeeded: length &* 37 &+ 11))
        }
    }

    private func withSpace(_ records: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        let bytes = records * Int(APUS_JOURNAL_RECORD)
        let space = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes)
        space.initialize(repeating: 0, count: bytes)
        body(space)
        space.deallocate()
    }

    private func append(_ journal: inout apus_journal, _ kind: apus_journal_kind, _ value: UInt64) -> UInt64 {
        let payload = [UInt64](repeating: value, count: 16)
        return payload.withUnsafeBytes {
            apus_journal_append(&journal, UInt16(kind.rawValue), $0.baseAddress!, 100 + value, 1000 + value)
        }
    }

    @Test("records are numbered, carry what was durable, and are sound")
    func appends() {
        withSpace(4) { space in
            var journal = apus_journal()
            apus_journal_init(&journal, 1, 7)
            #expect(append(&journal, APUS_JOURNAL_TEXT, 0) == 0)  // no segment yet
            #expect(journal.lost == 1)
            #expect(apus_journal_offer(&journal, space, 4))
            #expect(!apus_journal_offer(&journal, space, 4))
            #expect(apus_journal_room(&journal) == 4)
            for value in 1...4 {
                #expect(apus_journal_next(&journal) == UInt64(value))
                #expect(append(&journal, APUS_JOURNAL_INTENT, UInt64(value)) == UInt64(value))
                #expect(apus_journal_published(&journal) == UInt64(value))
                if value == 2 { apus_journal_set_durable(&journal, 2) }
            }
            #expect(apus_journal_room(&journal) == 0)
            #expect(append(&journal, APUS_JOURNAL_TEXT, 5) == 0)
            space.withMemoryRebound(to: apus_journal_record.self, capacity: 4) { records in
                for index in 0..<4 {
                    #expect(apus_journal_slot(records + index, UInt64(index + 1)) == APUS_SLOT_VALID)
                    #expect(apus_journal_slot(records + index, UInt64(index + 2)) == APUS_SLOT_MISPLACED)
                    #expect(records[index].durable == (index < 2 ? 0 : 2))
                    #expect(records[index].run == 7 && records[index].wall_ns == UInt64(1001 + index))
                }
            }
        }
    }

    @Test("a segment that is offered in time is gone on with")
    func handsOver() {
        withSpace(8) { space in
            var journal = apus_journal()
            apus_journal_init(&journal, 1, 1)
            _ = apus_journal_offer(&journal, space, 3)
            #expect(append(&journal, APUS_JOURNAL_TEXT, 1) == 1)
            #expect(apus_journal_wants(&journal))
            #expect(apus_journal_offer(&journal, space + 3 * Int(APUS_JOURNAL_RECORD), 5))
            #expect(apus_journal_room(&journal) == 7)
            for value in 2...8 { #expect(append(&journal, APUS_JOURNAL_TEXT, UInt64(value)) == UInt64(value)) }
            #expect(apus_journal_wants(&journal) && journal.lost == 0)
        }
    }

    @Test("a flipped bit anywhere in a record is seen")
    func flippedBits() {
        withSpace(1) { space in
            var journal = apus_journal()
            apus_journal_init(&journal, 1, 1)
            _ = apus_journal_offer(&journal, space, 1)
            _ = append(&journal, APUS_JOURNAL_REPORT, 0x1234_5678_9ABC_DEF0)
            space.withMemoryRebound(to: apus_journal_record.self, capacity: 1) { record in
                for bit in 0..<(8 * Int(APUS_JOURNAL_RECORD)) {
                    space[bit / 8] ^= 1 << UInt8(bit % 8)
                    #expect(apus_journal_slot(record, 1) == APUS_SLOT_DAMAGED, "bit \(bit)")
                    space[bit / 8] ^= 1 << UInt8(bit % 8)
                }
                #expect(apus_journal_slot(record, 1) == APUS_SLOT_VALID)
            }
        }
    }

    // MARK: Files

    private func header(_ capacity: UInt64) -> apus_journal_segment {
        var header = apus_journal_segment()
        header.index = 1
        header.first = 1
        header.capacity = capacity
        return header
    }

    private func withFolder(_ body: (String) -> Void) {
        var template = Array("/tmp/apus-journal-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            Issue.record("no folder: \(errno)")
            return
        }
        let folder = String(cString: made)
        body(folder)
        unlink(folder + "/a")
        unlink(folder + "/a.new")
        rmdir(folder)
    }

    @Test("a segment's file is whole when it has its name, and is read again")
    func files() {
        withFolder { folder in
            var file = apus_journal_file()
            var wanted = header(100)
            #expect(apus_journal_file_create(&file, folder + "/a", &wanted) == 0)
            var status = stat()
            #expect(stat(folder + "/a", &status) == 0)
            #expect(status.st_size == 101 * 192 && Int64(status.st_blocks) * 512 >= 101 * 192)  // not sparse
            var second = apus_journal_file()
            #expect(apus_journal_file_create(&second, folder + "/a", &wanted) == -EEXIST)
            var journal = apus_journal()
            apus_journal_init(&journal, 1, 1)
            _ = apus_journal_offer(&journal, file.base + Int(APUS_JOURNAL_RECORD), 100)
            for value in 1...30 { _ = append(&journal, APUS_JOURNAL_TEXT, UInt64(value)) }
            #expect(apus_journal_file_sync(&file, 192, 30 * 192) == 0)
            apus_journal_file_touch(&file, 4096, 4096)
            apus_journal_file_close(&file)
            apus_journal_file_close(&file)

            #expect(truncate(folder + "/a", 192 * 11 + 5) == 0)
            #expect(apus_journal_file_open(&file, folder + "/a", false) == 0)
            #expect(file.header.capacity == 100 && file.file_bytes == 192 * 11 + 5)
            file.base.withMemoryRebound(to: apus_journal_record.self, capacity: 101) { records in
                #expect(apus_journal_slot(records + 10, 10) == APUS_SLOT_VALID)
                #expect(apus_journal_slot(records + 11, 11) == APUS_SLOT_DAMAGED)
                #expect(apus_journal_slot(records + 100, 100) == APUS_SLOT_EMPTY)
            }
            apus_journal_file_close(&file)
            #expect(apus_journal_file_open(&file, folder + "/a", true) == 0)
            #expect(file.file_bytes == 101 * 192)
            apus_journal_file_close(&file)
        }
    }

    @Test("what is no segment is told apart")
    func foreignFiles() {
        withFolder { folder in
            let path = folder + "/a"
            func open(_ bytes: [UInt8]) -> Int32 {
                let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
                _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                close(descriptor)
                var file = apus_journal_file()
                defer { apus_journal_file_close(&file) }
                return apus_journal_file_open(&file, path, false)
            }
            var file = apus_journal_file()
            #expect(apus_journal_file_open(&file, path, false) == -ENOENT)
            #expect(open([]) == -EPROTO)
            #expect(open(Array("just some text that is no journal".utf8)) == -EPROTO)
            var sound = header(1)
            sound.magic = APUS_JOURNAL_MAGIC
            sound.version = APUS_JOURNAL_VERSION
            sound.record_bytes = APUS_JOURNAL_RECORD
            sound.checksum = apus_journal_segment_checksum(&sound)
            let bytes = withUnsafeBytes(of: sound) { Array($0) }
            #expect(open(bytes) == 0)
            #expect(open(Array(bytes.prefix(100))) == -EBADMSG)
            var damaged = bytes
            damaged[40] ^= 1
            #expect(open(damaged) == -EBADMSG)
            var newer = bytes
            newer[8] = 9
            #expect(open(newer) == -EPROTOTYPE)
        }
    }

    @Test("a directory has one writer")
    func lock() {
        withFolder { folder in
            let first = apus_journal_directory_lock(folder + "/x/y")
            #expect(first >= 0)
            #expect(apus_journal_directory_lock(folder + "/x/y") == -EWOULDBLOCK)
            apus_journal_directory_unlock(first)
            let again = apus_journal_directory_lock(folder + "/x/y")
            #expect(again >= 0)
            apus_journal_directory_unlock(again)
            rmdir(folder + "/x/y")
            rmdir(folder + "/x")
        }
    }
}
