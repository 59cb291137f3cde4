internal import Apus
internal import CApusRing

extension DecisionAgent {
    // MARK: What the strategy asks for

    /// The functions behind `Context`. The engine is used without counting references: it owns the context.
    static func desk(_ owner: UnsafeMutableRawPointer) -> OrderDesk {
        OrderDesk(
            owner: owner,
            place: { caller, request in agent(caller)._withUnsafeGuaranteedRef { $0.place(request, caller) } },
            cancel: { caller, id in agent(caller)._withUnsafeGuaranteedRef { $0.cancel(id, caller) } },
            modify: { caller, id, price, quantity in
                agent(caller)._withUnsafeGuaranteedRef { $0.modify(id, price: price, quantity: quantity, caller) }
            },
            order: { caller, id in agent(caller)._withUnsafeGuaranteedRef { $0.find(id, caller)?.pointee.order } },
            setTimer: { caller, time, pause in
                agent(caller)._withUnsafeGuaranteedRef {
                    $0.timers.pointee.set(at: time, every: pause, of: caller.pointee.strategy)
                }
            },
            cancelTimer: { caller, timer in
                agent(caller)._withUnsafeGuaranteedRef {
                    $0.timers.pointee.cancel(timer, of: caller.pointee.strategy)
                }
            })
    }

    private static func agent(_ caller: OrderDesk.Caller) -> Unmanaged<DecisionAgent> {
        .fromOpaque(caller.pointee.desk.owner)
    }

    /// The order, where the caller may see it.
    private func find(_ id: OrderID, _ caller: OrderDesk.Caller) -> UnsafeMutablePointer<OrderRecord>? {
        guard let record = orders.find(id), caller.pointee.sees(record.pointee.order) else { return nil }
        return record
    }

    private func place(_ request: OrderRequest, _ caller: OrderDesk.Caller) -> Placement {
        guard caller.pointee.trades(request.instrument) else { return refuse(.unknownInstrument, caller) }
        guard orders.hasRoom else { return refuse(.orderTableFull, caller) }
        guard hasJournalRoom else { return refuse(.journalFull, caller) }
        guard state.pointee.nextOrder != .max else { return refuse(.identifiersExhausted, caller) }
        let id = OrderID(UInt64(configuration.runTag) << 32 | UInt64(state.pointee.nextOrder))
        guard orders.find(id) == nil else { return refuse(.duplicateIdentifier, caller) }
        let verdict = gate.pointee.approve(request, id: id, openOrders: orders.openCount, now: core.pointee.now)
        switch consume verdict {
        case .refused(let refusal):
            return refusal.isOfRate && request.whenLimited == .queue ? wait(request, id, caller) : blocked(refusal)
        case .approved(let approved):
            // Also when the ring is full: the journal knows the number then.
            state.pointee.nextOrder += 1
            let wall = wallMilliseconds
            let expire = request.expiry == 0 ? 0 : self.wall(request.expiry) / 1_000_000
            approved.identify(wall: wall, expire: expire, venue: 0)
            let limit = approved.withRequest { $0.pointee.limit }
            guard send(approved, APUS_ORDER_PLACE) else { return refuse(.orderRingFull, caller) }
            state.pointee.orders &+= 1
            gate.pointee.countPlaced(of: request.strategy)
            life.pointee.place(Order(id: id, request), now: core.pointee.now)
            valueLater(request.instrument.record)
            if let record = orders.find(id) {
                record.pointee.wall = wall
                record.pointee.expire = expire
                record.pointee.limit = limit
                askNoLater(than: record.pointee.queryTime)
            }
            shareOrders()
            apus_count(apus_counters_decide(counters, APUS_COUNT_ORDERS_APPROVED.rawValue), 1)
            return .placed(id)
        }
    }

    private func cancel(_ id: OrderID, _ caller: OrderDesk.Caller) -> Placement {
        guard let record = find(id, caller), record.pointee.order.isOpen else { return refuse(.noSuchOrder, caller) }
        guard record.pointee.order.state != .pendingCancel else { return refuse(.changePending, caller) }
        if record.pointee.isWaiting { return withdraw(record) }
        let request = gate.pointee.pass(record.pointee.order, action: APUS_ORDER_CANCEL)
        identify(request, record)
        guard send(request, APUS_ORDER_CANCEL) else { return refuse(.orderRingFull, caller) }
        life.pointee.cancelSent(record)
        gate.pointee.countCancel(core.pointee.now)
        state.pointee.cancels &+= 1
        return .placed(id)
    }

