import CApusProtocol
import Testing

@Suite struct LinkLifeTests {
    @Test func aWholeLife() {
        let stage = LinkStage(path: "/stream?streams=a", headers: "X-Key: k\r\n")
        #expect(stage.initialized == 0)
        #expect(apus_link_deadline(stage.link) == .max)
        stage.start()
        let request = stage.reachUpgrading()
        #expect(request.hasPrefix("GET /stream?streams=a HTTP/1.1\r\nHost: venue.example\r\nUpgrade: websocket\r\n"))
        #expect(request.contains("\r\nSec-WebSocket-Version: 13\r\nX-Key: k\r\n\r\n"))
        // Frames in the same read as the answer are the link's first messages.
        stage.receive(stage.upgradeAnswer.utf8 + serverFrame(1, "one".utf8) + serverFrame(1, "two".utf8).prefix(3))
        #expect(stage.messages == ["one"])
        stage.receive(serverFrame(1, "two".utf8).dropFirst(3))
        #expect(stage.messages == ["one", "two"])
        stage.stop()
        #expect(stage.sentFrames()?.map(\.payload) == [[0x03, 0xe8]])
        // The peer ends the connection; what it still says is dropped.
        stage.receive(serverFrame(1, "late".utf8) + serverFrame(8, [0x03, 0xe8]))
        stage.closed()
        #expect(stage.messages == ["one", "two"])
        #expect(
            stage.changes == [
                .connecting(APUS_REASON_STARTED), .upgrading, .open, .closing(APUS_REASON_STOPPED),
                .idle(APUS_REASON_STOPPED),
            ])
        #expect(apus_link_deadline(stage.link) == .max)
    }

    @Test func theAnswerMayComeByteByByte() {
        let stage = LinkStage()
        stage.start()
        stage.reachUpgrading()
        for byte in Array(stage.upgradeAnswer.utf8) + serverFrame(1, "hello".utf8) { stage.receive([byte]) }
        #expect(stage.messages == ["hello"])
    }

    @Test func everyConnectionHasAKeyOfItsOwnAndTheSameSeedTheSameLife() {
        func requests(seed: UInt64) -> [String] {
            let stage = LinkStage(seed: seed)
            stage.start()
            return (0..<3).map { _ in
                let request = stage.reachOpen()
                stage.closed()
                stage.waitForDeadline()
                return request
            }
        }
        #expect(Set(requests(seed: 1)).count == 3)
        #expect(requests(seed: 1) == requests(seed: 1))
        #expect(requests(seed: 1) != requests(seed: 2))
    }

    @Test func pingsAreAnsweredAmongMessages() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        stage.receive(
            serverFrame(1, "a".utf8, final: false) + serverFrame(9, "1".utf8) + serverFrame(0, "b".utf8)
                + serverFrame(9, []) + serverFrame(10, "unasked".utf8))
        #expect(stage.messages == ["ab"])
        let frames = stage.sentFrames() ?? []
        #expect(frames.map(\.opcode) == [10, 10])
        #expect(frames.map(\.payload) == [Array("1".utf8), []])
    }

    @Test(arguments: [(1000, 1000), (1001, 1001), (4000, 4000), (nil, 1005)] as [(UInt16?, Int)])
    func theCloseHandshakeOfThePeer(code: UInt16?, seen: Int) {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        let payload = code.map { [UInt8($0 >> 8), UInt8($0 & 255)] } ?? []
        stage.receive(serverFrame(8, payload))
        #expect(stage.sentFrames()?.map(\.payload) == [code == nil ? [0x03, 0xe8] : payload])
        #expect(stage.changes.last == .closing(APUS_REASON_PEER_CLOSED, seen))
        stage.closed()
        #expect(stage.changes.last == .waiting(APUS_REASON_PEER_CLOSED, seen))
    }

    @Test func aPeerThatDoesNotEndTheConnectionIsLeft() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        stage.receive(serverFrame(8, [0x03, 0xe8]))
        stage.advance(0.9)
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_NOTHING))
        stage.advance(0.1)
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
        #expect(apus_link_deadline(stage.link) == .max)
        stage.perform()
        #expect(stage.state == APUS_LINK_WAITING)
    }

    @Test func messagesBeforeTheEndAreGivenOutBeforeTheEnd() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        let bytes = serverFrame(1, "last words".utf8) + [0x81, 5, 0x61]
        var place: UnsafeMutablePointer<UInt8>?
        #expect(apus_channel_space(stage.channel, &place) >= bytes.count)
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(stage.channel, bytes.count, stage.now, 0)
        apus_channel_closed(stage.channel, UInt8(APUS_CLOSED_IO), 104)
        // A tick that comes before the messages were taken does not throw them away.
        apus_link_tick(stage.link, stage.now)
        stage.turn()
        #expect(stage.messages == ["last words"])
        #expect(stage.changes.last == .waiting(APUS_REASON_CONNECTION_LOST, APUS_CLOSED_IO))
        #expect(stage.newest.detail == 104)
    }

    @Test func stopFromEveryStateEndsIdle() {
        for state in [APUS_LINK_CONNECTING, APUS_LINK_UPGRADING, APUS_LINK_OPEN, APUS_LINK_CLOSING, APUS_LINK_WAITING] {
            let stage = LinkStage()
            stage.start()
            switch state {
            case APUS_LINK_CONNECTING: break
            case APUS_LINK_UPGRADING: stage.reachUpgrading()
            case APUS_LINK_OPEN: stage.reachOpen()
            case APUS_LINK_CLOSING:
                stage.reachOpen()
                stage.receive(serverFrame(8, []))
            default:
                stage.perform()
                stage.closed(APUS_CLOSED_CONNECT)
            }
            #expect(stage.state == state)
            stage.stop()
            while stage.state == APUS_LINK_CLOSING {
                if stage.channel.pointee.want == UInt8(APUS_WANT_NOTHING) { stage.waitForDeadline() }
                stage.perform()
            }
            #expect(stage.changes.last == .idle(APUS_REASON_STOPPED), "from \(state)")
            // A stopped link starts anew.
            stage.start()
            #expect(stage.changes.last == .connecting(APUS_REASON_STARTED))
            stage.reachOpen()
            #expect(stage.changes.last == .open)
        }
    }

    @Test func aStartTakesBackAStopUnderWay() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        stage.stop()
        stage.start()
        stage.closed()
        #expect(stage.changes.last == .waiting(APUS_REASON_STOPPED))
        stage.waitForDeadline()
        #expect(stage.state == APUS_LINK_CONNECTING)
    }

    @Test func theSessionsReconnectUsesTheNewPath() {
        let stage = LinkStage(path: "/ws/old-key")
        stage.start()
        #expect(stage.reachOpen().contains("/ws/old-key "))
        #expect(apus_link_set_path(stage.link, "/ws/new-key") == 0)
        for _ in 0..<2 {
            stage.advance(40)
            stage.receive(serverFrame(10, []))
        }
        apus_link_reconnect(stage.link, UInt8(APUS_REASON_SESSION) + 3, stage.now)
        stage.turn()
        #expect(stage.changes.last == .closing(APUS_REASON_SESSION + 3))
        stage.closed()
        // The connection was stable, so the new one does not wait.
        #expect(stage.waits == [0])
        #expect(stage.changes.last == .connecting())
        #expect(stage.reachOpen().contains("/ws/new-key "))
    }

    @Test func aLinkWithOneTimePathsWaitsForEach() {
        let stage = LinkStage(path: "/ws?otp=1") { $0.fresh_path = true }
        stage.start()
        stage.reachOpen()
        stage.closed()
        #expect(stage.state == APUS_LINK_WAITING)
        #expect(apus_link_deadline(stage.link) == .max)
        stage.advance(3600)
        #expect(stage.state == APUS_LINK_WAITING)
        #expect(apus_link_set_path(stage.link, "/ws?otp=2") == 0)
        #expect(apus_link_deadline(stage.link) <= stage.now)
        stage.turn()
        #expect(stage.reachOpen().contains("otp=2 "))
    }

    @Test func unsuitableConfigurationsAreRefused() {
        #expect(LinkStage { $0.max_message_bytes = 0 }.initialized == -EINVAL)
        #expect(LinkStage { $0.max_message_bytes = 4097 }.initialized == -ENOBUFS)
        #expect(LinkStage { $0.backoff_min_ns = $0.backoff_max_ns + 1 }.initialized == -EINVAL)
        #expect(LinkStage { $0.lifetime_jitter_ns = $0.max_lifetime_ns }.initialized == -EINVAL)
        #expect(LinkStage { $0.ping_kind = UInt8(APUS_PING_TEXT) }.initialized == -EINVAL)
        #expect(LinkStage(txBytes: 4000).initialized == -ENOBUFS)
        #expect(LinkStage(path: "relative").initialized == -EINVAL)
        #expect(LinkStage(path: "/with blank").initialized == -EINVAL)
        #expect(LinkStage(path: "/" + String(repeating: "x", count: 1024)).initialized == -ENAMETOOLONG)
    }

    @Test func unreadChangesAreCounted() {
        let stage = LinkStage()
        apus_link_start(stage.link, stage.now)
        for _ in 0..<20 {
            apus_channel_opening(stage.channel)
            apus_channel_closed(stage.channel, UInt8(APUS_CLOSED_CONNECT), 111)
            apus_link_tick(stage.link, stage.now)
            stage.now = apus_link_deadline(stage.link)
            apus_link_tick(stage.link, stage.now)
        }
        var change = apus_link_change()
        #expect(apus_link_poll_change(stage.link, &change))
        #expect(change.lost == 41 - UInt32(APUS_LINK_CHANGES))
        var count = 1
        while apus_link_poll_change(stage.link, &change) {
            #expect(change.lost == 0)
            count += 1
        }
        #expect(count == Int(APUS_LINK_CHANGES))
    }
}

