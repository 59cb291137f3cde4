import ApusEngine
import ApusLive
import CApusRing
import Glibc

/// What a live run has beside its engine: the journal, the account at the venue, and what both agreed on.
struct LiveAccount {
    let client: any AccountClient
    let opened: OpenedJournal
    /// The folder goes away with the run: its venue lives in this process.
    let isTemporary: Bool

    /// Opens journal and account; nil when orders are filled by a model.
    init?(
        _ plan: RunPlan, _ configuration: LiveConfiguration, _ metadata: VenueMetadata,
        access: JournalFolder.Access = .write
    ) throws {
        guard case .live(let credentials) = configuration.orders,
            let client = try configuration.accountClient(metadata)
        else { return nil }
        let breaker = configuration.engine.breakers?.named("\(plan.venueKind).account")
        self.client = QueuedAccountClient(client, breaker: breaker.map { WorkBreaker($0) })
        let journal = try plan.journal(credentials)
        isTemporary = journal.isTemporary
        try Files.makePrivateFolders(journal.configuration.path)
        opened = try OpenedJournal(
            journal.configuration, access: access, lateArrival: configuration.engine.lateArrival)
    }

    /// Lets go of the account's connections, and of a journal that nobody will read again.
    func close() {
        let client = client
        try? blocking { await client.close() }
        guard isTemporary else { return }
        for name in Files.names(in: opened.configuration.path) { unlink("\(opened.configuration.path)/\(name)") }
        rmdir(opened.configuration.path)
    }
}

extension RunPlan {
    /// How the journal of that account is kept.
    func journal(_ credentials: Credentials) throws -> (configuration: JournalConfiguration, isTemporary: Bool) {
        let account = credentials.account
        let isTemporary = isLoopback && store.text("journal.path") == nil
        let path =
            isTemporary
            ? "/tmp/apus-\(getuid())/loopback-\(getpid())-\(try name())-\(String(account, radix: 16))"
            : try store.journalPath(venue: venueKind, account: account, environment: Environment.all())
        return (store.journalConfiguration(path: path, account: account), isTemporary)
    }

    /// Holds positions against the venue's now and then; nil when nobody wants that.
    func accountCheck(_ engine: LiveEngine, _ account: LiveAccount) -> AccountCheck? {
        guard let minutes = store.integer("recovery.check_minutes"), minutes > 0 else { return nil }
        return AccountCheck(engine, account.client, interval: .seconds(60 * minutes))
    }

    /// Starts the process that cancels what is open when this one cannot; nil when none is wanted.
    func startSupervisor(_ account: LiveAccount, _ configuration: LiveConfiguration, log: Log) throws -> SupervisorLink?
    {
        guard store.boolean("supervisor.enabled") ?? true else { return nil }
        guard ApusProgram.canStartItself else {
            log.warning("no supervisor stands by: this process was not begun by ApusProgram.main")
            return nil
        }
        let order = SupervisorOrder(
            engine: configuration.name, socket: controlPath(configuration.name),
            journal: account.opened.configuration.path, account: account.opened.configuration.account,
            venue: configuration.venue.rawValue, symbols: configuration.symbols,
            rest: configuration.addresses.rest.map { "\($0)" },
            orders: (configuration.addresses.orders ?? configuration.addresses.stream).map { "\($0)" },
            metadata: configuration.addresses.metadata.map { "\($0)" }, polymarket: configuration.polymarket,
            currency: store.text("venue.currency"), caFile: configuration.caFile, isVenueInside: isLoopback,
            stallSeconds: store.integer("supervisor.stall_seconds") ?? 10,
            deadManSeconds: store.integer("supervisor.dead_man_seconds") ?? 60,
            deadlineSeconds: store.integer("supervisor.deadline_seconds") ?? 60,
            lateArrivalMilliseconds: configuration.engine.lateArrival / 1_000_000)
        return try SupervisorLink(order, log: log)
    }

    /// What is needed to speak with the account, whatever the configured mode.
    func accountOnly() throws -> LiveConfiguration {
        var configuration = try live(loopback: nil)
        let kind = configuration.venue
        configuration.orders = .live(try Credentials(kind, environment: Environment.all()))
        return configuration
    }

    /// The names of the strategies, where what is whose is kept apart; nil: one has everything.
    func keptApart(_ state: JournalState, _ configuration: LiveConfiguration) -> [String]? {
        var engine = configuration.engine
        engine.keepsApart = state.strategies.isSplit
        return DecisionAgent.isSplit(strategies, engine) ? strategies.map(\.name) : nil
    }

    /// Compares journal and venue until they agree; the configuration takes over what was found. Returns what the engine writes first.
    func recover(
        _ account: LiveAccount, _ configuration: inout LiveConfiguration, _ metadata: VenueMetadata, log: Log,
        pause: (Duration) -> Bool
    ) throws -> (journal: EngineJournal, differences: [Difference]) {
        let journaled = account.opened.state.strategies
        configuration.engine.keepsApart = journaled.isSplit
        let recovery = Recovery(
            opened: account.opened, rule: store.recoveryRule, instruments: metadata.instruments, client: account.client,
            strategies: keptApart(account.opened.state, configuration),
            otherFeeRate: configuration.engine.otherFeeRate, log: log)
        let agreement = try recovery.run(
            patience: .seconds(store.integer("recovery.patience_seconds") ?? 60), pause: pause)
        let tag = account.opened.state.freshRunTag(configuration.engine.runTag)
        configuration.engine.runTag = tag
        configuration.contracts = agreement.contracts
        configuration.engine.strategyDays = journaled.days
        configuration.engine.startBalance = agreement.balance
        if agreement.balance == nil, account.opened.state.life.walletBalance == nil {
            log.warning(
                "the venue does not say what the account's balance is: until it does, no order is bounded by it")
        }
        configuration.engine.day = account.opened.state.day.flatMap { TradingDay($0) }
        let run = apus_journal_run(
            tag: tag, venue: venueKind, engine: configuration.name, version: apusVersion,
            configurationHash: store.effectiveHash, isPaper: false, account.opened.configuration)
        let journal = EngineJournal(account.opened, corrections: agreement.corrections, run: run)
        return (journal, agreement.differences)
    }
}
