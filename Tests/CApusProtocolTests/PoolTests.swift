import CApusProtocol
import Testing

/// Which connection takes a request.
@Suite struct PoolTests {
    private static let millisecond: UInt64 = 1_000_000

    private func pool(
        _ count: UInt32 = 3, serial: Bool = false, maxInFlight: UInt32 = 0, up: Bool = true
    ) -> apus_pool {
        var pool = apus_pool()
        var config = apus_pool_config(
            probe_interval_ns: 10_000 * Self.millisecond, stall_ns: 200 * Self.millisecond, max_in_flight: maxInFlight,
            serial: serial)
        precondition(apus_pool_init(&pool, &config, count) == 0)
        guard up else { return pool }
        for member in 0..<count {
            apus_pool_up(&pool, member, 1)
            answer(&pool, member, took: 10 + UInt64(member), at: 1)
        }
        return pool
    }

    private func answer(_ pool: inout apus_pool, _ member: UInt32, took: UInt64, at now: UInt64) {
        apus_pool_sent(&pool, member, false, now)
        apus_pool_answered(&pool, member, false, took * Self.millisecond, now)
    }

    private func state(_ pool: apus_pool, _ member: Int) -> UInt32 {
        withUnsafeBytes(of: pool.members) { UInt32($0.assumingMemoryBound(to: apus_pool_member.self)[member].state) }
    }

    @Test func theFastestIsPickedAndStaysUntilAnotherIsClearlyFaster() {
        var pool = pool()
        #expect(apus_pool_pick(&pool, 0, 2) == 0)
        for _ in 0..<4 { answer(&pool, 0, took: 14, at: 2) }
        #expect(apus_pool_pick(&pool, 0, 2) == 0, "12 ms against 11 are no reason to go to a cold connection")
        for _ in 0..<20 { answer(&pool, 0, took: 20, at: 2) }
        #expect(apus_pool_pick(&pool, 0, 2) == 1)
        #expect(apus_pool_pick(&pool, 0, 2) == 1)
    }

    @Test func aSendGoesOnToTheNextMember() {
        var pool = pool()
        #expect(apus_pool_pick(&pool, 0, 2) == 0 && apus_pool_pick(&pool, 0b1, 2) == 1)
        #expect(apus_pool_pick(&pool, 0b11, 2) == 2 && apus_pool_pick(&pool, 0b111, 2) == -107)
        #expect(pool.failovers == 2)
        for member: UInt32 in 0..<3 { apus_pool_down(&pool, member) }
        #expect(apus_pool_pick(&pool, 0, 2) == -107)
    }

    @Test func requestsThatWaitCount() {
        var serial = pool(serial: true)
        #expect(apus_pool_pick(&serial, 0, 2) == 0)
        apus_pool_sent(&serial, 0, false, 2)
        #expect(apus_pool_pick(&serial, 0, 2) == 1)
        apus_pool_sent(&serial, 1, false, 2)
        #expect(apus_pool_pick(&serial, 0, 2) == 2)
        var parallel = pool()
        for _ in 0..<2 {
            #expect(apus_pool_pick(&parallel, 0, 2) == 0)
            apus_pool_sent(&parallel, 0, false, 2)
        }
        for _ in 0..<4 { apus_pool_sent(&parallel, 0, false, 2) }
        #expect(apus_pool_pick(&parallel, 0, 2) == 1)
    }

    @Test func aFullMemberIsBusy() {
        var pool = pool(2, maxInFlight: 1)
        for member in [0, 1] {
            #expect(apus_pool_pick(&pool, 0, 2) == member)
            apus_pool_sent(&pool, UInt32(member), false, 2)
        }
        #expect(apus_pool_pick(&pool, 0, 2) == -16)
        apus_pool_gave_up(&pool, 1, false)
        #expect(apus_pool_pick(&pool, 0, 2) == 1)
    }

