import Glibc
import Testing

@testable import ApusHistory

@Suite struct HistoryStoreTests {
    private func order(_ id: Int64, at time: Int64, state: String = "live") -> HistoryOrder {
        HistoryOrder(
            id: id, name: "7-\(id)", strategy: id % 2 == 0 ? "maker" : "taker", symbol: "BTCUSDT", side: "buy",
            type: "limit",
            timeInForce: "goodTillCanceled", isReduceOnly: false, price: "61800.10", quantity: "0.002", filled: "0.000",
            state: state, code: 0, venueID: 0, decidedAt: time, changedAt: time)
    }

    private func fill(_ record: Int64, of order: Int64) -> HistoryFill {
        HistoryFill(
            record: record, kind: HistoryFill.Kind.fill.rawValue, orderID: order, strategy: "maker", symbol: "BTCUSDT",
            side: "buy",
            price: "61800.10", quantity: "0.001", fee: "0.012360020000000000", isMaker: true, tradeID: 5, time: record)
    }

    @Test func aBatchReplacesRowsOfTheSameKey() throws {
        let store = try HistoryStore(path: ":memory:")
        var batch = HistoryBatch()
        batch.orders = [order(1, at: 10), order(2, at: 20)]
        try store.write(batch, through: HistoryProgress(record: 4, checksum: 4, account: "a"))
        batch.orders = [order(1, at: 10, state: "canceled")]
        batch.fills = [fill(5, of: 2)]
        try store.write(batch, through: HistoryProgress(record: 6, checksum: 6, account: "a"))
        let orders = try store.orders(symbol: nil, since: 0, limit: 10)
        #expect(orders.map(\.id) == [2, 1], "newest first")
        #expect(orders.map(\.state) == ["live", "canceled"])
        #expect(try store.fills(symbol: "BTCUSDT", since: 0, limit: 10) == [fill(5, of: 2)])
        let progress = try #require(try store.progress())
        #expect(progress.record == 6 && progress.account == "a")
    }

    @Test func filtersByInstrumentStrategyTimeAndCount() throws {
        let store = try HistoryStore(path: ":memory:")
        var batch = HistoryBatch()
        batch.orders = (1...5).map { order($0, at: $0 * 10) }
        try store.write(batch, through: HistoryProgress(record: 5, checksum: 5, account: "a"))
        #expect(try store.orders(symbol: "ETHUSDT", since: 0, limit: 10).isEmpty)
        #expect(try store.orders(symbol: "BTCUSDT", since: 30, limit: 2).map(\.id) == [5, 4])
        #expect(try store.orders(symbol: nil, strategy: "maker", since: 0, limit: 10).map(\.id) == [4, 2])
    }

    @Test func refusesWhatIsNoDatabase() throws {
        let path = "/tmp/apus-history-\(UInt64.random(in: 0 ... .max)).db"
        let file = try #require(fopen(path, "w"))
        fputs(String(repeating: "this is not a database ", count: 100), file)
        fclose(file)
        defer { unlink(path) }
        let error = #expect(throws: HistoryError.self) { try HistoryStore(path: path) }
        #expect(error?.description.contains(path) == true)
    }

    @Test func refusesAnotherVersion() throws {
        let path = "/tmp/apus-history-\(UInt64.random(in: 0 ... .max)).db"
        defer { unlink(path) }
        _ = try HistoryStore(path: path)
        let file = try #require(fopen(path, "r+"))
        fseek(file, 60, SEEK_SET)  // user_version, big endian: SQLite's file format, 1.3
        _ = withUnsafeBytes(of: UInt32(99).bigEndian) { fwrite($0.baseAddress, 1, 4, file) }
        fclose(file)
        let error = #expect(throws: HistoryError.self) { try HistoryStore(path: path) }
        #expect(error?.description.contains("version 99") == true)
    }
}
