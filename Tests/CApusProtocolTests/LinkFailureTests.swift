import CApusProtocol
import Testing

@Suite struct LinkFailureTests {
    @Test func aFailedConnectionIsTriedAgain() {
        let stage = LinkStage()
        stage.start()
        stage.perform()
        stage.closed(APUS_CLOSED_CONNECT, error: 111)
        #expect(stage.changes.last == .waiting(APUS_REASON_CONNECT_FAILED, APUS_CLOSED_CONNECT))
        #expect(stage.newest.detail == 111)
        stage.waitForDeadline()
        #expect(stage.changes.last == .connecting())
    }

    @Test func connectingTakesOnlySoLong() {
        let stage = LinkStage { $0.connect_timeout_ns = 2 * LinkStage.second }
        stage.start()
        stage.perform()
        stage.advance(1.999)
        #expect(stage.state == APUS_LINK_CONNECTING)
        stage.advance(0.001)
        #expect(stage.changes.last == .closing(APUS_REASON_CONNECT_TIMEOUT))
        stage.perform()
        #expect(stage.changes.last == .waiting(APUS_REASON_CONNECT_TIMEOUT))
    }

    @Test func aShellThatNeverBeginsDoesNotHoldTheLink() {
        let stage = LinkStage()
        stage.start()
        stage.advance(5)
        #expect(stage.changes.last == .waiting(APUS_REASON_CONNECT_TIMEOUT))
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_NOTHING))
    }

    @Test func theUpgradeTakesOnlySoLong() {
        let stage = LinkStage()
        stage.start()
        stage.reachUpgrading()
        stage.receive("HTTP/1.1 101 Switching".utf8)
        stage.advance(5)
        #expect(stage.changes.last == .closing(APUS_REASON_UPGRADE_TIMEOUT))
    }

    @Test(arguments: [429, 418, 503, 502]) func aRefusalsRetryAfterIsWaitedOut(status: Int) {
        let stage = LinkStage()
        stage.start()
        stage.reachUpgrading()
        // The body is not waited for.
        stage.receive("HTTP/1.1 \(status) No\r\nRetry-After: 120\r\nContent-Length: 5000\r\n\r\nslow".utf8)
        #expect(stage.changes.last == .closing(APUS_REASON_UPGRADE_REFUSED, status))
        #expect(stage.newest.detail == 120)
        stage.perform()
        #expect(stage.newest.wait_ns >= 120 * LinkStage.second)
        #expect(stage.newest.wait_ns <= 121 * LinkStage.second)
        stage.advance(119.9)
        #expect(stage.state == APUS_LINK_WAITING)
        stage.waitForDeadline()
        #expect(stage.state == APUS_LINK_CONNECTING)
    }

    @Test func aRefusalWithoutRetryAfterBacksOff() {
        let stage = LinkStage()
        stage.start()
        stage.reachUpgrading()
        stage.receive("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".utf8)
        stage.perform()
        #expect(stage.changes.last == .waiting(APUS_REASON_UPGRADE_REFUSED, 401))
        #expect(stage.newest.wait_ns <= LinkStage.second / 4)
    }

    @Test func anAnswerThatIsNoUpgradeSaysWhy() {
        for (answer, complaint) in [
            ("SSH-2.0-OpenSSH\r\n\r\n", "status line"),
            (
                "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
                "our key"
            ),
        ] {
            let stage = LinkStage()
            stage.start()
            stage.reachUpgrading()
            stage.receive(answer.utf8)
            #expect(stage.changes.last == .closing(APUS_REASON_UPGRADE_INVALID))
            #expect(String(cString: stage.newest.what).contains(complaint))
        }
    }

    @Test func aConnectionLostInTheUpgrade() {
        let stage = LinkStage()
        stage.start()
        stage.reachUpgrading()
        stage.receive("HTTP/1.1 101".utf8)
        stage.closed()
        #expect(stage.changes.last == .waiting(APUS_REASON_CONNECTION_LOST, APUS_CLOSED_PEER))
    }

    @Test(
        arguments: [
            ([0xf1, 0], 1002, 0), ([0x81, 2, 0xc3, 0x28], 1007, 3), ([0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0], 1009, 1),
        ] as [([UInt8], Int, UInt64)])
    func aProtocolErrorClosesWithItsCode(bytes: [UInt8], code: Int, offset: UInt64) {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        let good = serverFrame(1, "good".utf8)
        stage.receive(good)
        var item = apus_ws_item()
        var place: UnsafeMutablePointer<UInt8>?
        #expect(apus_channel_space(stage.channel, &place) > bytes.count)
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(stage.channel, bytes.count, stage.now, 0)
        #expect(apus_link_next(stage.link, stage.now, &item) == -EPROTO)
        stage.turn()
        #expect(stage.changes.last == .closing(APUS_REASON_PROTOCOL_ERROR, code))
        #expect(stage.newest.detail == UInt64(good.count) + offset)
        #expect(stage.newest.what != nil)
        let frames = stage.sentFrames() ?? []
        #expect(frames.map(\.opcode) == [8])
        #expect(frames.first?.payload == [UInt8(code >> 8), UInt8(code & 255)])
    }

    @Test func backoffGrowsSpreadsAndStaysBelowItsLimit() {
        var waits: [[UInt64]] = []
        for seed in UInt64(1)...200 {
            let stage = LinkStage(seed: seed) {
                $0.backoff_min_ns = LinkStage.second
                $0.backoff_max_ns = 10 * LinkStage.second
            }
            stage.start()
            waits.append(
                (0..<6).map { _ in
                    stage.perform()
                    stage.closed(APUS_CLOSED_CONNECT)
                    let wait = stage.newest.wait_ns
                    stage.waitForDeadline()
                    return wait
                })
        }
        for (attempt, limit) in [1, 2, 4, 8, 10, 10].enumerated() {
            let column = waits.map { $0[attempt] }
            let most = UInt64(limit) * LinkStage.second
            #expect(column.allSatisfy { $0 <= most })
            // Full jitter: the whole range is used.
            #expect(column.contains { $0 < most / 4 })
            #expect(column.contains { $0 > most / 4 * 3 })
        }
    }

    @Test func aStableConnectionStartsTheBackoffOver() {
        let stage = LinkStage {
            $0.backoff_min_ns = LinkStage.second
            $0.backoff_max_ns = 1000 * LinkStage.second
            $0.ping_interval_ns = 0
        }
        stage.start()
        for _ in 0..<12 {
            stage.reachOpen()
            stage.closed()
            stage.waitForDeadline()
        }
        #expect(stage.link.pointee.attempt == 12)
        stage.reachOpen()
        for _ in 0..<3 {
            stage.advance(20)
            stage.receive(serverFrame(10, []))
        }
        stage.closed()
        #expect(stage.link.pointee.attempt == 1)
        #expect(stage.newest.wait_ns <= LinkStage.second)
    }

    /// One that is cut every half minute is soon back; one that is closed at once is not.
    @Test func whatAConnectionHeldIsWaitedAlready() {
        func longest(heldFor seconds: Double) -> UInt64 {
            let stage = LinkStage { $0.backoff_min_ns = LinkStage.second / 4 }
            stage.start()
            return (0..<40).map { _ in
                stage.reachOpen()
                stage.advance(seconds)
                stage.closed()
                let wait = stage.newest.wait_ns
                stage.waitForDeadline()
                return wait
            }.max() ?? 0
        }
        #expect(longest(heldFor: 0.1) > 20 * LinkStage.second)
        let rest = longest(heldFor: 25)
        // A first wait is always there, so that many do not come back at once.
        #expect(rest <= 5 * LinkStage.second && rest > LinkStage.second / 10)
    }

    @Test func aReconnectAskedForTooOftenWaits() {
        let stage = LinkStage { $0.backoff_min_ns = LinkStage.second }
        stage.start()
        var waited = false
        for _ in 0..<5 {
            stage.reachOpen()
            apus_link_reconnect(stage.link, UInt8(APUS_REASON_SESSION), stage.now)
            stage.turn()
            stage.closed()
            waited = waited || stage.newest.wait_ns > LinkStage.second
            stage.waitForDeadline()
        }
        #expect(waited)
        #expect(stage.link.pointee.attempt == 5)
    }
}

