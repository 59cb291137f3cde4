import CStress
import Testing

/// Real threads on the rings. What must never be seen has a name in `stress_outcome`; the same checkers must find it in
/// every copy that has a defect. Serialised: each run wants both cores of a small machine for itself.
@Suite("Rings under stress", .serialized)
struct RingStressTests {
    private static let events: UInt64 = 300_000

    /// The copies yield often, which takes its time.
    private func count(_ variant: stress_variant) -> UInt64 {
        variant == STRESS_REAL ? Self.events : Self.events / 5
    }

    private func expectNothingForbidden(_ seen: stress_outcome) {
        #expect(seen.torn == 0, "torn read")
        #expect(seen.stale == 0, "an element of another number")
        #expect(seen.unreported_loss == 0, "unreported loss")
        #expect(seen.doubled == 0, "doubled element")
        #expect(seen.backwards == 0, "an older snapshot after a newer one")
        #expect(seen.taken > 0)
    }

    private func forbidden(_ seen: stress_outcome) -> UInt64 {
        seen.torn + seen.stale + seen.unreported_loss + seen.doubled + seen.backwards
    }

    @Test(
        "feed ring: no torn read, no unreported loss, for quick and lapped readers",
        arguments: [STRESS_REAL, STRESS_FAITHFUL], [64, 1_024])
    func feed(variant: stress_variant, slots: Int) {
        var seen = stress_outcome()
        #expect(stress_feed(variant, UInt32(slots), 3, count(variant), &seen) == 0)
        expectNothingForbidden(seen)
        // Every reader accounts for every event.
        #expect(seen.taken + seen.lost == 3 * count(variant))
        #expect(slots > 64 || seen.lost > 0, "with so few slots readers are lapped")
    }

    @Test("board: no torn snapshot, never an older one", arguments: [STRESS_REAL, STRESS_FAITHFUL])
    func board(variant: stress_variant) {
        var seen = stress_outcome()
        #expect(stress_board(variant, 20, 3, count(variant), &seen) == 0)
        expectNothingForbidden(seen)
    }

    @Test("queue: no element lost, doubled or torn", arguments: [STRESS_REAL, STRESS_FAITHFUL], [2, 1_024])
    func queue(variant: stress_variant, slots: Int) {
        var seen = stress_outcome()
        #expect(stress_queue(variant, UInt32(slots), count(variant), &seen) == 0)
        expectNothingForbidden(seen)
        #expect(seen.taken == count(variant))
    }

    @Test(
        "a broken feed ring is found out",
        arguments: [STRESS_NO_ODD_STORE, STRESS_EVEN_BEFORE_PAYLOAD, STRESS_NO_SECOND_LOOK, STRESS_LOSS_NOT_COUNTED])
    func brokenFeed(variant: stress_variant) {
        var seen = stress_outcome()
        #expect(stress_feed(variant, 64, 3, 100 * Self.events, &seen) == 0)
        #expect(forbidden(seen) > 0)
    }

    @Test(
        "a broken board is found out",
        arguments: [STRESS_NO_ODD_STORE, STRESS_EVEN_BEFORE_PAYLOAD, STRESS_NO_SECOND_LOOK])
    func brokenBoard(variant: stress_variant) {
        var seen = stress_outcome()
        #expect(stress_board(variant, 20, 3, 100 * Self.events, &seen) == 0)
        #expect(seen.torn + seen.backwards > 0)
    }

    @Test(
        "a broken queue is found out",
        arguments: [STRESS_TAIL_TOO_EARLY, STRESS_HEAD_TOO_EARLY, STRESS_NEVER_FULL])
    func brokenQueue(variant: stress_variant) {
        var seen = stress_outcome()
        #expect(stress_queue(variant, 2, 100 * Self.events, &seen) == 0)
        #expect(forbidden(seen) > 0)
    }
}
