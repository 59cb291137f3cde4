import ApusEngine
import CApusRing
import CCounts
import Glibc

/// A live stream, its venue's end and its decision side.
private final class Connection {
    let peer: OpaquePointer
    let wire: OpaquePointer
    let decider: Decider
    let isPark: Bool

    init(isTLS: Bool, isPark: Bool, folder: String) throws {
        self.isPark = isPark
        let certificate = folder + "/certificate.pem"
        guard let peer = isTLS ? counts_peer_make(certificate, folder + "/key.pem") : counts_peer_make(nil, nil) else {
            fail("cannot make the venue's end")
        }
        self.peer = peer
        var what: UnsafePointer<CChar>?
        let made = certificate.withCString { ca in
            var config = counts_wire_config(ca_file: ca, port: counts_peer_port(peer), tls: isTLS, park: isPark)
            return counts_wire_make(&config, &what)
        }
        guard let made else { fail(what.map { String(cString: $0) } ?? "no connection") }
        wire = made
        decider = try Decider(counts_wire_view(wire))
        try open()
    }

    // Subscription, first message, snapshot, and then so many messages that everything has been done once.
    private func open() throws {
        turn("subscription") { counts_peer_subscribed(peer) }
        let first = counts_peer_send(peer, 1, 0)
        turn("snapshot") { counts_wire_update(wire) >= first }
        for _ in 0..<100 { take(1) }
    }

    func turn() {
        _ = counts_wire_turn(wire)
        while decider.agent.turn(counts_wire_now(wire)) > 0 {}
    }

    private func turn(_ what: String, until done: () -> Bool) {
        let patience = apus_clock_monotonic() + 10_000_000_000
        while !done() {
            turn()
            if apus_clock_monotonic() > patience { fail("no \(what) within 10 s") }
        }
    }

    /// Spinning, the messages lie in the socket before the first turn. In park they come two milliseconds later, to one that sleeps.
    func take(_ messages: UInt64) {
        let last = counts_peer_send(peer, UInt32(messages), isPark ? 2_000_000 : 0)
        if !isPark, !counts_peer_await(peer, last) { fail("the venue's end sends no more") }
        while counts_wire_update(wire) < last { turn() }
    }
}

/// Takes a live stream, a burst of messages each time, between two marks in the trace of this thread: what a message costs in system
/// calls does not depend on how fast this machine is.
func countSystemCalls(_ arguments: [String]) throws {
    let (carrier, idle, isDearer) = (arguments[0], arguments[1], arguments.last == "dearer")
    guard ["plain", "tls"].contains(carrier), ["spin", "park"].contains(idle) else {
        fail("plain or tls, and spin or park are needed", 64)
    }
    let messages = number(arguments[3]), burst = number(arguments[4])
    let connection = try Connection(isTLS: carrier == "tls", isPark: idle == "park", folder: arguments[2])
    let first = counts_wire_update(connection.wire), decided = connection.decider.memory.pointee.books
    counts_mark("counts: begin")
    for _ in 0..<messages / burst {
        connection.take(burst)
        if isDearer { for _ in 0..<3 * burst { counts_mark("counts: one more") } }
    }
    counts_mark("counts: end")
    let taken = counts_wire_update(connection.wire) - first
    if taken != messages / burst * burst { fail("\(taken) messages were taken") }
    if counts_wire_gaps(connection.wire) > 0 { fail("the book had gaps") }
    if connection.decider.memory.pointee.books - decided != taken { fail("not every message was decided on") }
    print("messages \(taken)")
    counts_wire_stop(connection.wire)
    counts_peer_stop(connection.peer)
}
