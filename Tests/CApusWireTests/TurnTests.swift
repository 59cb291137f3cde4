import CApusProtocol
import CApusWire
import Testing
import WirePeer

/// How turns and rounds go.
@Suite(.serialized) struct TurnTests {
    @Test func aTurnEndsWithTheFirstSessionThatHasWork() throws {
        let peer = try Peer(PEER_DEAF)
        let rig = try Rig()
        let other = try rig.addSession()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        try rig.turn("a round ends without work") { apus_wire_turn(rig.wire) == 0 }
        let first = probe_turns(rig.probe), second = probe_turns(other)
        #expect(probe_send(rig.probe, 0, 0, 100) == 100)
        #expect(apus_wire_turn(rig.wire) > 0)
        #expect(probe_turns(rig.probe) == first + 1)
        #expect(probe_turns(other) == second, "an order would wait behind sockets that are read in vain")
        _ = apus_wire_turn(rig.wire)
        #expect(probe_turns(rig.probe) == first + 1)
        #expect(probe_turns(other) == second + 1, "the round goes on behind the session that had work")
    }

    @Test func aSessionThatAlwaysHasWorkStarvesNoOther() throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig()
        let other = try rig.addSession()
        rig.open(port: peer.port)
        try rig.turn("opens") { rig.isOpen() }
        let before = probe_turns(other)
        try rig.exchange(count: 1 << 20)
        #expect(probe_turns(other) > before)
    }

    @Test(arguments: [1, 2, 3, 6] as [UInt32])
    func everyConnectionIsReadHoweverManyThereAre(_ channels: UInt32) throws {
        let peer = try Peer(PEER_ECHO)
        let rig = try Rig(channels: channels)
        for index in 0..<channels { rig.open(index, port: peer.port) }
        try rig.turn("all open") { (0..<channels).allSatisfy { rig.isOpen($0) } }
        for index in 0..<channels { try rig.exchange(index, count: 1000) }
    }
}
