import ApusEngine
import CApusProtocol

/// A journal that was read to its end, and where that end was torn, cut.
///
/// Unchecked: the control side opens it and hands it to the engine that goes on with it.
package final class OpenedJournal: @unchecked Sendable {
    package let configuration: JournalConfiguration
    package let folder: JournalFolder
    /// What the journal says of the account.
    package let state: JournalState
    /// What a person is to know of how it was found.
    package let notices: [String]

    /// Reads it. For writing, it is made where it is not there, taken for this process, and cut where its tail is torn.
    ///
    /// - Parameter lateArrival: as the engine that wrote it had it.
    /// - Throws: `LiveError` that says what is damaged and where, or whose journal it is.
    package init(
        _ configuration: JournalConfiguration, access: JournalFolder.Access,
        lateArrival: UInt64 = EngineConfiguration.lateArrival
    ) throws(LiveError) {
        self.configuration = configuration
        do throws(JournalError) {
            folder = try JournalFolder(path: configuration.path, access: access)
            state = JournalState(lateArrival: lateArrival)
            if let other = folder.segments.first(where: { $0.account != configuration.account }) {
                throw JournalError("\(other.name) belongs to another account or venue (journal.path)")
            }
            notices = try Self.read(folder, state, access)
        } catch {
            throw LiveError("\(error)")
        }
    }

    private static func read(
        _ folder: JournalFolder, _ state: JournalState, _ access: JournalFolder.Access
    ) throws(JournalError) -> [String] {
        let end = try state.replay(try folder.reader())
        let lost: String
        switch end {
        case .clean: return []
        case .damaged(let place, let damage):
            throw JournalError(
                "record \(place.number) of the journal is damaged (\(damage.rawValue)) at byte \(place.offset) of \(place.segment), "
                    + "and records behind it were safe: nothing was changed. Look with apus journal; restore the file, "
                    + "or move the journal away and start with what the venue says")
        case .torn: lost = "its writing was not finished"
        case .unsynced(_, let behind):
            lost = "it was not durable when the machine stopped; \(behind) records behind it are given up with it"
        }
        guard let place = end.place else { return [] }
        let text = "the journal ends at record \(place.number), byte \(place.offset) of \(place.segment): \(lost)"
        guard access == .write else { return [text] }
        let remains = try folder.cut(place)
        return ["\(text); cut there, what was cut is kept in \(remains)"]
    }

    /// Orders that were open when its last record was written, and that may still be.
    package var openOrders: [KnownOrder] { state.openOrders.map(KnownOrder.init) }
}

/// What an engine writes its journal with: where it goes on, and what recovery has found.
package struct EngineJournal: Sendable {
    package let opened: OpenedJournal
    /// What the new run writes down first, so that the journal says what the venue says.
    package let corrections: [Correction]
    package let run: apus_journal_run

    package init(_ opened: OpenedJournal, corrections: [Correction], run: apus_journal_run) {
        self.opened = opened
        self.corrections = corrections
        self.run = run
    }
}

extension apus_journal_run {
    /// What stands at the begin of a run.
    package init(
        tag: UInt32, venue: String, engine: String, version: String, configurationHash: UInt64, isPaper: Bool,
        _ journal: JournalConfiguration
    ) {
        self.init()
        run_tag = tag
        config_hash = configurationHash
        account_hash = journal.account
        interval_ms = UInt32(clamping: journal.interval / 1_000_000)
        policy =
            switch journal.policy {
            case .each: UInt8(APUS_FSYNC_EACH.rawValue)
            case .interval: UInt8(APUS_FSYNC_INTERVAL.rawValue)
            case .never: UInt8(APUS_FSYNC_NEVER.rawValue)
            }
        is_paper = isPaper ? 1 : 0
        copyText(venue, to: &self.venue)
        copyText(version, to: &self.version)
        copyText(engine, to: &self.engine)
    }
}

/// A name for a text that does not show it: FNV-1a, 64 bits (draft-eastlake-fnv).
package func stableHash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}
