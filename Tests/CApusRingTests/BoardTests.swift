import CApusRing
import Testing

@Suite("Board")
struct BoardTests {
    @Test("an entry is read as it was written")
    func roundTrip() throws {
        var view = try makeView(depth: 3)
        defer { apus_public_close(&view) }
        var header = apus_board_header()
        header.event_number = 7
        header.update_id = 1 << 40
        header.bids = 2
        header.asks = 1
        header.state = UInt32(APUS_STATE_LIVE.rawValue)
        let bids = [apus_level(price: 10, quantity: 1), apus_level(price: 9, quantity: 2)]
        let asks = [apus_level(price: 11, quantity: 3)]
        apus_board_write(&view.board, 2, &header, bids, asks)
        var read = apus_board_header()
        var readBids = [apus_level](repeating: apus_level(), count: 3)
        var readAsks = readBids
        let result = apus_board_read(&view.board, 2, &read, &readBids, &readAsks)
        #expect(result == 0)
        #expect(read.event_number == 7 && read.update_id == 1 << 40)
        #expect(readBids[1].price == 9 && readBids[1].quantity == 2)
        #expect(readAsks[0].price == 11 && readAsks[0].quantity == 3)
        // Its neighbours were not touched.
        for other in [UInt32(1), 3] {
            let neighbour = apus_board_read(&view.board, other, &read, &readBids, &readAsks)
            #expect(neighbour == 0)
            #expect(read.bids == 0 && read.event_number == 0)
        }
    }

    @Test("an entry whose writer stopped inside it is refused")
    func halfWritten() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        apus_board_entry(&view.board, 1).pointee.sequence = 3
        var header = apus_board_header()
        var levels = [apus_level](repeating: apus_level(), count: 3)
        var others = levels
        let result = apus_board_read(&view.board, 1, &header, &levels, &others)
        #expect(result == -EAGAIN)
    }
}
