/// Where a configured value was written, for messages that lead the user to it.
package enum ConfigurationOrigin: Equatable, Sendable, CustomStringConvertible {
    /// Nobody set it.
    case builtIn
    /// A line of the configuration file; counted from 1.
    case file(path: String, line: Int)
    /// An environment variable.
    case environment(variable: String)
    /// `--set` or another flag of the command line.
    case commandLine(flag: String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let variable): "environment \(variable)"
        case .commandLine(let flag): "command line \(flag)"
        }
    }
}

/// A configuration that cannot be used. Its text names file and line (or variable, or flag), the key, and what to do.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package let origin: ConfigurationOrigin
    /// Dotted, for example `engine.idle`; empty when the file as a whole is meant.
    package let key: String
    package let problem: String

    package init(_ origin: ConfigurationOrigin, key: String, _ problem: String) {
        self.origin = origin
        self.key = key
        self.problem = problem
    }

    package var description: String {
        key.isEmpty ? "\(origin): \(problem)" : "\(origin): \(key): \(problem)"
    }
}
