import CApusRing
import Testing

/// An order ring of eight places in memory of its own.
final class SmallQueue {
    let pointer: UnsafeMutablePointer<apus_queue>
    private let memory: UnsafeMutableRawPointer

    init(slots: UInt32 = 8) {
        memory = .allocate(byteCount: apus_queue_bytes(slots), alignment: 64)
        pointer = memory.bindMemory(to: apus_queue.self, capacity: 1)
        apus_queue_init(pointer, slots)
    }

    deinit { memory.deallocate() }
}

@Suite("Queues")
struct QueueTests {
    @Test("elements come out once, in order, over many laps")
    func order() {
        let queue = SmallQueue()
        var order = apus_order()
        var taken: UInt64 = 0
        for number in 0..<1_000 {
            order.client_id = UInt64(number)
            let pushed = apus_order_push(queue.pointer, &order)
            #expect(pushed == 0)
            if number % 3 == 2 {
                for _ in 0..<3 {
                    let popped = apus_order_pop(queue.pointer, &order)
                    #expect(popped)
                    #expect(order.client_id == taken)
                    taken += 1
                }
            }
        }
        #expect(taken == 999)
    }

    @Test("a full queue refuses, counts that, and keeps what it holds")
    func full() {
        let queue = SmallQueue()
        var report = apus_report()
        for number in 0..<8 {
            report.client_id = UInt64(number)
            let pushed = apus_report_push(queue.pointer, &report)
            #expect(pushed == 0)
        }
        let room = apus_queue_room(queue.pointer)
        #expect(room == 0)
        report.client_id = 99
        let refused = apus_report_push(queue.pointer, &report)
        #expect(refused == -ENOBUFS)
        #expect(queue.pointer.pointee.refused == 1)
        for number in 0..<8 {
            let popped = apus_report_pop(queue.pointer, &report)
            #expect(popped)
            #expect(report.client_id == UInt64(number))
        }
        let empty = apus_report_pop(queue.pointer, &report)
        #expect(!empty)
    }
}