    private func modify(
        _ id: OrderID, price: Int64, quantity: Int64, _ caller: OrderDesk.Caller
    ) -> Placement {
        guard let record = find(id, caller), record.pointee.order.isOpen else { return refuse(.noSuchOrder, caller) }
        switch record.pointee.order.state {
        case .pendingNew where record.pointee.isWaiting: return refuse(.changePending, caller)
        case .pendingCancel, .pendingModify, .unknown: return refuse(.changePending, caller)
        // The one before may still arrive, and would undo this one.
        default: if record.pointee.isChangeInDoubt { return refuse(.changePending, caller) }
        }
        let order = record.pointee.order
        // The gate judges what is still to be filled; the venue is told the whole quantity.
        guard quantity > order.filled.units else { return refuse(.quantityNotPositive, caller) }
        guard hasJournalRoom else { return refuse(.journalFull, caller) }
        let request = OrderRequest(
            instrument: order.instrument, side: order.side, type: order.type, timeInForce: order.timeInForce,
            isReduceOnly: order.isReduceOnly, price: price, quantity: quantity, expiry: order.expiryTime,
            strategy: order.strategy)
        let verdict = gate.pointee.approve(
            request, action: APUS_ORDER_MODIFY, id: id, replacing: Replaced(record), openOrders: orders.openCount,
            now: core.pointee.now)
        switch consume verdict {
        case .refused(let refusal): return blocked(refusal)
        case .approved(let approved):
            identify(approved, record)
            guard send(approved, APUS_ORDER_MODIFY) else { return refuse(.orderRingFull, caller) }
            life.pointee.modifySent(record, price: price, quantity: quantity, now: core.pointee.now)
            valueLater(order.instrument.record)
            state.pointee.modifies &+= 1
            gate.pointee.countModified(of: order.strategy)
            apus_count(apus_counters_decide(counters, APUS_COUNT_ORDERS_APPROVED.rawValue), 1)
            return .placed(id)
        }
    }

    func refuse(_ refusal: Refusal, _ caller: OrderDesk.Caller) -> Placement {
        gate.pointee.count(refused: refusal, of: caller.pointee.strategy)
        return blocked(refusal)
    }

    private func blocked(_ refusal: Refusal) -> Placement {
        apus_count(apus_counters_decide(counters, APUS_COUNT_ORDERS_BLOCKED.rawValue), 1)
        return .refused(refusal)
    }

    /// Stamps, writes the intent down and pushes. The hop from decision to order ends here.
    func send(_ order: consuming ApprovedOrder, _ action: apus_order_action) -> Bool {
        let approved = order
        var now = core.pointee.now
        if !state.pointee.time.isSimulated {
            now = state.pointee.time.read()
            apus_histogram_record(
                apus_counters_hop(counters, APUS_HOP_DECIDE_ORDER.rawValue), now &- state.pointee.decisionStart)
        }
        approved.decide(at: now)
        guard let journal else { return producer.push(approved) }
        let record = journal.intent(approved, action, now: now, wall: wall(now))
        // Nothing goes out that could not be written down, but a cancel.
        guard record != 0 || action == APUS_ORDER_CANCEL else { return false }
        let place = approved.withRequest { $0 }  // the gate's own memory: it stays until the next order is made
        if producer.push(approved) { return true }
        refusedByRing(place, now)
        return false
    }

    func identify(_ request: borrowing ApprovedOrder, _ record: UnsafeMutablePointer<OrderRecord>) {
        request.identify(wall: record.pointee.wall, expire: record.pointee.expire, venue: record.pointee.venueID)
        if record.pointee.order.type == .market { request.bound(to: record.pointee.limit) }
    }

    /// The table's open orders are seen by `Context` through a count of its own.
    func shareOrders() { core.pointee.openCount = orders.openCount }

    // MARK: What the venue answers

