import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

extension PolymarketLife {
    // MARK: The venue's side

    /// The wallet's orders by their salt, which follows from the engine's number.
    func ordersBySalt() -> [UInt64: [TruePolymarketOrder]] {
        Dictionary(grouping: venue.orders(signer: wallet.signer), by: \.salt)
    }

    func order(of id: UInt64, among orders: [UInt64: [TruePolymarketOrder]]) -> TruePolymarketOrder? {
        orders[apus_polymarket_salt(id)]?.first
    }

    /// What has been filled of each order and has not failed, by its name.
    func filled() -> [String: Int64] {
        venue.fills(signer: wallet.signer).reduce(into: [:]) { sums, fill in
            sums[fill.orderID, default: 0] += fill.status == .failed ? 0 : fill.quantity
        }
    }

    // MARK: At every event

    /// No limit of the engine is exceeded at the venue, whatever is in flight. Sales that fail bring back what was sold.
    func checkLimits() {
        let open = venue.openOrders(signer: wallet.signer)
        if open.count > PolymarketEngine.maxOpenOrders {
            ledger.problem(.limit, "\(open.count) orders are open at the venue")
        }
        for definition in wallet.definitions {
            let token = definition.symbol
            let held = venue.tokens(signer: wallet.signer, tokenID: token) ?? 0
            let buys = open.reduce(0) { $0 + ($1.tokenID == token && $1.side == .buy ? $1.size - $1.matched : 0) }
            let sells = open.reduce(0) { $0 + ($1.tokenID == token && $1.side == .sell ? $1.size - $1.matched : 0) }
            if held + buys > PolymarketEngine.maxPosition + (returned[token] ?? 0) {
                noteReturned()
                let limit = PolymarketEngine.maxPosition + (returned[token] ?? 0)
                if held + buys > limit { ledger.problem(.limit, "\(held) held and \(buys) to buy exceed \(limit)") }
            }
            if sells > held { ledger.problem(.limit, "\(sells) to sell are more than the \(held) held") }
        }
    }

    private func noteReturned() {
        returned = venue.fills(signer: wallet.signer).reduce(into: [:]) { sums, fill in
            guard fill.status == .failed, fill.side == .sell else { return }
            sums[fill.tokenID, default: 0] += fill.quantity
        }
    }

    // MARK: In the end

    func allDifferences() -> [Problem] {
        var found: [Problem] = []
        for index in wallet.definitions.indices { compareBook(index, &found) }
        compareOrders(&found)
        comparePositions(&found)
        compareMoney(&found)
        return found
    }

