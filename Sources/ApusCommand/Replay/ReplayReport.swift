import ApusEngine
import ApusReplay

/// What a replay ended with, for programs and for people.
struct ReplayReport {
    let result: ReplayResult

    init(_ result: ReplayResult) { self.result = result }

    /// The machine-readable answer. Prices and quantities of books are whole numbers of the instrument's units.
    var json: JSONText {
        var members: [(String, JSONText)] = [
            ("frames", .unsigned(result.frames)), ("events", .unsigned(result.events)),
            ("seconds", .double(result.seconds)), ("orders", .unsigned(result.orders)),
            ("fills", .unsigned(result.fills)),
            ("books", .array(result.books.map(book))),
            ("unreadable", .unsigned(result.unreadable)), ("problems", .array(result.problems.map { .string($0) })),
        ]
        if let summary = result.summary {
            members.append(("pnl", .number(summary.profit.net.text(decimals: 8))))
            members.append(("strategies", .array(summary.strategies.map(\.json))))
        }
        return .object(members)
    }

    private func book(_ book: ReplayBook) -> JSONText {
        func numbers<Number: BinaryInteger>(_ values: [Number]) -> JSONText {
            .array(values.map { .integer(Int64($0)) })
        }
        return .object([
            ("instrument", .string(book.instrument)), ("state", .string(book.state)),
            ("applied", .unsigned(book.applied)),
            ("levels", numbers(book.levels)), ("best", book.best.map { numbers($0) } ?? .null),
            ("digest", .string(book.digest)), ("ticker", numbers(book.ticker)), ("hash", numbers(book.hash)),
            ("gaps", .unsigned(book.gaps)), ("resyncs", .unsigned(book.resyncs)),
        ])
    }

    /// The same as a table, with what the strategy did and what could not be read.
    var text: String {
        let rate = result.seconds > 0 ? UInt64(Double(result.frames) / result.seconds) : 0
        var lines = [
            "\(result.venue.rawValue), \(result.form.rawValue): \(countText(result.frames)) messages, "
                + "\(countText(result.events)) events, \(fixed(result.recordedSeconds)) s recorded",
            "replayed in \(fixed(result.seconds)) s (\(countText(rate)) messages/s)", "", books,
        ]
        if let summary = result.summary {
            let profit = summary.profit
            lines += [
                "",
                "orders \(countText(summary.orders))   fills \(countText(summary.fills))   P&L \(profit.net.text(decimals: 4)) = "
                    + "realised \(profit.realised.text(decimals: 4)) + unrealised \(profit.unrealised.text(decimals: 4)) "
                    + "- fees \(profit.fees.text(decimals: 4))",
            ]
            if summary.strategies.count > 1 { lines += summary.strategies.map(\.text) }
            lines += summary.positions.map { "position \($0.instrument) \($0.quantity) at \($0.averagePrice ?? "-")" }
        }
        if result.unreadable > 0 { lines += ["", "\(countText(result.unreadable)) messages could not be read:"] }
        lines += result.problems.map { "  \($0)" }
        return lines.joined(separator: "\n")
    }

    private var books: String {
        let rows = result.books.map { book in
            [
                String(book.instrument.prefix(20)), book.state, countText(book.applied),
                "\(book.levels[0]) x \(book.levels[1])", "\(book.ticker[0])/\(book.ticker[1])",
                "\(book.hash[0])/\(book.hash[1])", "\(book.gaps)", "\(book.resyncs)", String(book.digest.prefix(16)),
            ]
        }
        let columns = ["BOOK", "STATE", "APPLIED", "LEVELS", "TICKER", "HASH", "GAPS", "RESYNCS", "DIGEST"]
        return TextTable(columns: columns, rows: rows).text
    }

    private func fixed(_ seconds: Double) -> String { decimalText(Int64((seconds * 1000).rounded()), decimals: 3) }
}
