import ApusVenue
import CApusProtocol

/// One connection between a channel of the engine and the venue, with the bytes on their way.
///
/// Bytes keep their order in each direction. Closing one end does not call back what is already on its way: an order can reach
/// the venue after the engine has given the connection up.
final class Pipe {
    let channel: Int
    let generation: UInt32
    let latency: UInt64
    /// The venue's name for it, from the moment it accepted.
    var venue: ConnectionID?
    /// The engine's end has been closed.
    var isLeft = false
    /// The venue's end has been closed.
    var isEnded = false
    /// Nothing passes any more, and nobody is told: a half-open connection.
    var isDead = false
    /// The venue does not read: what arrives waits.
    var isVenuePaused = false
    var waiting: [[UInt8]] = []
    /// Arrived at the engine's machine, not yet read.
    var inbox: [UInt8] = []
    var inboxRead = 0
    /// The end has arrived at the engine's machine, behind the inbox.
    var endSeen = false
    var endReason = UInt8(APUS_CLOSED_PEER)
    /// Arrival of the newest piece in each direction.
    var lastUp: UInt64 = 0
    var lastDown: UInt64 = 0
    /// Bytes towards the venue that have not arrived.
    var inFlight = 0

    init(channel: Int, generation: UInt32, latency: UInt64) {
        self.channel = channel
        self.generation = generation
        self.latency = latency
    }
}

/// What happens in the network.
enum NetworkEvent {
    case connected(Pipe, Int32)
    case toVenue(Pipe, [UInt8])
    case toEngine(Pipe, [UInt8])
    /// The engine's end is closed, seen by the venue.
    case leftSeen(Pipe)
    /// The venue's end is closed, seen by the engine.
    case endSeen(Pipe, UInt8)
    case fault
}