    /// A member that does not answer holds nothing up: others are picked, until it is the last one.
    @Test func aSilentMemberIsSuspect() {
        var pool = pool()
        let start: UInt64 = 1000
        #expect(apus_pool_pick(&pool, 0, start) == 0)
        apus_pool_sent(&pool, 0, false, start)
        apus_pool_sent(&pool, 0, false, start)
        let limit = start + 200 * Self.millisecond
        #expect(apus_pool_deadline(&pool) == limit)
        #expect(apus_pool_pick(&pool, 0, limit - 1) == 0 && apus_pool_pick(&pool, 0, limit) == 1)
        #expect(state(pool, 0) == APUS_MEMBER_SUSPECT.rawValue)
        apus_pool_down(&pool, 1)
        apus_pool_down(&pool, 2)
        #expect(apus_pool_pick(&pool, 0, limit) == 0, "better than none")
        apus_pool_answered(&pool, 0, false, 200 * Self.millisecond, limit + 1)
        #expect(state(pool, 0) == APUS_MEMBER_HEALTHY.rawValue)
        // The one that still waits has been silent since that answer only.
        apus_pool_tick(&pool, limit + 200 * Self.millisecond)
        #expect(state(pool, 0) == APUS_MEMBER_HEALTHY.rawValue)
        apus_pool_tick(&pool, limit + 1 + 200 * Self.millisecond)
        #expect(state(pool, 0) == APUS_MEMBER_SUSPECT.rawValue)
    }

    @Test func newMembersAreProbedAtOnceAndIdleOnesNowAndThen() {
        var pool = pool(2, up: false)
        #expect(apus_pool_probe(&pool, 5) == -2 && apus_pool_deadline(&pool) == .max)
        apus_pool_up(&pool, 1, 5)
        #expect(state(pool, 1) == APUS_MEMBER_WARMING.rawValue && apus_pool_probe(&pool, 5) == 1)
        #expect(apus_pool_pick(&pool, 0, 5) == 1, "a warming member is better than none")
        apus_pool_sent(&pool, 1, true, 5)
        #expect(apus_pool_probe(&pool, 6) == -2)
        apus_pool_answered(&pool, 1, true, 3 * Self.millisecond, 6)
        #expect(state(pool, 1) == APUS_MEMBER_HEALTHY.rawValue)
        apus_pool_up(&pool, 0, 7)
        #expect(apus_pool_pick(&pool, 0, 7) == 1, "healthy before warming")
        #expect(apus_pool_probe(&pool, 7) == 0)
        apus_pool_sent(&pool, 0, true, 7)
        apus_pool_answered(&pool, 0, true, 1 * Self.millisecond, 8)
        let due = 6 + 10_000 * Self.millisecond
        #expect(apus_pool_deadline(&pool) == due && apus_pool_probe(&pool, due - 1) == -2)
        #expect(apus_pool_probe(&pool, due) == 1)
        apus_pool_sent(&pool, 1, true, due)
        #expect(apus_pool_probe(&pool, due + 2) == -2, "one after another")
        #expect(apus_pool_deadline(&pool) == due + 200 * Self.millisecond)
    }

    @Test func aMemberThatIsToBeReplacedComesLast() {
        var pool = pool(2)
        #expect(apus_pool_ready(&pool) == 2)
        apus_pool_leave(&pool, 0)
        #expect(apus_pool_pick(&pool, 0, 2) == 1 && apus_pool_ready(&pool) == 1)
        apus_pool_down(&pool, 1)
        #expect(apus_pool_pick(&pool, 0, 2) == 0)
        apus_pool_down(&pool, 0)
        apus_pool_up(&pool, 0, 3)
        #expect(apus_pool_ready(&pool) == 1)
    }

    @Test func anAnswerOfAnEarlierConnectionIsNothing() {
        var pool = pool(1)
        apus_pool_sent(&pool, 0, false, 2)
        apus_pool_down(&pool, 0)
        apus_pool_answered(&pool, 0, false, 1, 3)
        #expect(state(pool, 0) == APUS_MEMBER_DOWN.rawValue)
        apus_pool_up(&pool, 0, 4)
        apus_pool_gave_up(&pool, 0, false)
        #expect(apus_pool_pick(&pool, 0, 5) == 0)
    }

    @Test func poolsThatCannotBe() {
        var pool = apus_pool()
        var config = apus_pool_config()
        #expect(apus_pool_init(&pool, &config, 0) == -22)
        #expect(apus_pool_init(&pool, &config, UInt32(APUS_POOL_MEMBERS_MAX) + 1) == -22)
        #expect(apus_pool_init(&pool, &config, UInt32(APUS_POOL_MEMBERS_MAX)) == 0)
    }
}
