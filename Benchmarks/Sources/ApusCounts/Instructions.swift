import ApusEngine
import CApusRing
import CCounts
import Glibc

/// One kind of operation: how often, and in what.
private struct Operation {
    let name: String
    let count: UInt64
    let body: counts_body
    let context: UnsafeMutableRawPointer
    /// What has to be done before each section and is not counted.
    var prepare: () -> Void = {}
}

/// The Swift side's operations have this as their context.
private final class Stage {
    let rig: OpaquePointer
    let decider: Decider
    var writer: apus_feed_writer
    var reader: apus_feed_reader
    var event = apus_event()
    var wrong: UInt64 = 0

    init(_ rig: OpaquePointer) throws {
        self.rig = rig
        let view = counts_rig_view(rig)!
        writer = apus_public_writer(view)
        reader = apus_public_reader(view, false)
        event.kind = UInt8(APUS_EVENT_BOOK.rawValue)
        (event.bid_price, event.bid_quantity) = (5_000_000, 1_000)
        (event.ask_price, event.ask_quantity) = (5_000_100, 1_000)
        decider = try Decider(view)
    }

    /// Publishes `count` books whose touch wanders, from where the ring stands now.
    func publish(_ count: UInt64) {
        writer = apus_public_writer(counts_rig_view(rig))
        for number in 0..<count {
            event.bid_price = 5_000_000 + Int64(number & 15)
            event.publish_ns = apus_clock_monotonic()
            _ = apus_feed_publish(&writer, &event)
        }
    }

    /// Lets the agent see what has been published so far, and the venue answer its orders.
    func settle() {
        while decider.agent.turn(apus_clock_monotonic()) > 0 {}
        while decider.answerOrders() > 0 {
            while decider.agent.turn(apus_clock_monotonic()) > 0 {}
        }
    }

    /// Turns until `count` books have been decided on.
    @inline(__always)
    func decide(_ count: UInt64) {
        let target = decider.memory.pointee.books &+ count
        let now = apus_clock_monotonic()
        while decider.memory.pointee.books != target {
            if decider.agent.turn(now) == 0 {
                wrong += 1
                return
            }
        }
    }
}

private func stage(_ context: UnsafeMutableRawPointer?) -> Stage {
    Unmanaged<Stage>.fromOpaque(context!).takeUnretainedValue()
}

/// One event from the writer to a reader in Swift.
private func handOff(_ context: UnsafeMutableRawPointer?, _ count: UInt64) {
    let stage = stage(context)
    var writer = apus_public_writer(counts_rig_view(stage.rig))
    var reader = apus_public_reader(counts_rig_view(stage.rig), false)
    var event = stage.event
    var sum: Int64 = 0
    for number in 0..<count {
        event.update_id = UInt32(truncatingIfNeeded: number)
        _ = apus_feed_publish(&writer, &event)
        var taken = apus_event()
        if apus_feed_read(&reader, &taken) != APUS_FEED_EVENT { stage.wrong += 1 }
        sum &+= taken.bid_price
    }
    if sum != event.bid_price &* Int64(count) { stage.wrong += 1 }
}

private func decide(_ context: UnsafeMutableRawPointer?, _ count: UInt64) { stage(context).decide(count) }

private func operations(_ rig: OpaquePointer, _ stage: Stage) -> [Operation] {
    let ours = Unmanaged.passUnretained(stage).toOpaque()
    let theirs = UnsafeMutableRawPointer(rig)
    let messages: UInt64 = 20_000, orders: UInt64 = 500
    let ready: (UInt64, UInt64) -> () -> Void = { count, every in
        {
            stage.decider.memory.pointee.orderEvery = 0
            stage.settle()
            stage.decider.memory.pointee.orderEvery = every
            stage.publish(count)
        }
    }
    return [
        Operation(name: "frame", count: messages, body: counts_frame, context: theirs),
        Operation(name: "decode_binance", count: messages, body: counts_decode_binance, context: theirs),
        Operation(name: "decode_polymarket", count: messages, body: counts_decode_polymarket, context: theirs),
        Operation(name: "decode_general", count: messages, body: counts_decode_general, context: theirs),
        Operation(name: "book_update", count: 50_000, body: counts_book_update, context: theirs),
        Operation(name: "publish", count: messages, body: counts_publish, context: theirs),
        Operation(name: "histogram_record", count: messages, body: counts_histogram_record, context: theirs),
        Operation(
            name: "pipeline", count: UInt64(COUNTS_STREAM), body: counts_pipeline, context: theirs,
            prepare: { counts_renew_stream(rig) }),
        Operation(name: "hand_off", count: messages, body: handOff, context: ours),
        Operation(name: "decision", count: messages, body: decide, context: ours, prepare: ready(messages, 0)),
        Operation(name: "order", count: orders, body: decide, context: ours, prepare: ready(orders, 1)),
    ]
}

/// Runs every operation once uncounted and twice as a section, and says in which order: callgrind dumps after each section.
func countInstructions(_ extras: ArraySlice<String>) throws {
    guard let rig = counts_rig_make(-1) else { fail("cannot make the rig") }
    let stage = try Stage(rig)
    var rounds: [String: UInt64] = [:]
    for extra in extras {
        let parts = extra.split(separator: "=").map(String.init)
        guard parts.count == 2 else { fail("\"\(extra)\" is not NAME=ROUNDS", 64) }
        rounds[parts[0]] = number(parts[1])
    }
    let all = operations(rig, stage)
    if let unknown = rounds.keys.first(where: { name in !all.contains { $0.name == name } }) {
        fail("there is no operation \(unknown)", 64)
    }
    let sizes = counts_rig_sizes(rig)
    print("vector \(String(cString: apus_vector_name(counts_rig_vector(rig))))")
    print("bytes \(sizes.frame) \(sizes.binance) \(sizes.polymarket) \(sizes.general)")
    for operation in all {
        operation.prepare()
        operation.body(operation.context, operation.count)
        for _ in 0..<2 {
            operation.prepare()
            print("section \(operation.name) \(operation.count)")
            counts_section(
                operation.body, operation.context, operation.count, rounds[operation.name, default: 0] * operation.count
            )
        }
    }
    let memory = stage.decider.memory.pointee
    if memory.refused > 0 || memory.orders != 3 * 500 {
        fail("\(memory.orders) orders passed, \(memory.refused) did not")
    }
    let wrong = counts_rig_wrong(rig) + stage.wrong
    if wrong > 0 { fail("\(wrong) operations did not do what they were to do") }
    print("done")
}
