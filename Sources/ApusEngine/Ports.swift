package import CApusRing

/// Work of one thread that is never waited for: a turn does what is there and returns how much it did.
///
/// An agent is used by one thread at a time: that which calls `turn`.
package protocol Agent: AnyObject {
    /// Does what is there, at most a bounded batch. `now` is in nanoseconds, monotonic or simulated. Never blocks.
    func turn(_ now: UInt64) -> Int
    /// When the agent has something to do even if nothing arrives; nil when it has not. Simulated time jumps there.
    var nextDue: UInt64? { get }
}

/// Where market data comes from: live sockets, or a recording.
package protocol FeedSource: AnyObject {
    /// The public mapping that the events are published to. It stays mapped as long as the source lives.
    var view: UnsafeMutablePointer<apus_public> { get }
    /// Placement `shared`: one turn of the source, returning how much it did. Placement `dedicated`: 0, the source
    /// has its own thread.
    func turn(_ now: UInt64) -> Int
}

/// Where orders go: live sockets, or the paper venue.
package protocol OrderSink: AnyObject {
    /// The private mapping: orders out, reports in, the trading state. It stays mapped as long as the sink lives.
    var queues: UnsafeMutablePointer<apus_private> { get }
}
