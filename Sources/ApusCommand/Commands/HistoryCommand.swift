import ApusEngine
import ApusHistory
import ArgumentParser
import Glibc

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show orders, fills, positions or days of an account, from its journal.",
        discussion: """
            Where several strategies have traded, positions are told for the account and for each of them.

            The history is an SQLite file beside the journal (JOURNAL/history.db), which any other program may query. It is brought up
            to date first, also beside a running engine, and can be made anew from the journal at any time.
            """)

    enum Table: String, ExpressibleByArgument, CaseIterable {
        case orders, fills, positions, days
    }

    @Argument(help: "orders, fills, positions or days.")
    var table: Table

    @Argument(help: "The journal's folder (journal.path).")
    var journal: String

    @Option(help: ArgumentHelp("The history's file. Default: history.db in the journal's folder.", valueName: "file"))
    var file: String?

    @Option(help: ArgumentHelp("Only this instrument (orders, fills).", valueName: "name"))
    var symbol: String?

    @Option(help: ArgumentHelp("Only this strategy (orders, fills, positions).", valueName: "name"))
    var strategy: String?

    @Option(help: ArgumentHelp("Only from this time on, seconds since 1970 (orders, fills).", valueName: "seconds"))
    var since: Int = 0

    @Option(help: ArgumentHelp("At most so many rows, the newest.", valueName: "count"))
    var limit = 50

    @Flag(help: "Make the history anew from the whole journal.")
    var rebuild = false

    @Flag(help: "Print a JSON array of rows.")
    var json = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be above 0") }
        if since < 0 || since > 9_000_000_000 { throw ValidationError("--since is in seconds since 1970") }
    }

    func run() throws {
        // Before a history is made beside it.
        try checkJournal(at: journal)
        let path = file ?? "\(journal)/history.db"
        do {
            if rebuild { try HistoryStore.remove(path: path) }
            let store = try HistoryStore(path: path)
            let end = try HistoryFiller(store).follow(journal)
            try show(store)
            if case .damaged(let place, _) = end {
                throw CommandFailure(
                    ExitStatus.failure,
                    "the journal is damaged at record \(place.number) (\(place.segment), offset \(place.offset)): what follows "
                        + "is not in the history; look at it with: apus journal \(journal) --verify")
            }
        } catch let error as JournalError {
            throw CommandFailure(ExitStatus.unavailable, error.description)
        } catch let error as HistoryError {
            throw CommandFailure(ExitStatus.unavailable, error.description)
        }
    }

    private func show(_ store: HistoryStore) throws(HistoryError) {
        let start = Int64(since) * 1_000_000_000
        let rows: [[(String, JSONText)]] =
            switch table {
            case .orders:
                try store.orders(symbol: symbol, strategy: strategy, since: start, limit: limit).map(\.cells)
            case .fills: try store.fills(symbol: symbol, strategy: strategy, since: start, limit: limit).map(\.cells)
            case .positions: try store.positions(strategy: strategy).map(\.cells)
            case .days: try store.days(limit: limit).map(\.cells)
            }
        if json { return Output.line(JSONText.array(rows.map { .object($0) }).description) }
        guard let first = rows.first else {
            let isNarrowed = symbol != nil || strategy != nil || since != 0
            return Output.note(isNarrowed ? "no \(table.rawValue) are like that" : "there are no \(table.rawValue) yet")
        }
        let table = TextTable(
            columns: first.map { $0.0.uppercased() }, rows: rows.map { row in row.map { $0.1.plain } })
        Output.line(table.text)
    }
}

extension JSONText {
    /// The value as a cell of a table.
    fileprivate var plain: String {
        if case .string(let text) = self { return text }
        if case .null = self { return "-" }
        return description
    }
}

// What people and scripts see of a row. Numbers that SQLite keeps signed are shown as they are meant.

extension HistoryOrder {
    fileprivate var cells: [(String, JSONText)] {
        [
            ("order", .string(name)), ("decided_at", .string(wallTime(decidedAt))),
            ("strategy", .optional(strategy)), ("symbol", .string(symbol)),
            ("side", .string(side)), ("type", .string(type)), ("time_in_force", .string(timeInForce)),
            ("price", .string(price)), ("quantity", .string(quantity)), ("filled", .string(filled)),
            ("state", .string(state)), ("code", .integer(Int64(code))),
            ("venue_id", .unsigned(UInt64(bitPattern: venueID))),
        ]
    }
}

extension HistoryFill {
    fileprivate var cells: [(String, JSONText)] {
        let order = orderID.map { UInt64(bitPattern: $0) }
        return [
            ("record", .unsigned(UInt64(bitPattern: record))), ("time", .string(wallTime(time))),
            ("kind", .string(kind)),
            ("order", .optional(order.map { "\($0 >> 32)-\($0 & 0xFFFF_FFFF)" })),
            ("strategy", .optional(strategy)), ("symbol", .string(symbol)),
            ("side", .string(side)), ("price", .string(price)), ("quantity", .string(quantity)), ("fee", .string(fee)),
            ("maker", .bool(isMaker)), ("trade", .unsigned(UInt64(bitPattern: tradeID))),
        ]
    }
}

extension HistoryPosition {
    fileprivate var cells: [(String, JSONText)] {
        [
            ("strategy", .optional(strategy.isEmpty ? nil : strategy)), ("symbol", .string(symbol)),
            ("quantity", .string(quantity)), ("average_price", .optional(averagePrice)),
            ("realised", .string(realised)), ("fees", .string(fees)), ("changed_at", .string(wallTime(changedAt))),
        ]
    }
}

extension HistoryDay {
    fileprivate var cells: [(String, JSONText)] {
        [
            ("day", .string(day)), ("symbol", .string(symbol)), ("orders", .integer(Int64(orders))),
            ("fills", .integer(Int64(fills))), ("bought", .string(bought)), ("sold", .string(sold)),
            ("realised", .string(realised)), ("fees", .string(fees)),
        ]
    }
}

/// Wall clock in nanoseconds as `2026-11-26T04:38:13.123Z`.
func wallTime(_ nanoseconds: Int64) -> String {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(count - text.count, 0)) + text
    }
    let day = "\(parts.tm_year + 1900)-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
    let clock = "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    return "\(day)T\(clock).\(digits(Int(nanoseconds / 1_000_000 % 1000), 3))Z"
}
