import CApusProtocol
import CApusRing
import CApusWire
import Foundation
import Testing
import WirePeer

/// Threads, commands, sleeping, the end.
@Suite(.serialized) struct LifeTests {
    @Test(arguments: [APUS_IDLE_SPIN, APUS_IDLE_YIELD, APUS_IDLE_PARK], [false, true])
    func aThreadOfItsOwn(idle: Int, tls: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: tls ? "good" : nil)
        let rig = try Rig(authority: Certificates.shared.authority) { $0.idle = UInt8(idle) }
        probe_endpoint(rig.probe, 0, "127.0.0.1", peer.port, tls)
        probe_open_at_start(rig.probe)
        probe_ping(rig.probe, 0, 500)
        #expect(apus_wire_start(rig.wire) == 0)
        #expect(apus_wire_start(rig.wire) == -EBUSY)
        #expect(apus_wire_add(rig.wire, probe_session(rig.probe)) == -EBUSY)
        try wait("the messages are answered") { probe_pongs(rig.probe, 0) == 500 }
        #expect(!apus_wire_stopped(rig.wire))
        #expect(rig.stop() == 0)
        #expect(apus_wire_stopped(rig.wire))
        #expect(rig.stop() == 0)
        #expect(probe_starts(rig.probe) == 1)
        #expect(probe_stops(rig.probe) == 1)
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_ASKED))
        #expect(probe_time_faults(rig.probe) == 0)
    }

    @Test func aProcessorThatIsNotThereIsRefused() throws {
        let rig = try Rig { $0.cpu = 1000 }
        #expect(apus_wire_start(rig.wire) == -EINVAL)
        #expect(!apus_wire_stopped(rig.wire))
    }

    /// Or an order that was taken for lost would arrive after all, when its connection is closed and its process dead.
    @Test func whatIsNotAcknowledgedIsNotSentAgainForLong() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        probe_endpoint(rig.probe, 0, "127.0.0.1", peer.port, false)
        probe_open_at_start(rig.probe)
        probe_ping(rig.probe, 0, 1)
        #expect(apus_wire_start(rig.wire) == 0)
        try wait("it is connected") { probe_pongs(rig.probe, 0) == 1 }
        let limits = (0..<Int32(1024)).filter { Self.port(behind: $0) == UInt16(peer.port) }.map { socket in
            var milliseconds: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            #expect(getsockopt(socket, Int32(IPPROTO_TCP), 18, &milliseconds, &size) == 0)  // TCP_USER_TIMEOUT
            return UInt64(milliseconds)
        }
        #expect(limits == [UInt64(APUS_SENT_AGAIN_MS)])
        #expect(rig.stop() == 0)
    }

    /// The port of the other end; nil: no connection of IPv4.
    private static func port(behind socket: Int32) -> UInt16? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &size) }
        }
        return result == 0 && address.sin_family == UInt16(AF_INET) ? UInt16(bigEndian: address.sin_port) : nil
    }

    @Test func stopWhileConnecting() throws {
        let full = try Peer(PEER_FULL)
        let silent = try Peer(PEER_HOLD, certificate: "good")
        let rig = try Rig(channels: 3, authority: Certificates.shared.authority)
        probe_endpoint(rig.probe, 0, "127.0.0.1", full.port, false)
        probe_endpoint(rig.probe, 1, "127.0.0.1", silent.port, true)
        probe_endpoint(rig.probe, 2, "no-such-host.invalid", 443, true)
        probe_open_at_start(rig.probe)
        #expect(apus_wire_start(rig.wire) == 0)
        try wait("one is connected") { peer_accepted(silent.server) == 1 }
        #expect(rig.stop() == 0)
        #expect((0..<UInt32(3)).allSatisfy { rig.hasEnded($0) })
    }

    @Test func aSessionThatDoesNotStopIsClosed() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        probe_refuse_stop(rig.probe)
        probe_endpoint(rig.probe, 0, "127.0.0.1", peer.port, false)
        probe_open_at_start(rig.probe)
        probe_ping(rig.probe, 0, 1)
        #expect(apus_wire_start(rig.wire) == 0)
        try wait("it is connected") { probe_pongs(rig.probe, 0) == 1 }
        #expect(rig.stop(within: 20_000_000) == -ETIMEDOUT)
        #expect(rig.stop() == -ETIMEDOUT)
        #expect(rig.hasEnded())
    }

    @Test func sharedPlacementStopsInTheCallersThread() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        #expect(rig.stop() == 0)
        #expect(rig.hasEnded())
        #expect(apus_wire_turn(rig.wire) == 0)
    }

    @Test func destroyingWithoutStoppingFreesEverything() throws {
        let peer = try Peer(PEER_ECHO, certificate: "good")
        let silent = try Peer(PEER_HOLD, certificate: "good")
        let rig = try Rig(channels: 2, authority: Certificates.shared.authority)
        rig.open(0, port: peer.port, tls: true)
        rig.open(1, port: silent.port, tls: true)
        try rig.turn("one is open") { rig.isOpen(0) && peer_accepted(silent.server) == 1 }
        // The rig's end destroys the shell; AddressSanitizer and LeakSanitizer judge.
    }

    // MARK: the shared words

    @Test func commandsReachTheSessionTheyName() throws {
        let shared = try Shared()
        let rig = try Rig(view: shared.view, rings: shared.rings)
        shared.command(APUS_COMMAND_RECONNECT, session: 0, argument: 77)
        shared.command(APUS_COMMAND_RECONNECT, session: 5, argument: 88)
        try rig.turn("the command is there") { probe_commands(rig.probe) == 1 }
        for _ in 0..<100 { apus_wire_turn(rig.wire) }
        #expect(probe_commands(rig.probe) == 1)
        #expect(probe_newest_argument(rig.probe) == 77)
        shared.command(APUS_COMMAND_STOP, session: 9, argument: 0)
        try rig.turn("has stopped") { apus_wire_stopped(rig.wire) }
        #expect(probe_stops(rig.probe) == 1)
        #expect(probe_commands(rig.probe) == 1)
    }

    @Test func theStopFlagStops() throws {
        let shared = try Shared()
        let rig = try Rig(view: shared.view, rings: shared.rings)
        #expect(apus_wire_start(rig.wire) == 0)
        try wait("turns are taken") { probe_turns(rig.probe) > 0 }
        apus_flag_set(shared.rings.pointee.stop, 1)
        try wait("has stopped") { apus_wire_stopped(rig.wire) }
        #expect(probe_stops(rig.probe) == 1)
    }

    @Test(arguments: [APUS_IDLE_YIELD, APUS_IDLE_PARK]) func theHeartBeats(idle: Int) throws {
        let shared = try Shared()
        let rig = try Rig(view: shared.view, rings: shared.rings) { $0.idle = UInt8(idle) }
        #expect(apus_wire_start(rig.wire) == 0)
        var beats = Set<UInt64>()
        try wait("the heart beats") {
            beats.insert(shared.heartbeat)
            return beats.count > 4
        }
        #expect(shared.turns > 4)
        #expect(rig.stop() == 0)
    }

    @Test func bytesAreCounted() throws {
        let shared = try Shared()
        let peer = try Peer(PEER_SOURCE, limit: 123_456)
        let rig = try Rig(view: shared.view, rings: shared.rings)
        rig.open(port: peer.port)
        try rig.turn("all is read") { probe_received(rig.probe, 0) == 123_456 }
        #expect(shared.counter(APUS_COUNT_BYTES) == 123_456)
        #expect(shared.turns == probe_turns(rig.probe))
    }

    @Test func thePublisherGetsTheWallClock() throws {
        let shared = try Shared()
        let rig = try Rig(view: shared.view, rings: shared.rings)
        var publisher = apus_publisher_make(shared.view, apus_wire_clock(rig.wire))
        publisher.realtime_offset = 0
        try withUnsafeMutablePointer(to: &publisher) { publisher in
            apus_wire_set_publisher(rig.wire, publisher)
            try rig.turn("the offset is there") { publisher.pointee.realtime_offset != 0 }
            let wall = Int64(apus_clock_realtime()) - Int64(apus_clock_monotonic())
            #expect(abs(wall - publisher.pointee.realtime_offset) < 1_000_000_000)
            #expect(rig.stop() == 0)
        }
    }

    // MARK: sleeping

    /// Each command is pushed while the shell sleeps. Were it not woken, it would take the command when its heart next
    /// beats, so each round would see another heartbeat.
    @Test func aParkedShellWakesForACommand() throws {
        let shared = try Shared()
        let rig = try Rig(view: shared.view, rings: shared.rings) { $0.idle = UInt8(APUS_IDLE_PARK) }
        #expect(apus_wire_start(rig.wire) == 0)
        try wait("turns are taken") { probe_turns(rig.probe) > 0 }
        var withoutHeartbeat = 0
        for round in 1...100 {
            shared.waitUntilQuiet(rig)
            let before = shared.heartbeat
            shared.command(APUS_COMMAND_RECONNECT, session: 0, argument: UInt64(round))
            apus_wire_wake(rig.wire)
            try wait("the command is taken") { probe_commands(rig.probe) == UInt64(round) }
            if shared.heartbeat == before { withoutHeartbeat += 1 }
        }
        #expect(withoutHeartbeat > 50)
        #expect(rig.stop() == 0)
    }

    @Test func aParkedShellWakesForItsSessionsDeadline() throws {
        let rig = try Rig { $0.idle = UInt8(APUS_IDLE_PARK) }
        apus_wire_turn(rig.wire)
        let due = apus_clock_monotonic() + 5_000_000
        probe_deadline(rig.probe, due)
        while probe_session(rig.probe).pointee.ops.pointee.deadline(probe_session(rig.probe)) != UInt64.max {
            apus_wire_park(rig.wire, UInt64.max)
            apus_wire_turn(rig.wire)
        }
        #expect(apus_clock_monotonic() >= due)
    }

    @Test func onlyAParkingShellParks() throws {
        let rig = try Rig { $0.idle = UInt8(APUS_IDLE_SPIN) }
        // Would sleep for ever.
        apus_wire_park(rig.wire, UInt64.max)
        #expect(probe_turns(rig.probe) == 0)
    }

    /// Warming in every idle turn neither reaches the peer nor disturbs the channel.
    @Test(arguments: [false, true]) func theWayOutIsKeptWarm(tls: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: tls ? "good" : nil)
        let rig = try Rig(authority: Certificates.shared.authority) { $0.warm_interval_ns = 1 }
        #expect(apus_wire_warms(rig.wire))
        rig.open(port: peer.port, tls: tls)
        try rig.turn("opens") { rig.isOpen() }
        for _ in 0..<5000 { apus_wire_turn(rig.wire) }
        #expect(rig.channel().tx_total == 0)
        try rig.exchange(count: 1_000_000)
        #expect(peer_received(peer.server) == 1_000_000)
        #expect(peer_accepted(peer.server) == 1)
    }

    @Test func warmingIsAWish() throws {
        let off = try Rig { $0.warm_interval_ns = 0 }
        #expect(!apus_wire_warms(off.wire))
        let parked = try Rig { $0.idle = UInt8(APUS_IDLE_PARK) }
        #expect(!apus_wire_warms(parked.wire))
    }

    /// Without that, each TLS record would take memory from the heap.
    @Test func openSSLKeepsItsSmallBlocks() {
        #expect(!apus_wire_tls_allocates())
    }

    @Test func aStrangersChannelIsUnknown() throws {
        let rig = try Rig()
        var channel = apus_channel()
        var text = [CChar](repeating: 0, count: 8)
        var info = apus_wire_connection_info()
        #expect(apus_wire_channel_error(rig.wire, &channel, &text, text.count) == -ENOENT)
        #expect(apus_wire_channel_info(rig.wire, &channel, &info) == -ENOENT)
    }
}

