internal import Apus
internal import CApusRing

extension PaperVenue {
    /// An order, cancel, change or query has arrived at the venue.
    func handle(_ order: apus_order) {
        switch UInt32(order.action) {
        case APUS_ORDER_PLACE.rawValue: place(order)
        case APUS_ORDER_CANCEL.rawValue: cancel(order)
        case APUS_ORDER_MODIFY.rawValue: modify(order)
        case APUS_ORDER_QUERY.rawValue: query(order)
        default: break
        }
    }

    private func place(_ request: apus_order) {
        let index = Int(request.instrument)
        guard index < table.count, markets[index].state == .live else { return refuse(request, .bookNotLive) }
        let side = Side(rawValue: request.side) ?? .buy
        let isMarket = UInt32(request.type) == APUS_MARKET.rawValue
        let limit = isMarket ? (side == .buy ? Int64.max : 0) : request.price
        let timeInForce = isMarket ? TimeInForce.immediateOrCancel : TimeInForce(rawValue: request.time_in_force)
        var order = PaperOrder(
            id: request.client_id, venueID: state.pointee.nextVenueID, instrument: index, side: side,
            timeInForce: timeInForce ?? .goodTillCanceled, price: limit, quantity: request.quantity,
            status: UInt8(APUS_STATUS_NEW.rawValue), decided: request.decided_ns)
        // Both times are on the wall clock; what lies between them counts from the decision.
        if request.expire_ms != 0 {
            let life = request.expire_ms > request.wall_ms ? request.expire_ms - request.wall_ms : 0
            order.expiry = request.decided_ns &+ life * 1_000_000
        }
        keepFromOwn(&order)
        if let reason = obstacle(order, except: nil) { return refuse(request, reason) }
        state.pointee.nextVenueID += 1
        let place = state.pointee.orders.add(order)
        tell(place, APUS_REPORT_ACCEPTED, action: APUS_ORDER_PLACE)
        enter(place)
    }

    /// The best price of our resting orders that the order could meet; nil when it reaches none.
    private func ownPrice(metBy order: PaperOrder, except own: Int? = nil) -> Int64? {
        var best: Int64?
        for at in 0..<state.pointee.orders.restingCount where state.pointee.orders.resting[at] != own {
            let resting = state.pointee.orders.orders[state.pointee.orders.resting[at]]
            guard resting.instrument == order.instrument, resting.side != order.side else { continue }
            if order.side == .buy ? order.price >= resting.price : order.price <= resting.price {
                best = order.side == .buy ? min(best ?? .max, resting.price) : max(best ?? 0, resting.price)
            }
        }
        return best
    }

    /// An order that does not rest takes what stands before our own orders and no more.
    private func keepFromOwn(_ order: inout PaperOrder) {
        guard order.timeInForce == .immediateOrCancel || order.timeInForce == .fillOrKill else { return }
        if let own = ownPrice(metBy: order) { order.price = own - order.side.sign }
    }

    /// Why an order cannot be let in.
    private func obstacle(_ order: PaperOrder, except own: Int?) -> PaperReason? {
        if ownPrice(metBy: order, except: own) != nil { return .wouldMeetOwnOrder }
        switch order.timeInForce {
        case .immediateOrCancel: return nil
        case .fillOrKill: return takeable(order) < order.remaining ? .fillOrKillNotFilled : nil
        case .postOnly where crosses(order): return .postOnlyWouldTake
        case .goodTillCanceled, .postOnly:
            return state.pointee.orders.hasRoomToRest || own != nil ? nil : .tooManyOrders
        }
    }

    private func crosses(_ order: PaperOrder) -> Bool {
        let touch = markets[order.instrument].touch
        return order.side == .buy
            ? touch.askQuantity != 0 && touch.askPrice <= order.price
            : touch.bidQuantity != 0 && touch.bidPrice >= order.price
    }

