internal import Apus
internal import CApusRing

extension PaperVenue {
    /// Applies market events up to the newest; orders that arrived before an event are matched before it.
    func followFeed(_ now: UInt64) -> Int {
        let state = self.state
        var event = apus_event()
        var read = 0
        while read < 4096 {
            // Reports of fills must fit; otherwise the events wait in the ring.
            guard hasReportRoom else { break }
            switch apus_feed_read(&state.pointee.reader, &event) {
            case APUS_FEED_EVENT:
                read += 1
                _ = admit(min(event.publish_ns, now))
                apply(event, state.pointee.reader.next - 1)
            case APUS_FEED_LAPPED:
                read += 1
                for index in 0..<table.count { adoptBoard(index) }
            default: return read
            }
        }
        return read
    }

    /// The number of the event that is read next.
    @inline(__always)
    var nextEvent: UInt64 { state.pointee.reader.next }

    /// Applies the event that is read next.
    func take(_ event: RingEvent) {
        state.pointee.reader.next = event.number &+ 1
        apply(event.event.pointee, event.number)
    }

    /// Applies the event that is read next, which is a book.
    @inline(__always)
    func takeBook(_ event: RingEvent) {
        let state = self.state
        state.pointee.reader.next = event.number &+ 1
        let instrument = Int(event.event.pointee.instrument), time = event.time
        if time > state.pointee.time { state.pointee.time = time }
        if instrument < state.pointee.instrumentCount { book(event.touch, event.number, instrument) }
    }

    @inline(__always)
    private func apply(_ event: apus_event, _ number: UInt64) {
        if event.publish_ns > state.pointee.time { state.pointee.time = event.publish_ns }
        let index = Int(event.instrument)
        guard UInt32(event.kind) == APUS_EVENT_BOOK.rawValue, index < state.pointee.instrumentCount else {
            return applyOther(event)
        }
        let touch = Touch(event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity)
        book(touch, number, index)
    }

    @inline(__always)
    private func book(_ touch: Touch, _ number: UInt64, _ index: Int) {
        let market = markets + index
        guard number >= market.pointee.eventNumber else { return }
        market.pointee.touch = touch
        market.pointee.eventNumber = number
        market.pointee.takenBids = 0
        market.pointee.takenAsks = 0
        guard market.pointee.resting > 0, market.pointee.state == .live else { return }
        if market.pointee.mayCross || market.pointee.hasDeepQueue || hasTouchedQueue(index) { bookChanged(index) }
    }

    /// Everything but books.
    @inline(never)
    private func applyOther(_ event: apus_event) {
        guard UInt32(event.kind) != APUS_EVENT_CONNECTION.rawValue,
            Int(event.instrument) < state.pointee.instrumentCount
        else { return }
        let index = Int(event.instrument)
        let market = markets + index
        switch UInt32(event.kind) {
        case APUS_EVENT_TRADE.rawValue:
            let sold = event.flags & UInt8(APUS_TRADE_SELL.rawValue) != 0
            traded(index, event.bid_price, event.bid_quantity, sold ? .sell : .buy)
        case APUS_EVENT_BOOK_STATE.rawValue:
            market.pointee.state = BookState(rawValue: event.flags) ?? .stale
        case APUS_EVENT_TICK_SIZE.rawValue: table.records[index].tick = event.ask_price
        default: break
        }
    }

    /// Takes touch and state from the board: at the start, and when the feed has overtaken this venue.
    func adoptBoard(_ index: Int) {
        guard readDepth(index), table.records[index].depth.header.sequence != 0 else {
            markets[index].state = .syncing
            return
        }
        let copy = table.records[index].depth
        let bid = copy.header.bids > 0 ? copy.bids[0] : nil
        let ask = copy.header.asks > 0 ? copy.asks[0] : nil
        markets[index].touch = Touch(bid: bid, ask: ask)
        markets[index].state = BookState(rawValue: UInt8(truncatingIfNeeded: copy.header.state)) ?? .stale
        markets[index].eventNumber = copy.header.event_number
        markets[index].takenBids = 0
        markets[index].takenAsks = 0
    }

    /// Copies the board's newest entry into the record's levels.
    func readDepth(_ index: Int) -> Bool {
        table.records[index].depth.madeAfter = .max
        return table.records[index].depth.refresh(UInt16(index), after: 0)
    }

    /// What the book shows at a price, at most `most`; -1 when that is less than `most` but the price is deeper than the
    /// board.
    private func shown(_ index: Int, _ side: Side, _ price: Int64, atMost most: Int64) -> Int64 {
        let touch = markets[index].touch
        let best = side == .buy ? touch.bidPrice : touch.askPrice
        let quantity = side == .buy ? touch.bidQuantity : touch.askQuantity
        if quantity == 0 || (side == .buy ? price > best : price < best) { return 0 }
        if price == best { return min(quantity, most) }
        if let lookUp = board.shown {
            return lookUp(board.writer, UInt32(truncatingIfNeeded: index), UInt32(side.rawValue), price, most)
        }
        return onBoard(index, side, price).map { min($0, most) } ?? -1
    }

