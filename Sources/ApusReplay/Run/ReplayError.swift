/// Why a replay cannot run. It says what to do next.
package enum ReplayError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No memory for this; an errno.
    case memory(String, Int32)
    /// The recording has more instruments than there is room for.
    case instruments(limit: Int)
    /// No message says what venue it is from.
    case unknownVenue(path: String)
    /// There are messages, and none of them is one of this venue's.
    case foreign(path: String, ReplayVenue)
    /// An option has a value that makes no sense.
    case option(String, String)

    package var description: String {
        switch self {
        case .memory(let what, let code): "\(what): \(systemText(code))"
        case .instruments(let limit): "the recording has more than \(limit) instruments"
        case .unknownVenue(let path):
            "\(path): no message tells the venue; name it with --venue "
                + ReplayVenue.allCases.map(\.rawValue).joined(separator: "|")
        case .foreign(let path, let venue):
            "\(path): no message is one of \(venue.rawValue)'s; without --venue the messages tell whose they are"
        case .option(let name, let reason): "--\(name): \(reason)"
        }
    }
}
