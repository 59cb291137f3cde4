import Foundation

/// One measured thing beside its floor and its peers: a line of the table.
struct Row: Codable {
    /// Short and stable, for `--only` and for documents: `book-l2`.
    let name: String
    /// What was done, in words.
    let work: String
    /// Of `ours`, `floor` and `peers`: `ns/update`, `M msgs/s`.
    let unit: String
    /// Whether a larger figure is the better one.
    var isRate = false
    let ours: Figure
    /// What the machine itself needs for it.
    var floor: Figure?
    /// What a user would pick instead.
    var peers: [Figure] = []
    /// Peers and floors that were not there, with the reason.
    var missing: [String] = []
    var goals: [Goal] = []
    /// What else must be known to read the figures.
    var note = ""
    /// Distributions and curves to plot, in one picture.
    var plot: Plot?

    /// The peer that is hardest to beat.
    var bestPeer: Figure? {
        isRate ? peers.max { $0.median < $1.median } : peers.min { $0.median < $1.median }
    }
    var ratioToFloor: Double? { floor.map { ours.median / $0.median } }
    var ratioToPeer: Double? { bestPeer.map { ours.median / $0.median } }
    /// Whether a goal that could be judged was not reached.
    var isMissed: Bool { goals.contains { $0.isMet == false } }
}

/// A figure with a name: what was measured, over how many repetitions.
struct Figure: Codable {
    let name: String
    let median: Double
    /// The 99th percentile of a latency, or of the repetitions where each gave one figure.
    var p99: Double?
    var repetitions: Int?

    /// The median and 99th percentile of repetitions.
    init(_ name: String, of samples: [Double], isRate: Bool = false) {
        let sorted = isRate ? samples.sorted(by: >) : samples.sorted()
        self.name = name
        median = quantile(sorted, 0.5)
        p99 = quantile(sorted, 0.99)
        repetitions = samples.count
    }

    init(_ name: String, median: Double, p99: Double? = nil, repetitions: Int? = nil) {
        self.name = name
        self.median = median
        self.p99 = p99
        self.repetitions = repetitions
    }
}

/// A bound that a row must reach, with the value that was judged.
struct Goal: Codable {
    /// `at most 1.0 × the ladder`.
    let text: String
    let value: Double?
    /// nil when there was nothing to judge by: a peer was missing.
    let isMet: Bool?

    static func atMost(_ bound: Double, _ value: Double?, _ text: String) -> Goal {
        Goal(text: "at most \(short(bound)) \(text)", value: value, isMet: value.map { $0 <= bound })
    }

    static func atLeast(_ bound: Double, _ value: Double?, _ text: String) -> Goal {
        Goal(text: "at least \(short(bound)) \(text)", value: value, isMet: value.map { $0 >= bound })
    }
}

/// The value below which `fraction` of a sorted row of values lie.
func quantile(_ sorted: [Double], _ fraction: Double) -> Double {
    guard let last = sorted.indices.last else { return .nan }
    return sorted[min(last, Int(Double(sorted.count) * fraction))]
}

func median(_ values: [Double]) -> Double { quantile(values.sorted(), 0.5) }

/// A number with three significant digits or so.
func short(_ value: Double) -> String {
    guard value.isFinite else { return "-" }
    let size = abs(value)
    let decimals = size >= 1000 ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : 2
    return String(format: "%.\(decimals)f", value)
}
