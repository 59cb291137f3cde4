import Apus
import CApusRing
import Glibc
import Testing

@testable import ApusEngine

@Suite struct JournalKeeperTests {
    private func withFolder(_ body: (String, UnsafeMutablePointer<apus_private>) throws -> Void) rethrows {
        var template = Array("/tmp/apus-keeper-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            Issue.record("no folder: \(errno)")
            return
        }
        let folder = String(cString: made)
        let rings = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
        rings.initialize(to: apus_private())
        #expect(apus_private_create(rings) == 0)
        defer {
            apus_private_close(rings)
            rings.deallocate()
            if let directory = opendir(folder) {
                while let entry = readdir(directory) {
                    let name = withUnsafePointer(to: &entry.pointee.d_name) {
                        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                    }
                    unlink(folder + "/" + name)
                }
                closedir(directory)
            }
            rmdir(folder)
        }
        try body(folder, rings)
    }

    private func configuration(_ path: String, _ policy: JournalConfiguration.Policy) -> JournalConfiguration {
        var configuration = JournalConfiguration(path: path, account: 77)
        configuration.policy = policy
        configuration.segmentRecords = 64
        configuration.interval = 1000
        return configuration
    }

    private func append(_ writer: UnsafeMutablePointer<apus_journal>, _ count: Int) {
        let payload = [UInt64](repeating: 7, count: 16)
        for _ in 0..<count {
            _ = payload.withUnsafeBytes {
                apus_journal_append(writer, UInt16(APUS_JOURNAL_TEXT.rawValue), $0.baseAddress!, 1, 2)
            }
        }
    }

    private func read(_ path: String) throws -> (records: UInt64, end: JournalEnd) {
        let folder = try JournalFolder(path: path, access: .read)
        let (records, end) = try folder.reader().read { _ in }
        return (records, end)
    }

    @Test("records go from run to run and from segment to segment")
    func runs() throws {
        try withFolder { path, rings in
            var records: UInt64 = 0
            for run in 1...4 {
                let folder = try JournalFolder(path: path, access: .write)
                let found = try folder.reader().read { _ in }
                #expect(found.records == records && found.end == .clean)
                let keeper = try JournalKeeper(
                    configuration(path, .each), folder, records: records, run: UInt32(run), rings: rings, wall: 5)
                for _ in 0..<9 {
                    append(keeper.writer, 10)
                    records += 10
                    while keeper.turn(1, wall: 6) > 0 {}
                    #expect(apus_flag(rings.pointee.durable) == records)
                }
                #expect(keeper.writer.pointee.lost == 0 && keeper.failure == nil)
                keeper.close()
            }
            #expect(try read(path) == (360, .clean))
        }
    }

    @Test("by interval and never, what is durable is said when it is")
    func policies() throws {
        try withFolder { path, rings in
            let folder = try JournalFolder(path: path, access: .write)
            let keeper = try JournalKeeper(
                configuration(path, .interval), folder, records: 0, run: 1, rings: rings, wall: 5)
            append(keeper.writer, 3)
            _ = keeper.turn(5000, wall: 6)
            #expect(apus_flag(rings.pointee.durable) == 3)
            append(keeper.writer, 3)
            _ = keeper.turn(5500, wall: 6)
            #expect(apus_flag(rings.pointee.durable) == 3 && keeper.nextDue(5500) == 6000)
            _ = keeper.turn(6000, wall: 6)
            #expect(apus_flag(rings.pointee.durable) == 6)
            keeper.close()
            let again = try JournalFolder(path: path, access: .write)
            let lazy = try JournalKeeper(configuration(path, .never), again, records: 6, run: 2, rings: rings, wall: 5)
            append(lazy.writer, 2)
            _ = lazy.turn(9999, wall: 6)
            #expect(apus_flag(rings.pointee.durable) == 6)
            lazy.close()
            #expect(apus_flag(rings.pointee.durable) == 8)
        }
    }

    @Test("a torn tail is cut, kept beside the journal, and written over")
    func cutting() throws {
        try withFolder { path, rings in
            var folder = try JournalFolder(path: path, access: .write)
            let keeper = try JournalKeeper(
                configuration(path, .each), folder, records: 0, run: 1, rings: rings, wall: 5)
            append(keeper.writer, 20)
            _ = keeper.turn(1, wall: 6)
            keeper.close()
            let descriptor = open(path + "/00000001.journal", O_RDWR)
            var byte: UInt8 = 0xFF
            pwrite(descriptor, &byte, 1, off_t(20 * 192 + 100))
            close(descriptor)

            folder = try JournalFolder(path: path, access: .write)
            let place = try #require(try folder.reader().read { _ in }.end.place)
            #expect(place == JournalPlace(segment: path + "/00000001.journal", offset: 20 * 192, number: 20))
            let remains = try folder.cut(place)
            #expect(access(remains, R_OK) == 0)
            let next = try JournalKeeper(
                configuration(path, .each), folder, records: 19, run: 2, rings: rings, wall: 5)
            append(next.writer, 1)
            _ = next.turn(1, wall: 6)
            next.close()
            #expect(try read(path) == (20, .clean))
        }
    }

    @Test("one engine alone writes a journal")
    func oneWriter() throws {
        try withFolder { path, _ in
            let first = try JournalFolder(path: path, access: .write)
            let inUse = "another engine writes the journal \(path) (journal.path): stop that one first"
            #expect(throws: JournalError(inUse)) {
                try JournalFolder(path: path, access: .write)
            }
            #expect(try JournalFolder(path: path, access: .read).segments.isEmpty)
            first.close()
            _ = try JournalFolder(path: path, access: .write)
        }
    }

    @Test("a disk that fails halts trading and lets what waits go to the guard")
    func failingDisk() throws {
        try withFolder { path, rings in
            let folder = try JournalFolder(path: path, access: .write)
            let keeper = try JournalKeeper(
                configuration(path, .each), folder, records: 0, run: 1, rings: rings, wall: 5)
            append(keeper.writer, 5)
            // A page is pulled away from under the sync, which fails then as it does on a device that is gone.
            let base = folder.files[0].base
            munmap(base, 4096)
            _ = keeper.turn(1, wall: 6)
            mmap(base, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            #expect(keeper.isBroken && keeper.failure != nil)
            #expect(apus_trading(rings.pointee.trading) == UInt64(APUS_TRADING_HALTED.rawValue))
            #expect(apus_journal_room(keeper.writer) == 0)
            var order = apus_order()
            order.journal = 5
            #expect(apus_order_push(rings.pointee.orders, &order) == 0)
            var taken = apus_order()
            #expect(apus_order_take(rings, &taken))
        }
    }

    @Test("an order waits until its intent is durable")
    func holding() throws {
        try withFolder { path, rings in
            let folder = try JournalFolder(path: path, access: .write)
            let keeper = try JournalKeeper(
                configuration(path, .each), folder, records: 0, run: 1, rings: rings, wall: 5)
            append(keeper.writer, 1)
            var order = apus_order()
            order.journal = 1
            #expect(apus_order_push(rings.pointee.orders, &order) == 0)
            var taken = apus_order()
            #expect(!apus_order_take(rings, &taken))
            _ = keeper.turn(1, wall: 6)
            #expect(apus_order_take(rings, &taken))
            keeper.close()
        }
    }
}
