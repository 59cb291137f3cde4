import Testing

@testable import Apus

private func series(_ count: Int) -> [Double] {
    var seed: UInt64 = 99
    return (0..<count).map { _ in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(seed >> 40) / 1_000 - 5_000
    }
}

@Suite struct IndicatorTests {
    @Test func emaFollowsItsFormula() {
        var ema = EMA(period: 3)
        #expect(ema.update(10) == 10)
        #expect(ema.update(20) == 15)
        #expect(!ema.isReady)
        #expect(ema.update(0) == 7.5)
        #expect(ema.isReady)
    }

    @Test(arguments: [1, 2, 7, 50])
    func windowsAgreeWithTheirDefinition(period: Int) {
        var average = SMA(period: period)
        var range = RollingRange(period: period)
        var variance = RollingVariance(period: max(period, 2))
        let values = series(400)
        for end in values.indices {
            let window = values[max(0, end + 1 - period)...end]
            average.update(values[end])
            range.update(values[end])
            variance.update(values[end])
            #expect(abs(average.value - window.reduce(0, +) / Double(window.count)) < 1e-9)
            #expect(range.minimum == window.min())
            #expect(range.maximum == window.max())
            let wide = values[max(0, end + 1 - max(period, 2))...end]
            let mean = wide.reduce(0, +) / Double(wide.count)
            let squares = wide.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let expected = wide.count < 2 ? 0 : squares / Double(wide.count - 1)
            #expect(abs(variance.variance - expected) <= 1e-9 * max(expected, 1))
            #expect(abs(variance.mean - mean) < 1e-8)
        }
        #expect(average.isReady && range.isReady && variance.isReady)
    }

    @Test func rangeKeepsEqualValues() {
        var range = RollingRange(period: 2)
        for value in [3.0, 3.0, 3.0, 5.0] { range.update(value) }
        #expect(range.minimum == 3)
        #expect(range.maximum == 5)
    }

    @Test func vwapIsExact() {
        var vwap = VWAP()
        #expect(vwap.value == nil)
        vwap.update(Price(units: .max), Quantity(units: 1))
        vwap.update(Price(units: .max - 2), Quantity(units: 1))
        #expect(vwap.value == Price(units: .max - 1))
        vwap.update(Price(units: 5), Quantity(units: .max))  // would overflow the volume: left out
        #expect(vwap.volume == Quantity(units: 2))
        vwap.reset()
        #expect(vwap.value == nil)
    }

    @Test func imbalanceIsBoundedAndSkipsEmptyBooks() {
        var imbalance = BookImbalance(levels: 3, period: 1)
        #expect(imbalance.update(bids: .zero, asks: .zero) == nil)
        #expect(imbalance.update(bids: Quantity(units: 5), asks: .zero) == 1)
        #expect(imbalance.update(bids: Quantity(units: 1), asks: Quantity(units: 3)) == -0.5)
    }
}
