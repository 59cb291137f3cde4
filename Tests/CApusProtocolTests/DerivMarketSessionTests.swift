import CApusProtocol
import CApusRing
import Testing

/// Ticks, histories and proposals on the public connection.
@Suite struct DerivMarketSessionTests {
    @Test(arguments: [false, true])
    func aTickIsABookAndATrade(v3: Bool) {
        let stage = DerivStage(v3: v3)
        stage.startMarkets()
        let request = stage.open(stage.stream, &stage.markets.pointee.line.link)
        let path = v3 ? "GET /websockets/v3?app_id=1234 " : "GET /trading/v1/options/ws/public "
        #expect(request.hasPrefix(path))
        stage.advance(0.06)
        #expect(stage.texts(stage.stream) == ["{\"ticks\":\"R_100\",\"subscribe\":1,\"req_id\":1}"])
        stage.tick(100)
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.touch(0) == [123_450, 123_460])
        let events = stage.events()
        let trade = events.first { UInt32($0.kind) == APUS_EVENT_TRADE.rawValue }
        #expect(trade?.bid_price == 123_456 && trade?.bid_quantity == 1 && trade?.ask_price == 100)
        let book = events.last { UInt32($0.kind) == APUS_EVENT_BOOK.rawValue }
        #expect(book?.bid_price == 123_450 && book?.ask_price == 123_460 && book?.bid_quantity == 1)
    }

    @Test func withoutSidesBothAreTheQuote() {
        let stage = DerivStage()
        stage.openMarkets()
        stage.tick(101, "1235.00", spread: false)
        #expect(stage.touch(0) == [123_500, 123_500])
        let event = stage.events().last { UInt32($0.kind) == APUS_EVENT_BOOK.rawValue }
        #expect(
            event.map { UInt32($0.flags) & APUS_BOOK_CROSSED.rawValue } == APUS_BOOK_CROSSED.rawValue)
    }

    @Test func aTickIsToldOnce() {
        let stage = DerivStage()
        stage.openMarkets()
        stage.tick(102)
        stage.tick(102)
        stage.tick(101)
        #expect(stage.ticks().map { $0[0] } == [100, 102])
        #expect(stage.markets.pointee.line.deriv.duplicates == 2)
    }

    @Test func theGapOfALostConnectionIsFilledInOrder() throws {
        let stage = DerivStage()
        stage.openMarkets()
        _ = stage.events()
        stage.close(stage.stream)
        #expect(stage.state(0) == APUS_STATE_STALE)
        stage.advance(8)
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        stage.tickAnswer(110, "1240")
        #expect(
            stage.state(0) == APUS_STATE_STALE && stage.ticks().isEmpty,
            "what lies before is not known yet")
        let request = try #require(stage.texts(stage.stream).last)
        #expect(
            request.hasPrefix(
                "{\"ticks_history\":\"R_100\",\"start\":100,\"end\":\"latest\",\"style\":\"ticks\""))
        stage.tick(112, "1241")
        stage.history(3, [(100, "1234.56"), (104, "1236"), (108, "\"1238.50\""), (110, "1240")])
        #expect(
            stage.ticks() == [[104, 123_600], [108, 123_850], [110, 124_000], [112, 124_100]],
            "each once, in order")
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.touch(0) == [123_450, 123_460])
    }

    @Test func aTickThatIsMissingOnASteadyFeedIsFetched() {
        let stage = DerivStage()
        stage.openMarkets()
        for epoch in stride(from: UInt64(102), through: 112, by: 2) { stage.tick(epoch) }
        _ = stage.ticks()
        _ = stage.texts(stage.stream)
        stage.tick(118, "1300")
        #expect(stage.ticks().isEmpty && stage.state(0) == APUS_STATE_LIVE)
        stage.history(
            stage.requests(stage.stream).last ?? 0, [(112, "1234.56"), (114, "1235"), (116, "1236")])
        #expect(stage.ticks().map { $0[0] } == [114, 116, 118])
    }

    @Test func whatComesOutOfOrderWhileAHistoryIsAwaitedIsToldInOrder() {
        let stage = DerivStage()
        stage.openMarkets()
        for epoch in stride(from: UInt64(102), through: 112, by: 2) { stage.tick(epoch) }
        _ = stage.ticks()
        _ = stage.texts(stage.stream)
        for epoch in [UInt64(116), 120, 118] { stage.tick(epoch) }
        stage.history(stage.requests(stage.stream).last ?? 0, [(114, "1235"), (116, "1236")])
        #expect(stage.ticks().map { $0[0] } == [114, 116, 118, 120])
    }

    /// It was made before the tick behind the hole came.
    @Test func aHistoryThatEndsTooEarlyIsAskedForAgain() {
        let stage = DerivStage()
        stage.openMarkets()
        for epoch in stride(from: UInt64(102), through: 112, by: 2) { stage.tick(epoch) }
        _ = stage.ticks()
        _ = stage.texts(stage.stream)
        stage.tick(116)
        let first = stage.requests(stage.stream).last ?? 0
        stage.tick(120)
        stage.history(first, [(114, "1235"), (116, "1236")])
        #expect(stage.ticks().map { $0[0] } == [114, 116])
        let second = stage.requests(stage.stream).last ?? 0
        #expect(second > first, "at once")
        stage.history(second, [(116, "1236"), (118, "1237"), (120, "1238")])
        #expect(stage.ticks().map { $0[0] } == [118, 120] && stage.state(0) == APUS_STATE_LIVE)
        // On a feed that leaves ticks out, none that is there is held back for ever.
        stage.tick(140)
        for pause in [0.1, 2.1, 4.1] {
            stage.history(stage.requests(stage.stream).last ?? 0, [(120, "1238")])
            stage.advance(pause)
        }
        #expect(stage.ticks().map { $0[0] } == [140])
    }

    @Test func aRefusedHistoryLosesTheGapButNotTheStream() {
        let stage = DerivStage()
        stage.openMarkets()
        stage.close(stage.stream)
        stage.advance(8)
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        stage.tickAnswer(110)
        _ = stage.ticks()
        for _ in 0..<3 {
            #expect(stage.ticks().isEmpty)
            let number = stage.requests(stage.stream).last ?? 0
            stage.tell(
                stage.stream,
                "{\"msg_type\":\"ticks_history\",\"req_id\":\(number),\"error\":{\"code\":\"WrongResponse\",\"message\":\"x\"}}"
            )
            stage.advance(2.1)
        }
        #expect(stage.ticks().map { $0[0] } == [110] && stage.state(0) == APUS_STATE_LIVE)
    }

    @Test func aClosedMarketIsNotADeadFeed() {
        let stage = DerivStage()
        stage.openMarkets()
        _ = stage.texts(stage.stream)
        for _ in 0..<4 {
            stage.advance(31)
            guard let number = stage.requests(stage.stream).last else { continue }
            stage.history(number, [(100, "1234.56")])
        }
        stage.advance(6)
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.markets.pointee.line.frozen == 0)
        #expect(stage.ticks().map { $0[0] } == [100])
    }

    @Test func aStreamBehindItsHistoryIsFrozen() {
        let stage = DerivStage()
        stage.openMarkets()
        _ = stage.texts(stage.stream)
        stage.advance(31)
        let number = stage.requests(stage.stream).last ?? 0
        stage.history(number, [(100, "1234.56"), (102, "1235"), (104, "1236")])
        #expect(stage.ticks().map { $0[0] } == [100, 102, 104], "nothing is missed meanwhile")
        stage.advance(4)
        #expect(stage.markets.pointee.line.link.state == UInt8(APUS_LINK_OPEN))
        stage.advance(1.1)
        #expect(stage.markets.pointee.line.frozen == 1)
        #expect(stage.markets.pointee.line.link.state == UInt8(APUS_LINK_CLOSING))
    }

    @Test func aStreamThatCatchesUpIsNotFrozen() {
        let stage = DerivStage()
        stage.openMarkets()
        _ = stage.texts(stage.stream)
        stage.advance(31)
        stage.history(stage.requests(stage.stream).last ?? 0, [(102, "1235")])
        stage.tick(102, "1235")
        stage.advance(6)
        #expect(stage.markets.pointee.line.frozen == 0 && stage.ticks().map { $0[0] } == [100, 102])
    }

    @Test(arguments: [
        ("\"quote\":\"x\",", APUS_DERIV_FAULT_NUMBER), ("\"quote\":1.234,", APUS_DERIV_FAULT_DECIMALS),
        ("\"quote\":-1,", APUS_DERIV_FAULT_NUMBER),
    ])
    func aTickThatCannotBeReadMakesTheBookStale(field: String, fault: apus_deriv_fault) {
        let stage = DerivStage()
        stage.openMarkets()
        stage.tell(
            stage.stream, "{\"msg_type\":\"tick\",\"tick\":{\(field)\"epoch\":101,\"symbol\":\"R_100\"}}")
        #expect(stage.state(0) == APUS_STATE_STALE)
        #expect(UInt32(stage.markets.pointee.line.deriv.last.fault) == fault.rawValue)
        stage.advance(0.06)
        stage.history(stage.requests(stage.stream).last ?? 0, [(100, "1234.56"), (101, "1235")])
        stage.tick(102)
        #expect(stage.state(0) == APUS_STATE_LIVE && stage.ticks().map { $0[0] } == [100, 101, 102])
    }

    @Test func aRefusedSubscriptionIsAskedForAgainLater() {
        let stage = DerivStage()
        stage.startMarkets()
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        _ = stage.texts(stage.stream)
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"ticks\",\"req_id\":1,\"error\":{\"code\":\"MarketIsClosed\",\"message\":\"x\"}}"
        )
        stage.advance(4.9)
        #expect(stage.texts(stage.stream).isEmpty)
        stage.advance(0.2)
        #expect(stage.texts(stage.stream) == ["{\"ticks\":\"R_100\",\"subscribe\":1,\"req_id\":2}"])
        #expect(stage.state(0) == APUS_STATE_SYNCING)
    }

    @Test func aSubscriptionThatIsNotAnsweredReconnects() {
        let stage = DerivStage()
        stage.startMarkets()
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        stage.advance(10.1)
        #expect(stage.markets.pointee.line.link.state == UInt8(APUS_LINK_CLOSING))
    }

    @Test func anUnsubscribedInstrumentIsForgotten() {
        let stage = DerivStage()
        stage.openMarkets()
        _ = stage.texts(stage.stream)
        #expect(apus_deriv_line_unsubscribe(&stage.markets.pointee.line, 0, stage.now) == 0)
        stage.advance(0.06)
        #expect(stage.texts(stage.stream) == ["{\"forget\":\"T\",\"req_id\":2}"])
        #expect(stage.state(0) == APUS_STATE_DROPPED)
        stage.tick(101)
        #expect(stage.ticks().map { $0[0] } == [100])
        #expect(apus_deriv_line_subscribe(&stage.markets.pointee.line, 0) == 0)
        stage.advance(0.06)
        #expect(stage.texts(stage.stream).first?.hasPrefix("{\"ticks\":") == true)
    }

    @Test func aPingIsSentEvery30Seconds() {
        let stage = DerivStage { $0.probe_interval_ns = 0 }
        stage.openMarkets()
        _ = stage.texts(stage.stream)
        stage.advance(29)
        #expect(stage.texts(stage.stream).isEmpty)
        stage.advance(1)
        #expect(stage.texts(stage.stream) == ["{\"ping\":1}"])
        stage.tell(stage.stream, "{\"msg_type\":\"ping\",\"ping\":\"pong\"}")
        #expect(stage.markets.pointee.line.decode_errors == 0)
    }

    @Test(arguments: [false, true])
    func aShapeShowsItsProposal(v3: Bool) throws {
        let stage = DerivStage(v3: v3)
        stage.startMarkets([3])
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        let name = v3 ? "symbol" : "underlying_symbol"
        #expect(
            stage.texts(stage.stream) == [
                "{\"proposal\":1,\"subscribe\":1,\"amount\":5,\"basis\":\"stake\",\"contract_type\":\"DIGITOVER\","
                    + "\"currency\":\"USD\",\"duration\":5,\"duration_unit\":\"t\",\"\(name)\":\"R_100\",\"barrier\":\"4\",\"req_id\":1}"
            ])
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"req_id\":1,\"subscription\":{\"id\":\"S\"},\"proposal\":{\"id\":\"P\",\"ask_price\":5}}"
        )
        #expect(stage.state(3) == APUS_STATE_LIVE && stage.touch(3) == [0, 500])
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"subscription\":{\"id\":\"S\"},\"proposal\":{\"id\":\"Q\",\"ask_price\":\"5.25\"}}"
        )
        #expect(stage.touch(3) == [0, 525])
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"subscription\":{\"id\":\"other\"},\"proposal\":{\"id\":\"R\",\"ask_price\":\"9\"}}"
        )
        #expect(stage.touch(3) == [0, 525], "a subscription of somebody else")
    }

    @Test func aProposalThatIsRefusedOrForgottenIsStale() {
        let stage = DerivStage()
        stage.startMarkets([1])
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"req_id\":1,\"subscription\":{\"id\":\"S\"},\"proposal\":{\"id\":\"P\",\"ask_price\":5}}"
        )
        #expect(stage.state(1) == APUS_STATE_LIVE)
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"subscription\":{\"id\":\"S\"},\"error\":{\"code\":\"ContractCreationFailure\",\"message\":\"x\"}}"
        )
        #expect(stage.state(1) == APUS_STATE_STALE)
        #expect(stage.book(1).reason == UInt8(APUS_BOOK_REASON_UNSUBSCRIBED.rawValue))
    }

    @Test func aQuietProposalIsAskedForAnew() {
        let stage = DerivStage()
        stage.startMarkets([1])
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        _ = stage.texts(stage.stream)
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"proposal\",\"req_id\":1,\"subscription\":{\"id\":\"S\"},\"proposal\":{\"id\":\"P\",\"ask_price\":5}}"
        )
        stage.advance(60.1)
        stage.advance(0.06)
        let texts = stage.texts(stage.stream).filter { $0 != "{\"ping\":1}" }
        #expect(texts.first == "{\"forget\":\"S\",\"req_id\":2}")
        #expect(texts.last?.hasPrefix("{\"proposal\":1") == true)
    }

    @Test func theBudgetHolds() {
        let stage = DerivStage(configure: {
            $0.minute = (360, 100, 30, 1)
            $0.probe_interval_ns = 0
        })
        stage.add("R_50")
        stage.startMarkets([0, 4])
        stage.open(stage.stream, &stage.markets.pointee.line.link)
        stage.advance(0.06)
        #expect(stage.requests(stage.stream).count == 1, "one request a minute")
        stage.tell(
            stage.stream,
            "{\"msg_type\":\"tick\",\"req_id\":1,\"tick\":{\"epoch\":1,\"quote\":2,\"symbol\":\"R_100\"}}"
        )
        for _ in 0..<6 {
            stage.advance(10)
            stage.tell(stage.stream, "{\"msg_type\":\"ping\"}")
        }
        stage.advance(10)
        #expect(stage.texts(stage.stream).contains { $0.hasPrefix("{\"ticks\":\"R_50\"") })
    }
}
