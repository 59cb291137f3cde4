import Apus
import ApusEngine
import ApusLive
import CApusRing
import Synchronization

/// Holds a running engine's positions against the venue's every few minutes. A difference that stays halts trading. The control
/// thread follows it; the questions are asked beside that.
final class AccountCheck: Sendable {
    enum Finding: Sendable, Equatable {
        case agrees
        /// The engine trades so much that no quiet moment was found.
        case busy
        case failed(String)
        case differs(String)
    }

    private let engine: LiveEngine
    private let client: any AccountClient
    private let interval: Duration
    private let next: Mutex<ContinuousClock.Instant>
    private let finding = Mutex<Finding?>(nil)
    private let isAsking = Atomic<Bool>(false)

    init(_ engine: LiveEngine, _ client: any AccountClient, interval: Duration) {
        self.engine = engine
        self.client = client
        self.interval = interval
        next = Mutex(.now + interval)
    }

    /// Asks when it is time, and tells what was found. Now and then.
    func follow(_ control: EngineControl, log: Log) {
        switch takeFinding() {
        case .agrees?: log.info("positions agree with the venue's")
        case .busy?: log.info("positions could not be compared with the venue's: they change all the time")
        case .failed(let reason)?: log.warning("positions could not be compared with the venue's: \(reason)")
        case .differs(let what)?:
            log.error("positions differ from the venue's: \(what)")
            control.haltInBackground(reason: "positions differ from the venue's: \(what)")
        case nil: break
        }
        guard isDue(), !isAsking.exchange(true, ordering: .acquiringAndReleasing) else { return }
        Task.detached { [self] in
            let found = await compare()
            finding.withLock { $0 = found }
            isAsking.store(false, ordering: .releasing)
        }
    }

    private func isDue() -> Bool {
        next.withLock { next in
            guard ContinuousClock.now >= next else { return false }
            next = .now + interval
            return true
        }
    }

    private func takeFinding() -> Finding? {
        finding.withLock { finding in
            defer { finding = nil }
            return finding
        }
    }

    /// A fill may be on its way here while the venue is asked, so that only a difference seen three times counts, each time with
    /// the engine's positions the same before and after.
    func compare() async -> Finding {
        var differences = 0
        for _ in 0..<10 {
            guard let before = engine.held() else { return .failed("the decision thread does not answer") }
            let snapshot: AccountSnapshot
            do {
                snapshot = try await client.snapshot(since: apus_clock_realtime())
            } catch { return .failed("\(error)") }
            guard let after = engine.held() else { return .failed("the decision thread does not answer") }
            if before == after {
                let found = difference(after, snapshot)
                guard let found else { return .agrees }
                differences += 1
                if differences == 3 { return .differs(found) }
            } else {
                differences = 0
            }
            try? await Task.sleep(for: .seconds(1))
        }
        return .busy
    }

    private func difference(_ held: [Quantity], _ snapshot: AccountSnapshot) -> String? {
        for (definition, quantity) in zip(engine.instruments, held) {
            let decimals = definition.quantityDecimals
            let venue = snapshot.positions.first { $0.symbol == definition.symbol }?.quantity
            let units = venue.map { try? $0.units(decimals: decimals) } ?? 0
            if units != quantity.units {
                return "\(definition.symbol): \(quantity.text(decimals: decimals)) here, "
                    + "\(venue.map { "\($0)" } ?? "0") there"
            }
        }
        return nil
    }
}
