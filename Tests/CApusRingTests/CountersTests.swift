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
        #expect(histogram.pointee.count == 100)
        #expect(histogram.pointee.negative == 1)
        #expect(histogram.pointee.maximum == 100)
    }
}
