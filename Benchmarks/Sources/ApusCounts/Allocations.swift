import ApusEngine
import CApusRing
import CCounts

/// Bytes in, decisions out, on one thread: frames, decoder, book, ring, decision loop, and an order at every hundredth event, which
/// the venue accepts and cancels.
private final class Flow {
    let rig: OpaquePointer
    let decider: Decider

    init() throws {
        guard let rig = counts_rig_make(-1) else { fail("cannot make the rig") }
        self.rig = rig
        decider = try Decider(counts_rig_view(rig))
        decider.memory.pointee.orderEvery = 100
    }

    /// One round of the stream, a few messages at a time, as turns would find them.
    func run(_ messages: UInt64) {
        counts_renew_stream(rig)
        var left = messages
        while left > 0 {
            let some = min(left, 16)
            counts_pipeline(UnsafeMutableRawPointer(rig), some)
            left -= some
            while decider.agent.turn(apus_clock_monotonic()) > 0 {}
            decider.answerOrders()
        }
    }

    var wrong: UInt64 { counts_rig_wrong(rig) + decider.memory.pointee.refused }
}

/// Where an object is kept for a moment, so that it is made on the heap and not on the stack.
private final class Keeper {
    var kept: Keeper?
}

// This program has one thread.
private nonisolated(unsafe) let keeper = Keeper()

private func allocateOnce() {
    keeper.kept = Keeper()
    keeper.kept = nil
}

/// The counter sees an allocation by C and one by Swift, or it is not believed.
private func tryCounter() {
    allocateOnce()  // what Swift makes at the first use is not what is tried
    for make in [counts_allocate_once, allocateOnce] {
        let before = counts_allocations()
        make()
        let after = counts_allocations()
        guard after.calls == before.calls + 1, after.freed == before.freed + 1 else {
            fail("the counter of allocations does not count: \(before.calls) before one, \(after.calls) after it")
        }
    }
}

/// Counts the allocations of `messages` messages, in steady state: after a warm-up of as many as the stream is long.
func countAllocations(_ messages: UInt64, isDearer: Bool) throws {
    tryCounter()
    let flow = try Flow()
    flow.run(UInt64(COUNTS_STREAM))
    let memory = flow.decider.memory
    let books = memory.pointee.books, orders = memory.pointee.orders
    let before = counts_allocations()
    var left = messages
    while left > 0 {
        let some = min(left, UInt64(COUNTS_STREAM))
        flow.run(some)
        left -= some
        if isDearer, left == 0 { allocateOnce() }
    }
    let after = counts_allocations()
    let decided = memory.pointee.books - books
    if decided != messages || flow.wrong > 0 { fail("\(decided) of \(messages) messages were decided on") }
    print("messages \(messages)")
    print("orders \(memory.pointee.orders - orders)")
    print("allocations \(after.calls - before.calls)")
    print("bytes \(after.bytes - before.bytes)")
}
