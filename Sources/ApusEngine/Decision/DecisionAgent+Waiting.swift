internal import Apus
internal import CApusRing

/// Orders that wait for the rate, in the order in which they came. Fixed size.
struct WaitingOrders {
    /// So many may wait.
    static let room = 64

    private var ids = InlineArray<64, UInt64>(repeating: 0)
    private(set) var count = 0

    var isFull: Bool { count == Self.room }

    subscript(_ place: Int) -> OrderID { OrderID(ids[place]) }

    mutating func add(_ id: OrderID) {
        precondition(!isFull, "an order waits only where there is room")
        ids[count] = id.value
        count += 1
    }

    mutating func remove(at place: Int) {
        count -= 1
        for later in place..<count { ids[later] = ids[later + 1] }
    }
}

extension DecisionAgent {
    /// An order that only the rate holds up is open from now on, and leaves when there is a token.
    func wait(_ request: OrderRequest, _ id: OrderID, _ caller: OrderDesk.Caller) -> Placement {
        guard !state.pointee.waiting.isFull else { return refuse(.queueFull, caller) }
        state.pointee.nextOrder += 1
        state.pointee.orders &+= 1
        gate.pointee.countPlaced(of: request.strategy)
        state.pointee.waiting.add(id)
        life.pointee.place(Order(id: id, request), now: core.pointee.now)
        gate.pointee.remember(request, request.instrument.record)
        valueLater(request.instrument.record)
        if let record = orders.find(id) {
            record.pointee.isWaiting = true
            record.pointee.queryTime = .max  // the venue has never heard of it
        }
        shareOrders()
        riskNoLater(than: gate.pointee.nextToken(request, core.pointee.now))
        return .placed(id)
    }

    /// Takes an order that waits back: it ends with the next turn.
    func withdraw(_ record: UnsafeMutablePointer<OrderRecord>) -> Placement {
        life.pointee.cancelSent(record)
        state.pointee.cancels &+= 1
        riskNoLater(than: 0)
        return .placed(record.pointee.order.id)
    }

    /// Lets out what waited and may go now, checked anew: the market has moved meanwhile.
    func releaseWaiting(_ now: UInt64) -> Int {
        var place = 0, done = 0
        _ = beginDecision()
        while place < state.pointee.waiting.count {
            guard let record = orders.find(state.pointee.waiting[place]), record.pointee.isWaiting else {
                state.pointee.waiting.remove(at: place)
                continue
            }
            guard let end = tryWaiting(record, now) else {
                place += 1
                continue
            }
            done += 1
            record.pointee.isWaiting = false
            state.pointee.waiting.remove(at: place)
            if let end { tellEnd(record, end, now) }
        }
        return done
    }

    /// Why an order ended that never left.
    enum WaitingEnd {
        case canceled
        case refused(Refusal)
    }

    /// nil: it goes on waiting. Otherwise it waits no more: it has left, or it has ended.
    private func tryWaiting(_ record: UnsafeMutablePointer<OrderRecord>, _ now: UInt64) -> WaitingEnd?? {
        if record.pointee.order.state == .pendingCancel { return .some(.canceled) }
        let request = OrderRequest(record.pointee.order)
        let token = gate.pointee.nextToken(request, now)
        if token > now {
            riskNoLater(than: token)
            return nil
        }
        guard hasJournalRoom else {
            gate.pointee.count(refused: .journalFull, of: request.strategy)
            return .some(.refused(.journalFull))
        }
        let verdict = gate.pointee.approve(
            request, id: record.pointee.order.id, replacing: Replaced(record), openOrders: orders.openCount, now: now)
        switch consume verdict {
        case .refused(let refusal): return .some(.refused(refusal))
        case .approved(let approved):
            record.pointee.wall = wall(now) / 1_000_000
            record.pointee.expire = request.expiry == 0 ? 0 : wall(request.expiry) / 1_000_000
            record.pointee.limit = approved.withRequest { $0.pointee.limit }
            approved.identify(wall: record.pointee.wall, expire: record.pointee.expire, venue: 0)
            // The journal knows its number, which no other intent may have: it cannot wait on.
            guard send(approved, APUS_ORDER_PLACE) else { return .some(.refused(.orderRingFull)) }
            life.pointee.left(record, now: now)
            askNoLater(than: record.pointee.queryTime)
            apus_count(apus_counters_decide(counters, APUS_COUNT_ORDERS_APPROVED.rawValue), 1)
            return .some(nil)
        }
    }

    private func tellEnd(_ record: UnsafeMutablePointer<OrderRecord>, _ end: WaitingEnd, _ now: UInt64) {
        var kind = ReportKind.canceled
        var code: Int32 = 0
        switch end {
        case .canceled: life.pointee.close(.canceled, record)
        case .refused(let refusal):
            (kind, code) = (.refused, Refusal.firstCode + Int32(refusal.rawValue))
            life.pointee.close(.rejected, record)
            apus_count(apus_counters_decide(counters, APUS_COUNT_ORDERS_BLOCKED.rawValue), 1)
        }
        valueLater(record.pointee.order.instrument.record)
        shareOrders()
        _ = beginDecision()
        box.report(Report(order: record.pointee.order, kind: kind, fill: nil, code: code, time: now), context)
    }
}

extension OrderLife {
    /// An order that waited has been pushed to the ring.
    mutating func left(_ record: UnsafeMutablePointer<OrderRecord>, now: UInt64) {
        record.pointee.decided = now
        heard(record, now)
    }
}
