import CApusFloor
import CApusRing
import Glibc
import Testing

// No figure is held against a time here: whatever else runs on the machine decides those.

private func startedClock() -> apus_clock {
    var clock = apus_clock()
    apus_clock_start(&clock)
    return clock
}

private func allowed() -> [Int32] {
    var cpus = [Int32](repeating: -1, count: 1024)
    let count = apus_floor_cpus(&cpus, Int32(cpus.count))
    return Array(cpus.prefix(Int(count)))
}

/// Two processors, or nil on a machine that has one.
private func pair() -> (Int32, Int32)? {
    let cpus = allowed()
    return cpus.count < 2 ? nil : (cpus[1], cpus[0])
}

private let missing: Int32 = 1023
private let millisecond: UInt64 = 1_000_000

/// A histogram that is given back.
private func withHistogram<Result>(_ body: (UnsafeMutablePointer<apus_histogram>) throws -> Result) throws -> Result {
    let histogram = try #require(apus_floor_histogram())
    defer { free(histogram) }
    return try body(histogram)
}

/// Measures for longer and longer while other work leaves too little of the processors, and then says what came of it.
private func patiently(_ measure: (_ duration: UInt64) -> Int32) -> Int32 {
    var result: Int32 = 0
    for duration in [10, 100, 1000, 8000] as [UInt64] {
        result = measure(duration * millisecond)
        if result != -ETIMEDOUT { return result }
    }
    return result
}

@Suite("Floor", .serialized)
struct FloorTests {
    @Test("the processors that this process may use are listed in rising order, and counted beyond the room for them")
    func processors() {
        let cpus = allowed()
        #expect(!cpus.isEmpty && cpus == cpus.sorted() && cpus.allSatisfy { $0 >= 0 })
        var none: Int32 = -7
        #expect(apus_floor_cpus(&none, 0) == Int32(cpus.count))
        #expect(none == -7)
    }

    @Test("a spread is in order and made of the values themselves")
    func spread() {
        var values: [Double] = [9, 1, 5, 3, 7, 2, 8, 4, 6]
        var spread = apus_floor_spread()
        apus_floor_spread_of(&values, UInt32(values.count), &spread)
        #expect((spread.min_ns, spread.p25_ns, spread.median_ns) == (1, 3, 5))
        #expect((spread.p75_ns, spread.max_ns) == (7, 9))
        var one: [Double] = [4]
        apus_floor_spread_of(&one, 1, &spread)
        #expect(spread.min_ns == 4 && spread.median_ns == 4 && spread.max_ns == 4)
    }

    @Test("a line goes back and forth, and every window that is told of took time")
    func pingPong() throws {
        guard let (first, second) = pair() else { return }
        var windows = [Double](repeating: -1, count: 8)
        let count = patiently { apus_floor_ping_pong(first, second, $0 / 8, &windows, 8) }
        try #require(count >= 1 && count <= 8)
        #expect(windows.prefix(Int(count)).allSatisfy { $0 > 0 })
        #expect(windows.dropFirst(Int(count)).allSatisfy { $0 == -1 })
    }

    @Test("both clocks cost something")
    func clocks() {
        var clock = startedClock()
        var costs = apus_floor_clock_costs()
        #expect(apus_floor_clocks(&clock, allowed()[0], millisecond, &costs) == 0)
        #expect(costs.gettime_ns > 0 && costs.now_ns > 0)
    }