    /// Takes what it can, then rests or ends.
    private func enter(_ place: Int) {
        let order = state.pointee.orders.orders + place
        if order.pointee.timeInForce != .postOnly { sweep(place) }
        guard order.pointee.remaining > 0 else { return }
        switch order.pointee.timeInForce {
        case .goodTillCanceled where order.pointee.expiry > state.pointee.time,
            .postOnly where order.pointee.expiry > state.pointee.time:
            rest(place)
        default: end(place, APUS_REPORT_EXPIRED, APUS_STATUS_EXPIRED, action: APUS_ORDER_PLACE)
        }
    }

    // MARK: Taking

    /// Goes through the opposite levels that the order reaches, without what was taken from them already.
    private func eachLevel(_ order: PaperOrder, _ body: (_ price: Int64, _ quantity: Int64) -> Bool) {
        let index = order.instrument
        let isBuy = order.side == .buy
        var taken = isBuy ? markets[index].takenAsks : markets[index].takenBids
        func offer(_ price: Int64, _ quantity: Int64) -> Bool {
            guard isBuy ? price <= order.price : price >= order.price else { return false }
            let free = max(quantity - taken, 0)
            taken = max(taken - quantity, 0)
            return free == 0 || body(price, free)
        }
        let touch = markets[index].touch
        // The board may already be a little ahead of the event; then its levels are what an order would meet.
        if readDepth(index), table.records[index].depth.header.sequence != 0 {
            let copy = table.records[index].depth
            let levels = isBuy ? copy.asks : copy.bids
            for place in 0..<Int(isBuy ? copy.header.asks : copy.header.bids) {
                guard offer(levels[place].price.units, levels[place].quantity.units) else { return }
            }
        } else if let best = isBuy ? touch.ask : touch.bid {
            _ = offer(best.price.units, best.quantity.units)
        }
    }

    private func takeable(_ order: PaperOrder) -> Int64 {
        var sum: Int64 = 0
        eachLevel(order) { _, quantity in
            sum += min(quantity, order.remaining - sum)
            return sum < order.remaining
        }
        return sum
    }

    private func sweep(_ place: Int) {
        let order = state.pointee.orders.orders + place
        let index = order.pointee.instrument
        var taken: Int64 = 0
        eachLevel(order.pointee) { price, quantity in
            let part = min(quantity, order.pointee.remaining)
            taken += part
            fill(place, part, at: price, isMaker: false)
            return order.pointee.remaining > 0
        }
        if order.pointee.side == .buy { markets[index].takenAsks += taken } else { markets[index].takenBids += taken }
    }

    // MARK: Cancel, change, query

    private func cancel(_ request: apus_order) {
        guard let place = state.pointee.orders.find(request.target_id), state.pointee.orders.orders[place].isResting
        else {
            return reject(APUS_REPORT_CANCEL_REJECTED, request)
        }
        end(place, APUS_REPORT_CANCELED, APUS_STATUS_CANCELED, action: APUS_ORDER_CANCEL)
    }

    /// A smaller quantity at the same price keeps its place in the queue; anything else joins it anew.
    private func modify(_ request: apus_order) {
        guard let place = state.pointee.orders.find(request.target_id), state.pointee.orders.orders[place].isResting
        else {
            return reject(APUS_REPORT_MODIFY_REJECTED, request)
        }
        let old = state.pointee.orders.orders[place]
        var changed = old
        changed.price = request.price
        changed.quantity = request.quantity
        guard changed.remaining > 0 else { return reject(APUS_REPORT_MODIFY_REJECTED, request, .quantityAlreadyFilled) }
        if let reason = obstacle(changed, except: place) { return reject(APUS_REPORT_MODIFY_REJECTED, request, reason) }
        state.pointee.orders.orders[place] = changed
        tell(place, APUS_REPORT_MODIFIED, action: APUS_ORDER_MODIFY)
        if changed.price == old.price && changed.quantity <= old.quantity { return }
        leave(place)
        enter(place)
    }

