import Apus
import ApusEngine
import ApusLive
import Synchronization

/// An account that answers as a test has written it down: each snapshot once, and the last one again and again.
final class ScriptedAccount: AccountClient {
    private let script: Mutex<[Result<AccountSnapshot, AccountError>]>
    private let times = Mutex<[UInt64]>([])

    init(_ script: [Result<AccountSnapshot, AccountError>]) { self.script = Mutex(script) }

    /// From when on trades were asked for, each time.
    var asked: [UInt64] { times.withLock { $0 } }

    func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot {
        times.withLock { $0.append(since) }
        return try script.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.get()
    }

    func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder? { nil }
    func cancel(_ orders: [KnownOrder]) async throws(AccountError) -> [KnownOrder] { orders }
    func cancelAll() async throws(AccountError) {}
    func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool { false }
    func close() async {}
}

extension AccountSnapshot {
    /// Nothing but a position in BTCUSDT.
    static func holding(_ quantity: String) throws -> AccountSnapshot {
        AccountSnapshot(
            time: 1, positions: [VenuePosition(symbol: "BTCUSDT", quantity: try ExactDecimal(quantity))])
    }
}
