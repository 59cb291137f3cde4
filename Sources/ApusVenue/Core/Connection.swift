/// Names a connection between the core and whoever moves its bytes.
package struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    package let value: Int
    package var description: String { "#\(value)" }
}

/// What the shell is to do with a connection.
package enum VenueAction: Sendable, Equatable {
    /// Send these bytes.
    case bytes([UInt8])
    /// Close when everything is sent.
    case close
    /// Cut the connection at once.
    case abort
    /// Stop reading from the socket, so that the client's writes back up.
    case pauseReading
    case resumeReading
}

/// One output, in the order in which they are to happen.
package struct VenueOutput: Sendable, Equatable {
    package var connection: ConnectionID
    package var action: VenueAction
}

/// What a connection is used for.
package enum ConnectionRole: String, Sendable {
    /// Not upgraded: REST requests.
    case rest
    /// Market streams.
    case market
    /// WebSocket API.
    case api
    /// Carries a user stream.
    case user
}

/// The core's side of one connection:
///
///     rest ── upgrade ──▶ market, api or user, as the venue's paths say
///     any ── close, abort, client gone ──▶ closed (forgotten)
class Connection {
    let id: ConnectionID
    let openedAt: VenueTime
    var role: ConnectionRole = .rest
    var http = HTTPCodec()
    var webSocket = WebSocketCodec()
    var isUpgraded = false
    /// Set once; after it nothing is read or sent.
    var isClosed = false
    var nextPing: VenueTime = .max
    var pongDeadline: VenueTime = .max
    var fault = ConnectionFault()

    required init(id: ConnectionID, now: VenueTime) {
        self.id = id
        openedAt = now
    }
}