@Suite struct LinkTimerTests {
    @Test func aConnectionWithoutBytesIsDead() {
        let stage = LinkStage()
        stage.start()
        stage.reachOpen()
        stage.advance(44)
        stage.receive([0x81])
        stage.advance(44.999)
        #expect(stage.state == APUS_LINK_OPEN)
        stage.advance(0.001)
        #expect(stage.changes.last == .closing(APUS_REASON_NO_BYTES))
        // The peer is not waited for, but told.
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
        #expect(stage.sentFrames()?.last?.payload == [0x03, 0xe9])
    }

    @Test func pongsAreNoData() {
        let stage = LinkStage { $0.data_timeout_ns = 30 * LinkStage.second }
        stage.start()
        stage.reachOpen()
        for _ in 0..<10 {
            stage.advance(5)
            stage.receive(serverFrame(10, []) + serverFrame(1, "PONG".utf8))
            apus_link_proof(stage.link, stage.now)
        }
        #expect(stage.state == APUS_LINK_OPEN)
        for _ in 0..<5 {
            stage.advance(5)
            stage.receive(serverFrame(10, []) + serverFrame(1, "PONG".utf8))
        }
        #expect(stage.state == APUS_LINK_OPEN)
        #expect(apus_link_deadline(stage.link) <= stage.now + 5 * LinkStage.second)
        stage.advance(5)
        #expect(stage.changes.last == .closing(APUS_REASON_FROZEN))
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
    }

