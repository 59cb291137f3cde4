import Apus
import ApusEngine
import ApusLive
import CApusRing
import Glibc

/// Holds a journal against the venue, and lets nothing trade until both agree. Control thread.
struct Recovery {
    let opened: OpenedJournal
    let rule: RecoveryRule
    let instruments: [InstrumentDefinition]
    let client: any AccountClient
    /// The names of those that run, where what is whose is kept apart.
    let strategies: [String]?
    /// What fees in another asset are worth.
    let otherFeeRate: Money
    let log: Log

    /// What both sides agree on.
    struct Agreement {
        var corrections: [Correction]
        var contracts: [VenueContract]
        /// The wallet's balance of the settlement asset; nil: the venue does not say.
        var balance: Money?
        var differences: [Difference]
    }

    /// One comparison, of which nothing is carried out.
    func compareOnce() throws -> ReconciliationRound {
        let reconciliation = try makeReconciliation()
        return try compare(reconciliation).round
    }

    /// Compares, asks and cancels by the rule until both agree.
    ///
    /// - Throws: `CommandFailure` when they do not agree in time, when a person must decide, or when `pause` says that the user has
    ///   had enough.
    func run(patience: Duration, pause: (Duration) -> Bool) throws -> Agreement {
        for notice in opened.notices { log.warning(notice) }
        let reconciliation = try makeReconciliation()
        let end = ContinuousClock.now + patience
        var told: Set<Difference.Subject> = []
        var differences: [Difference] = []
        while true {
            let (round, snapshot) = try compare(reconciliation)
            for difference in round.differences where told.insert(difference.subject).inserted {
                differences.append(difference)
                [.note, .wait].contains(difference.action) ? log.info("\(difference)") : log.warning("\(difference)")
            }
            if round.isAgreed {
                tell(differences)
                return Agreement(
                    corrections: reconciliation.corrections, contracts: reconciliation.contracts,
                    balance: snapshot.balance, differences: differences)
            }
            if round.needsPerson { throw refusal("a person must decide", round) }
            if !round.cancels.isEmpty { try cancel(round.cancels) }
            if ContinuousClock.now >= end {
                throw refusal("they did not agree in time (recovery.patience_seconds)", round)
            }
            guard pause(.milliseconds(300)) else { throw refusal("stopped by the user", round) }
        }
    }

    private func makeReconciliation() throws -> Reconciliation {
        do {
            return try Reconciliation(
                opened.state, rule, instruments: instruments, strategies: strategies, otherFeeRate: otherFeeRate)
        } catch { throw CommandFailure(ExitStatus.failure, "\(error)") }
    }

    private func compare(
        _ reconciliation: Reconciliation
    ) throws -> (round: ReconciliationRound, snapshot: AccountSnapshot) {
        let client = client, since = reconciliation.since(apus_clock_realtime())
        let snapshot = try asked { try await client.snapshot(since: since) }
        var answers: [UInt64: VenueOrder?] = [:]
        for question in reconciliation.questions(snapshot) {
            answers.updateValue(try asked { try await client.order(question) }, forKey: question.clientID)
        }
        return (reconciliation.compare(snapshot, answers: answers, now: apus_clock_realtime()), snapshot)
    }

    private func cancel(_ orders: [KnownOrder]) throws {
        let client = client
        let left = try asked { try await client.cancel(orders) }
        log.info("canceled \(orders.count - left.count) of \(orders.count) orders")
    }

    private func tell(_ differences: [Difference]) {
        let orders = opened.state.openOrders.count
        let held = (0..<opened.state.instruments.count).map { opened.state.instruments[$0] }.compactMap { instrument in
            let quantity = Quantity(units: instrument.record.pointee.position.quantity)
            return quantity == .zero ? nil : "\(instrument.symbol) \(instrument.text(quantity))"
        }
        let settled = differences.filter(\.isSettled).count
        let positions = held.isEmpty ? "no position" : held.joined(separator: ", ")
        log.info(
            "journal and venue agree: \(orders) order\(orders == 1 ? "" : "s") open, \(positions)"
                + (settled == 0 ? "" : "; \(settled) difference\(settled == 1 ? " was" : "s were") settled"))
    }

    private func refusal(_ reason: String, _ round: ReconciliationRound) -> CommandFailure {
        let lines = round.differences.filter { $0.action != .note }.map { "  \($0)" }.joined(separator: "\n")
        return CommandFailure(
            ExitStatus.failure,
            "journal and venue differ, and nothing was started: \(reason)\n\(lines)\n"
                + "settle it at the venue, or set what is to be done (recovery.*); apus reconcile shows it again")
    }
}

/// Waits for an answer of the account's; what went wrong is told in its own words.
func asked<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
    do {
        return try blocking(work)
    } catch let error as AccountError {
        throw CommandFailure(ExitStatus.unavailable, "the venue's account: \(error)")
    }
}
