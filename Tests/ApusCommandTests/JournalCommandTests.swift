import Foundation
import Testing

@testable import ApusCommand

@Suite struct JournalCommandTests {
    /// A wrong folder is no journal in which nothing has happened, and nothing is made there.
    @Test(arguments: ["", "/missing"])
    func aFolderWithoutAJournalIsRefusedAndLeftAsItIs(below: String) throws {
        let folder = Folder(), path = folder.path + below
        func refused(_ run: () throws -> Void) {
            #expect {
                try run()
            } throws: { error in
                let failure = error as? CommandFailure
                return failure?.status == ExitStatus.unavailable && "\(error)".contains("no journal in \(path)")
            }
        }
        refused { try JournalCommand.parse([path]).run() }
        refused { try HistoryCommand.parse(["fills", path]).run() }
        refused { try HistoryCommand.parse(["fills", path, "--rebuild"]).run() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
