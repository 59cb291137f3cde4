import CApusRing
import Testing

@Suite("Counters")
struct CountersTests {
    @Test("every value falls into a bucket whose bounds hold it, at most 1.6 % wide")
    func buckets() {
        var value: UInt64 = 0
        while value < 1 << 40 {
            let bucket = apus_histogram_bucket(value)
            let upper = apus_histogram_value(bucket)
            let lower = bucket == 0 ? 0 : apus_histogram_value(bucket - 1) + 1
            #expect(bucket < UInt32(APUS_HISTOGRAM_BUCKETS))
            #expect(lower <= value && value <= upper)
            #expect(upper - lower <= max(1, lower >> 6))
            value = value < 1_000 ? value + 1 : value + value / 37
        }
        #expect(apus_histogram_bucket(UInt64.max) == UInt32(APUS_HISTOGRAM_BUCKETS) - 1)
    }

    @Test("quantiles are those of the recorded values")
    func quantiles() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        let histogram = withUnsafeMutablePointer(to: &view.counters.pointee.hops.0) { $0 }
        #expect(apus_histogram_quantile(histogram, 0.5) == 0)
        for value in UInt64(1)...100 { apus_histogram_record(histogram, value) }
        apus_histogram_record_signed(histogram, -5)
        #expect(apus_histogram_quantile(histogram, 0.5) == 50)
        #expect(apus_histogram_quantile(histogram, 0.99) == 99)
        #expect(apus_histogram_quantile(histogram, 1) == 100)
        #expect(apus_histogram_count(histogram) == 100)
        #expect(apus_histogram_maximum(histogram) == 100)
        #expect(apus_histogram_negative(histogram) == 1)
    }

    @Test("a quantile is never below the value it stands for, and at most 1.6 % above")
    func accuracy() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        let histogram = withUnsafeMutablePointer(to: &view.counters.pointee.hops.0) { $0 }
        for value in stride(from: UInt64(1_000), through: 9_999_000, by: 1_000) {
            apus_histogram_record(histogram, value)
        }
        for (fraction, exact) in [(0.5, 5_000_000), (0.99, 9_900_000), (0.999, 9_990_000)] as [(Double, UInt64)] {
            let value = apus_histogram_quantile(histogram, fraction)
            #expect(value >= exact && value <= exact + exact / 64, "\(fraction): \(value)")
        }
    }

    @Test("values below zero are counted with the worst of them and touch no bucket")
    func negatives() throws {
        var view = try makeView()
        defer { apus_public_close(&view) }
        let histogram = withUnsafeMutablePointer(to: &view.counters.pointee.hops.0) { $0 }
        for value in [-5, -700_000, 0, -20] as [Int64] { apus_histogram_record_signed(histogram, value) }
        #expect(apus_histogram_negative(histogram) == 3)
        #expect(apus_histogram_negative_worst(histogram) == 700_000)
        #expect(apus_histogram_count(histogram) == 1)
        apus_histogram_record_signed(histogram, Int64.min)
        #expect(apus_histogram_negative_worst(histogram) == 1 << 63)
    }
}
