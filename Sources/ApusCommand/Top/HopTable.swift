import ApusEngine

/// The latency table: a row for each hop that was ever recorded, and below it what the clocks disagreed about.
package func hopTable(_ hops: [EngineSample.Hop]) -> [StyledLine] {
    let used = hops.filter(\.times.isUsed)
    let heading =
        padded("HOP", to: 16) + ["COUNT", "P50", "P99", "P99.9", "MAX"].map { aligned($0, to: 12) }.joined()
    if used.isEmpty { return [StyledLine(heading, .faint), StyledLine("no latency recorded yet", .faint)] }
    return [StyledLine(heading, .faint)] + used.map(hopRow) + used.compactMap(skewLine)
}

// A hop that only ever came out below zero has no latency to show.
private func hopRow(_ hop: EngineSample.Hop) -> StyledLine {
    let times = hop.times
    let latencies = [times.p50, times.p99, times.p999, times.max].map { times.count == 0 ? "-" : durationText($0) }
    let cells = [countText(times.count)] + latencies
    return StyledLine(padded(hop.name, to: 16) + cells.map { aligned($0, to: 12) }.joined())
}

private func skewLine(_ hop: EngineSample.Hop) -> StyledLine? {
    let times = hop.times
    guard times.skewed > 0 else { return nil }
    let share = "\(countText(times.skewed)) of \(countText(times.count + times.skewed))"
    let worst = "by \(durationText(times.worstSkew)) at worst"
    let text =
        hop.name == "venue_kernel"
        ? "clock skew: \(share) messages were stamped ahead of our clock, \(worst); the venue's stamps are whole milliseconds"
        : "clock skew: \(share) times of \(hop.name) ended before they began, \(worst)"
    return StyledLine(text, .faint)
}

extension HopSummary {
    /// Nanoseconds; `clock_skew` counts the values below zero, which are in none of the others.
    var json: JSONText {
        .object([
            ("p50", .unsigned(p50)), ("p99", .unsigned(p99)), ("p999", .unsigned(p999)), ("max", .unsigned(max)),
            ("count", .unsigned(count)), ("clock_skew", .unsigned(skewed)),
            ("worst_clock_skew_ns", .unsigned(worstSkew)),
        ])
    }
}
