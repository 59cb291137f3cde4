internal import Apus
internal import CApusRing

extension PaperVenue {
    /// Applies market events up to the newest; orders that arrived before an event are matched before it.
    func followFeed(_ now: UInt64) -> Int {
        let state = self.state
        var read = 0
        while read < 4096 {
            // Reports of fills must fit; otherwise the events wait in the ring.
            guard state.pointee.leaving.count < PaperState.reportRoom else { break }
            switch apus_feed_read(&state.pointee.reader, &state.pointee.event) {
            case APUS_FEED_EVENT:
                read += 1
                let time = state.pointee.event.publish_ns
                _ = admit(min(time, now))
                state.pointee.time = max(state.pointee.time, time)
                apply(state.pointee.event, state.pointee.reader.next - 1)
            case APUS_FEED_LAPPED:
                read += 1
                for index in 0..<table.count { adoptBoard(index) }
            default: return read
            }
        }
        return read
    }

    private func apply(_ event: apus_event, _ number: UInt64) {
        guard UInt32(event.kind) != APUS_EVENT_CONNECTION.rawValue, Int(event.instrument) < table.count else { return }
        let index = Int(event.instrument)
        let market = markets + index
        switch UInt32(event.kind) {
        case APUS_EVENT_BOOK.rawValue:
            guard number >= market.pointee.eventNumber else { return }
            market.pointee.touch = Touch(event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity)
            market.pointee.eventNumber = number
            market.pointee.takenBids = 0
            market.pointee.takenAsks = 0
            bookChanged(index)
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

    /// What the book shows at a price: nil when the price is deeper than the board.
    func shown(_ index: Int, _ side: Side, _ price: Int64) -> Int64? {
        let touch = markets[index].touch
        let best = side == .buy ? touch.bid : touch.ask
        guard let best else { return 0 }
        if price == best.price.units { return best.quantity.units }
        if side == .buy ? price > best.price.units : price < best.price.units { return 0 }
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

    private func bookChanged(_ index: Int) {
        guard markets[index].state == .live else { return }
        let touch = markets[index].touch
        forEachResting(index) { place in
            let order = state.pointee.orders.orders + place
            let isBuy = order.pointee.side == .buy
            let crossed =
                isBuy
                ? touch.askQuantity != 0 && touch.askPrice <= order.pointee.price
                : touch.bidQuantity != 0 && touch.bidPrice >= order.pointee.price
            if crossed {
                fill(place, order.pointee.remaining, at: order.pointee.price, isMaker: true)
            } else if order.pointee.ahead > 0, let shown = shown(index, order.pointee.side, order.pointee.price) {
                order.pointee.ahead = min(order.pointee.ahead, shown)
            }
        }
    }

    private func traded(_ index: Int, _ price: Int64, _ quantity: Int64, _ taker: Side) {
        guard markets[index].state == .live else { return }
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