/// The two mappings.
final class Shared {
    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let rings = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)

    init() throws {
        view.initialize(to: apus_public())
        rings.initialize(to: apus_private())
        var config = apus_public_config(name: nil, feed_slots: 64, instruments: 4, board_depth: 5)
        try #require(apus_public_create(view, &config) == 0)
        try #require(apus_private_create(rings) == 0)
    }

    deinit {
        apus_private_close(rings)
        apus_public_close(view)
        rings.deallocate()
        view.deallocate()
    }

    var heartbeat: UInt64 { apus_counter(&view.pointee.header.pointee.heartbeat_ns) }

    var turns: UInt64 { counter(APUS_COUNT_TURNS) }

    func counter(_ which: apus_hot_counter) -> UInt64 {
        withUnsafeMutablePointer(to: &view.pointee.counters.pointee.hot) {
            $0.withMemoryRebound(to: UInt64.self, capacity: Int(APUS_HOT_COUNTERS.rawValue)) {
                apus_counter($0 + Int(which.rawValue))
            }
        }
    }

    func command(_ kind: apus_command_kind, session: UInt8, argument: UInt64) {
        var command = apus_command()
        command.kind = UInt8(kind.rawValue)
        command.session = session
        command.argument = argument
        #expect(apus_command_push(rings.pointee.commands, &command) == 0)
    }

    /// Returns when the shell's thread has taken no turn during many looks: it sleeps.
    func waitUntilQuiet(_ rig: Rig) {
        var seen = turns
        var looks = 0
        while looks < 2000 {
            sched_yield()
            if turns == seen {
                looks += 1
            } else {
                seen = turns
                looks = 0
            }
        }
    }
}
