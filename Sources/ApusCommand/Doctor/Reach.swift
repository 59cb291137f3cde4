/// What the engine can reach on a machine of a certain floor, and how it is best placed there.
package struct Reach: Equatable, Sendable {
    /// A time between two bounds, nanoseconds.
    package struct Estimate: Equatable, Sendable {
        package let name: String
        package let low, high: Double
        /// From which figure and by which ratio.
        package let basis: String
    }

    /// How to run here.
    package struct Advice: Equatable, Sendable {
        package let placement: String
        package let idle: String
        package let reasons: [String]
    }

    package let estimates: [Estimate]
    package let advice: Advice

    /// Ratios of what the engine does to the floor, both measured in one run: the tables of docs/PERFORMANCE.md, which `make bench`
    /// writes. They are ratios and not times because times drift with the machine and ratios hardly do.
    enum Ratio {
        /// Ring hand-off, one-way p50, beside the ping-pong.
        static let handOff = 1.35...1.5
        /// A WebSocket message from the sender's call to the applied book, p50, spinning, beside busy polling in C.
        static let wireToBook = 1.0...1.25
    }

    /// Windows of the ping-pong that differ by more than this are two placements of the processors and not noise.
    static let placementsApart = 2.0
    /// A pause from here on is worth a word: it is longer than a wake-up, which spinning is there to avoid.
    static let longPause: UInt64 = 100_000
    /// A share of time in pauses above 10 µs from which on other work is meant, and not interrupts.
    static let busyShare = 0.01

    package init(_ floor: Floor, allowedCores: Int, machine: Machine) {
        estimates = Self.handOff(floor) + Self.wireToBook(floor) + Self.parked(floor) + Self.pause(floor)
        advice = Self.advice(floor, cores: Self.usableCores(allowedCores, machine))
    }

    // MARK: Estimates

    private static func scaled(_ name: String, _ value: Double, _ ratio: ClosedRange<Double>, of floor: String)
        -> Estimate
    {
        Estimate(
            name: name, low: value * ratio.lowerBound, high: value * ratio.upperBound,
            basis: "\(ratio.lowerBound) to \(ratio.upperBound) x \(floor)")
    }

    private static func handOff(_ floor: Floor) -> [Estimate] {
        guard case .success(let spread) = floor.pingPong else { return [] }
        let name = "ring hand-off, one-way p50"
        guard spread.p75 > placementsApart * spread.p25 else {
            return [scaled(name, spread.median, Ratio.handOff, of: "ping-pong")]
        }
        return [
            scaled("\(name), cores near", spread.p25, Ratio.handOff, of: "ping-pong p25"),
            scaled("\(name), cores far", spread.p75, Ratio.handOff, of: "ping-pong p75"),
        ]
    }

    private static func wireToBook(_ floor: Floor) -> [Estimate] {
        guard case .success(let loopback) = floor.loopback else { return [] }
        return [
            scaled("wire to book, p50, idle spin", Double(loopback.p50), Ratio.wireToBook, of: "loopback p50")
        ]
    }

    private static func parked(_ floor: Floor) -> [Estimate] {
        guard case .success(let wake) = floor.wake else { return [] }
        return [
            Estimate(
                name: "idle park adds", low: Double(wake.p50), high: Double(wake.p99), basis: "wake-up p50 to p99")
        ]
    }

    private static func pause(_ floor: Floor) -> [Estimate] {
        guard let longest = longestPause(floor) else { return [] }
        return [
            Estimate(
                name: "worst pause", low: Double(longest), high: Double(longest),
                basis: "longest one seen; more time shows longer ones")
        ]
    }

    private static func longestPause(_ floor: Floor) -> UInt64? {
        floor.watched.compactMap { try? $0.pauses.get() }.map(\.max).max()
    }

    // MARK: Advice

    // A container's quota counts as so many cores: spinning uses it up.
    private static func usableCores(_ allowed: Int, _ machine: Machine) -> Int {
        let parts = (machine.line("/sys/fs/cgroup/cpu.max") ?? "").split(separator: " ").map { Int($0) }
        guard parts.count == 2, let quota = parts[0], let period = parts[1], period > 0 else { return allowed }
        return min(allowed, quota / period)
    }

    private static func advice(_ floor: Floor, cores: Int) -> Advice {
        if cores < 2 {
            return Advice(
                placement: "shared", idle: "park",
                reasons: ["less than two whole cores: a spinning engine would take the time of everything else"]
                    + disturbances(floor))
        }
        let handOff = handOff(floor).map { "\(timeText($0.low)) to \(timeText($0.high))" }.joined(separator: " or ")
        var reasons = [placementReason(cores, handOff.isEmpty ? "the hand-off" : "the hand-off of \(handOff)")]
        if case .success(let wake) = floor.wake {
            let later = timeText(Double(wake.p50))
            reasons.append("a parked engine would begin \(later) later with each message after a silence")
        }
        return Advice(
            placement: cores < 4 ? "shared" : "dedicated", idle: "spin", reasons: reasons + disturbances(floor))
    }

    private static func placementReason(_ cores: Int, _ handOff: String) -> String {
        if cores < 4 { return "\(cores) cores: both turns on one save \(handOff) and leave the system the other" }
        return
            "\(cores) cores: with one each for engine.hot_cpu and engine.decide_cpu a strategy's time delays no socket, "
            + "at the price of \(handOff)"
    }

    // What took the processors away while they were measured.
    private static func disturbances(_ floor: Floor) -> [String] {
        let busy = floor.watched.filter { watched in
            guard let pauses = try? watched.pauses.get() else { return false }
            return Double(pauses.above10us.lost) > busyShare * Double(pauses.watched)
        }
        if !busy.isEmpty {
            let names = busy.map { "cpu \($0.cpu)" }.joined(separator: " and ")
            return ["other work ran on \(names) meanwhile: measure again when the machine is quiet"]
        }
        guard let longest = longestPause(floor), longest >= longPause else { return [] }
        return ["a pause of \(timeText(Double(longest))) delays whatever is under way: mend what is marked warn above"]
    }
}
