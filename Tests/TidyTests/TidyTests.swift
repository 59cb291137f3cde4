import Foundation
import Testing

/// The repository itself against the rules.
@Suite struct TidyTests {
    let files: [SourceFile]

    init() throws {
        files = try Repository.all.get()
        // A checker that looks at nothing finds nothing.
        try #require(files.count > 50)
    }

    private func report(_ violations: [Violation]) {
        for violation in violations { Issue.record("\(violation)") }
    }

    @Test func importsGoOneWay() { report(ImportRules.violations(in: files)) }
    @Test func nothingAmbientWhereDecisionsAreMade() { report(AmbientRules.violations(in: files)) }
    @Test func filesHaveOneSubject() { report(StyleRules.sizes(files)) }
    @Test func nothingIsLeftUnfinished() { report(StyleRules.words(files)) }
    @Test func exceptionsHaveReasons() { report(StyleRules.reasons(files)) }
    @Test func whatIsPublicIsDocumented() { report(StyleRules.documentation(files)) }
    @Test func limitsStandInOnePlace() { report(StyleRules.limits(files)) }
    @Test func headersSayWhatTheyAreFor() { report(StyleRules.headers(files)) }

    @Test func othersCanDependOnThisPackage() throws {
        let manifest = Repository.root.appendingPathComponent("Package.swift")
        report(StyleRules.manifest(try String(contentsOf: manifest, encoding: .utf8)))
    }

    @Test func everyTargetIsARoom() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Repository.root.appendingPathComponent("Sources").path)
        for folder in folders { #expect(ImportRules.rooms["Sources/\(folder)"] != nil, "\(folder) has no import rule") }
    }
}
