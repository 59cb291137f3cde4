import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

/// What the venue's books were at each update id.
final class Truth {
    private let venue: BinanceVenue
    private var books: [[UInt32: BookFingerprint]] = [[:], [:]]
    private var newest: [Int64] = [0, 0]

    init(_ venue: BinanceVenue) {
        self.venue = venue
        note()
        // A request can change a book several times; each change that is told is noted as it is told.
        venue.observeDepth { [unowned self] index in self.note(index) }
    }

    func note() {
        note(0)
        note(1)
    }

    private func note(_ index: Int) {
        let id = venue.updateID(index)
        guard id != newest[index] else { return }
        newest[index] = id
        books[index][UInt32(truncatingIfNeeded: id)] = venue.fingerprint(index)
    }

    /// The book at an id of which only the low 32 bits are known.
    func book(_ index: Int, at id: UInt64) -> BookFingerprint? { books[index][UInt32(truncatingIfNeeded: id)] }
}

extension Life {
    // MARK: While it lives

    /// Holds everything that was just published against the truth: each touch, each book, the board, the order of states.
    func holdPublished() {
        var event = apus_event()
        while true {
            let result = apus_feed_read(&engine.reader, &event)
            if result == APUS_FEED_LAPPED {
                // So many events in one turn: the strategy was lapped too, and what is newest is known from the books.
                for index in 0..<2 { states[index] = engine.book(index)?.pointee.state ?? 0 }
                continue
            }
            guard result == APUS_FEED_EVENT else { break }
            mix(event)
            if UInt32(event.kind) == APUS_EVENT_BOOK.rawValue { checkTouch(event, engine.reader.next - 1) }
            if UInt32(event.kind) == APUS_EVENT_BOOK_STATE.rawValue { states[Int(event.instrument)] = event.flags }
        }
        for index in 0..<2 { checkBook(index) }
    }

    private func mix(_ event: apus_event) {
        digest = BookFingerprint.add(digest, Int64(event.kind) << 32 | Int64(event.update_id), event.bid_price)
        digest = BookFingerprint.add(digest, event.ask_price, Int64(bitPattern: event.publish_ns))
    }

    private func checkTouch(_ event: apus_event, _ number: UInt64) {
        let index = Int(event.instrument)
        counts.touchesChecked += 1
        if states[index] != UInt8(APUS_STATE_LIVE.rawValue) {
            ledger.problem(.book, "a book event while the book is not live")
        }
        let touch = Touch(event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity)
        if ledger.touches.count > 4096 { ledger.touches.removeAll(keepingCapacity: true) }
        ledger.touches[number] = touch
        guard let truth = truth.book(index, at: UInt64(event.update_id)) else {
            ledger.problem(
                .book, "book \(index) was published at id \(event.update_id), which the venue never published")
            return
        }
        let right = Touch(
            truth.bid?.price ?? 0, truth.bid?.quantity ?? 0, truth.ask?.price ?? 0, truth.ask?.quantity ?? 0)
        if touch != right {
            ledger.problem(.book, "book \(index) at id \(event.update_id) was published with \(touch), not \(right)")
        }
    }

