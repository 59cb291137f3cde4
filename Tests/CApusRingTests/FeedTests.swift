import CApusRing
import Testing

/// A small public mapping that nobody else can see.
func makeView(slots: UInt32 = 64, instruments: UInt32 = 4, depth: UInt32 = 3) throws -> apus_public {
    var view = apus_public()
    var config = apus_public_config(name: nil, feed_slots: slots, instruments: instruments, board_depth: depth)
    let result = apus_public_create(&view, &config)
    try #require(result == 0)
    return view
}

@Suite("Feed ring")
struct FeedTests {
    @Test("events come out in order and whole")
    func order() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        var writer = apus_public_writer(&view)
        var reader = apus_public_reader(&view, false)
        var event = apus_event()
        for number in 0..<40 {
            var sent = apus_event()
            sent.instrument = UInt16(number)
            sent.bid_price = Int64(number) * 7
            sent.publish_ns = UInt64(number)
            let published = apus_feed_publish(&writer, &sent)
            #expect(published == UInt64(number))
        }
        for number in 0..<40 {
            let result = apus_feed_read(&reader, &event)
            #expect(result == APUS_FEED_EVENT)
            #expect(event.instrument == UInt16(number))
            #expect(event.bid_price == Int64(number) * 7)
        }
        let result = apus_feed_read(&reader, &event)
        #expect(result == APUS_FEED_EMPTY)
        #expect(reader.lost == 0)
    }

    @Test("a lapped reader learns exactly how many events it lost", arguments: [65, 100, 128, 1000])
    func lapped(count: Int) throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        var writer = apus_public_writer(&view)
        var reader = apus_public_reader(&view, false)
        var event = apus_event()
        for _ in 0..<count { _ = apus_feed_publish(&writer, &event) }
        let lapped = apus_feed_read(&reader, &event)
        #expect(lapped == APUS_FEED_LAPPED)
        #expect(reader.lost == UInt64(count))
        event.bid_price = 42
        _ = apus_feed_publish(&writer, &event)
        event.bid_price = 0
        let next = apus_feed_read(&reader, &event)
        #expect(next == APUS_FEED_EVENT)
        #expect(event.bid_price == 42)
    }

    @Test("a full ring that is not lapped loses nothing")
    func brim() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        var writer = apus_public_writer(&view)
        var reader = apus_public_reader(&view, false)
        var event = apus_event()
        for _ in 0..<64 { _ = apus_feed_publish(&writer, &event) }
        for _ in 0..<64 {
            let result = apus_feed_read(&reader, &event)
            #expect(result == APUS_FEED_EVENT)
        }
        #expect(reader.lost == 0)
    }

    @Test("a reader may start at the oldest event that is still there")
    func oldest() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        var writer = apus_public_writer(&view)
        var event = apus_event()
        for number in 0..<100 {
            event.bid_price = Int64(number)
            _ = apus_feed_publish(&writer, &event)
        }
        var reader = apus_public_reader(&view, true)
        let result = apus_feed_read(&reader, &event)
        #expect(result == APUS_FEED_EVENT)
        #expect(event.bid_price == 36)
    }

    @Test("an event whose writer stopped inside it is not given out, and shows")
    func torn() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        var reader = apus_public_reader(&view, false)
        view.slots[0].sequence = 1
        var event = apus_event()
        let result = apus_feed_read(&reader, &event)
        #expect(result == APUS_FEED_EMPTY)
        let torn = apus_feed_torn(&reader)
        #expect(torn)
    }

    @Test("offsets of time saturate and a venue ahead of us gives a negative delay")
    func delays() {
        #expect(apus_receive_delay(100, 40) == 60)
        #expect(apus_receive_delay(40, 100) == 0)
        #expect(apus_receive_delay(UInt64.max, 0) == UInt32.max)
        #expect(apus_venue_delay(1_000, 2_271) == -1_271)
        #expect(apus_venue_delay(1_000, 0) == 0)
        #expect(apus_venue_delay(0, 5_000_000_000) == Int32.min)
        #expect(apus_venue_delay(5_000_000_000, 1) == Int32.max)
    }
}
