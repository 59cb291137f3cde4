import CApusProtocol
import CApusWire
import Testing
import WirePeer

/// What is trusted, and bytes over TLS.
@Suite(.serialized) struct TLSTests {
    let authority = Certificates.shared.authority

    @Test(arguments: [false, true]) func bytesComeBack(tls12: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: "good", tls12: tls12)
        let rig = try Rig(authority: authority)
        rig.open(port: peer.port, tls: true)
        try rig.exchange(count: 4 << 20)
        let info = rig.info()
        #expect(info.tls && info.handshake_ns > 0)
        let version = withUnsafeBytes(of: info.protocol) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        #expect(version == (tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(probe_time_faults(rig.probe) == 0)
    }

    /// By its name and by either address: SNI and host name, or an address in the certificate.
    @Test(arguments: [("localhost", false), ("127.0.0.1", false), ("::1", true)])
    func theCertificateNamesThePeer(host: String, ipv6: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: "good", ipv6: ipv6)
        let rig = try Rig(authority: authority)
        rig.open(host: host, port: peer.port, tls: true)
        try rig.exchange(count: 1000)
    }

    @Test(arguments: ["localhost", "127.0.0.1"]) func anotherNameIsRefused(host: String) throws {
        let peer = try Peer(PEER_ECHO, certificate: "other")
        let rig = try Rig(authority: authority)
        let channel = try rig.openUntilEnd(host: host, port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        let mismatch: Int32 = host == "localhost" ? 62 : 64  // X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH
        #expect(channel.closed_error == Int32(APUS_TLS_VERIFY) | mismatch)
        #expect(rig.errorText().contains("certificate verify failed: "))
        #expect(rig.errorText().contains("connect by a name that the certificate has"))
        #expect(peer_received(peer.server) == 0)
    }

    @Test func anUnknownAuthorityIsRefused() throws {
        let peer = try Peer(PEER_ECHO, certificate: "good")
        let rig = try Rig(authority: Certificates.shared.path("stranger.pem"))
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        #expect(channel.closed_error & ~0xffff == Int32(APUS_TLS_VERIFY))
        #expect(rig.errorText().contains("name the file of its authority as tls.ca_file"))
    }

    @Test func theSystemsAuthoritiesDoNotKnowOurs() throws {
        let peer = try Peer(PEER_ECHO, certificate: "good")
        let rig = try Rig()
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_error & ~0xffff == Int32(APUS_TLS_VERIFY))
    }

    @Test func anExpiredCertificateIsRefused() throws {
        let peer = try Peer(PEER_ECHO, certificate: "expired")
        let rig = try Rig(authority: authority)
        let channel = try rig.openUntilEnd(port: peer.port, tls: true)
        #expect(channel.closed_reason == UInt8(APUS_CLOSED_TLS))
        #expect(channel.closed_error == Int32(APUS_TLS_VERIFY) | 10)  // X509_V_ERR_CERT_HAS_EXPIRED
        #expect(rig.errorText().contains("certificate has expired; check this machine's date"))
    }

    @Test(arguments: [false, true]) func sessionsAreResumed(tls12: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: "good", tls12: tls12)
        let rig = try Rig(authority: authority)
        for round in 0..<4 {
            rig.open(port: peer.port, tls: true)
            try rig.exchange(count: 1000)
            #expect(rig.info().resumed == (round > 0))
            probe_close(rig.probe, 0)
            try rig.turn("ends") { rig.hasEnded() }
        }
        #expect(peer_handshakes(peer.server) == 4)
        #expect(peer_resumed(peer.server) == 3)
    }

    @Test func resumptionCanBeTurnedOff() throws {
        let peer = try Peer(PEER_ECHO, certificate: "good")
        let rig = try Rig(authority: authority) { $0.resume_sessions = false }
        for _ in 0..<3 {
            rig.open(port: peer.port, tls: true)
            try rig.exchange(count: 1000)
            probe_close(rig.probe, 0)
            try rig.turn("ends") { rig.hasEnded() }
        }
        #expect(peer_handshakes(peer.server) == 3)
        #expect(peer_resumed(peer.server) == 0)
    }

    @Test func aTicketBelongsToItsEndpoint() throws {
        let first = try Peer(PEER_ECHO, certificate: "good")
        let second = try Peer(PEER_ECHO, certificate: "good")
        let rig = try Rig(authority: authority)
        for peer in [first, second] {
            rig.open(port: peer.port, tls: true)
            try rig.exchange(count: 1000)
            #expect(!rig.info().resumed)
            probe_close(rig.probe, 0)
            try rig.turn("ends") { rig.hasEnded() }
        }
    }

    @Test func whatThePeerSaidBeforeItClosedIsDelivered() throws {
        let peer = try Peer(PEER_CLOSE_AFTER, limit: 100_000, certificate: "good")
        let rig = try Rig(authority: authority)
        rig.open(port: peer.port, tls: true)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 100_000) == 100_000)
        try rig.turn("ends") { rig.hasEnded() && probe_received(rig.probe, 0) == 100_000 }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_PEER))
        #expect(rig.channel().closed_error == 0)
        #expect(probe_wrong_bytes(rig.probe, 0) == 0)
    }

    /// Without TLS's goodbye nobody can know whether more was to come.
    @Test func aMissingGoodbyeIsToldApart() throws {
        let peer = try Peer(PEER_TRUNCATE_AFTER, limit: 1000, certificate: "good")
        let rig = try Rig(authority: authority)
        rig.open(port: peer.port, tls: true)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 1000) == 1000)
        try rig.turn("ends") { rig.hasEnded() }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_PEER))
        #expect(rig.channel().closed_error == Int32(APUS_TLS_TRUNCATED))
        #expect(probe_received(rig.probe, 0) == 1000)
    }

    @Test func aResetIsAnError() throws {
        let peer = try Peer(PEER_RESET_AFTER, limit: 100, certificate: "good")
        let rig = try Rig(authority: authority)
        rig.open(port: peer.port, tls: true)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 100) == 100)
        try rig.turn("ends") { rig.hasEnded() }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_IO))
        #expect(rig.channel().closed_error == ECONNRESET)
    }

    /// Records that wait in the shell's own buffer are not forgotten when the session takes bytes again.
    @Test(arguments: [APUS_IDLE_YIELD, APUS_IDLE_PARK]) func aFullBufferIsNotOverrun(idle: Int) throws {
        let peer = try Peer(PEER_SOURCE, limit: 300_000, certificate: "good")
        let rig = try Rig(receiveBytes: 20_064, authority: authority) { $0.idle = UInt8(idle) }
        probe_stall(rig.probe, 0, true)
        rig.open(port: peer.port, tls: true)
        try rig.turn("is full") { rig.channel().rx_total == 20_000 }
        for _ in 0..<10_000 { apus_wire_turn(rig.wire) }
        #expect(rig.channel().rx_total == 20_000)
        probe_stall(rig.probe, 0, false)
        try rig.turn("the rest comes") { probe_received(rig.probe, 0) == 300_000 }
        #expect(probe_wrong_bytes(rig.probe, 0) == 0)
    }

    @Test func whatTheKernelDoesNotTakeIsSentLater() throws {
        let peer = try Peer(PEER_DEAF, certificate: "good", receiveBuffer: 4096)
        let size = 16 << 20
        let rig = try Rig(receiveBytes: 1 << 20, sendBytes: size + 64, authority: authority)
        rig.open(port: peer.port, tls: true)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, size) == size)
        try rig.turn("no more is taken") {
            let before = rig.channel().tx_total
            for _ in 0..<1000 { apus_wire_turn(rig.wire) }
            return before > 0 && rig.channel().tx_total == before
        }
        #expect(rig.channel().tx_total < UInt64(size))
        peer_release(peer.server)
        try rig.turn("all comes back") { probe_received(rig.probe, 0) == UInt64(size) }
        #expect(probe_wrong_bytes(rig.probe, 0) == 0)
    }

    /// While one connection waits for its peer's part of the handshake, another exchanges thousands of messages.
    @Test func aSlowHandshakeDelaysNobody() throws {
        let slow = try Peer(PEER_HOLD, certificate: "good")
        let peer = try Peer(PEER_ECHO, certificate: "good")
        let rig = try Rig(channels: 8, authority: authority) { $0.handshake_timeout_ns = 600_000_000_000 }
        // More of them than the thread pool has threads.
        for index in 1..<UInt32(8) { rig.open(index, port: slow.port, tls: true) }
        try rig.turn("the slow ones are connected") { peer_accepted(slow.server) == 7 }
        rig.open(0, port: peer.port, tls: true)
        probe_ping(rig.probe, 0, 3000)
        try rig.turn("the other is answered") { probe_pongs(rig.probe, 0) == 3000 }
        #expect((1..<UInt32(8)).allSatisfy { rig.isOpening($0) })
        peer_release(slow.server)
        try rig.turn("the slow ones open") { (1..<UInt32(8)).allSatisfy { rig.isOpen($0) } }
    }
}
