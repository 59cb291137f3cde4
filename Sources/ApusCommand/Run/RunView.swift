import Apus
import ApusLive

/// The screen of a running engine: book, position, profit, orders, latency of each hop, and the newest log lines.
struct RunView {
    let title: String
    let instruments: [InstrumentDefinition]
    let sample: EngineSample
    let previous: EngineSample?
    let status: EngineStatus?
    let journal: JournalLine?
    let breakers: [BreakerLine]
    let log: [Log.Line]
    let secondsLeft: Int?

    func lines(rows: Int, columns: Int) -> [StyledLine] {
        let market = sample.books.prefix(2).flatMap { bookLadder($0, depth: 8) + [StyledLine()] }
        let account = profit() + [StyledLine()] + positions() + [StyledLine()] + orders()
        var lines = [heading(), activity(), safety(), StyledLine()]
        lines += columns >= 130 ? sideBySide([market, account], gap: 4) : market + account
        lines += [StyledLine()] + hopTable(sample.hops) + [StyledLine()]
        let room = max(3, rows - lines.count - 1)
        lines += log.suffix(room).map { StyledLine($0.text, style($0.level)) }
        return lines
    }

    private func style(_ level: Log.Level) -> StyledLine.Style {
        switch level {
        case .error: .bad
        case .warning: .warning
        case .info: .faint
        }
    }

    private func heading() -> StyledLine {
        var line = StyledLine("apus ", .strong)
        line.add(title)
        line.add("   up \(clockText(seconds: sample.uptimeSeconds))", .faint)
        if let secondsLeft { line.add("   ends in \(secondsLeft) s", .faint) }
        line.add("   q or Ctrl-C ends it", .faint)
        return line
    }

    private func activity() -> StyledLine {
        var line = StyledLine()
        for (name, counter) in [
            ("messages", "frames"), ("events", "events"), ("orders sent", "orders_sent"), ("fills", "fills"),
        ] {
            line.add("\(name) \(countText(sample.counter(counter)))\(sample.rate(of: counter, since: previous))   ")
        }
        for (name, counter) in [("lost", "events_lost"), ("gaps", "gaps"), ("errors", "decode_errors")] {
            let count = sample.counter(counter)
            line.add("\(name) \(countText(count))   ", count == 0 ? .faint : .warning)
        }
        return line
    }

    /// What may be sent, breakers that are not closed, and how far the disk is behind.
    private func safety() -> StyledLine {
        var line = StyledLine("trading ")
        let trading = status?.trading ?? .active
        line.add("\(trading)", trading == .active ? .good : .bad)
        if let trip = status?.trip { line.add(" (\(trip == .dailyLoss ? "daily loss" : "drawdown"))", .bad) }
        let open = breakers.filter { $0.state != .closed }
        line.add("   breakers ")
        line.add(
            open.isEmpty ? "closed" : open.map { "\($0.name) \($0.state)" }.joined(separator: ", "),
            open.isEmpty ? .good : .bad)
        guard let journal else { return line }
        let behind = journal.written - min(journal.durable, journal.written)
        line.add("   journal \(countText(journal.written)) records, \(countText(behind)) not on the disk yet", .faint)
        if let problem = journal.problem { line.add("   \(problem)", .bad) }
        return line
    }

    // MARK: Account

    private func profit() -> [StyledLine] {
        guard let profit = status?.profit else { return [StyledLine("P&L", .faint)] }
        var line = StyledLine("P&L ", .strong)
        line.add(money(profit.net), profit.net < .zero ? .bad : .good)
        line.add(
            "   realised \(money(profit.realised))   unrealised \(money(profit.unrealised))   fees \(money(profit.fees))"
        )
        return [line]
    }

    private func positions() -> [StyledLine] {
        guard let status else { return [] }
        let held = zip(instruments, status.positions).filter { $1.quantity != .zero || $1.fees != .zero }
        if held.isEmpty { return [StyledLine("no position yet", .faint)] }
        return [StyledLine("POSITION          QUANTITY         AVERAGE      UNREALISED", .faint)]
            + held.map { definition, position in
                let average = position.averagePrice.map { $0.text(decimals: definition.priceDecimals) } ?? "-"
                let cells = [
                    position.quantity.text(decimals: definition.quantityDecimals), average, money(position.unrealised),
                ]
                let name = padded(String(definition.symbol.prefix(12)), to: 12)
                return StyledLine(name + aligned(cells[0], to: 14) + cells[1...].map { aligned($0, to: 16) }.joined())
            }
    }

    private func orders() -> [StyledLine] {
        guard let status else { return [] }
        var lines = [StyledLine("OPEN ORDERS \(status.openOrders)", .faint)]
        for order in status.orders.prefix(8) where Int(order.instrument) < instruments.count {
            let definition = instruments[Int(order.instrument)]
            var line = StyledLine(padded(String(definition.symbol.prefix(12)), to: 12))
            line.add(order.side == .buy ? " buy  " : " sell ", order.side == .buy ? .bid : .ask)
            line.add(aligned(order.quantity.text(decimals: definition.quantityDecimals), to: 12))
            line.add(" @ " + aligned(order.price.text(decimals: definition.priceDecimals), to: 14))
            line.add("  \(order.state)", .faint)
            if order.filled != .zero { line.add(" filled \(order.filled.text(decimals: definition.quantityDecimals))") }
            lines.append(line)
        }
        return lines
    }

    private func money(_ money: Money) -> String { money.text(decimals: 4) }
}
