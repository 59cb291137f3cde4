/// The floor and what can be reached on it, for people and for `--json`.
package struct FloorReport {
    private let floor: Floor
    private let reach: Reach

    package init(_ floor: Floor, _ reach: Reach) {
        self.floor = floor
        self.reach = reach
    }

    // MARK: For people

    package var text: String {
        let cpus = floor.cpus.all.map { "cpu \($0)" }.joined(separator: " and ")
        let measured = TextTable(
            columns: ["FLOOR", "MEASURED ON \(cpus.uppercased()) IN \(seconds) S"], rows: floorRows)
        let reached = TextTable(
            columns: ["THE ENGINE CAN REACH", "TIME", "FROM"],
            rows: reach.estimates.map { [$0.name, timeText($0.low, to: $0.high), $0.basis] })
        let advice = reach.advice
        let choice = "engine.placement: \(advice.placement), engine.idle: \(advice.idle)"
        let tables = reach.estimates.isEmpty ? [measured] : [measured, reached]
        return tables.map(\.text).joined(separator: "\n\n") + "\n\nbest here: \(choice)\n"
            + advice.reasons.map { "    \($0)" }.joined(separator: "\n")
    }

    private var seconds: String { decimalText(Int64((floor.seconds * 10).rounded()), decimals: 1) }

    private var floorRows: [[String]] {
        [
            row("cache line, one-way", floor.pingPong) {
                "median \(timeText($0.median)); min \(timeText($0.min)), p25 \(timeText($0.p25)), p75 \(timeText($0.p75)), "
                    + "max \(timeText($0.max)) of \($0.windows) windows"
            },
            row("clocks", floor.clocks) {
                "clock_gettime \(timeText($0.gettime)), the engine's own \(timeText($0.now))"
            },
            row("loopback TCP, one-way, busy polling", floor.loopback, latencyText),
            row("wake-up, one-way", floor.wake, latencyText),
            row("memory beyond the caches", floor.memory) { "\(timeText($0)) a read" },
        ] + floor.watched.map { row("pauses of cpu \($0.cpu)", $0.pauses, pauseText) }
    }

    private func row<Value>(_ name: String, _ figure: Floor.Figure<Value>, _ text: (Value) -> String) -> [String] {
        switch figure {
        case .success(let value): [name, text(value)]
        case .failure(let failure): [name, "not measured: \(failure.why)"]
        }
    }

    private func latencyText(_ latencies: Floor.Latencies) -> String {
        "p50 \(durationText(latencies.p50)), p99 \(durationText(latencies.p99)), p99.9 \(durationText(latencies.p999)), "
            + "max \(durationText(latencies.max))"
    }

    private func pauseText(_ pauses: Floor.Pauses) -> String {
        let shares = [("1 µs", pauses.above1us), ("10 µs", pauses.above10us), ("100 µs", pauses.above100us)].map {
            "\(percentText($1.lost, of: pauses.watched)) above \($0)"
        }
        return "p99.9 \(durationText(pauses.p999)), max \(durationText(pauses.max)); lost "
            + shares.joined(separator: ", ")
    }

    private func percentText(_ part: UInt64, of whole: UInt64) -> String {
        decimalText(Int64((Double(part) / Double(max(whole, 1)) * 1e5).rounded()), decimals: 3) + " %"
    }

    // MARK: For programs

    /// Every time in nanoseconds. A figure that could not be measured is `{"not_measured": why}`.
    package var floorJSON: JSONText {
        .object([
            ("cpus", .array(floor.cpus.all.map { .integer(Int64($0)) })),
            ("measured_seconds", rounded(floor.seconds)),
            ("ping_pong", json(floor.pingPong, spreadJSON)),
            (
                "clocks",
                json(floor.clocks) { [("clock_gettime_ns", rounded($0.gettime)), ("engine_ns", rounded($0.now))] }
            ),
            ("loopback", json(floor.loopback, latencyJSON)), ("wake_up", json(floor.wake, latencyJSON)),
            ("memory", json(floor.memory) { [("read_ns", rounded($0))] }),
            (
                "pauses",
                .array(
                    floor.watched.map { watched in
                        json(watched.pauses) { [("cpu", .integer(Int64(watched.cpu)))] + pauseJSON($0) }
                    })
            ),
        ])
    }

    package var reachJSON: JSONText {
        .object([
            (
                "estimates",
                .array(
                    reach.estimates.map {
                        .object([
                            ("name", .string($0.name)), ("low_ns", rounded($0.low)), ("high_ns", rounded($0.high)),
                            ("from", .string($0.basis)),
                        ])
                    })
            ),
            ("placement", .string(reach.advice.placement)), ("idle", .string(reach.advice.idle)),
            ("reasons", .array(reach.advice.reasons.map { .string($0) })),
        ])
    }

    private func json<Value>(_ figure: Floor.Figure<Value>, _ members: (Value) -> [(String, JSONText)]) -> JSONText {
        switch figure {
        case .success(let value): .object(members(value))
        case .failure(let failure): .object([("not_measured", .string(failure.why))])
        }
    }

    private func spreadJSON(_ spread: Floor.Spread) -> [(String, JSONText)] {
        [
            ("min_ns", rounded(spread.min)), ("p25_ns", rounded(spread.p25)), ("median_ns", rounded(spread.median)),
            ("p75_ns", rounded(spread.p75)), ("max_ns", rounded(spread.max)),
            ("windows", .integer(Int64(spread.windows))),
        ]
    }

    private func latencyJSON(_ latencies: Floor.Latencies) -> [(String, JSONText)] {
        [
            ("p50_ns", .unsigned(latencies.p50)), ("p99_ns", .unsigned(latencies.p99)),
            ("p999_ns", .unsigned(latencies.p999)), ("max_ns", .unsigned(latencies.max)),
            ("count", .unsigned(latencies.count)),
        ]
    }

    private func pauseJSON(_ pauses: Floor.Pauses) -> [(String, JSONText)] {
        func lost(_ lost: Floor.Lost) -> JSONText {
            .object([
                ("count", .unsigned(lost.count)), ("lost_ns", .unsigned(lost.lost)),
                (
                    "share",
                    .number(
                        decimalText(
                            Int64((Double(lost.lost) / Double(max(pauses.watched, 1)) * 1e7).rounded()), decimals: 7))
                ),
            ])
        }
        return [
            ("watched_ns", .unsigned(pauses.watched)), ("p50_ns", .unsigned(pauses.p50)),
            ("p999_ns", .unsigned(pauses.p999)), ("max_ns", .unsigned(pauses.max)),
            ("longest_ns", .array(pauses.longest.map { .unsigned($0) })), ("above_1us", lost(pauses.above1us)),
            ("above_10us", lost(pauses.above10us)), ("above_100us", lost(pauses.above100us)),
        ]
    }

    private func rounded(_ value: Double) -> JSONText {
        .number(decimalText(Int64((value * 100).rounded()), decimals: 2))
    }
}

/// A time in nanoseconds for people; below a microsecond with a tenth, as the floor is made of such times.
package func timeText(_ nanoseconds: Double) -> String {
    nanoseconds < 1000
        ? decimalText(Int64((nanoseconds * 10).rounded()), decimals: 1) + " ns"
        : durationText(UInt64(nanoseconds.rounded()))
}

private func timeText(_ low: Double, to high: Double) -> String {
    low == high ? timeText(low) : "\(timeText(low)) to \(timeText(high))"
}
