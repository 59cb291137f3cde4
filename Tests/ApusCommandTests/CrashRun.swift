import ApusEngine
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusLive
@testable import ApusVenue

/// A run of the program of `Tests/Crash` in a process of its own, against a venue of this one.
final class CrashRun {
    let venue: RigVenue
    private let place = Folder()
    let name: String
    private var started: [Process] = []

    init(_ name: String, faults: FaultPlan = FaultPlan()) throws {
        venue = try RigVenue(faults: faults)
        self.name = "apus-test-\(name)-\(getpid())"
    }

    /// A test that has failed leaves no engine behind.
    deinit {
        for process in started where process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    var folder: String { place.path }
    var journal: String { "\(folder)/journal" }

    private var settings: [String] {
        let address = "http://127.0.0.1:\(venue.port)"
        return [
            "mode=live", "venue.kind=binance-usdm", "venue.rest=\(address)", "venue.stream=\(address)",
            "venue.user=\(address)", "venue.orders=\(address)", "engine.name=\(name)", "engine.socket=\(folder)/c.sock",
            "journal.path=\(journal)", "journal.segment_mb=1", "supervisor.stall_seconds=1",
            "risk.price_band_ppm=100000",
        ]
    }

    /// Starts it.
    func start(_ arguments: [String]) throws -> Process { try start(["run", "--plain"], arguments, output: nil) }

    /// What a command prints, and its exit code.
    func output(_ command: [String], _ arguments: [String] = []) throws -> (text: String, status: Int32) {
        let pipe = Pipe()
        let process = try start(command, arguments, output: pipe)
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (text, process.terminationStatus)
    }

    func start(_ command: [String], _ arguments: [String], output: Pipe?) throws -> Process {
        let process = try crashProgram(
            command + settings.flatMap { ["--set", $0] } + arguments,
            keys: ["APUS_BINANCE_API_KEY": venue.key, "APUS_BINANCE_API_SECRET": venue.secret], output: output)
        started.append(process)
        return process
    }

    func waitForOpenOrders(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(120)
        while try venue.orders().open != count {
            try #require(ContinuousClock.now < end, "there are never \(count) orders open")
            usleep(10_000)
        }
    }

    /// When the venue would cancel by itself; nil: never.
    func deadline() throws -> VenueTime? {
        let key = venue.key, server = venue.server
        return try blocking { try await server.withVenue { $0.account(forKey: key)?.countdowns[0] } }
    }

    /// The same, once it is later than `time`.
    func deadline(after time: VenueTime) throws -> VenueTime {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            if let deadline = try deadline(), deadline > time { return deadline }
            try #require(ContinuousClock.now < end, "the venue's dead-man switch is not armed any more")
            usleep(10_000)
        }
    }

    /// What the engine says of itself, once that is as it should be.
    func status(_ isAsExpected: (ControlReply) -> Bool) throws -> ControlReply {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            // Nobody answers before the engine runs.
            let status = try? ControlClient.ask(
                ControlRequest(.status), at: "\(folder)/c.sock", patience: .seconds(30)
            ).reply
            if let status, isAsExpected(status) { return status }
            try #require(ContinuousClock.now < end, "the engine's last word: \(String(describing: status))")
            usleep(10_000)
        }
    }

    /// The reports that the supervisor leaves; waits for as many.
    func reports(_ count: Int = 1) throws -> [RescueReport] {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let files = Files.names(in: journal).filter { $0.hasPrefix("supervisor-") }
            if files.count >= count {
                return try files.map {
                    try JSONDecoder().decode(
                        RescueReport.self, from: Data(contentsOf: URL(fileURLWithPath: "\(journal)/\($0)")))
                }
            }
            try #require(ContinuousClock.now < end, "the supervisor has left \(files.count) reports, not \(count)")
            usleep(20_000)
        }
    }
}

extension RigVenue {
    /// Somebody else with the account's keys places an order.
    func placeByHand(_ query: String) throws {
        try byHand(query) { _ = try $0.placeOrder($1, $2) }
    }

    /// Somebody else with the account's keys cancels the oldest open order.
    func cancelByHand() throws {
        let key = key, server = server
        let oldest = try blocking { try await server.withVenue { $0.account(forKey: key)?.open.first?.id } }
        try byHand("symbol=BTCUSDT&orderId=\(try #require(oldest))") { _ = try $0.cancelOrder($1, $2) }
    }

    private func byHand(
        _ query: String, _ work: @escaping @Sendable (BinanceVenue, Account, ApusVenue.Parameters) throws -> Void
    ) throws {
        let key = key, server = server
        try blocking {
            try await server.withVenue { venue in
                var parameters = ApusVenue.Parameters()
                try parameters.append(query: query)
                try work(venue, try #require(venue.account(forKey: key)), parameters)
            }
        }
    }
}

/// Starts the program of `Tests/Crash`; its environment holds the account's keys.
func crashProgram(_ arguments: [String], keys: [String: String], output: Pipe? = nil) throws -> Process {
    let process = Process()
    let here = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    process.executableURL = here.appendingPathComponent("ApusCrash")
    process.arguments = arguments
    var environment = ProcessInfo.processInfo.environment.merging(keys) { $1 }
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    if let output { process.standardOutput = output }
    try process.run()
    return process
}

/// The processes that a process has started.
func children(of parent: pid_t) throws -> [pid_t] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(pid_t.init).filter { pid in
        // One may end meanwhile.
        guard let line = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = line.lastIndex(of: ")")
        else { return false }
        return line[end...].split(separator: " ").dropFirst(2).first == "\(parent)"
    }
}
