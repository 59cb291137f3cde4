import CApusProtocol
import CApusRing
import Testing

/// The market session on its connections: subscriptions, snapshots, probes.
@Suite struct BinanceMarketSessionTests {
    private func subscribed() -> BinanceStage {
        let session = BinanceStage {
            $0.probe_interval_ns = 10 * BinanceStage.second
            $0.probe_grace_ns = 2 * BinanceStage.second
        }
        _ = apus_binance_session_subscribe(session.markets, 0)
        session.startMarkets()
        session.open(session.stream, &session.markets.pointee.link)
        return session
    }

    /// LIVE at id 100, by the first message and a snapshot.
    private func live() -> BinanceStage {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.tell(session.stream, "{\"result\":null,\"id\":1}")
        session.tell(session.stream, MarketStage.depthText(91, 95, previous: 90))
        session.advance(0.06)
        _ = session.takeREST()
        session.answerREST(200, MarketStage.snapshotText(95))
        session.tell(session.stream, MarketStage.depthText(96, 100, previous: 95))
        return session
    }

    @Test func subscribesAndAsksForTheSnapshotAtTheFirstMessage() {
        let session = subscribed()
        #expect(
            session.texts(session.stream) == [
                "{\"method\":\"SUBSCRIBE\",\"params\":[\"aaausdt@depth@0ms\",\"aaausdt@bookTicker\",\"aaausdt@trade\"],\"id\":1}"
            ])
        session.tell(session.stream, MarketStage.depthText(91, 95, previous: 90))
        session.advance(0.06)
        #expect(session.takeREST() == "/fapi/v1/depth?symbol=AAAUSDT&limit=1000")
        session.answerREST(200, MarketStage.snapshotText(95))
        #expect(session.stage.state() == MarketStage.live)
    }

    @Test func aQuietInstrumentWaitsForTheAnswerBeforeItsSnapshot() {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.advance(2)
        session.advance(1)
        #expect(session.rest.pointee.want == UInt8(APUS_WANT_NOTHING), "the subscription may not be there yet")
        session.tell(session.stream, "{\"result\":null,\"id\":1}")
        session.advance(2.1)
        session.advance(0.06)
        #expect(session.takeREST() != nil)
        session.answerREST(200, MarketStage.snapshotText(95))
        #expect(session.stage.state() == MarketStage.live)
    }

    @Test func aSubscriptionWithoutAnAnswerMakesANewConnection() {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.advance(5.1)
        #expect(session.markets.pointee.link.state == UInt8(APUS_LINK_CLOSING))
        session.close(session.stream)
        session.advance(0.3)
        session.open(session.stream, &session.markets.pointee.link)
        #expect(session.texts(session.stream).first?.hasPrefix("{\"method\":\"SUBSCRIBE\"") == true)
    }

    @Test func aRefusedSubscriptionIsTriedAgainLater() {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.tell(session.stream, "{\"error\":{\"code\":2,\"msg\":\"no\"},\"id\":1}")
        #expect(session.markets.pointee.commands_refused == 1)
        session.advance(4)
        #expect(session.texts(session.stream).isEmpty)
        session.advance(1.1)
        #expect(session.texts(session.stream).count == 1)
    }

    @Test func unsubscribingIsSentAndBooksOfOthersStay() {
        let session = live()
        _ = apus_binance_session_subscribe(session.markets, 1)
        session.advance(0.3)
        #expect(session.texts(session.stream).first?.contains("bbbusdt") == true)
        session.tell(session.stream, "{\"result\":null,\"id\":2}")
        #expect(apus_binance_session_unsubscribe(session.markets, 1) == 0)
        session.advance(0.3)
        #expect(
            session.texts(session.stream).first?.hasPrefix("{\"method\":\"UNSUBSCRIBE\",\"params\":[\"bbbusdt") == true)
        #expect(session.stage.state(1)[0] == APUS_STATE_DROPPED.rawValue && session.stage.state() == MarketStage.live)
        #expect(apus_binance_session_subscribe(session.markets, 7) == -2)
    }

    @Test func aSnapshotOfAnEarlierConnectionIsNotUsed() {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.tell(session.stream, MarketStage.depthText(91, 95, previous: 90))
        session.advance(0.06)
        #expect(session.takeREST() != nil)
        session.close(session.stream)
        session.answerREST(200, MarketStage.snapshotText(95))
        #expect(session.stage.state() == MarketStage.syncing, "there is no stream that could continue it")
    }

    @Test func tooManyRequestsMakeItWait() {
        let session = subscribed()
        _ = session.texts(session.stream)
        session.tell(session.stream, MarketStage.depthText(91, 95, previous: 90))
        session.advance(0.06)
        _ = session.takeREST()
        session.answerREST(429, "{}", headers: "Retry-After: 3\r\n")
        for _ in 0..<28 {
            session.advance(0.1)
            #expect(session.takeREST() == nil)
        }
        session.advance(0.5)
        session.advance(0.06)
        #expect(session.takeREST() != nil)
    }

    @Test func aQuietBookIsProbedAndAnEqualIdProvesIt() {
        let session = live()
        session.advance(10.1)
        #expect(session.takeREST() == "/fapi/v1/depth?symbol=AAAUSDT&limit=50")
        session.answerREST(200, MarketStage.snapshotText(100))
        #expect(session.markets.pointee.probes_equal == 1)
        session.advance(9)
        #expect(session.takeREST() == nil)
        session.advance(1.2)
        #expect(session.takeREST() != nil, "and again")
    }

    @Test func aStreamThatDoesNotReachAProbeIsFrozen() {
        let session = live()
        session.advance(10.1)
        _ = session.takeREST()
        session.answerREST(200, MarketStage.snapshotText(130, bids: [("100.00", "9.000")]))
        #expect(session.stage.state() == MarketStage.live, "a proof that cannot be made yet is pending")
        session.advance(1.9)
        #expect(session.stage.state() == MarketStage.live)
        session.advance(0.2)
        #expect(session.stage.state() == MarketStage.stale(APUS_BOOK_REASON_FROZEN))
        #expect(session.markets.pointee.link.state == UInt8(APUS_LINK_CLOSING))
        #expect(session.markets.pointee.probes_frozen == 1)
    }

    @Test func aChangeThatTheProbeDoesNotShowCostsOnlyThisBook() {
        let session = live()
        session.advance(10.1)
        _ = session.takeREST()
        session.answerREST(200, MarketStage.snapshotText(130))
        session.advance(2.1)
        #expect(session.stage.state() == MarketStage.stale(APUS_BOOK_REASON_FROZEN))
        #expect(session.markets.pointee.link.state == UInt8(APUS_LINK_OPEN))
        session.advance(0.06)
        #expect(session.takeREST()?.hasSuffix("limit=1000") == true)
    }

    @Test func aStreamThatReachesTheProbeInTimeIsAlive() {
        let session = live()
        session.advance(10.1)
        _ = session.takeREST()
        session.answerREST(200, MarketStage.snapshotText(130, bids: [("100.00", "9.000")]))
        session.tell(session.stream, MarketStage.depthText(101, 130, previous: 100, bids: [("100.00", "9.000")]))
        session.advance(3)
        #expect(session.stage.state() == MarketStage.live)
    }

    @Test func stopsInOrder() {
        let session = live()
        let ops = session.markets.pointee.session.ops.pointee
        ops.stop(&session.markets.pointee.session, session.now)
        session.turn()
        #expect(!ops.stopped(&session.markets.pointee.session))
        for channel in [session.stream, session.rest] where channel.pointee.state != UInt8(APUS_CHANNEL_CLOSED) {
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
        }
        session.turn()
        #expect(ops.stopped(&session.markets.pointee.session))
        #expect(session.stage.state() == MarketStage.stale(APUS_BOOK_REASON_DISCONNECTED))
    }
}
