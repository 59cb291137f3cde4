internal import GRDB
internal import Glibc

/// Why the history cannot be used, in words that say what to do.
package struct HistoryError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The queryable history of orders, fills, positions and days, in one SQLite file.
///
/// It is made from the journal alone and never asked by the engine: losing the file loses nothing. What a batch changes and how far the
/// journal has been read stand in one transaction, so that a record is never taken in twice or left out.
package final class HistoryStore: Sendable {
    package let path: String
    private let queue: DatabaseQueue
    /// Another version is made anew from the journal.
    private static let version = 3

    /// Opens the file or makes it.
    ///
    /// - Throws: `HistoryError` when it is no database, of another version, or cannot be written.
    package init(path: String) throws(HistoryError) {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.label = "apus.history"
            configuration.busyMode = .timeout(5)
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.write(Self.prepare)
        } catch let error as HistoryError {
            throw error
        } catch {
            throw Self.failure(path, error)
        }
    }

    /// Removes the file, so that it can be made anew; nothing is lost by that.
    package static func remove(path: String) throws(HistoryError) {
        for suffix in ["", "-wal", "-shm", "-journal"] where unlink(path + suffix) != 0 && errno != ENOENT {
            throw HistoryError("\(path)\(suffix) cannot be removed: \(String(cString: strerror(errno)))")
        }
    }

    private static func failure(_ path: String, _ error: any Error) -> HistoryError {
        HistoryError(
            "\(path) cannot be used as a history: \(error); move it away, it can be made anew from the journal")
    }

    private static func prepare(_ database: Database) throws {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        if found == version { return }
        guard found == 0, try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_master") == 0 else {
            throw HistoryError(
                "a history of version \(found), not \(version): make it anew with apus history --rebuild")
        }
        try database.execute(sql: schema)
        try database.execute(sql: "PRAGMA user_version = \(version)")
    }

    private static let schema = """
        CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 0), record INTEGER NOT NULL, checksum INTEGER NOT NULL,
            account TEXT NOT NULL);
        CREATE TABLE orders (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, strategy TEXT, symbol TEXT NOT NULL,
            side TEXT NOT NULL, type TEXT NOT NULL, time_in_force TEXT NOT NULL, reduce_only INTEGER NOT NULL,
            price TEXT NOT NULL, quantity TEXT NOT NULL, filled TEXT NOT NULL, state TEXT NOT NULL,
            code INTEGER NOT NULL, venue_id INTEGER NOT NULL, decided_at INTEGER NOT NULL, changed_at INTEGER NOT NULL);
        CREATE INDEX orders_by_time ON orders (decided_at);
        CREATE TABLE fills (
            record INTEGER PRIMARY KEY, kind TEXT NOT NULL, order_id INTEGER, strategy TEXT, symbol TEXT NOT NULL,
            side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, fee TEXT NOT NULL, maker INTEGER NOT NULL,
            trade_id INTEGER NOT NULL, time INTEGER NOT NULL);
        CREATE INDEX fills_by_order ON fills (order_id);
        CREATE INDEX fills_by_time ON fills (time);
        CREATE TABLE positions (
            strategy TEXT NOT NULL, symbol TEXT NOT NULL, quantity TEXT NOT NULL, average_price TEXT,
            realised TEXT NOT NULL, fees TEXT NOT NULL, changed_at INTEGER NOT NULL, PRIMARY KEY (strategy, symbol));
        CREATE TABLE days (
            day TEXT NOT NULL, symbol TEXT NOT NULL, orders INTEGER NOT NULL, fills INTEGER NOT NULL,
            bought TEXT NOT NULL, sold TEXT NOT NULL, realised TEXT NOT NULL, fees TEXT NOT NULL,
            PRIMARY KEY (day, symbol));
        CREATE VIEW results AS SELECT day, SUM(orders) AS orders, SUM(fills) AS fills,
            SUM(CAST(realised AS REAL)) AS realised, SUM(CAST(fees AS REAL)) AS fees,
            SUM(CAST(realised AS REAL)) - SUM(CAST(fees AS REAL)) AS net FROM days GROUP BY day;
        """

    // MARK: Writing

    /// How far the journal has been read; nil: nothing has been read.
    package func progress() throws(HistoryError) -> HistoryProgress? {
        try reading { database in
            try Row.fetchOne(database, sql: "SELECT record, checksum, account FROM progress").map {
                HistoryProgress(
                    record: UInt64(bitPattern: $0["record"] as Int64), checksum: $0["checksum"] as UInt32,
                    account: $0["account"] as String)
            }
        }
    }

    /// Writes what changed and how far the journal has been read by then.
    package func write(_ batch: HistoryBatch, through progress: HistoryProgress) throws(HistoryError) {
        do {
            try queue.write { database in
                // An upsert would write its SQL anew for each row.
                for order in batch.orders { try order.insert(database, onConflict: .replace) }
                for fill in batch.fills { try fill.insert(database, onConflict: .replace) }
                for position in batch.positions { try position.insert(database, onConflict: .replace) }
                for day in batch.days { try day.insert(database, onConflict: .replace) }
                try database.execute(
                    sql: """
                        INSERT INTO progress VALUES (0, ?, ?, ?)
                        ON CONFLICT (id) DO UPDATE SET record = excluded.record, checksum = excluded.checksum
                        """,
                    arguments: [Int64(bitPattern: progress.record), progress.checksum, progress.account])
            }
        } catch {
            throw Self.failure(path, error)
        }
    }

    // MARK: Reading

    /// The newest orders, newest first; with a symbol or a strategy's name, those of that one.
    package func orders(
        symbol: String?, strategy: String? = nil, since: Int64, limit: Int
    ) throws(HistoryError) -> [HistoryOrder] {
        try reading { database in
            let request = Self.only(HistoryOrder.filter(sql: "decided_at >= ?", arguments: [since]), symbol, strategy)
            return try request.order(sql: "decided_at DESC, id DESC").limit(limit).fetchAll(database)
        }
    }

    /// The newest fills, newest first; with a symbol or a strategy's name, those of that one.
    package func fills(
        symbol: String?, strategy: String? = nil, since: Int64, limit: Int
    ) throws(HistoryError) -> [HistoryFill] {
        try reading { database in
            let request = Self.only(HistoryFill.filter(sql: "time >= ?", arguments: [since]), symbol, strategy)
            return try request.order(sql: "record DESC").limit(limit).fetchAll(database)
        }
    }

    /// All positions, by strategy, the account's first, and symbol; with a strategy's name, those of that one.
    package func positions(strategy: String? = nil) throws(HistoryError) -> [HistoryPosition] {
        try reading { database in
            try Self.only(HistoryPosition.all(), nil, strategy).order(sql: "strategy, symbol").fetchAll(database)
        }
    }

    private static func only<Row>(
        _ request: QueryInterfaceRequest<Row>, _ symbol: String?, _ strategy: String?
    ) -> QueryInterfaceRequest<Row> {
        var request = request
        if let symbol { request = request.filter(sql: "symbol = ?", arguments: [symbol]) }
        if let strategy { request = request.filter(sql: "strategy = ?", arguments: [strategy]) }
        return request
    }

    /// The newest days, newest first.
    package func days(limit: Int) throws(HistoryError) -> [HistoryDay] {
        try reading { try HistoryDay.order(sql: "day DESC, symbol").limit(limit).fetchAll($0) }
    }

    private func reading<Value>(_ body: (Database) throws -> Value) throws(HistoryError) -> Value {
        do { return try queue.read(body) } catch { throw Self.failure(path, error) }
    }
}

/// How far a journal has been read: its newest record, with that one's checksum, and the account.
package struct HistoryProgress: Sendable, Equatable {
    package var record: UInt64
    package var checksum: UInt32
    package var account: String
}

/// Rows that changed: each replaces the one of the same key.
package struct HistoryBatch: Sendable, Equatable {
    package var orders: [HistoryOrder] = []
    package var fills: [HistoryFill] = []
    package var positions: [HistoryPosition] = []
    package var days: [HistoryDay] = []

    package init() {}

    package var isEmpty: Bool { orders.isEmpty && fills.isEmpty && positions.isEmpty && days.isEmpty }
}