@Suite struct LinkSendingTests {
    @Test func onlyAnOpenLinkSends() {
        let stage = LinkStage()
        var payload: UnsafeMutablePointer<UInt8>?
        func refused() -> Bool {
            apus_link_send_text(stage.link, "x", 1) == -ENOTCONN
                && apus_link_send_binary(stage.link, "x", 1) == -ENOTCONN
                && apus_link_send_ping(stage.link, "x", 1) == -ENOTCONN
                && apus_link_reserve(stage.link, 10, &payload) == -ENOTCONN
        }
        #expect(refused())
        stage.start()
        #expect(refused())
        stage.reachUpgrading()
        #expect(refused())
        stage.receive(stage.upgradeAnswer.utf8)
        #expect(apus_link_send_text(stage.link, "x", 1) == 0)
        // The socket is gone, although the link has not had its turn yet.
        apus_channel_closed(stage.channel, UInt8(APUS_CLOSED_PEER), 0)
        #expect(refused())
    }

    @Test func messagesAreSentInOrder() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        #expect(apus_link_send_text(stage.link, "text", 4) == 0)
        #expect(apus_link_send_binary(stage.link, "bytes", 5) == 0)
        var payload: UnsafeMutablePointer<UInt8>?
        #expect(apus_link_reserve(stage.link, 400, &payload) == 0)
        for (index, byte) in "an order".utf8.enumerated() { payload?[index] = byte }
        apus_link_commit(stage.link, payload, 400, 8)
        #expect(apus_link_send_ping(stage.link, "p", 1) == 0)
        let frames = stage.sentFrames() ?? []
        #expect(frames.map(\.opcode) == [1, 2, 1, 9])
        #expect(frames.map { String(decoding: $0.payload, as: UTF8.self) } == ["text", "bytes", "an order", "p"])
    }

    @Test func aFullBufferRefusesDataButStillAnswersPings() {
        let stage = LinkStage(txBytes: 4096 + Int(APUS_PADDING))
        stage.start()
        stage.reachOpen()
        let block = [UInt8](repeating: 0x61, count: 300)
        var sends = 0
        while apus_link_send_text(stage.link, block, block.count) == 0 { sends += 1 }
        #expect(sends == (4096 - Int(APUS_LINK_TX_CONTROL) - 14) / 308)
        #expect(apus_link_send_text(stage.link, block, block.count) == -ENOBUFS)
        var payload: UnsafeMutablePointer<UInt8>?
        #expect(apus_link_reserve(stage.link, 300, &payload) == -ENOBUFS)
        stage.receive(serverFrame(9, "alive?".utf8))
        #expect(stage.link.pointee.pongs_dropped == 0)
        let frames = stage.sentFrames() ?? []
        #expect(frames.count == sends + 1)
        #expect(frames.last?.opcode == 10)
        #expect(apus_link_send_text(stage.link, block, block.count) == 0)
    }

    @Test func pongsWithoutRoomAreCounted() {
        let stage = LinkStage(txBytes: 4096 + Int(APUS_PADDING))
        stage.start()
        stage.reachOpen()
        for _ in 0..<40 { stage.receive(serverFrame(9, [UInt8](repeating: 1, count: 125))) }
        #expect(stage.link.pointee.pongs_dropped == 40 - 4096 / 131)
        #expect(stage.sentFrames()?.count == 4096 / 131)
        #expect(stage.state == APUS_LINK_OPEN)
    }
}
