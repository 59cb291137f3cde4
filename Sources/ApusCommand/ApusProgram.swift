public import Apus
import ApusLive
import ArgumentParser
import Glibc
import Synchronization

/// The whole command line `apus`, so that an executable with strategies of its own is one line.
///
/// ```swift
/// import ApusCommand
///
/// ApusProgram.main(strategies: [MeanReversion.description])
/// ```
public enum ApusProgram {
    private static let offered = Mutex<[StrategyDescription]>([])

    /// The strategies that this program offers, the default one first.
    static var strategies: [StrategyDescription] { offered.withLock { $0 } }

    /// Whether the process is this program from its first line on, so that it can be started once more with another command.
    static var canStartItself: Bool { isWholeProcess.load(ordering: .relaxed) }
    private static let isWholeProcess = Atomic<Bool>(false)

    /// Runs the command line of this process with these strategies (the first is the default) and ends the process with the
    /// command's exit code.
    public static func main(strategies: [StrategyDescription]) -> Never {
        isWholeProcess.store(true, ordering: .relaxed)
        exit(run(Array(CommandLine.arguments.dropFirst()), strategies: strategies))
    }

    /// Parses and runs one command, and returns its exit code: for tests of programs.
    public static func run(_ arguments: [String], strategies: [StrategyDescription]) -> Int32 {
        offered.withLock { $0 = strategies }
        do {
            var command = try RootCommand.parseAsRoot(arguments)
            try command.run()
            return ExitStatus.success
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let code as ExitCode: return code.rawValue
        case is ConfigurationError, is ParameterError: return say(error, ExitStatus.usage)
        case is FileError: return say(error, ExitStatus.unavailable)
        case let error as CommandFailure: return say(error, error.status)
        case is LiveError: return say(error, ExitStatus.unavailable)
        default:
            let code = RootCommand.exitCode(for: error).rawValue
            let text = RootCommand.fullMessage(for: error)
            if code == ExitStatus.success { Output.line(text) } else { Output.note(text) }
            return code
        }
    }

    private static func say(_ error: any Error, _ status: Int32) -> Int32 {
        Output.note("apus: \(error)")
        return status
    }
}

/// A command that could not do its job, in words for the user and with an exit code for scripts.
package struct CommandFailure: Error, CustomStringConvertible {
    package let status: Int32
    package let description: String

    package init(_ status: Int32, _ description: String) {
        self.status = status
        self.description = description
    }
}

struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "A low-latency trading engine.",
        discussion: """
            Exit codes: 0 done; 1 failed while running; 64 wrong command line or configuration; 69 something needed is
            not there (a file, an engine, a venue).
            """,
        version: apusVersion,
        subcommands: [
            RunCommand.self, SuperviseCommand.self, HaltCommand.self, ReduceCommand.self, ResumeCommand.self,
            RiskCommand.self, BreakersCommand.self,
            ReconcileCommand.self, ReplayCommand.self, RecordCommand.self, VenueCommand.self, TopCommand.self,
            JournalCommand.self, HistoryCommand.self, DoctorCommand.self,
            ConfigCommand.self, NewCommand.self,
            SignCommand.self, StrategiesCommand.self,
        ])
}

/// The version that `apus --version` prints.
package let apusVersion = "0.1.0"
