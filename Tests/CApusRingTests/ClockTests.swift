import CApusRing
import Testing

@Suite("Clock")
struct ClockTests {
    @Test("the clock never runs backwards, also when it is steered")
    func monotone() {
        var clock = apus_clock()
        apus_clock_start(&clock)
        var last = apus_clock_now(&clock)
        for round in 0..<20_000 {
            if round % 1_000 == 0 { apus_clock_discipline(&clock) }
            let now = apus_clock_now(&clock)
            #expect(now >= last)
            last = now
        }
    }

    @Test("the clock shows CLOCK_MONOTONIC: a reading lies between two readings of it, give or take its error bound")
    func agrees() {
        var clock = apus_clock()
        apus_clock_start(&clock)
        // 20 ms of calibration bound the rate's error; a microsecond is far above it and far below any mistake in scale.
        let before = apus_clock_monotonic()
        let ours = apus_clock_now(&clock)
        let after = apus_clock_monotonic()
        #expect(ours + 100_000 >= before && ours <= after + 100_000)
    }

    @Test("without an invariant counter clock_gettime serves")
    func fallback() {
        var clock = apus_clock()
        clock.counter = false
        let before = apus_clock_monotonic()
        let ours = apus_clock_now(&clock)
        let after = apus_clock_monotonic()
        #expect(before <= ours && ours <= after)
    }
}
