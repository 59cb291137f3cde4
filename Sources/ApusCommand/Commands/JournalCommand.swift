import ApusEngine
import ArgumentParser
import CApusRing
import Glibc

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Print the records of a journal in words, or verify them.",
        discussion: """
            Nothing is changed, also beside a running engine. The exit status says how the journal ends: 0 in order; 1 where its tail is \
            torn or was lost with the machine, which the next start cuts; 2 where a record that was safe is damaged, so that nothing \
            starts before a person has looked; 69 where the folder holds no journal.
            """)

    @Argument(help: "The journal's folder (journal.path).")
    var journal: String

    @Flag(help: "Print no records, only whether all are sound.")
    var verify = false

    @Flag(help: "Print a JSON object for each record, and one for the end.")
    var json = false

    @Flag(help: "Go on with what is appended, until interrupted.")
    var follow = false

    @Option(help: ArgumentHelp("Begin with the record of that number.", valueName: "number"))
    var from: UInt64 = 1

    func validate() throws {
        if verify && follow { throw ValidationError("--verify and --follow exclude each other") }
    }

    func run() throws {
        try checkJournal(at: journal)
        var words = JournalWords()
        var next = from, start: UInt64 = 1
        while true {
            let (records, end) = try readOnce(&words, &next, start)
            start = max(next, 2) - 1
            if follow {
                if case .damaged = end { return try finish(records, end) }
                usleep(200_000)
                continue
            }
            return try finish(records, end)
        }
    }

    /// Reads from the start, so that the names of instruments are known, and later from where it stopped; prints from `next` on.
    private func readOnce(
        _ words: inout JournalWords, _ next: inout UInt64, _ start: UInt64
    ) throws -> (UInt64, JournalEnd) {
        // The folder's memory is what the reader reads.
        let folder = try open()
        defer { folder.close() }
        let reader: JournalReader
        do { reader = try folder.reader() } catch { throw CommandFailure(JournalExit.damaged, error.description) }
        var teller = words
        var newest = next
        let isSilent = verify
        let asJSON = json
        let (records, end) = reader.read(from: start) { record in
            if isSilent { return }
            let told = teller.tell(record)
            guard record.pointee.number >= newest else { return }
            newest = record.pointee.number + 1
            Output.line(asJSON ? told.json.description : told.line)
        }
        words = teller
        next = newest
        return (records, end)
    }

    private func open() throws -> JournalFolder {
        do {
            return try JournalFolder(path: journal, access: .read)
        } catch { throw CommandFailure(JournalExit.damaged, error.description) }
    }

    private func finish(_ records: UInt64, _ end: JournalEnd) throws {
        let text: String
        let status: Int32
        switch end {
        case .clean: (text, status) = ("\(records) records, all sound", 0)
        case .torn(let place):
            (text, status) = (
                "\(records) sound records; torn at record \(place.number), \(at(place))", JournalExit.torn
            )
        case .unsynced(let place, let behind):
            (text, status) = (
                "\(records) sound records; record \(place.number) was lost with the machine, \(at(place)), and \(behind) behind it",
                JournalExit.torn
            )
        case .damaged(let place, let damage):
            (text, status) = (
                "\(records) sound records; record \(place.number) is \(damage.rawValue), \(at(place)): records behind it were safe",
                JournalExit.damaged
            )
        }
        if json {
            let names = ["clean", "torn", "damaged"]
            Output.line(
                JSONText.object([
                    ("kind", .string("end")), ("records", .unsigned(records)), ("state", .string(names[Int(status)])),
                    ("segment", .optional(end.place?.segment)),
                    ("offset", end.place.map { .unsigned($0.offset) } ?? .null),
                    ("record", end.place.map { .unsigned($0.number) } ?? .null),
                ]).description)
        } else if verify {
            Output.line(text)
        } else if status != 0 {
            Output.note(text)
        }
        if status != 0 { throw ExitCode(status) }
    }

    private func at(_ place: JournalPlace) -> String { "byte \(place.offset) of \(place.segment)" }
}

/// How the command ends when the journal does not end in order.
private enum JournalExit {
    static let torn: Int32 = 1
    static let damaged: Int32 = 2
}