    func drainReports() -> Int {
        let state = self.state
        var read = 0
        while read < configuration.reportBatch, apus_report_pop(reports, &state.pointee.report) {
            read += 1
            apus_probe_reported(&state.pointee.report)
            take(&state.pointee.report)
        }
        return read
    }

    func take(_ report: UnsafeMutablePointer<apus_report>) {
        let time = report.pointee.receive_ns
        advance(time)
        life.pointee.name(report, table)
        if let journal {
            life.pointee.complete(report)
            journal.report(report, now: time, wall: wall(time))
        }
        if isOfNoOrder(report) { return }
        if let breaker = gate.pointee.breaker { tell(breaker, report) }
        let fillsBefore = life.pointee.fills
        let (result, record) = life.pointee.apply(report)
        shareOrders()
        if let record { valueLater(record.pointee.order.instrument.record) }
        if life.pointee.fills != fillsBefore {
            judge()
            apus_count(apus_counters_decide(counters, APUS_COUNT_FILLS.rawValue), life.pointee.fills - fillsBefore)
        }
        if let record, record.pointee.order.isOpen { askNoLater(than: record.pointee.queryTime) }
        guard case .news(let kind, let fill) = result, let record else { return }
        _ = beginDecision()
        box.report(
            Report(order: record.pointee.order, kind: kind, fill: fill, code: report.pointee.code, time: time), context)
    }

    /// Takes in what is told of no one order.
    private func isOfNoOrder(_ report: UnsafePointer<apus_report>) -> Bool {
        switch UInt32(report.pointee.kind) {
        case APUS_REPORT_MISSED.rawValue, APUS_REPORT_STALLED.rawValue:
            life.pointee.missed()
            state.pointee.nextQuery = 0
        case APUS_REPORT_SETTLED.rawValue, APUS_REPORT_FUNDING.rawValue, APUS_REPORT_BALANCE.rawValue:
            if life.pointee.account(report, table) { takeOfAccount(report) }
        case APUS_REPORT_UNDONE.rawValue where report.pointee.client_id == 0:
            if life.pointee.account(report, table) { takeOfAccount(report) }
        default: return false
        }
        return true
    }

    // MARK: Lost answers

    private static var firstPause: UInt64 { 1_000_000_000 }
    private static var longestPause: UInt64 { 30_000_000_000 }

    func askNoLater(than time: UInt64) {
        if time < state.pointee.nextQuery { state.pointee.nextQuery = time }
    }

    /// Up to an eighth of a pause, so that questions about orders that were lost together do not come together for ever. It
    /// follows from the order's number: the same run asks at the same times.
    private static func jitter(_ id: OrderID, _ pause: UInt64) -> UInt64 {
        var random = SplitMix64(seed: id.value ^ pause)
        return random.upTo(pause / 8)
    }

    /// Asks the venue about orders whose answer was lost: at once, then after 1, 2, 4 ... 30 seconds, also when the
    /// ring was full; and about those of which nothing was heard for long. No order is ever sent twice.
    func askAboutOrders(_ now: UInt64) -> Int {
        guard now >= state.pointee.nextQuery else { return 0 }
        var asked = 0
        var next = UInt64.max
        for place in 0..<orders.openCount {
            let record = orders.records + Int(orders.open[place])
            if record.pointee.queryTime <= now {
                let request = gate.pointee.pass(record.pointee.order, action: APUS_ORDER_QUERY)
                identify(request, record)
                if producer.push(request) {
                    let pause = record.pointee.queryPause
                    record.pointee.queryPause = pause == 0 ? Self.firstPause : min(2 * pause, Self.longestPause)
                    state.pointee.queries &+= 1
                    asked += 1
                }
                let pause = max(record.pointee.queryPause, Self.firstPause)
                record.pointee.queryTime = now + pause + Self.jitter(record.pointee.order.id, pause)
            }
            next = min(next, record.pointee.queryTime)
        }
        state.pointee.nextQuery = next
        return asked
    }
}

extension Refusal {
    /// Whether only the rate holds an order up, so that it may wait.
    var isOfRate: Bool {
        switch self {
        case .rateExceeded, .instrumentRateExceeded, .strategyRateExceeded: true
        default: false
        }
    }
}