    @Test func aSessionThatHoldsReadingBackIsExcused() {
        let stage = LinkStage { $0.data_timeout_ns = 30 * LinkStage.second }
        stage.start()
        stage.reachOpen()
        stage.channel.pointee.paused = true
        for _ in 0..<20 { stage.advance(10) }
        stage.channel.pointee.paused = false
        stage.advance(29)
        #expect(stage.state == APUS_LINK_OPEN)
        stage.advance(1)
        #expect(stage.changes.last == .closing(APUS_REASON_FROZEN))
    }

    @Test func theFastestWayToADeadlineIsNeverALoop() {
        let stage = LinkStage { $0.data_timeout_ns = 100 * LinkStage.second }
        stage.start()
        stage.reachOpen()
        var turns = 0
        while stage.state == APUS_LINK_OPEN && turns < 100 {
            #expect(apus_link_deadline(stage.link) > stage.now)
            stage.waitForDeadline()
            turns += 1
        }
        // Pings at 15 and 30 s, death at 45 s.
        #expect(turns == 3)
    }

    @Test func pingsAsConfigured() {
        for (kind, opcode, payload) in [(APUS_PING_FRAME, 9, ""), (APUS_PING_TEXT, 1, "PING"), (APUS_PING_NONE, 0, "")]
        {
            let stage = LinkStage {
                $0.ping_kind = UInt8(kind)
                $0.ping_interval_ns = 10 * LinkStage.second
                withUnsafeMutableBytes(of: &$0.ping_text) { $0.copyBytes(from: "PING".utf8) }
            }
            stage.start()
            stage.reachOpen()
            for _ in 0..<4 {
                stage.advance(10)
                stage.receive(serverFrame(10, []))
            }
            let frames = stage.sentFrames() ?? []
            #expect(frames.count == (kind == APUS_PING_NONE ? 0 : 4))
            for frame in frames {
                #expect(frame.opcode == opcode && frame.payload == Array(payload.utf8))
            }
        }
    }

    @Test func aPlannedReconnectComesBeforeTheLimitAndDoesNotWait() {
        var ages: [UInt64] = []
        for seed in UInt64(1)...40 {
            let stage = LinkStage(seed: seed) {
                $0.max_lifetime_ns = 1000 * LinkStage.second
                $0.lifetime_jitter_ns = 100 * LinkStage.second
                $0.liveness_timeout_ns = 0
                $0.ping_interval_ns = 0
            }
            stage.start()
            stage.reachOpen()
            let opened = stage.now
            stage.waitForDeadline()
            ages.append((stage.now - opened) / LinkStage.second)
            #expect(stage.changes.last == .closing(APUS_REASON_LIFETIME))
            #expect(stage.sentFrames()?.map(\.payload) == [[0x03, 0xe8]])
            stage.closed()
            #expect(stage.changes.suffix(2) == [.waiting(APUS_REASON_LIFETIME), .connecting()])
            #expect(stage.waits == [0])
        }
        #expect(ages.allSatisfy { (900...1000).contains($0) })
        #expect(Set(ages).count > 10)
    }
}
