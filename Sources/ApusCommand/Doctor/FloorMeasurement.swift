import CApusFloor
import CApusRing
import Glibc

/// Measures the floor: a few bounded measurements, one after the other.
package struct FloorMeasurement {
    /// The processors of a measurement, so that an error can name them.
    private let cpus: FloorCPUs
    private let seconds: Double
    private let progress: (String) -> Void

    // What each measurement gets of the time; together 1, with two processors watched.
    private static let pingPongShare = 0.3
    private static let watchShare = 0.2
    private static let loopbackShare = 0.12
    private static let wakeShare = 0.12
    private static let clockShare = 0.03
    private static let memoryShare = 0.03
    // Long enough for hundreds of round trips; short, so that other work falls into few of them and the quartiles stay clean.
    private static let window: UInt64 = 100_000
    private static let windowsMost: UInt64 = 1_000_000
    // More than the caches of a processor hold for one core.
    private static let memoryBytes = 64 << 20
    // A depth update of Binance with a few levels.
    private static let messageBytes: UInt32 = 309

    /// All of it takes about `seconds`. `progress` is told what comes next.
    package init(_ cpus: FloorCPUs, seconds: Double, progress: @escaping (String) -> Void) {
        self.cpus = cpus
        self.seconds = seconds
        self.progress = progress
    }

    /// The processors that this process may run on.
    package static func allowed(_ machine: Machine) -> [Int32] {
        var cpus = [Int32](repeating: 0, count: 1024)
        let count = apus_floor_cpus(&cpus, Int32(cpus.count))
        return count > 0 ? Array(cpus.prefix(Int(count))) : (0..<Int32(machine.onlineCores)).map { $0 }
    }

    package func run() -> Floor {
        let begin = apus_clock_monotonic()
        var clock = apus_clock()
        apus_clock_start(&clock)
        let clocks = clockCosts(clock)
        let pingPong = pair(rally)
        let loopback = pair { first, second throws(Floor.Unmeasured) in try echo(clock, first, second) }
        let wake = pair { first, second throws(Floor.Unmeasured) in try wakeUp(clock, first, second) }
        let watched = cpus.all.map { Floor.Watched(cpu: $0, pauses: pauses(clock, $0)) }
        let memory = walk()
        return Floor(
            cpus: cpus, seconds: Double(apus_clock_monotonic() - begin) / 1e9, clocks: clocks, pingPong: pingPong,
            loopback: loopback, wake: wake, memory: memory, watched: watched)
    }

    // MARK: One processor

    private func clockCosts(_ clock: apus_clock) -> Floor.Figure<Floor.Clocks> {
        Result { () throws(Floor.Unmeasured) in
            progress("clocks")
            var clock = clock
            var costs = apus_floor_clock_costs()
            try check(apus_floor_clocks(&clock, cpus.first, duration(Self.clockShare), &costs), cpus.first)
            return Floor.Clocks(gettime: costs.gettime_ns, now: costs.now_ns)
        }
    }

    private func walk() -> Floor.Figure<Double> {
        Result { () throws(Floor.Unmeasured) in
            progress("memory")
            var read = 0.0
            try check(apus_floor_memory(cpus.first, Self.memoryBytes, duration(Self.memoryShare), &read), cpus.first)
            return read
        }
    }

    private func pauses(_ clock: apus_clock, _ cpu: Int32) -> Floor.Figure<Floor.Pauses> {
        Result { () throws(Floor.Unmeasured) in
            progress("pauses of cpu \(cpu)")
            var clock = clock
            var found = apus_floor_pauses()
            let gaps = try histogram()
            defer { free(gaps) }
            try check(apus_floor_watch(&clock, cpu, duration(Self.watchShare), &found, gaps), cpu)
            let longest = withUnsafeBytes(of: found.longest_ns) { Array($0.bindMemory(to: UInt64.self)) }
            return Floor.Pauses(
                watched: found.watched_ns, p50: apus_histogram_quantile(gaps, 0.5),
                p999: apus_histogram_quantile(gaps, 0.999), longest: longest.filter { $0 > 0 },
                above1us: lost(found.above_1us), above10us: lost(found.above_10us),
                above100us: lost(found.above_100us))
        }
    }

    private func lost(_ lost: apus_floor_lost) -> Floor.Lost { .init(count: lost.count, lost: lost.lost_ns) }

    // MARK: Two processors

    private func pair<Value>(
        _ measure: (_ first: Int32, _ second: Int32) throws(Floor.Unmeasured) -> Value
    ) -> Floor.Figure<Value> {
        Result { () throws(Floor.Unmeasured) in
            guard let second = cpus.second else { throw Floor.Unmeasured("it takes two processors") }
            return try measure(cpus.first, second)
        }
    }

    private func rally(_ first: Int32, _ second: Int32) throws(Floor.Unmeasured) -> Floor.Spread {
        progress("ping-pong between cpu \(first) and cpu \(second)")
        let wanted = min(max(4, duration(Self.pingPongShare) / Self.window), Self.windowsMost)
        var windows = [Double](repeating: 0, count: Int(wanted))
        let played = apus_floor_ping_pong(first, second, Self.window, &windows, UInt32(wanted))
        try check(played, first, second)
        var spread = apus_floor_spread()
        apus_floor_spread_of(&windows, UInt32(played), &spread)
        return Floor.Spread(
            min: spread.min_ns, p25: spread.p25_ns, median: spread.median_ns, p75: spread.p75_ns, max: spread.max_ns,
            windows: Int(played))
    }

    private func echo(
        _ clock: apus_clock, _ first: Int32, _ second: Int32
    ) throws(Floor.Unmeasured) -> Floor.Latencies {
        progress("loopback between cpu \(first) and cpu \(second)")
        var clock = clock
        let oneWay = try histogram()
        defer { free(oneWay) }
        try check(
            apus_floor_loopback(&clock, first, second, Self.messageBytes, duration(Self.loopbackShare), oneWay), first,
            second)
        return latencies(oneWay)
    }

    private func wakeUp(
        _ clock: apus_clock, _ first: Int32, _ second: Int32
    ) throws(Floor.Unmeasured) -> Floor.Latencies {
        progress("waking cpu \(first) from cpu \(second)")
        var clock = clock
        let oneWay = try histogram()
        defer { free(oneWay) }
        try check(apus_floor_wake(&clock, first, second, duration(Self.wakeShare), oneWay), first, second)
        return latencies(oneWay)
    }

    // MARK: Help

    private func duration(_ share: Double) -> UInt64 { UInt64(seconds * share * 1e9) }

    private func histogram() throws(Floor.Unmeasured) -> UnsafeMutablePointer<apus_histogram> {
        guard let histogram = apus_floor_histogram() else { throw Floor.Unmeasured("there is no memory for it") }
        return histogram
    }

    private func latencies(_ histogram: UnsafePointer<apus_histogram>) -> Floor.Latencies {
        .init(
            count: apus_histogram_count(histogram), p50: apus_histogram_quantile(histogram, 0.5),
            p99: apus_histogram_quantile(histogram, 0.99), p999: apus_histogram_quantile(histogram, 0.999),
            max: apus_histogram_maximum(histogram))
    }

    private func check(_ result: Int32, _ used: Int32...) throws(Floor.Unmeasured) {
        guard result < 0 else { return }
        let names = used.map { "cpu \($0)" }.joined(separator: " or ")
        throw switch -result {
        case EINVAL: .init("\(names) does not exist, or this process may not use it")
        case EAGAIN: .init("the system allows no further thread (ulimit -u, the container's pids limit)")
        case ENOMEM: .init("there is no memory for it")
        case ETIMEDOUT: .init("other work left too little of \(names)")
        default: .init(String(cString: strerror(-result)))
        }
    }
}