    private func query(_ request: apus_order) {
        guard let place = state.pointee.orders.find(request.target_id) else {
            return send(answer(APUS_REPORT_NOT_FOUND, request), at: state.pointee.time)
        }
        tell(place, APUS_REPORT_STATUS, action: APUS_ORDER_QUERY)
    }

    private func refuse(_ request: apus_order, _ reason: PaperReason) {
        send(answer(APUS_REPORT_REJECTED, request, code: reason.rawValue), at: state.pointee.time)
    }

    /// Refuses a cancel or a change, and says what the order is now.
    private func reject(_ kind: apus_report_kind, _ request: apus_order, _ reason: PaperReason = .noSuchOrder) {
        guard let place = state.pointee.orders.find(request.target_id) else {
            return send(answer(kind, request, code: reason.rawValue), at: state.pointee.time)
        }
        tell(place, kind, action: apus_order_action(UInt32(request.action)), code: reason.rawValue)
    }

    // MARK: Telling

    /// Fills a part. It goes out at once: the order leaves when nothing of it remains.
    func fill(_ place: Int, _ quantity: Int64, at price: Int64, isMaker: Bool) {
        let order = state.pointee.orders.orders + place
        order.pointee.filled += quantity
        let isWhole = order.pointee.remaining == 0
        let status = isWhole ? APUS_STATUS_FILLED : APUS_STATUS_PARTIALLY_FILLED
        order.pointee.status = UInt8(truncatingIfNeeded: status.rawValue)
        if isWhole { leave(place) }
        var report = news(place, APUS_REPORT_FILL, action: APUS_ORDER_PLACE)
        report.price = price
        report.quantity = quantity
        report.trade_id = state.pointee.nextTradeID
        report.flags = isMaker ? UInt8(APUS_REPORT_MAKER.rawValue) : 0
        report.fee = fee(order.pointee.instrument, price, quantity, isMaker)
        state.pointee.nextTradeID += 1
        send(report, at: state.pointee.time)
    }

    /// In 10^-8 of the settlement asset, rounded up: the venue rounds in its own favour.
    private func fee(_ index: Int, _ price: Int64, _ quantity: Int64, _ isMaker: Bool) -> Int64 {
        let ppm = Int128(isMaker ? configuration.makerFeePpm : configuration.takerFeePpm)
        let value = table.records[index].economics.value(price, quantity)
        let (quotient, rest) = value.multipliedSaturating(by: ppm).quotientAndRemainder(
            dividingBy: 10_000_000_000_000_000)
        return Int64(clamping: rest > 0 ? quotient + 1 : quotient)
    }

    private func leave(_ place: Int) {
        if state.pointee.orders.leave(place) { markets[state.pointee.orders.orders[place].instrument].resting -= 1 }
    }

    func end(
        _ place: Int, _ kind: apus_report_kind, _ status: apus_order_status, action: apus_order_action
    ) {
        leave(place)
        state.pointee.orders.orders[place].status = UInt8(truncatingIfNeeded: status.rawValue)
        tell(place, kind, action: action)
    }

    private func tell(_ place: Int, _ kind: apus_report_kind, action: apus_order_action, code: Int32 = 0) {
        var report = news(place, kind, action: action)
        report.code = code
        send(report, at: state.pointee.time)
    }

    private func news(_ place: Int, _ kind: apus_report_kind, action: apus_order_action) -> apus_report {
        let order = state.pointee.orders.orders[place]
        var report = apus_report()
        report.client_id = order.id
        report.venue_order_id = order.venueID
        report.instrument = UInt16(truncatingIfNeeded: order.instrument)
        report.kind = UInt8(truncatingIfNeeded: kind.rawValue)
        report.side = order.side.rawValue
        report.status = order.status
        report.action = UInt8(truncatingIfNeeded: action.rawValue)
        report.price = order.price == .max ? 0 : order.price
        report.quantity = order.quantity
        report.cumulative = order.filled
        report.venue_ns = state.pointee.time
        report.sent_ns = order.decided
        report.decided_ns = order.decided
        return report
    }
}
