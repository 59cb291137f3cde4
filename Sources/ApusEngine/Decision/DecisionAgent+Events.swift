internal import Apus
internal import CApusRing

extension DecisionAgent {
    /// Reads the feed ring and tells the strategy.
    func drainEvents() -> Int {
        let state = self.state
        var event = apus_event()
        var read = 0
        loop: while read < configuration.eventBatch {
            switch apus_feed_read(&state.pointee.reader, &event) {
            case APUS_FEED_EVENT:
                read += 1
                dispatch(event, state.pointee.reader.next - 1)
            case APUS_FEED_LAPPED:
                lapped()
                break loop  // the books come before the events that follow
            default: break loop
            }
        }
        if read > 0 { countEvents(UInt64(read)) }
        return read
    }

    @inline(__always)
    private func countEvents(_ read: UInt64) {
        state.pointee.events &+= read
        apus_count(apus_counters_decide(counters, APUS_COUNT_EVENTS_READ.rawValue), read)
        apus_count(apus_counters_decide(counters, APUS_COUNT_DECIDE_TURNS.rawValue), 1)
    }

    // MARK: Simulated time

    /// The event with that number, when it is the only one that waits and nothing else does.
    @inline(__always)
    func onlyEvent(_ number: UInt64) -> RingEvent? {
        let reader = state.pointer(to: \.reader)!
        guard reader.pointee.next == number, apus_counter(reader.pointee.published) == number &+ 1,
            state.pointee.resyncs == 0, !apus_queue_waiting(reports)
        else { return nil }
        return RingEvent(reader)
    }

    /// A turn of that one event.
    func take(_ event: RingEvent, _ now: UInt64) {
        begin(event, now)
        dispatch(event.event.pointee, event.number)
    }

    /// A turn of that one event, which is a book.
    @inline(__always)
    func takeBook(_ event: RingEvent, _ now: UInt64) {
        begin(event, now)
        let instrument = Int(event.event.pointee.instrument), time = event.time
        advance(time)
        apus_probe_decide(event.event.pointee.instrument, event.number, time, 0)
        guard instrument < core.pointee.instrumentCount else { return stranger() }
        book(event.touch, event.event.pointee.flags, time, event.number, table.records + instrument)
    }

    @inline(__always)
    private func begin(_ event: RingEvent, _ now: UInt64) {
        state.pointee.turnTime = now
        state.pointee.reader.next = event.number &+ 1
        countEvents(1)
    }

    private func stranger() { state.pointee.strangers &+= 1 }

    // MARK: Telling the strategy

    @inline(__always)
    private func dispatch(_ event: apus_event, _ number: UInt64) {
        advance(event.publish_ns)
        let start = beginDecision()
        apus_probe_decide(event.instrument, number, event.publish_ns, start)
        if start != 0 {
            apus_histogram_record_signed(
                apus_counters_hop(counters, APUS_HOP_PUBLISH_DECIDE.rawValue),
                Int64(bitPattern: start &- event.publish_ns))
        }
        if UInt32(event.kind) == APUS_EVENT_BOOK.rawValue, Int(event.instrument) < core.pointee.instrumentCount {
            let record = table.records + Int(event.instrument)
            return book(touch(event), event.flags, event.publish_ns, number, record)
        }
        tellOther(event, number)
    }

    /// Everything but books.
    @inline(never)
    private func tellOther(_ event: apus_event, _ number: UInt64) {
        if UInt32(event.kind) == APUS_EVENT_CONNECTION.rawValue { return connection(event) }
        guard Int(event.instrument) < core.pointee.instrumentCount else { return stranger() }
        let record = table.records + Int(event.instrument)
        switch UInt32(event.kind) {
        case APUS_EVENT_TICKER.rawValue:
            record.pointee.ticker = touch(event)
            box.ticker(record.pointee.ticker, of: Instrument(record), context)
        case APUS_EVENT_TRADE.rawValue: trade(event, record)
        case APUS_EVENT_BOOK_STATE.rawValue: bookState(event, number, record)
        case APUS_EVENT_TICK_SIZE.rawValue:
            record.pointee.change(tick: event.ask_price)
            box.tickSize(Instrument(record), previous: Price(units: event.bid_price), context)
        default: stranger()
        }
    }

