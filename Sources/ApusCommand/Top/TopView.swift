/// Draws a sample of an engine; two samples give rates.
package struct TopView {
    private let sample: EngineSample
    private let previous: EngineSample?

    package init(_ sample: EngineSample, previous: EngineSample?) {
        self.sample = sample
        self.previous = previous
    }

    /// The whole view. `depth` levels a side of each book are shown.
    package func lines(depth: Int) -> [StyledLine] {
        [heading(), activity(), losses(), connections(), StyledLine()] + strategies() + hopTable(sample.hops) + [
            StyledLine()
        ]
            + books(depth)
    }

    private func heading() -> StyledLine {
        var line = StyledLine("apus \(sample.name)", .strong)
        line.add("  pid \(sample.pid)  ")
        switch sample.life {
        case .alive: line.add("alive", .good)
        case .closed: line.add("closed in order", .warning)
        case .stalled: line.add("stalled: no heartbeat for \(durationText(sample.heartbeatAgeNanoseconds))", .bad)
        case .dead: line.add("dead: the process is gone and did not close its mapping", .bad)
        }
        line.add("  up \(clockText(seconds: sample.uptimeSeconds))")
        return line
    }

    private func activity() -> StyledLine {
        let parts = [("frames", "frames"), ("events", "events"), ("sent", "orders_sent"), ("fills", "fills")].map {
            "\($0.0) \(countText(sample.counter($0.1)))\(sample.rate(of: $0.1, since: previous))"
        }
        return StyledLine(parts.joined(separator: "   ") + "   bytes \(bytes(sample.counter("bytes")))")
    }

    private func losses() -> StyledLine {
        var line = StyledLine()
        for (title, name) in [
            ("lost", "events_lost"), ("gaps", "gaps"), ("resyncs", "resyncs"), ("decode errors", "decode_errors"),
            ("reconnects", "reconnects"), ("blocked by risk", "orders_blocked"), ("refused by guard", "orders_refused"),
        ] {
            let value = sample.counter(name)
            line.add("\(title) \(countText(value))   ", value == 0 ? .faint : .warning)
        }
        return line
    }

    private func connections() -> StyledLine {
        if sample.connections.isEmpty { return StyledLine("connections: no change in the feed ring's span", .faint) }
        var line = StyledLine("connections: ")
        for connection in sample.connections {
            line.add("\(connection.number) \(connection.state)  ", connection.state == "up" ? .good : .warning)
        }
        return line
    }

    private func strategies() -> [StyledLine] {
        if sample.strategies.isEmpty { return [] }
        let columns = aligned("OPEN", to: 6) + aligned("DAY'S RESULT", to: 20)
        let heading = StyledLine(padded("STRATEGY", to: 24) + padded("STATE", to: 10) + columns, .faint)
        let rows = sample.strategies.map { strategy in
            var line = StyledLine(padded(strategy.name, to: 24))
            line.add(padded("\(strategy.state)", to: 10), strategy.state == .active ? .good : .bad)
            let result = strategy.dayResult?.text(decimals: 4) ?? "-"
            line.add(aligned("\(strategy.openOrders)", to: 6) + aligned(result, to: 20))
            return line
        }
        return [heading] + rows + [StyledLine()]
    }

    private func books(_ depth: Int) -> [StyledLine] {
        sample.books.flatMap { bookLadder($0, depth: depth) + [StyledLine()] }
    }
}

/// One book: its state and the best levels, bids left and asks right.
package func bookLadder(_ book: EngineSample.Book, depth: Int) -> [StyledLine] {
    var title = StyledLine(shortened(book.symbol), .strong)
    title.add(" \(book.venue)  ")
    title.add(book.state, book.state == "live" ? .good : .warning)
    title.add(
        "  levels \(book.totalBids) x \(book.totalAsks)  update \(book.updateID)  age \(durationText(book.ageNanoseconds))"
    )
    var lines = [title]
    for row in 0..<min(depth, max(book.bids.count, book.asks.count)) {
        var line = StyledLine()
        let bid = row < book.bids.count ? book.bids[row] : nil
        let ask = row < book.asks.count ? book.asks[row] : nil
        line.add(aligned(bid?.quantity ?? "", to: 16) + "  ", .faint)
        line.add(aligned(bid?.price ?? "", to: 14), .bid)
        line.add("   ")
        line.add(padded(ask?.price ?? "", to: 14), .ask)
        line.add("  " + (ask?.quantity ?? ""), .faint)
        lines.append(line)
    }
    return lines
}

// A Polymarket token has 78 digits; its two ends tell it from others.
private func shortened(_ symbol: String) -> String {
    symbol.count <= 24 ? symbol : "\(symbol.prefix(10))…\(symbol.suffix(8))"
}
