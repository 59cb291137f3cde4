import CApusProtocol
import Testing

/// A venue's request budgets.
@Suite struct BudgetTests {
    private static let second: UInt64 = 1_000_000_000

    private func cost(_ weights: [UInt32]) -> apus_budget_cost {
        var cost = apus_budget_cost()
        withUnsafeMutableBytes(of: &cost) { bytes in weights.withUnsafeBytes { bytes.copyMemory(from: $0) } }
        return cost
    }

    private func budget() -> apus_budget {
        var budget = apus_budget()
        apus_budget_init(&budget)
        return budget
    }

    private func take(_ budget: inout apus_budget, _ weights: [UInt32], _ now: UInt64) -> Bool {
        var cost = cost(weights)
        return apus_budget_take(&budget, &cost, now)
    }

    private func next(_ budget: inout apus_budget, _ weights: [UInt32], _ now: UInt64) -> UInt64 {
        var cost = cost(weights)
        return apus_budget_next(&budget, &cost, now)
    }

    /// Whatever span of a window's length is looked at, no more than the limit was taken in it.
    @Test func noWindowAnywhereHoldsMoreThanTheLimit() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 20, 10 * Self.second) == 0)
        var random = apus_random()
        apus_random_seed(&random, 7)
        var taken: [UInt64] = []
        var now: UInt64 = 3
        for _ in 0..<20_000 {
            now += apus_random_below(&random, Self.second)
            if take(&budget, [1], now) { taken.append(now) }
        }
        for (place, time) in taken.enumerated() where place >= 20 {
            #expect(time - taken[place - 20] >= 10 * Self.second)
        }
        // It gives back: not less than the limit in a window and an eighth.
        let spans = Double(now) / (11.25 * Double(Self.second))
        #expect(Double(taken.count) > 19 * spans)
    }

    @Test func aRequestTakesFromAllRowsOrFromNone() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 10, Self.second) == 0)
        #expect(apus_budget_add_window(&budget, 3, 60 * Self.second) == 1)
        #expect(take(&budget, [4, 2], 0))
        #expect(!take(&budget, [4, 2], 0), "the second row has one left")
        #expect(apus_budget_left(&budget, 0, 0) == 6 && apus_budget_left(&budget, 1, 0) == 1)
        #expect(take(&budget, [6, 0], 0) && take(&budget, [0, 1], 0))
        #expect(!take(&budget, [1, 0], 0) && !take(&budget, [0, 1], 0))
    }

    @Test func theTimeThatIsNamedIsTheFirstOneThatDoes() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 10, 8 * Self.second) == 0)
        #expect(take(&budget, [6], 500) && take(&budget, [4], 3 * Self.second))
        for weight: UInt32 in [1, 6, 7, 10] {
            let then = next(&budget, [weight], 4 * Self.second)
            var early = budget
            #expect(!take(&early, [weight], then - 1))
            var late = budget
            #expect(take(&late, [weight], then))
        }
        #expect(next(&budget, [11], 0) == .max, "more than the limit is never allowed")
        #expect(next(&budget, [0], 77) == 77)
    }

    @Test func aBucketFillsAtItsRateAndHoldsItsBurst() {
        var budget = budget()
        #expect(apus_budget_add_bucket(&budget, 60, 60 * Self.second, 5) == 0)
        for _ in 0..<5 { #expect(take(&budget, [1], 0)) }
        #expect(!take(&budget, [1], 0))
        #expect(next(&budget, [1], 0) == Self.second && next(&budget, [3], 0) == 3 * Self.second)
        #expect(!take(&budget, [1], Self.second - 1) && take(&budget, [1], Self.second))
        #expect(apus_budget_left(&budget, 0, 3 * Self.second) == 2)
        #expect(apus_budget_left(&budget, 0, 1000 * Self.second) == 5, "no more than the burst")
        #expect(next(&budget, [6], 0) == .max)
    }

    @Test func theVenuesBanAndItsFiguresHold() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 10, Self.second) == 0)
        #expect(apus_budget_add_bucket(&budget, 1, Self.second, 10) == 1)
        apus_budget_blocked_until(&budget, 0, 5 * Self.second)
        apus_budget_blocked_until(&budget, 0, 4 * Self.second)
        apus_budget_blocked_until(&budget, 9, 100 * Self.second)
        #expect(!take(&budget, [1, 0], 0) && take(&budget, [0, 1], 0))
        #expect(next(&budget, [1, 0], 0) == 5 * Self.second && apus_budget_left(&budget, 0, 0) == 0)
        apus_budget_blocked_until(&budget, UInt32.max, 6 * Self.second)
        #expect(
            apus_budget_is_blocked(&budget, 6 * Self.second - 1) && !apus_budget_is_blocked(&budget, 6 * Self.second))
        #expect(!take(&budget, [0, 1], 5 * Self.second) && take(&budget, [1, 0], 6 * Self.second))
        // Only a figure above ours changes anything.
        apus_budget_learn(&budget, 0, 8, 6 * Self.second)
        #expect(apus_budget_left(&budget, 0, 6 * Self.second) == 2)
        apus_budget_learn(&budget, 0, 3, 6 * Self.second)
        #expect(apus_budget_left(&budget, 0, 6 * Self.second) == 2)
        apus_budget_learn(&budget, 1, 10, 6 * Self.second)
        #expect(next(&budget, [0, 1], 6 * Self.second) == 7 * Self.second)
        apus_budget_set_limit(&budget, 0, 9)
        apus_budget_set_limit(&budget, 0, 0)
        #expect(apus_budget_left(&budget, 0, 6 * Self.second) == 1)
    }

    @Test func whatMustLeaveIsCountedAllTheSame() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 2, Self.second) == 0)
        var cost = cost([3])
        apus_budget_force(&budget, &cost, 0)
        #expect(apus_budget_left(&budget, 0, 0) == 0 && !take(&budget, [1], 0))
        apus_budget_force(&budget, &cost, .max / 2)
        #expect(apus_budget_left(&budget, 0, .max) == 2, "a long pause forgets everything")
    }

    @Test func rowsThatCannotBe() {
        var budget = budget()
        #expect(apus_budget_add_window(&budget, 0, 100) == -22 && apus_budget_add_window(&budget, 1, 7) == -22)
        #expect(apus_budget_add_bucket(&budget, 0, 1, 1) == -22 && apus_budget_add_bucket(&budget, 1, 1, 0) == -22)
        for row in 0..<Int32(APUS_BUDGET_ROWS_MAX) { #expect(apus_budget_add_window(&budget, 1, 100) == row) }
        #expect(apus_budget_add_window(&budget, 1, 100) == -105 && apus_budget_add_bucket(&budget, 1, 1, 1) == -105)
    }
}
