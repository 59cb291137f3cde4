import CApusRing
import Foundation
import Testing

@Suite("Shared mappings")
struct SharedTests {
    private func name() -> String { "apus-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))" }

    private func create(_ name: String, into view: inout apus_public) -> Int32 {
        name.withCString { text in
            var config = apus_public_config(name: text, feed_slots: 64, instruments: 4, board_depth: 2)
            return apus_public_create(&view, &config)
        }
    }

    @Test("a second view sees what the first one writes, read-only, and notices the end")
    func attach() throws {
        let name = name()
        var owner = apus_public()
        try #require(create(name, into: &owner) == 0)
        var guest = apus_public()
        try #require(apus_public_attach(&guest, name) == 0)
        var reader = apus_public_reader(&guest, false)
        var writer = apus_public_writer(&owner)
        var event = apus_event()
        event.bid_price = 5
        _ = apus_feed_publish(&writer, &event)
        event.bid_price = 0
        let result = apus_feed_read(&reader, &event)
        #expect(result == APUS_FEED_EVENT && event.bid_price == 5)
        owner.header.pointee.heartbeat_ns = apus_clock_monotonic()
        #expect(apus_public_life(&guest, apus_clock_monotonic()) == APUS_WRITER_ALIVE)
        #expect(apus_public_life(&guest, apus_clock_monotonic() + 2_000_000_000) == APUS_WRITER_STALLED)
        owner.header.pointee.writer_start_ticks += 1
        #expect(apus_public_life(&guest, apus_clock_monotonic()) == APUS_WRITER_DEAD)
        apus_public_close(&owner)
        #expect(apus_public_life(&guest, apus_clock_monotonic()) == APUS_WRITER_CLOSED)
        apus_public_close(&guest)
        #expect(apus_public_attach(&guest, name) == -ENOENT)
    }

    @Test("a living writer keeps its name; a dead one's is taken over")
    func names() throws {
        let name = name()
        var first = apus_public()
        var second = apus_public()
        try #require(create(name, into: &first) == 0)
        #expect(create(name, into: &second) == -EEXIST)
        first.header.pointee.writer_start_ticks += 1
        #expect(create(name, into: &second) == 0)
        apus_public_close(&second)
        apus_public_close(&first)
    }

    @Test("files that are no mapping, or of another version, are refused")
    func foreign() throws {
        let name = name()
        let path = "/dev/shm/\(name)"
        var view = apus_public()
        try Data(repeating: 7, count: 10_000).write(to: URL(fileURLWithPath: path))
        #expect(apus_public_attach(&view, name) == -EPROTO)
        try Data().write(to: URL(fileURLWithPath: path))
        #expect(apus_public_attach(&view, name) == -EPROTO)
        try FileManager.default.removeItem(atPath: path)
        var owner = apus_public()
        try #require(create(name, into: &owner) == 0)
        owner.header.pointee.version += 1
        #expect(apus_public_attach(&view, name) == -EPROTOTYPE)
        owner.header.pointee.version -= 1
        owner.header.pointee.board_offset += 64
        #expect(apus_public_attach(&view, name) == -EPROTO)
        apus_public_close(&owner)
    }

    @Test(
        "sizes out of the limits are refused",
        arguments: [(63, 4, 2), (96, 4, 2), (64, 0, 2), (64, 5000, 2), (64, 4, 2000)])
    func limits(slots: Int, instruments: Int, depth: Int) {
        var view = apus_public()
        var config = apus_public_config(
            name: nil, feed_slots: UInt32(slots), instruments: UInt32(instruments), board_depth: UInt32(depth))
        #expect(apus_public_create(&view, &config) == -EINVAL)
    }

    @Test("the private mapping has its rings and flags")
    func privateMapping() throws {
        var rings = apus_private()
        try #require(apus_private_create(&rings) == 0)
        #expect(apus_queue_room(rings.orders) == UInt64(APUS_ORDER_SLOTS))
        #expect(apus_queue_room(rings.reports) == UInt64(APUS_REPORT_SLOTS))
        #expect(apus_queue_room(rings.commands) == UInt64(APUS_COMMAND_SLOTS))
        apus_flag_set(rings.trading, 1)
        #expect(apus_flag(rings.trading) == 1 && apus_flag(rings.stop) == 0)
        apus_private_close(&rings)
    }
}
