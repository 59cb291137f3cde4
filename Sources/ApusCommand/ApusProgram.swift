import ArgumentParser
import Glibc

/// The whole command line `apus`, so that an executable with strategies of its own is one line.
public enum ApusProgram {
    /// Runs the command line of this process and ends it with the command's exit code.
    public static func main() -> Never {
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Parses and runs one command, and returns its exit code.
    package static func run(_ arguments: [String]) -> Int32 {
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
        case let error as ConfigurationError:
            Output.note("apus: \(error)")
            return ExitStatus.usage
        case let error as FileError:
            Output.note("apus: \(error)")
            return ExitStatus.unavailable
        case let error as CommandFailure:
            Output.note("apus: \(error)")
            return error.status
        default:
            let code = RootCommand.exitCode(for: error).rawValue
            let text = RootCommand.fullMessage(for: error)
            if code == ExitStatus.success { Output.line(text) } else { Output.note(text) }
            return code
        }
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
        subcommands: [ConfigCommand.self, DoctorCommand.self, TopCommand.self, NewCommand.self])
}

/// The version that `apus --version` prints.
package let apusVersion = "0.1.0"