    @Test("pauses are counted in the classes that they belong to, and the longest ones are in order")
    func watch() throws {
        var clock = startedClock()
        var pauses = apus_floor_pauses()
        try withHistogram { gaps in
            #expect(apus_floor_watch(&clock, allowed()[0], 20 * millisecond, &pauses, gaps) == 0)
            #expect(pauses.watched_ns >= 20 * millisecond)
            #expect(apus_histogram_count(gaps) > 0)
            #expect(pauses.above_1us.count >= pauses.above_10us.count)
            #expect(pauses.above_10us.count >= pauses.above_100us.count)
            #expect(pauses.above_1us.lost_ns >= 1000 * pauses.above_1us.count)
            #expect(pauses.above_1us.lost_ns <= pauses.watched_ns)
            let longest = withUnsafeBytes(of: pauses.longest_ns) { Array($0.bindMemory(to: UInt64.self)) }
            #expect(longest == longest.sorted(by: >))
            #expect(UInt64(longest.filter { $0 > 0 }.count) == min(pauses.above_1us.count, UInt64(longest.count)))
            if longest[0] > 0 { #expect(longest[0] == apus_histogram_maximum(gaps)) }
        }
    }

    @Test("a sleeper is woken again and again")
    func wake() throws {
        guard let (first, second) = pair() else { return }
        var clock = startedClock()
        try withHistogram { oneWay in
            #expect(patiently { apus_floor_wake(&clock, first, second, $0, oneWay) } == 0)
            #expect(apus_histogram_count(oneWay) >= 1)
            // A wake-up is a system call and more on each side: one that took no time was none.
            #expect(apus_histogram_quantile(oneWay, 0) > 0)
        }
    }

    @Test("messages go over loopback and come back, up to the largest one")
    func loopback() throws {
        guard let (first, second) = pair() else { return }
        var clock = startedClock()
        for bytes in [1, 309, UInt32(APUS_FLOOR_MESSAGE_BYTES)] {
            try withHistogram { oneWay in
                #expect(patiently { apus_floor_loopback(&clock, first, second, bytes, $0, oneWay) } == 0)
                #expect(apus_histogram_quantile(oneWay, 0) > 0)
            }
        }
        try withHistogram { oneWay in
            let tooLong = UInt32(APUS_FLOOR_MESSAGE_BYTES) + 1
            #expect(apus_floor_loopback(&clock, first, second, tooLong, millisecond, oneWay) == -EINVAL)
            #expect(apus_floor_loopback(&clock, first, second, 0, millisecond, oneWay) == -EINVAL)
            #expect(apus_histogram_count(oneWay) == 0)
        }
    }

    @Test("a walk through memory takes time, and needs two lines")
    func memory() {
        var read = -1.0
        #expect(apus_floor_memory(allowed()[0], 1 << 16, millisecond, &read) == 0)
        #expect(read > 0)
        read = -1
        for bytes in [0, 64, 100] { #expect(apus_floor_memory(allowed()[0], bytes, millisecond, &read) == -EINVAL) }
        #expect(read == -1)
    }

    @Test("a processor that is not there is an error, whichever of the two it is")
    func missingProcessor() throws {
        let present = allowed()[0]
        var clock = startedClock()
        var window = -1.0
        var costs = apus_floor_clock_costs()
        var pauses = apus_floor_pauses()
        for (first, second) in [(missing, present), (present, missing), (-1, present), (present, 1 << 20)] {
            #expect(apus_floor_ping_pong(first, second, millisecond, &window, 1) == -EINVAL)
            try withHistogram { histogram in
                #expect(apus_floor_wake(&clock, first, second, millisecond, histogram) == -EINVAL)
                #expect(apus_floor_loopback(&clock, first, second, 8, millisecond, histogram) == -EINVAL)
                #expect(apus_histogram_count(histogram) == 0)
            }
        }
        try withHistogram { histogram in
            #expect(apus_floor_watch(&clock, missing, millisecond, &pauses, histogram) == -EINVAL)
        }
        #expect(apus_floor_clocks(&clock, missing, millisecond, &costs) == -EINVAL)
        #expect(apus_floor_memory(missing, 4096, millisecond, &window) == -EINVAL)
        #expect(window == -1 && costs.now_ns == 0)
    }

    @Test("one processor is no pair, and no window is no measurement")
    func refusedArguments() throws {
        let cpu = allowed()[0]
        var clock = startedClock()
        var window = -1.0
        #expect(apus_floor_ping_pong(cpu, cpu, millisecond, &window, 1) == -EINVAL)
        #expect(apus_floor_ping_pong(cpu, missing, millisecond, &window, 0) == -EINVAL)
        #expect(apus_floor_ping_pong(cpu, missing, 0, &window, 1) == -EINVAL)
        try withHistogram { histogram in
            #expect(apus_floor_wake(&clock, cpu, cpu, millisecond, histogram) == -EINVAL)
        }
    }

    @Test("the caller's own affinity is left alone")
    func affinity() {
        let before = allowed()
        var window = -1.0
        _ = apus_floor_memory(before[0], 4096, millisecond, &window)
        #expect(allowed() == before)
    }
}
