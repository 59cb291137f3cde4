import ApusLive
import ArgumentParser
import Foundation
import Glibc

/// The process that stands by a live engine. `apus run` starts it; a person has no use for it.
struct SuperviseCommand: ParsableCommand {
    static let name = "supervise"
    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Stand by an engine and cancel what it leaves open.", shouldDisplay: false)

    func run() throws {
        // The terminal's keys and its end are for the engine; this process ends after it.
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
        var lines = InputLines(STDIN_FILENO)
        guard case .line(let text) = lines.next(milliseconds: 10_000),
            let order = try? JSONDecoder().decode(SupervisorOrder.self, from: Data(text.utf8))
        else {
            throw CommandFailure(ExitStatus.usage, "apus supervise is started by apus run")
        }
        let supervisor = Supervisor(order)
        defer { supervisor.close() }
        while true {
            switch lines.next(milliseconds: 500) {
            case .line(SupervisorWord.stopped.rawValue): return supervisor.leave()
            case .line: break
            case .silence: supervisor.look()
            case .end:
                let isComplete = supervisor.rescue("the process has ended without a word: it has crashed or was killed")
                throw ExitCode(isComplete ? ExitStatus.success : ExitStatus.failure)
            }
        }
    }
}

/// Lines of a descriptor, with a time to wait for each.
struct InputLines {
    enum Item: Equatable {
        case line(String)
        case silence
        case end
    }

    private let descriptor: Int32
    private var kept: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    mutating func next(milliseconds: Int32) -> Item {
        while true {
            if let end = kept.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: kept[..<end], as: UTF8.self)
                kept.removeFirst(end + 1)
                return .line(line)
            }
            var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waited, 1, milliseconds)
            if ready == 0 { return .silence }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = ready < 0 ? -1 : read(descriptor, &chunk, chunk.count)
            if count > 0 { kept += chunk[..<count] } else if count == 0 || errno != EINTR { return .end }
        }
    }
}

/// Watches one engine: its heartbeat, and the venue's dead-man switch on its behalf.
final class Supervisor {
    private let order: SupervisorOrder
    private var client: (any AccountClient)?
    private var monitor: EngineMonitor?
    private var nextArming = ContinuousClock.now
    private var hasSwitch = true
    /// The engine stands still, and what could be done was done.
    private var isStallHandled = false

    init(_ order: SupervisorOrder) { self.order = order }

    /// Looks once.
    func look() {
        if monitor == nil { monitor = try? EngineMonitor(attachingTo: order.engine) }
        guard let sample = monitor?.sample(levels: 0) else { return }
        let isStuck =
            sample.life != .closed && sample.heartbeatAgeNanoseconds > UInt64(order.stallSeconds) * 1_000_000_000
        if isStuck {
            if !isStallHandled { handleStall(sample.heartbeatAgeNanoseconds) }
        } else {
            isStallHandled = false
            arm()
        }
    }

    /// The engine has stopped in order.
    func leave() {
        guard order.deadManSeconds > 0, hasSwitch, let client else { return }
        do { _ = try asked { try await client.armDeadManSwitch(seconds: 0) } } catch {
            Output.note("apus supervisor: the venue's dead-man switch could not be disarmed: \(error)")
        }
    }

    /// Ends the account's connections.
    func close() {
        guard let client else { return }
        try? blocking { await client.close() }
    }

    /// Cancels what the journal has open, at the venue. True when it is known that nothing is open any more.
    func rescue(_ reason: String) -> Bool {
        guard !order.isVenueInside else {
            Output.note(
                "apus supervisor: engine \(order.engine): \(reason); its venue was in the same process and is gone with it"
            )
            return true
        }
        var report: RescueReport
        do {
            report = Rescue(order: order, client: try account()).run(reason: reason)
        } catch {
            report = RescueReport(engine: order.engine, reason: reason, time: UInt64(time(nil)))
            report.problems = ["\(error)"]
        }
        tell(report)
        return report.isComplete
    }

    private func account() throws -> any AccountClient {
        if let client { return client }
        let made = try order.makeClient()
        client = made
        return made
    }

    private func tell(_ report: RescueReport) {
        let name = "\(order.journal)/supervisor-\(report.time)"
        var path = "\(name).json", number = 1
        // A second one of the same second does not take the first one's place.
        while FileManager.default.fileExists(atPath: path) {
            number += 1
            path = "\(name)-\(number).json"
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        var text = report.text
        do {
            try encoder.encode(report).write(to: URL(fileURLWithPath: path), options: .atomic)
            text += "\n  report: \(path)"
        } catch {
            text += "\n  the report could not be written to \(path): \(error)"
        }
        Output.note(text)
    }

    /// First the engine itself is asked: its control side may be alive. Then it is done in its place.
    private func handleStall(_ age: UInt64) {
        isStallHandled = true
        let reason = "no heartbeat for \(durationText(age))"
        Output.note("apus supervisor: engine \(order.engine): \(reason); halting it")
        var request = ControlRequest(.halt)
        request.reason = "the supervisor: \(reason)"
        let answer = try? ControlClient.ask(request, at: order.socket, patience: .seconds(10))
        if answer?.reply.ok != true { _ = rescue("\(reason), and it does not cancel what is open when it is asked to") }
    }

    // Renewed at a third of its time, so that two renewals may fail.
    private func arm() {
        guard order.deadManSeconds > 0, hasSwitch, !order.isVenueInside, ContinuousClock.now >= nextArming else {
            return
        }
        nextArming = .now + .seconds(max(Double(order.deadManSeconds) / 3, 1))
        do {
            let client = try account(), seconds = order.deadManSeconds
            hasSwitch = try asked { try await client.armDeadManSwitch(seconds: seconds) }
        } catch {
            Output.note("apus supervisor: the venue's dead-man switch could not be armed: \(error)")
        }
    }
}
