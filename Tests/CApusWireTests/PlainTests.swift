import CApusProtocol
import CApusWire
import Testing
import WirePeer

/// Bytes over sockets without TLS.
@Suite(.serialized) struct PlainTests {
    @Test func bytesComeBack() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        try rig.exchange(count: 1000)
        let channel = rig.channel()
        #expect(channel.tx_total == 1000)
        #expect(channel.rx_total == 1000)
        #expect(channel.sent_ns >= channel.opened_ns)
        #expect(channel.receive_ns >= channel.sent_ns)
        let info = rig.info()
        #expect(info.open && !info.tls)
        #expect(
            withUnsafeBytes(of: info.address) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                == "127.0.0.1:\(peer.port)")
    }

    @Test func ipv6Works() throws {
        let peer = try Peer(PEER_ECHO, ipv6: true)
        let rig = try Rig()
        rig.open(host: "::1", port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        try rig.exchange(count: 1000)
    }

    /// The name has an address of each family on most machines; the server listens on one of them only.
    @Test func everyAddressOfANameIsTried() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        rig.open(host: "localhost", port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        #expect(rig.info().resolve_ns > 0)
        try rig.exchange(count: 1000)
    }

    @Test func manyMegabytesThroughSmallBuffers() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig(receiveBytes: 20_000, sendBytes: 5_000)
        rig.open(port: peer.port)
        try rig.exchange(count: 8 << 20)
    }

    /// The peer does not read, so the kernel takes a part and the rest stays in tx, in its order.
    @Test func whatTheKernelDoesNotTakeIsSentLater() throws {
        let peer = try Peer(PEER_HOLD, receiveBuffer: 4096)
        let size = 16 << 20
        let rig = try Rig(receiveBytes: 1 << 20, sendBytes: size + 64)
        rig.open(port: peer.port)
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
        #expect(rig.channel().tx_total == UInt64(size))
    }

    @Test func aPausedChannelIsNotRead() throws {
        let peer = try Peer(PEER_SOURCE, limit: 100_000)
        let rig = try Rig()
        rig.open(port: peer.port)
        probe_channel(rig.probe, 0).pointee.paused = true
        try rig.turn("opens") { rig.isOpen() }
        for _ in 0..<10_000 { apus_wire_turn(rig.wire) }
        #expect(rig.channel().rx_total == 0)
        probe_channel(rig.probe, 0).pointee.paused = false
        try rig.turn("is read") { probe_received(rig.probe, 0) == 100_000 }
        #expect(probe_wrong_bytes(rig.probe, 0) == 0)
    }

    /// A session that takes nothing stops the reading at the end of its buffer, and loses nothing.
    @Test(arguments: [APUS_IDLE_YIELD, APUS_IDLE_PARK]) func aFullBufferIsNotOverrun(idle: Int) throws {
        let peer = try Peer(PEER_SOURCE, limit: 300_000)
        let rig = try Rig(receiveBytes: 20_064) { $0.idle = UInt8(idle) }
        probe_stall(rig.probe, 0, true)
        rig.open(port: peer.port)
        try rig.turn("is full") { rig.channel().rx_total == 20_000 }
        for _ in 0..<10_000 { apus_wire_turn(rig.wire) }
        #expect(rig.channel().rx_total == 20_000)
        probe_stall(rig.probe, 0, false)
        try rig.turn("the rest comes") { probe_received(rig.probe, 0) == 300_000 }
        #expect(probe_wrong_bytes(rig.probe, 0) == 0)
    }

    @Test(arguments: [APUS_IDLE_YIELD, APUS_IDLE_PARK]) func stampsAreInOrder(idle: Int) throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig { $0.idle = UInt8(idle) }
        rig.open(port: peer.port)
        probe_ping(rig.probe, 0, 2000)
        try rig.turn("answers") { probe_pongs(rig.probe, 0) == 2000 }
        #expect(probe_time_faults(rig.probe) == 0)
        // The kernel begins to stamp a moment after it was asked, so the first ones may be without.
        #expect(probe_stamped(rig.probe, 0) > 1000)
    }

    @Test func withoutStampsThereAreNone() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig { $0.receive_stamps = false }
        rig.open(port: peer.port)
        probe_ping(rig.probe, 0, 100)
        try rig.turn("answers") { probe_pongs(rig.probe, 0) == 100 }
        #expect(probe_stamped(rig.probe, 0) == 0)
        #expect(probe_reads(rig.probe, 0) >= 100)
        #expect(probe_time_faults(rig.probe) == 0)
    }

    @Test func whatThePeerSaidBeforeItClosedIsDelivered() throws {
        let peer = try Peer(PEER_CLOSE_AFTER, limit: 5000)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 5000) == 5000)
        try rig.turn("ends") { rig.hasEnded() && probe_received(rig.probe, 0) == 5000 }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_PEER))
        #expect(rig.channel().closed_error == 0)
        #expect(rig.errorText() == "the peer closed the connection")
    }

    @Test func aResetIsAnError() throws {
        let peer = try Peer(PEER_RESET_AFTER, limit: 100)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 100) == 100)
        try rig.turn("ends") { rig.hasEnded() }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_IO))
        #expect(rig.channel().closed_error == ECONNRESET)
        #expect(rig.errorText() == "reading failed: Connection reset by peer")
    }

    @Test func closingSendsWhatIsLeftFirst() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        #expect(probe_send(rig.probe, 0, 0, 700) == 700)
        probe_close(rig.probe, 0)
        try rig.turn("ends") { rig.hasEnded() }
        #expect(rig.channel().closed_reason == UInt8(APUS_CLOSED_ASKED))
        #expect(rig.errorText() == "")
        try wait("the peer has it all") { peer_received(peer.server) == 700 }
    }

    @Test func aChannelOpensAgain() throws {
        let peer = try Peer(PEER_CLOSE_AFTER, limit: 10)
        let rig = try Rig()
        for generation in 1...20 {
            rig.open(port: peer.port)
            try rig.turn("opens") { rig.isOpen() }
            #expect(probe_send(rig.probe, 0, 0, 10) == 10)
            try rig.turn("ends") { rig.hasEnded() }
            #expect(rig.channel().generation == UInt32(generation))
        }
        #expect(peer_accepted(peer.server) == 20)
    }

    /// Many are watched by an epoll, few are read without asking: both, and the way from one to the other and back.
    @Test(arguments: [false, true]) func manyConnectionsAtOnce(tls: Bool) throws {
        let peer = try Peer(PEER_ECHO, certificate: tls ? "good" : nil)
        let count: UInt32 = 15
        let rig = try Rig(channels: count, authority: Certificates.shared.authority)
        for index in 0..<count {
            rig.open(index, port: peer.port, tls: tls)
            probe_ping(rig.probe, index, 200)
        }
        try rig.turn("all are answered") { (0..<count).allSatisfy { probe_pongs(rig.probe, $0) == 200 } }
        for index in 2..<count { probe_close(rig.probe, index) }
        try rig.turn("most are closed") { (2..<count).allSatisfy { rig.hasEnded($0) } }
        for index in 0..<UInt32(2) { probe_ping(rig.probe, index, 100) }
        try rig.turn("the others go on") { (0..<UInt32(2)).allSatisfy { probe_pongs(rig.probe, $0) >= 300 } }
        #expect(probe_time_faults(rig.probe) == 0)
        #expect((0..<count).allSatisfy { probe_wrong_bytes(rig.probe, $0) == 0 })
    }
}
