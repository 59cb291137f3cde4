package import Apus
internal import CApusRing

/// Whose is what, by the strategies' names: the numbers that orders carry are given anew by each run.
package struct JournaledStrategies {
    /// Of those that ever traded; an order of `JournalState` carries its strategy's place in here.
    package internal(set) var names: [String] = []
    /// What each may do by its own word, and its own trading day.
    package internal(set) var words: [String: TradingState] = [:]
    package internal(set) var days: [String: TradingDay] = [:]
    /// There once were several side by side: from then on what is whose is kept apart.
    package var isSplit: Bool { ledger != nil }
    var ledger: StrategyLedger?
    /// What the present run's numbers stand for.
    fileprivate var places: [UInt8: UInt8] = [:]

    /// The strategies of a run are named anew.
    mutating func begin() { places.removeAll(keepingCapacity: true) }

    /// The place of the strategy that an order carries the number of.
    func place(_ number: UInt8) -> UInt8 { isSplit ? places[number] ?? Order.nobody : 0 }
}

extension JournalState {
    /// Takes in what a run says of one of its strategies: its name, its number and its word.
    func name(_ state: apus_journal_state) throws(JournalError) {
        let name = state.text
        if state.values.0 != 0 { keepApart(isFirst: runs <= 1) }
        if name.isEmpty { return }
        strategies.words[name] = TradingState(rawValue: state.after) ?? .halted
        guard strategies.isSplit else {
            // One that has everything takes over what another one had alone.
            strategies.names = [name]
            return
        }
        if let known = strategies.names.firstIndex(of: name) {
            strategies.places[UInt8(truncatingIfNeeded: state.number)] = UInt8(known)
            return
        }
        guard strategies.names.count < Int(Order.nobody) else {
            throw JournalError("more than \(Order.nobody) strategies have traded with this journal: begin another one")
        }
        strategies.places[UInt8(truncatingIfNeeded: state.number)] = UInt8(strategies.names.count)
        strategies.names.append(name)
        strategies.ledger?.add()
    }

    func day(_ state: apus_journal_state) {
        if let day = TradingDay(state) { strategies.days[state.text] = day }
    }

    /// From now on what is whose is kept apart: what there is belongs to the one that was alone, "" where nothing told its name.
    /// - Parameter isFirst: nobody has traded before.
    func keepApart(isFirst: Bool) {
        if strategies.isSplit { return }
        let isFirst = isFirst && strategies.names.isEmpty
        let ledger = StrategyLedger(strategies: isFirst ? 0 : 1, instruments: instruments.capacity)
        for index in 0..<instruments.count where !isFirst {
            let record = instruments.records + index, row = ledger.rows.row(0, record)
            row.pointee.position = record.pointee.position
            (row.pointee.openBuys, row.pointee.openSells) = (record.pointee.openBuys, record.pointee.openSells)
        }
        if strategies.names.isEmpty && !isFirst { strategies.names = [""] }
        strategies.ledger = ledger
        life.rows = ledger.rows
    }

    /// Whose an order or a row is; nil: nobody's.
    package func owner(_ place: UInt8) -> String? {
        Int(place) < strategies.names.count ? strategies.names[Int(place)] : nil
    }

    /// What each strategy of a name holds of an instrument, where what is whose is kept apart.
    package func positions(of instrument: Instrument) -> [(strategy: String, position: Position)] {
        guard let rows = strategies.ledger?.rows else { return [] }
        return strategies.names.enumerated().compactMap { place, name in
            if name.isEmpty { return nil }
            let row = rows.row(UInt8(place), instrument.record)
            return (name, Position(instrument.record, row.pointer(to: \.position)!))
        }
    }

    /// What a strategy holds of an instrument; what belongs to no strategy among `names` is nobody's.
    func position(of name: String?, _ instrument: Instrument, among names: [String]) -> PositionLedger {
        guard let rows = strategies.ledger?.rows else {
            let isOwn = name.map { strategies.names.first == $0 } ?? !names.contains(strategies.names.first ?? "")
            return isOwn ? instrument.record.pointee.position : PositionLedger()
        }
        if let name {
            guard let place = strategies.names.firstIndex(of: name) else { return PositionLedger() }
            return rows.row(UInt8(place), instrument.record).pointee.position
        }
        var sum = rows.row(Order.nobody, instrument.record).pointee.position
        for (place, owner) in strategies.names.enumerated() where !names.contains(owner) {
            sum.add(rows.row(UInt8(place), instrument.record).pointee.position)
        }
        return sum
    }
}

extension apus_journal_state {
    /// What `name` holds.
    var text: String {
        var copy = self
        return withUnsafeBytes(of: &copy.name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
