import ApusEngine
import ApusLive
import CApusRing
import Glibc

/// The keys of what outlives a run: journal, recovery, supervisor.
let journalFields = [
    ConfigurationField(
        "journal.path", .text, nil,
        "Folder of the journal of live orders; default: one for each account in $XDG_STATE_HOME/apus or ~/.local/state/apus; "
            + "on the loopback venue one in /tmp that goes away with the run"),
    ConfigurationField(
        "journal.fsync", .choice(JournalConfiguration.Policy.allCases.map(\.rawValue)), .scalar("interval"),
        "each: an order leaves after its intent is on the disk. interval: the disk follows, and what a crash of the machine loses is "
            + "found again at the venue. never: the system writes when it likes. All survive the death of the process"),
    ConfigurationField(
        "journal.interval_ms", .integer(1...60_000), .scalar("100"),
        "How often the disk follows, with journal.fsync: interval"),
    ConfigurationField(
        "journal.segment_mb", .integer(1...1024), .scalar("16"), "Space that is allocated ahead, in pieces of that size"
    ),
]

let recoveryFields = [
    ConfigurationField(
        "recovery.open_orders", .choice(RecoveryRule.Orders.allCases.map(\.rawValue)), .scalar("adopt"),
        "Orders of an earlier run that are still open: go on with them, or cancel them"),
    ConfigurationField(
        "recovery.lost_orders", .choice(RecoveryRule.Orders.allCases.map(\.rawValue)), .scalar("cancel"),
        "Orders of ours that the journal does not know"),
    ConfigurationField(
        "recovery.foreign_orders", .choice(RecoveryRule.Strangers.allCases.map(\.rawValue)), .scalar("ignore"),
        "Open orders on our instruments that are not ours; stop: refuse to trade"),
    ConfigurationField(
        "recovery.positions", .choice(RecoveryRule.Positions.allCases.map(\.rawValue)), .scalar("stop"),
        "A position that no trade explains: adopt the venue's, or refuse to trade"),
    ConfigurationField(
        "recovery.patience_seconds", .integer(1...3600), .scalar("60"),
        "How long journal and venue may take to agree before nothing is started"),
    ConfigurationField(
        "recovery.check_minutes", .integer(0...1440), .scalar("10"),
        "How often a running engine's positions are held against the venue's; a difference halts. 0: never"),
]

let supervisorFields = [
    ConfigurationField(
        "supervisor.enabled", .boolean, .scalar("true"),
        "Whether a small process stands by that cancels what is open when the engine dies or hangs"),
    ConfigurationField(
        "supervisor.stall_seconds", .integer(1...600), .scalar("10"),
        "An engine whose heartbeat stands still for so long is taken for stuck"),
    ConfigurationField(
        "supervisor.dead_man_seconds", .integer(0...600), .scalar("60"),
        "The venue cancels by itself when it has not heard of us for so long, where it has such a switch. 0: not used"),
    ConfigurationField(
        "supervisor.deadline_seconds", .integer(1...3600), .scalar("60"),
        "How long the supervisor tries to cancel what is open"),
]

extension ConfigurationStore {
    /// What is done about what differs between journal and venue.
    var recoveryRule: RecoveryRule {
        var rule = RecoveryRule()
        func value<Value: RawRepresentable<String>>(_ key: String, _ standard: Value) -> Value {
            text(key).flatMap { Value(rawValue: $0) } ?? standard
        }
        rule.openOrders = value("recovery.open_orders", rule.openOrders)
        rule.lostOrders = value("recovery.lost_orders", rule.lostOrders)
        rule.foreignOrders = value("recovery.foreign_orders", rule.foreignOrders)
        rule.positions = value("recovery.positions", rule.positions)
        return rule
    }

    /// How the journal in that folder is kept.
    func journalConfiguration(path: String, account: UInt64) -> JournalConfiguration {
        var journal = JournalConfiguration(path: path, account: account)
        journal.policy = text("journal.fsync").flatMap { .init(rawValue: $0) } ?? .interval
        journal.interval = UInt64(integer("journal.interval_ms") ?? 100) * 1_000_000
        journal.segmentRecords = JournalConfiguration.records(bytes: UInt64(integer("journal.segment_mb") ?? 16) << 20)
        return journal
    }

    /// Where an account's journal is when nobody says: it must outlive the machine's restart.
    func journalPath(venue: String, account: UInt64, environment: [String: String]) throws -> String {
        if let path = text("journal.path") { return path }
        let name = "apus/\(venue)-\(String(account, radix: 16))"
        if let folder = environment["XDG_STATE_HOME"], folder.hasPrefix("/") { return "\(folder)/\(name)" }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw error("journal.path", "there is no home folder to keep the journal in; name a folder")
        }
        return "\(home)/.local/state/\(name)"
    }

    /// Names the whole configuration, so that a journal says which one each of its runs had. Secrets are no part of it.
    var effectiveHash: UInt64 {
        stableHash(
            schema.map { field in "\(field.key)=\(setting(field.key).map { "\($0.value)" } ?? "")" }.joined(
                separator: "\n"))
    }
}
