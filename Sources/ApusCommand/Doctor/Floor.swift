/// What this machine can do before any engine runs on it. Times are nanoseconds; one-way is from one processor to the other.
package struct Floor: Sendable, Equatable {
    /// Why there is no figure.
    package struct Unmeasured: Error, Equatable, Sendable {
        package let why: String

        package init(_ why: String) { self.why = why }
    }

    package typealias Figure<Value> = Result<Value, Unmeasured>

    /// Means over windows of time: where a hypervisor moves processors about, near and far ones differ.
    package struct Spread: Equatable, Sendable {
        package var min, p25, median, p75, max: Double
        package var windows: Int
    }

    /// What one reading costs.
    package struct Clocks: Equatable, Sendable {
        package var gettime: Double
        package var now: Double
    }

    package struct Latencies: Equatable, Sendable {
        package var count, p50, p99, p999, max: UInt64
    }

    /// Pauses from some length on, and the time they took together.
    package struct Lost: Equatable, Sendable {
        package var count, lost: UInt64
    }

    /// What a thread that does nothing but read the clock missed.
    package struct Pauses: Equatable, Sendable {
        package var watched: UInt64
        /// Between two readings of the clock.
        package var p50, p999: UInt64
        /// Falling; as many as there were, at most eight.
        package var longest: [UInt64]
        package var above1us, above10us, above100us: Lost

        /// The longest one; where no pause reached a microsecond, what nearly every look took.
        package var max: UInt64 { longest.first ?? p999 }
    }

    package struct Watched: Equatable, Sendable {
        package var cpu: Int32
        package var pauses: Figure<Pauses>
    }

    /// The processors, one or two.
    package var cpus: FloorCPUs
    /// How long all of it took.
    package var seconds: Double
    package var clocks: Figure<Clocks>
    package var pingPong: Figure<Spread>
    package var loopback: Figure<Latencies>
    package var wake: Figure<Latencies>
    /// One read of memory that no cache holds.
    package var memory: Figure<Double>
    package var watched: [Watched]
}

/// Which processors are measured: those that the engine would use.
package struct FloorCPUs: Equatable, Sendable {
    /// For the hot thread.
    package var first: Int32
    /// For the decision thread; nil on a machine of one.
    package var second: Int32?

    package var all: [Int32] { [first] + (second.map { [$0] } ?? []) }

    package init(first: Int32, second: Int32?) {
        self.first = first
        self.second = second
    }

    /// Configured processors (-1: none) come first. Else those with the highest numbers, as interrupts gather at the lowest, and no
    /// two threads of one core where there is another choice: their ping-pong never leaves the core.
    package init(allowed: [Int32], hot: Int32, decide: Int32, machine: Machine) {
        func partner(of cpu: Int32) -> Int32? {
            let siblings = machine.siblings(of: cpu)
            let others = allowed.filter { $0 != cpu }
            return others.last { !siblings.contains($0) } ?? others.last
        }
        switch (hot >= 0, decide >= 0 && decide != hot) {
        case (true, true): self.init(first: hot, second: decide)
        case (true, false): self.init(first: hot, second: partner(of: hot))
        case (false, true):
            let other = partner(of: decide)
            self.init(first: other ?? decide, second: other == nil ? nil : decide)
        case (false, false):
            let highest = allowed.last ?? 0
            self.init(first: highest, second: partner(of: highest))
        }
    }
}

extension Machine {
    /// The processors that share a core with this one, itself included.
    package func siblings(of cpu: Int32) -> Set<Int32> {
        let list = line("/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list") ?? ""
        return list.split(separator: ",").reduce(into: []) { found, part in
            let ends = part.split(separator: "-").compactMap { Int32($0) }
            guard let low = ends.first, let high = ends.last, low <= high else { return }
            found.formUnion(low...high)
        }
    }
}
