import ApusEngine
import ApusLive
import ArgumentParser
import Glibc

struct ReconcileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Hold the journal against the venue, print what differs, and what is done about it.",
        discussion: """
            Asks the venue for open orders, trades and positions of venue.symbols, with the account's keys from the environment.
            Nothing is traded. Without --apply nothing is changed either, and it may be used beside a running engine.

            What is done about each difference is said by recovery.open_orders, recovery.lost_orders,
            recovery.foreign_orders and recovery.positions. Exit code 0 when both sides agree, 1 when they do not.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: ArgumentHelp("Instruments with commas between (venue.symbols).", valueName: "names"))
    var symbols: String?

    @Flag(help: "Do what the rules say: cancel at the venue, and write into the journal what the venue says.")
    var apply = false

    @Flag(help: "Print JSON: {agreed, applied, needs_person, differences, notices}.")
    var json = false

    func run() throws {
        var store = try options.load()
        if let symbols { try store.set("venue.symbols", to: symbols, flag: "--symbols") }
        let plan = try RunPlan(store, strategies: ApusProgram.strategies, allowLive: true)
        guard !plan.isLoopback else {
            throw store.error("venue.kind", "the loopback venue lives and dies with each run; name a venue")
        }
        let signals = StopSignals()
        var configuration = try plan.accountOnly()
        let log = Log(level: json ? .error : .info)
        let metadata = try plan.metadata(configuration, log: log, signals: signals)
        guard let account = try LiveAccount(plan, configuration, metadata, access: apply ? .write : .read) else {
            return
        }
        defer { account.close() }
        if apply {
            let journal = try plan.recover(account, &configuration, metadata, log: log) {
                signals.wait(milliseconds: Int($0 / .milliseconds(1)), keys: false) != .stop
            }
            try LiveEngine.settle(configuration, metadata, journal.journal)
            return show(journal.differences, account, isAgreed: true, needsPerson: false)
        }
        let recovery = Recovery(
            opened: account.opened, rule: store.recoveryRule, instruments: metadata.instruments, client: account.client,
            strategies: plan.keptApart(account.opened.state, configuration),
            otherFeeRate: configuration.engine.otherFeeRate, log: log)
        let round = try recovery.compareOnce()
        show(round.differences, account, isAgreed: round.isAgreed, needsPerson: round.needsPerson)
        if !round.isAgreed { throw ExitCode(ExitStatus.failure) }
    }

    private func show(_ differences: [Difference], _ account: LiveAccount, isAgreed: Bool, needsPerson: Bool) {
        if json {
            let object: [(String, JSONText)] = [
                ("agreed", .bool(isAgreed)), ("applied", .bool(apply)), ("needs_person", .bool(needsPerson)),
                ("differences", .array(differences.map(\.json))),
                ("notices", .array(account.opened.notices.map { .string($0) })),
            ]
            return Output.line(JSONText.object(object).description)
        }
        for notice in account.opened.notices { Output.line(notice) }
        for difference in differences { Output.line("\(difference)") }
        let count = differences.filter(\.isSettled).count
        let some = "\(count) difference\(count == 1 ? "" : "s")"
        switch (isAgreed, apply) {
        case (true, true): Output.line("journal and venue agree" + (count == 0 ? "" : "; \(some) settled"))
        case (true, false): Output.line("journal and venue agree")
        default:
            if needsPerson {
                Output.line("a person must decide: settle it at the venue, or set recovery.* for it")
            } else if count == 0 {
                Output.line("nothing to settle, but what was sent last may still arrive: ask again in some seconds")
            } else {
                Output.line("\(some); --apply settles them as said, and so does the next apus run")
            }
        }
    }
}

extension Difference {
    fileprivate var json: JSONText {
        .object([
            ("kind", .string(kind.rawValue)), ("action", .string(action.rawValue)), ("symbol", .string(symbol)),
            ("client_id", clientID.map { .unsigned($0) } ?? .null),
            ("venue_id", venueID.map { .unsigned($0) } ?? .null),
            ("journal", .string(journal)), ("venue", .string(venue)),
        ])
    }
}
