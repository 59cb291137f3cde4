import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

@Suite struct OrderTableTests {
    /// Insertions, ends and lookups in random order agree with a dictionary, over many generations of a small table.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func agreesWithADictionary(seed: UInt64) throws {
        let feed = TestFeed()
        let instruments = InstrumentTable(board: feed.view.pointee.board)
        let instrument = try instruments.add(definition())
        let table = OrderTable(capacity: 32)
        var random = SplitMix64(seed: seed)
        var open: [UInt64] = []
        var ended: [UInt64] = []
        var next: UInt64 = 1
        for _ in 0..<20_000 {
            if random.upTo(1) == 0 && table.hasRoom {
                // Numbers of two runs, so that chains of equal home places arise.
                let id = random.upTo(1) << 32 | next
                next += 1
                table.insert(
                    Order(
                        id: OrderID(id), instrument: instrument, side: .buy, type: .limit,
                        timeInForce: .goodTillCanceled,
                        isReduceOnly: false, price: Price(units: 1), quantity: Quantity(units: 1)))
                open.append(id)
                while open.count + ended.count > 32 { ended.removeFirst() }
            } else if !open.isEmpty {
                let id = open.remove(at: Int(random.upTo(UInt64(open.count - 1))))
                let record = try #require(table.find(OrderID(id)))
                record.pointee.order.state = .canceled
                table.end(record)
                ended.append(id)
            }
            #expect(table.openCount == open.count)
        }
        for id in open { #expect(table.find(OrderID(id))?.pointee.order.isOpen == true) }
        for id in ended { #expect(table.find(OrderID(id))?.pointee.order.isOpen == false) }
        let listed = Set((0..<table.openCount).map { table.records[Int(table.open[$0])].order.id.value })
        #expect(listed == Set(open))
        #expect(table.find(OrderID(next + 1)) == nil)
    }

    /// The trade of an assumed fill is still to come: without the order it would be a stranger, or be counted again by a recovery.
    @Test func anOrderWithAnAssumedFillIsForgottenLast() throws {
        let feed = TestFeed()
        let instruments = InstrumentTable(board: feed.view.pointee.board)
        let instrument = try instruments.add(definition())
        let table = OrderTable(capacity: 8)
        var next: UInt64 = 0
        func pass(assumed: Int64 = 0) -> OrderID {
            next += 1
            let order = Order(
                id: OrderID(next), instrument: instrument, side: .buy, type: .limit, timeInForce: .immediateOrCancel,
                isReduceOnly: false, price: Price(units: 1), quantity: Quantity(units: 1))
            let record = table.insert(order)
            record.pointee.assumed = assumed
            record.pointee.order.state = .filled
            table.end(record)
            return order.id
        }
        let kept = pass(assumed: 1)
        for _ in 0..<100 { _ = pass() }
        #expect(table.find(kept)?.pointee.assumed == 1)
        #expect(table.assumed.map(\.order.id) == [kept])
        table.find(kept)?.pointee.assumed = 0
        for _ in 0..<8 { _ = pass() }
        #expect(table.find(kept) == nil && table.assumed.isEmpty)
        // When all are such there is room for the newest all the same.
        let many = (0..<20).map { _ in pass(assumed: 1) }
        #expect(Set(table.assumed.map(\.order.id)) == Set(many.suffix(8)))
    }
}
