package import CApusRing

/// Whose error codes reports carry.
package enum VenueFamily: Sendable {
    case binance, polymarket, deriv, other

    package init(venue: String) {
        if venue.hasPrefix("binance") {
            self = .binance
        } else if venue.hasPrefix("polymarket") {
            self = .polymarket
        } else if venue.hasPrefix("deriv") {
            self = .deriv
        } else {
            self = .other
        }
    }

    /// What a refusal by the venue says about the venue: most of them only that it works.
    package func outcome(ofCode code: Int32) -> CallOutcome {
        // Venues that are spoken to over HTTP, and Binance's WebSocket API, whose answers have such a status too.
        switch code {
        case 408: return .timeOut
        case 418, 429: return .rateLimited
        case 425, 500...599: return .venueError
        default: break
        }
        return switch self {
        case .binance: Self.binanceOutcome(code)
        case .deriv: Self.derivOutcome(code)
        case .polymarket, .other: .ourFault
        }
    }

    /// Source: Binance, "Error codes" of the USDⓈ-M API: the -10xx group is about server and network.
    private static func binanceOutcome(_ code: Int32) -> CallOutcome {
        switch code {
        case -1007: .timeOut  // backend did not answer: the state of the request is unknown
        case -1003, -1015: .rateLimited  // too many requests, too many orders
        case -1000, -1001, -1006, -1008, -1016: .venueError  // unknown, disconnected, odd answer, overloaded, shut down
        default: .ourFault
        }
    }

    /// The session's numbers for Deriv's error codes (`apus_deriv_error`), which never change.
    private static func derivOutcome(_ code: Int32) -> CallOutcome {
        switch code {
        case 3: .rateLimited
        case 24: .venueError  // InternalServerError
        default: .ourFault
        }
    }
}

extension CallOutcome {
    /// What a report says about the venue; nil: nothing.
    package init?(_ report: UnsafePointer<apus_report>, _ family: VenueFamily) {
        switch UInt32(report.pointee.kind) {
        case APUS_REPORT_ACCEPTED.rawValue, APUS_REPORT_FILL.rawValue, APUS_REPORT_CANCELED.rawValue,
            APUS_REPORT_EXPIRED.rawValue, APUS_REPORT_MODIFIED.rawValue, APUS_REPORT_STATUS.rawValue,
            APUS_REPORT_NOT_FOUND.rawValue:
            self = .success
        case APUS_REPORT_REJECTED.rawValue, APUS_REPORT_CANCEL_REJECTED.rawValue,
            APUS_REPORT_MODIFY_REJECTED.rawValue:
            self = family.outcome(ofCode: report.pointee.code)
        case APUS_REPORT_UNKNOWN.rawValue: self = .timeOut
        case APUS_REPORT_REFUSED.rawValue:
            // The last guard let nothing out, also where the connection is down: the session opens it again by its own pauses, and
            // a breaker would go on refusing when it is long there.
            self = .notMade
        default: return nil
        }
    }
}
