import CApusProtocol
import CApusWire
import Testing
import WirePeer

/// Ways in which a connection does not come about.
@Suite(.serialized) struct OpeningTests {
    @Test func refused() throws {
        let rig = try Rig()
        let port = peer_unused_port()
        let channel = try rig.openUntilEnd(port: port)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_CONNECT))
        #expect(channel.closed_error == ECONNREFUSED)
        #expect(rig.errorText() == "cannot connect to 127.0.0.1 port \(port): Connection refused")
    }

    @Test func connectTimesOut() throws {
        let peer = try Peer(PEER_FULL)
        let rig = try Rig { $0.connect_timeout_ns = 50_000_000 }
        let channel = try rig.openUntilEnd(port: peer.port)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_CONNECT))
        #expect(channel.closed_error == ETIMEDOUT)
        #expect(rig.errorText() == "cannot connect to 127.0.0.1 port \(peer.port): Connection timed out")
    }

    @Test func unknownName() throws {
        let rig = try Rig()
        let channel = try rig.openUntilEnd(host: "no-such-host.invalid", port: 443)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_RESOLVE))
        #expect(channel.closed_error < 0)
        #expect(rig.errorText().hasPrefix("cannot resolve no-such-host.invalid: "))
    }

    @Test(arguments: [("", UInt16(443)), ("127.0.0.1", 0)]) func nothingToConnectTo(host: String, port: UInt16) throws {
        let rig = try Rig()
        let channel = try rig.openUntilEnd(host: host, port: port)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_RESOLVE))
        #expect(rig.errorText() == "no host name or no port to connect to")
    }

    @Test func handshakeTimesOut() throws {
        let peer = try Peer(PEER_HOLD, certificate: "good")
        let rig = try Rig(authority: Certificates.shared.authority) { $0.handshake_timeout_ns = 50_000_000 }
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        #expect(channel.closed_error == Int32(APUS_TLS_TIMEOUT))
        #expect(rig.errorText() == "TLS handshake with 127.0.0.1 port \(peer.port): not finished within 50 ms")
    }

    @Test func peerClosesDuringTheHandshake() throws {
        let peer = try Peer(PEER_CLOSE, certificate: "good")
        let rig = try Rig(authority: Certificates.shared.authority)
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        // Whether the peer's end is an end or a reset depends on whether our greeting was there before it.
        let reset = Int32(APUS_TLS_SYSTEM) | ECONNRESET
        #expect([Int32(APUS_TLS_ENDED), reset, Int32(APUS_TLS_SYSTEM) | EPIPE].contains(channel.closed_error))
    }

    @Test func peerSpeaksNoTLS() throws {
        let peer = try Peer(PEER_SOURCE, limit: 1000)
        let rig = try Rig(authority: Certificates.shared.authority)
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        #expect(channel.closed_error & ~0xffff == Int32(APUS_TLS_PROTOCOL))
        #expect(rig.errorText().hasPrefix("TLS with 127.0.0.1 port \(peer.port): "))
    }

    @Test func peerClosesAPlainConnectionAtOnce() throws {
        let peer = try Peer(PEER_CLOSE)
        let rig = try Rig()
        let channel = try rig.openUntilEnd(port: peer.port)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_PEER))
    }

    /// In each phase the wish to close ends the attempt at once, whatever it is waiting for.
    @Test func closedWhileConnecting() throws {
        let peer = try Peer(PEER_FULL)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("is under way") { rig.isOpening() }
        probe_close(rig.probe, 0)
        apus_wire_turn(rig.wire)
        #expect(rig.hasEnded())
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_ASKED))
    }

    /// The resolver's answer may just have come before the wish; if it has not, it must not reach the next connection.
    @Test func closedWhileResolving() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        rig.open(host: "no-such-host.invalid", port: 443)
        apus_wire_turn(rig.wire)
        #expect(rig.isOpening())
        probe_close(rig.probe, 0)
        apus_wire_turn(rig.wire)
        #expect(rig.hasEnded())
        let reason = Int(rig.channel().closed_reason)
        #expect(reason == APUS_CLOSED_ASKED || reason == APUS_CLOSED_RESOLVE)
        rig.open(port: peer.port)
        try rig.exchange(count: 1_000_000)
        #expect(rig.isOpen())
    }

    @Test func closedWhileShakingHands() throws {
        let peer = try Peer(PEER_HOLD, certificate: "good")
        let rig = try Rig(authority: Certificates.shared.authority)
        rig.open(port: peer.port, tls: true)
        try rig.turn("is connected") { rig.isOpening() && peer_accepted(peer.server) == 1 }
        probe_close(rig.probe, 0)
        apus_wire_turn(rig.wire)
        #expect(rig.hasEnded())
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_ASKED))
    }

    /// The answer of an attempt that was given up must not reach the next one.
    @Test func aLateAnswerIsDropped() throws {
        let slow = try Peer(PEER_HOLD, certificate: "good")
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig(authority: Certificates.shared.authority)
        rig.open(port: slow.port, tls: true)
        try rig.turn("is connected") { peer_accepted(slow.server) == 1 }
        probe_close(rig.probe, 0)
        try rig.turn("is given up") { rig.hasEnded() }
        rig.open(port: peer.port)
        peer_release(slow.server)
        try rig.turn("opens") { rig.isOpen() }
        try rig.exchange(count: 10_000)
        #expect(!rig.info().tls)
    }

    /// A turn never waits: thousands go by while a connection is under way to somebody who does not answer.
    @Test func aTurnNeverBlocks() throws {
        let full = try Peer(PEER_FULL)
        let silent = try Peer(PEER_HOLD, certificate: "good")
        let rig = try Rig(channels: 2, authority: Certificates.shared.authority) {
            $0.connect_timeout_ns = 600_000_000_000
            $0.handshake_timeout_ns = 600_000_000_000
        }
        rig.open(0, port: full.port)
        rig.open(1, port: silent.port, tls: true)
        try rig.turn("both are under way") {
            rig.isOpening(0) && rig.isOpening(1) && peer_accepted(silent.server) == 1
        }
        let before = probe_turns(rig.probe)
        for _ in 0..<20_000 { apus_wire_turn(rig.wire) }
        #expect(probe_turns(rig.probe) == before + 20_000)
        #expect(rig.isOpening(0) && rig.isOpening(1))
    }

    @Test func wrongConfigurationsAreRefused() {
        var config = apus_wire_config()
        var made: OpaquePointer?
        func result(_ change: (inout apus_wire_config) -> Void) -> Int32 {
            apus_wire_config_default(&config)
            change(&config)
            return apus_wire_create(&made, &config, nil, nil)
        }
        #expect(result { $0.connect_timeout_ns = 0 } == -EINVAL)
        #expect(result { $0.handshake_timeout_ns = 0 } == -EINVAL)
        #expect(result { $0.max_reads = 0 } == -EINVAL)
        #expect(result { $0.idle = 3 } == -EINVAL)
        #expect(result { $0.cpu = -2 } == -EINVAL)
        "/no/such/file.pem".withCString { path in
            #expect(result { $0.ca_file = path } == -ENOENT)
        }
        #expect(made == nil)
    }
}