    private func compareBook(_ index: Int, _ found: inout [Problem]) {
        let token = wallet.definitions[index].symbol, name = "book \(index)"
        guard let book = engine.book(index), let truth = venue.book(tokenID: token) else {
            return found.append(Problem(.book, "\(name) is not there"))
        }
        guard book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue) else {
            return found.append(
                Problem(.book, "\(name) is not live: state \(book.pointee.state), reason \(book.pointee.reason)"))
        }
        for (side, levels) in [(UInt32(APUS_SIDE_BID), truth.bids), (UInt32(APUS_SIDE_ASK), truth.asks)] {
            var cursor = apus_book_cursor()
            var level = apus_level()
            var ours: [[Int64]] = []
            apus_book_cursor_init(&cursor, &book.pointee.book, side)
            while apus_book_cursor_next(&cursor, &level) {
                ours.append([level.price, level.quantity])
            }
            if ours != levels.map({ [$0.price, $0.quantity] }) {
                found.append(Problem(.book, "\(name) has other levels than the venue's"))
            }
        }
        let shown = engine.agent.context.book(of: engine.agent.context.instruments[index])
        if !shown.isLive || shown.touch.bidPrice != truth.bids.first?.price ?? 0 {
            found.append(Problem(.book, "\(name) is another for the strategy"))
        }
    }

    private func compareOrders(_ found: inout [Problem]) {
        let theirs = ordersBySalt(), filled = filled()
        var atVenue = 0
        func note(_ id: UInt64, _ problem: Problem?) {
            guard let problem else { return }
            found.append(Problem(problem.invariant, "order \(OrderID(id)): \(problem.text)"))
        }
        for id in ledger.placed {
            let order = order(of: id, among: theirs)
            if order != nil { atVenue += 1 }
            let net = order.flatMap { filled[$0.id] } ?? 0
            if let ended = aftermath.ended[id] {
                note(id, difference(ended.state, nil, order, net))
            } else if aftermath.lost.contains(id) {
                if let order, order.status == .live {
                    note(id, Problem(.memory, "was lost with the machine and is \(order)"))
                }
            } else if let ours = engine.agent.context.order(OrderID(id)) {
                note(id, difference(ours.state, ours, order, net))
                let told = ledger.told[id] ?? 0
                if told != ours.filled.units {
                    note(id, Problem(.fill, "\(told) filled was told, \(ours.filled.units) is"))
                }
            } else {
                note(id, Problem(.memory, "is not known to the engine"))
            }
        }
        let all = theirs.values.reduce(0) { $0 + $1.count }
        if all != atVenue {
            found.append(Problem(.approval, "the venue has \(all) orders, the engine approved \(atVenue) of them"))
        }
    }

    /// - Parameter ours: nil for an order that had ended before the engine's last death.
    private func difference(
        _ state: OrderState, _ ours: Order?, _ theirs: TruePolymarketOrder?, _ net: Int64
    ) -> Problem? {
        guard let theirs else {
            return state == .rejected ? nil : Problem(.order, "engine \(state), venue knows no such order")
        }
        let text =
            "engine \(state)\(ours == nil ? " before a death" : ""), venue \(theirs.status) with \(theirs.matched) matched, "
            + "\(net) of them for good"
        if theirs.status == .live && !state.isOpen { return Problem(.memory, text) }
        if let ours, ours.filled.units != net {
            return Problem(.fill, "\(text): engine has filled \(ours.filled.units)")
        }
        let isRight =
            switch theirs.status {
            case .live: state == (net == 0 ? .live : .partiallyFilled)
            case .matched, .canceled:
                // Of one that had ended before a death, what failed later is in the position alone.
                net == theirs.size || ours == nil
                    ? [.filled, .canceled, .expired].contains(state) : state == .canceled || state == .expired
            }
        if !isRight { return Problem(.order, text) }
        guard theirs.status == .live, let ours else { return nil }
        if ours.price.units != theirs.price {
            return Problem(.order, "engine's price \(ours.price.units), venue's \(theirs.price)")
        }
        return nil
    }

    private func comparePositions(_ found: inout [Problem]) {
        for instrument in engine.agent.context.instruments {
            let ours = engine.agent.context.position(of: instrument).quantity.units
            let theirs = venue.tokens(signer: wallet.signer, tokenID: instrument.symbol) ?? 0
            if ours != theirs {
                found.append(Problem(.position, "token \(instrument.index): engine \(ours), venue \(theirs)"))
            }
        }
    }

    /// The collateral is what it was, and what was earned since, exactly; unless a position was taken over whole.
    private func compareMoney(_ found: inout [Problem]) {
        if aftermath.isMoneyInDoubt { return }
        let context = engine.agent.context
        var ours = Money.zero
        for instrument in context.instruments {
            let position = context.position(of: instrument)
            ours += position.realised - position.fees - Money(atoms: instrument.record.pointee.position.cost)
        }
        let change = (venue.collateral(signer: wallet.signer) ?? 0) - PolymarketEngine.collateral
        let theirs = Money(ExactDecimal(digits: change, decimals: 6))
        if ours != theirs { found.append(Problem(.money, "earned: engine \(ours), venue \(theirs)")) }
    }
}
