import ApusEngine

/// - Throws: `CommandFailure` where the folder holds no journal.
func checkJournal(at path: String) throws(CommandFailure) {
    if JournalFolder.exists(at: path) { return }
    throw CommandFailure(
        ExitStatus.unavailable,
        "there is no journal in \(path): it holds no segment such as 00000001.journal; name the folder of journal.path")
}
