/// The pure core of a venue: bytes and time in, bytes out.
///
/// A core opens no socket and asks no clock. Whoever drives it (the NIO shell on real sockets, a simulation in one thread)
/// calls it from one thread, with times that never go back, and carries out `takeOutputs()` in order after every call.
/// The same configuration and the same calls give the same bytes.
package protocol VenueCore: AnyObject, SendableMetatype {
    /// A client has connected.
    func connect(now: VenueTime) -> ConnectionID
    /// A client has connected, over TLS or not; what most venues do not tell apart.
    func connect(now: VenueTime, isSecure: Bool) -> ConnectionID
    /// Bytes have come from a client.
    func receive(_ id: ConnectionID, _ bytes: [UInt8], now: VenueTime)
    /// A client is gone; nothing is sent to it any more.
    func disconnect(_ id: ConnectionID, now: VenueTime)
    /// Runs participants and timers up to that time, in the order of their times.
    func advance(to now: VenueTime)
    /// Gives up what participants would have done before that time, and lets them go on from there. A venue in real time on
    /// a machine that cannot keep up would otherwise fall ever further behind, and answer nobody in time.
    func dropMarket(before time: VenueTime)
    /// When `advance` has something to do next; nil when it is idle.
    var nextDeadline: VenueTime? { get }
    /// What is to be carried out, in order; the list is empty afterwards.
    func takeOutputs() -> [VenueOutput]

    // What a simulation asks besides; nothing here is reached by a client.

    /// Counters since the start.
    var statistics: VenueStatistics { get }
    /// Every fault that has happened, in order.
    var faultLog: [FaultRecord] { get }
    /// Ends random and scripted faults, and what they still do. The log of those that happened is returned.
    func stopFaults() -> [FaultRecord]
    /// Ends the participants' activity: only accounts change the books from now on.
    func quieten()
    /// Cuts every connection and accepts none for that long: new ones are cut at once, or, with a status, their requests
    /// are answered with it. Accounts, orders and positions are kept; subscriptions are not.
    func restart(outage: VenueTime, status: Int?)
    /// What one connection is used for; nil when it is closed.
    func role(of id: ConnectionID) -> ConnectionRole?
    /// Open connections, oldest first.
    var openConnections: [ConnectionID] { get }
}

extension VenueCore {
    package func connect(now: VenueTime, isSecure: Bool) -> ConnectionID { connect(now: now) }
    package func dropMarket(before time: VenueTime) {}
}

/// Counters since the start.
package struct VenueStatistics: Sendable, Equatable {
    package var participantActions = 0
    /// How often the participants' time was moved on, since the machine could not keep up.
    package var marketDrops = 0
    package var streamMessages = 0
    package var fills = 0
    package var requests = 0
}