    @inline(__always)
    private func touch(_ event: apus_event) -> Touch {
        Touch(event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity)
    }

    @inline(__always)
    private func book(
        _ touch: Touch, _ flags: UInt8, _ time: UInt64, _ number: UInt64,
        _ record: UnsafeMutablePointer<InstrumentRecord>
    ) {
        if number < record.pointee.knownBefore { return }  // older than what the board has shown already
        record.pointee.touch = touch
        record.pointee.flags = flags
        record.pointee.eventNumber = number
        record.pointee.publishTime = time
        if record.pointee.valuation == .fresh { valueLater(record) }
        box.book(BookView(record), context)
    }

    private func trade(_ event: apus_event, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        record.pointee.lastTrade = event.bid_price
        let sold = event.flags & UInt8(APUS_TRADE_SELL.rawValue) != 0
        box.trade(
            Trade(
                instrument: Instrument(record), price: Price(units: event.bid_price),
                quantity: Quantity(units: event.bid_quantity), taker: sold ? .sell : .buy, id: event.ask_price,
                time: event.publish_ns), context)
    }

    private func bookState(_ event: apus_event, _ number: UInt64, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        if number < record.pointee.knownBefore { return }
        record.pointee.eventNumber = number
        let reason = UInt8(truncatingIfNeeded: event.bid_price)
        change(
            record, to: BookState(rawValue: event.flags) ?? .stale, BookStateReason(rawValue: reason) ?? .none)
    }

    private func change(
        _ record: UnsafeMutablePointer<InstrumentRecord>, to new: BookState, _ reason: BookStateReason
    ) {
        let previous = record.pointee.state
        record.pointee.state = new
        box.bookState(
            BookStateChange(instrument: Instrument(record), previous: previous, state: new, reason: reason), context)
    }

    private func connection(_ event: apus_event) {
        box.connection(
            ConnectionChange(
                connection: Int(event.instrument), state: ConnectionState(rawValue: event.flags) ?? .down,
                reason: event.bid_price, code: event.ask_price), context)
    }

    // MARK: Losses

    private func lapped() {
        let total = state.pointee.reader.lost
        let lost = total - state.pointee.lostBefore
        state.pointee.lostBefore = total
        apus_count(apus_counters_decide(counters, APUS_COUNT_EVENTS_LOST.rawValue), lost)
        markAllForResync()
        advance(state.pointee.turnTime)
        box.loss(Loss(events: lost, total: total), context)
    }

    func markAllForResync() {
        for index in 0..<table.count { table.records[index].needsResync = true }
        state.pointee.resyncs = table.count
    }

    /// Reads from the board what the lost events would have told. A book whose entry cannot be read yet is not live
    /// until it can.
    func resync() -> Int {
        var done = 0
        for index in 0..<table.count where table.records[index].needsResync {
            let record = table.records + index
            record.pointee.depth.madeAfter = .max
            guard record.pointee.depth.refresh(record.pointee.index, after: record.pointee.eventNumber) else {
                if record.pointee.state == .live { change(record, to: .syncing, .none) }
                continue
            }
            record.pointee.needsResync = false
            state.pointee.resyncs -= 1
            done += 1
            adopt(record)
        }
        return done
    }

    private func adopt(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        let header = record.pointee.depth.header
        guard header.sequence != 0 else { return }  // the entry has never been written
        let bid = header.bids > 0 ? record.pointee.depth.bids[0] : Level(price: .zero, quantity: .zero)
        let ask = header.asks > 0 ? record.pointee.depth.asks[0] : Level(price: .zero, quantity: .zero)
        record.pointee.touch = Touch(bid.price.units, bid.quantity.units, ask.price.units, ask.quantity.units)
        record.pointee.eventNumber = header.event_number
        record.pointee.knownBefore = header.event_number + 1
        record.pointee.publishTime = header.publish_ns
        record.pointee.depth.madeAfter = header.event_number
        if record.pointee.valuation == .fresh { valueLater(record) }
        advance(header.publish_ns)
        let new = BookState(rawValue: UInt8(truncatingIfNeeded: header.state)) ?? .stale
        if new != record.pointee.state { change(record, to: new, .none) }
        if new == .live {
            _ = beginDecision()
            box.book(BookView(record), context)
        }
    }
}