    private func checkBook(_ index: Int) {
        guard let book = engine.book(index), book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue) else {
            checkedUpdates[index] = 0
            return
        }
        guard book.pointee.update_id != checkedUpdates[index] else { return }
        checkedUpdates[index] = book.pointee.update_id
        counts.booksChecked += 1
        guard let right = truth.book(index, at: book.pointee.update_id) else {
            ledger.problem(
                .book, "book \(index) is live at id \(book.pointee.update_id), which the venue never published")
            return
        }
        if hash(book) != right.hash {
            ledger.problem(.book, "book \(index) is live and wrong at id \(book.pointee.update_id)")
        }
        checkBoard(index, book)
    }

    /// The hash of every level of the engine's book, as `BookFingerprint` makes it.
    private func hash(_ book: UnsafeMutablePointer<apus_market_book>) -> UInt64 {
        var hash = BookFingerprint.seed
        for side in [UInt32(APUS_SIDE_BID), UInt32(APUS_SIDE_ASK)] {
            var cursor = apus_book_cursor()
            var level = apus_level()
            var count: Int64 = 0
            apus_book_cursor_init(&cursor, &book.pointee.book, side)
            while apus_book_cursor_next(&cursor, &level) {
                hash = BookFingerprint.add(hash, level.price, level.quantity)
                count += 1
            }
            hash = BookFingerprint.add(hash, -1, count)
        }
        return hash
    }

    /// The board shows the best levels of the live book.
    private func checkBoard(_ index: Int, _ book: UnsafeMutablePointer<apus_market_book>) {
        let depth = Int(EngineSide.boardDepth)
        var header = apus_board_header()
        withUnsafeTemporaryAllocation(of: apus_level.self, capacity: 4 * depth) { levels in
            let base = levels.baseAddress!
            let result = apus_board_read(&engine.memory.view.pointee.board, UInt32(index), &header, base, base + depth)
            let bids = apus_book_depth(&book.pointee.book, UInt32(APUS_SIDE_BID), base + 2 * depth, UInt32(depth))
            let asks = apus_book_depth(&book.pointee.book, UInt32(APUS_SIDE_ASK), base + 3 * depth, UInt32(depth))
            var isEqual =
                result == 0 && header.state == UInt32(book.pointee.state) && header.bids == bids && header.asks == asks
            for place in 0..<Int(min(bids, header.bids)) where isEqual {
                isEqual =
                    base[place].price == base[2 * depth + place].price
                    && base[place].quantity == base[2 * depth + place].quantity
            }
            for place in 0..<Int(min(asks, header.asks)) where isEqual {
                isEqual =
                    base[depth + place].price == base[3 * depth + place].price
                    && base[depth + place].quantity == base[3 * depth + place].quantity
            }
            if !isEqual {
                ledger.problem(.book, "the board of book \(index) is not the book at id \(book.pointee.update_id)")
            }
        }
    }

    // MARK: At the end

    /// Everything in which engine and venue differ now.
    func allDifferences() -> [Problem] {
        var found: [Problem] = []
        for index in 0..<2 { compareBook(index, &found) }
        compareOrders(&found)
        compareMoney(&found)
        for (index, symbol) in EngineSide.symbols.enumerated() {
            let context = engine.agent.context
            let ours = context.position(of: context.instruments[index]).quantity.units
            let theirs = venue.position(apiKey: EngineSide.apiKey, symbol: symbol)?.quantity ?? 0
            if ours != theirs { found.append(Problem(.position, "\(symbol): engine \(ours), venue \(theirs)")) }
        }
        return found
    }

    private func compareBook(_ index: Int, _ found: inout [Problem]) {
        let symbol = EngineSide.symbols[index]
        guard let book = engine.book(index) else { return found.append(Problem(.book, "\(symbol) has none")) }
        if book.pointee.state != UInt8(APUS_STATE_LIVE.rawValue) {
            return found.append(
                Problem(.book, "\(symbol) is not live: state \(book.pointee.state), reason \(book.pointee.reason)"))
        }
        let right = venue.fingerprint(index)
        if book.pointee.update_id != UInt64(right.updateID) || hash(book) != right.hash {
            found.append(
                Problem(
                    .book,
                    "\(symbol): engine at id \(book.pointee.update_id), venue at \(right.updateID), or other levels"
                ))
        }
        let shown = engine.agent.context.book(of: engine.agent.context.instruments[index])
        if !shown.isLive { found.append(Problem(.book, "\(symbol) is live, but not for the strategy")) }
        if shown.touch.bidPrice != right.bid?.price ?? 0 || shown.touch.askPrice != right.ask?.price ?? 0 {
            found.append(Problem(.book, "\(symbol): the strategy's touch is not the venue's"))
        }
    }

    private func compareOrders(_ found: inout [Problem]) {
        var atVenue = 0
        func note(_ id: UInt64, _ problem: Problem?) {
            guard let problem else { return }
            found.append(Problem(problem.invariant, "order \(OrderID(id)): \(problem.text)"))
        }
        for id in ledger.placed {
            let theirs = venue.order(apiKey: EngineSide.apiKey, clientOrderID: Self.clientText(id))
            if theirs != nil { atVenue += 1 }
            if let ended = aftermath.ended[id] {
                note(id, Self.difference(ended, theirs))
            } else if aftermath.lost.contains(id) {
                // Neither sent nor known; or it had ended before anybody asked, and what it traded is in the position.
                if let theirs, theirs.status.isOpen {
                    note(id, Problem(.memory, "was lost with the machine and is \(theirs)"))
                }
            } else if let ours = engine.agent.context.order(OrderID(id)) {
                note(id, Self.difference(ours, theirs))
                let told = ledger.told[id] ?? 0
                if told != ours.filled.units {
                    note(id, Problem(.fill, "\(told) filled was told, \(ours.filled.units) is"))
                }
            } else {
                note(id, Problem(.memory, "is not known to the engine"))
            }
        }
        let count = venue.orderCount(apiKey: EngineSide.apiKey)
        if count != atVenue {
            found.append(
                Problem(.approval, "the venue has \(count) orders, the engine approved \(atVenue) of them"))
        }
    }

    static func clientText(_ id: UInt64) -> String {
        let digits = String(id, radix: 16)
        return "apus" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// An order that had ended before the engine's last death.
    private static func difference(
        _ ours: (state: OrderState, filled: Int64), _ theirs: TrueOrder?
    ) -> Problem? {
        guard let theirs else {
            return ours.state == .rejected ? nil : Problem(.order, "was \(ours.state), venue knows no such order")
        }
        if theirs.status.isOpen { return Problem(.memory, "was \(ours.state), venue \(theirs.status)") }
        if ours.filled != theirs.executed {
            return Problem(.fill, "had filled \(ours.filled), venue \(theirs.executed)")
        }
        return ours.state == expected(theirs.status)
            ? nil : Problem(.order, "was \(ours.state), venue \(theirs.status)")
    }

    private static func difference(_ ours: Order, _ theirs: TrueOrder?) -> Problem? {
        guard let theirs else {
            return ours.state == .rejected ? nil : Problem(.order, "engine \(ours.state), venue knows no such order")
        }
        if theirs.status.isOpen && !ours.isOpen {
            return Problem(.memory, "engine \(ours.state), venue \(theirs.status)")
        }
        if ours.filled.units != theirs.executed {
            return Problem(.fill, "engine has filled \(ours.filled.units), venue \(theirs.executed)")
        }
        if ours.state != expected(theirs.status) {
            return Problem(.order, "engine \(ours.state), venue \(theirs.status)")
        }
        guard theirs.status.isOpen else { return nil }
        if ours.price.units != theirs.price {
            return Problem(.order, "engine's price \(ours.price.units), venue's \(theirs.price)")
        }
        if ours.quantity.units != theirs.quantity {
            return Problem(.order, "engine's quantity \(ours.quantity.units), venue's \(theirs.quantity)")
        }
        return nil
    }

    static func expected(_ status: OrderStatus) -> OrderState {
        switch status {
        case .new: .live
        case .partiallyFilled: .partiallyFilled
        case .filled: .filled
        case .canceled: .canceled
        case .expired, .expiredInMatch: .expired
        }
    }
}