    /// What the board has at a price behind the touch: nil when the price is deeper than the board.
    private func onBoard(_ index: Int, _ side: Side, _ price: Int64) -> Int64? {
        guard readDepth(index) else { return nil }
        let copy = table.records[index].depth
        let levels = side == .buy ? copy.bids : copy.asks
        let count = Int(side == .buy ? copy.header.bids : copy.header.asks)
        let total = Int(side == .buy ? copy.header.total_bids : copy.header.total_asks)
        for place in 0..<count {
            if levels[place].price.units == price { return levels[place].quantity.units }
            if side == .buy ? levels[place].price.units < price : levels[place].price.units > price { return 0 }
        }
        return count == total ? 0 : nil
    }

    // MARK: Resting orders

    /// Whether a level may have changed at which an order stands in line.
    @inline(__always)
    private func hasTouchedQueue(_ index: Int) -> Bool { board.watches.map { $0[index].touched != 0 } ?? true }

    /// The book of a market with resting orders has changed: those that the touch meets are filled, the others move up.
    private func bookChanged(_ index: Int) {
        let market = markets + index
        (market.pointee.highestBuy, market.pointee.lowestSell) = (.min, .max)
        market.pointee.hasDeepQueue = false
        board.watches?[index] = apus_board_watch()
        let touch = market.pointee.touch
        forEachResting(index) { place in
            let order = state.pointee.orders.orders + place
            let price = order.pointee.price
            let isCrossed =
                order.pointee.side == .buy
                ? touch.askPrice <= price && touch.askQuantity != 0
                : touch.bidPrice >= price && touch.bidQuantity != 0
            if isCrossed { return fill(place, order.pointee.remaining, at: price, isMaker: true) }
            moveUp(order)
            attend(order)
        }
    }

    /// An order's queue is not longer than what its level shows.
    private func moveUp(_ order: UnsafeMutablePointer<PaperOrder>) {
        guard order.pointee.ahead > 0 else { return }
        let index = order.pointee.instrument
        let shown = shown(index, order.pointee.side, order.pointee.price, atMost: order.pointee.ahead)
        order.pointee.ahead = shown < 0 ? order.pointee.ahead : shown
        if shown < 0 || shown == PaperOrder.unknownQueue { markets[index].hasDeepQueue = true }
    }

    /// From now on what happens to a resting order is noticed.
    private func attend(_ order: UnsafeMutablePointer<PaperOrder>) {
        let index = order.pointee.instrument
        markets[index].bound(order.pointee)
        guard order.pointee.ahead > 0, let watches = board.watches else { return }
        let bit = apus_board_watch_bit(order.pointee.price)
        if order.pointee.side == .buy {
            watches[index].prices.0 |= bit
        } else {
            watches[index].prices.1 |= bit
        }
    }

    /// An order joins the resting ones, behind all that its level shows.
    func rest(_ place: Int) {
        let order = state.pointee.orders.orders + place
        order.pointee.ahead = PaperOrder.unknownQueue
        moveUp(order)
        state.pointee.orders.rest(place)
        state.pointee.expireNoLater(than: order.pointee.expiry)
        markets[order.pointee.instrument].resting += 1
        attend(order)
    }

    /// Ends the resting orders whose own end has come.
    @inline(never)
    func expireResting(_ now: UInt64) -> Int {
        state.pointee.time = max(state.pointee.time, now)
        var next = UInt64.max
        var ended = 0, at = 0
        while at < state.pointee.orders.restingCount, hasReportRoom {
            let place = state.pointee.orders.resting[at]
            let expiry = state.pointee.orders.orders[place].expiry
            if expiry <= now {
                end(place, APUS_REPORT_EXPIRED, APUS_STATUS_EXPIRED, action: APUS_ORDER_PLACE)
                ended += 1
            } else {
                next = min(next, expiry)
                at += 1
            }
        }
        // Without room for reports the rest ends with a later turn.
        state.pointee.setNextExpiry(at < state.pointee.orders.restingCount ? now : next)
        return ended
    }

    private func traded(_ index: Int, _ price: Int64, _ quantity: Int64, _ taker: Side) {
        guard markets[index].resting > 0, markets[index].state == .live else { return }
        // Our orders at one price share what a trade leaves behind the queue, the earlier first.
        var used: Int64 = 0
        forEachResting(index) { place in
            let order = state.pointee.orders.orders + place
            guard order.pointee.side != taker else { return }
            let isBeyond = taker == .sell ? price < order.pointee.price : price > order.pointee.price
            if isBeyond {
                fill(place, order.pointee.remaining, at: order.pointee.price, isMaker: true)
            } else if price == order.pointee.price, order.pointee.ahead != PaperOrder.unknownQueue {
                let behind = max(quantity - order.pointee.ahead - used, 0)
                order.pointee.ahead = max(order.pointee.ahead - quantity, 0)
                let part = min(behind, order.pointee.remaining)
                if part > 0 {
                    used += part
                    fill(place, part, at: price, isMaker: true)
                }
            }
        }
    }

    /// Goes through the resting orders of an instrument, the oldest first; the body may let the one it is given leave.
    private func forEachResting(_ index: Int, _ body: (Int) -> Void) {
        var at = 0
        while at < state.pointee.orders.restingCount {
            let place = state.pointee.orders.resting[at]
            if state.pointee.orders.orders[place].instrument == index { body(place) }
            if at < state.pointee.orders.restingCount, state.pointee.orders.resting[at] == place { at += 1 }
        }
    }
}
