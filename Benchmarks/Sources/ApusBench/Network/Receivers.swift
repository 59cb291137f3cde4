import Foundation

/// A program that only receives: what a user would pick instead, or the floor.
struct Receiver {
    let name: String
    private let program: Program
    private let arguments: (_ carrier: Carrier, _ port: Int, _ path: String) -> [String]
    private let cpu: Int32

    /// Latency in µs.
    struct Latency {
        let p50: Double
        let p99: Double
    }

    /// M messages/s.
    func rate(_ venue: BenchVenue, _ carrier: Carrier, messages: Int) throws -> Double {
        try figure("rate ", in: try run(venue, carrier, "/flood/\(messages)"))
    }

    func latency(_ venue: BenchVenue, _ carrier: Carrier, messages: Int, perSecond: Int) throws -> Latency {
        let text = try run(venue, carrier, "/paced/\(messages)/\(perSecond)")
        return Latency(p50: try figure("p50 ", in: text), p99: try figure("p99 ", in: text))
    }

    private func run(_ venue: BenchVenue, _ carrier: Carrier, _ path: String) throws -> String {
        try program.output(arguments(carrier, venue.port(carrier), path), cpu: cpu)
    }

    private func figure(_ label: String, in text: String) throws -> Double {
        guard let value = number(after: label, in: text), value > 0 else {
            throw BenchmarkError("\(name) has not received everything; it said: \(text.prefix(200))")
        }
        return value
    }

    // MARK: Which there are

    /// The C floor that polls, and the one that waits in the kernel.
    static func floor(_ session: Session, polls: Bool) -> Receiver? {
        session.peer("ws_floor").map { program in
            Receiver(
                name: polls ? "C, busy polling" : "C, blocking", program: program,
                arguments: { [$0.scheme, "\($1)", $2] + (polls ? ["spin"] : []) }, cpu: session.cpu)
        }
    }

    /// picows, libwebsockets and Boost.Beast as far as they are there, and words for those that are not.
    static func peers(_ session: Session) -> (found: [Receiver], missing: [String]) {
        var found: [Receiver] = [], missing: [String] = []
        let script = session.shared.path("peers/ws_python.py")
        if let python = session.python, FileManager.default.fileExists(atPath: script) {
            found.append(
                Receiver(
                    name: "picows", program: python,
                    arguments: { [script, "picows", "\($0.scheme)://127.0.0.1:\($1)\($2)"] }, cpu: session.cpu))
        } else {
            missing.append("picows: build ../shared/peers with `make peers`")
        }
        for (name, file) in [("libwebsockets", "ws_lws"), ("Boost.Beast", "ws_beast")] {
            guard let program = session.peer(file) else {
                missing.append("\(name): build ../shared/peers with `make peers`")
                continue
            }
            found.append(
                Receiver(
                    name: name, program: program, arguments: { [$0.scheme, "\($1)", $2] }, cpu: session.cpu))
        }
        return (found, missing)
    }
}

/// Lets the programs of a network measurement, ours, the peers and the venue alike, go before whatever else the machine is doing,
/// where that is allowed. Children inherit it.
func withPriority<Result>(_ body: () throws -> Result) throws -> Result {
    let before = getpriority(priorityOfProcess, 0)
    setPriority(-20)
    defer { setPriority(before) }
    return try body()
}

// Of the process among those of its session, and of the session among all.
private func setPriority(_ nice: Int32) {
    _ = setpriority(priorityOfProcess, 0, nice)
    try? "\(nice)".write(toFile: "/proc/self/autogroup", atomically: false, encoding: .utf8)
}

private let priorityOfProcess = __priority_which_t(PRIO_PROCESS.rawValue)

/// Waits until `condition` holds. Throws when it does not within `seconds`.
func wait(seconds: Double, for what: String, until condition: () -> Bool) throws {
    let end = Date(timeIntervalSinceNow: seconds)
    while !condition() {
        if Date() > end { throw BenchmarkError("\(what): not within \(short(seconds)) s") }
        usleep(1000)
    }
}
