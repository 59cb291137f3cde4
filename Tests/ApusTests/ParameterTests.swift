import Testing

@testable import Apus

private let declared = [
    ParameterDescription("size", .decimal, default: "0.5", "size"),
    ParameterDescription("levels", .integer, default: nil, "levels"),
    ParameterDescription("pause", .duration, default: "250ms", "pause"),
    ParameterDescription("active", .flag, default: "true", "active"),
    ParameterDescription("factor", .real, default: "1.5", "factor"),
]

@Suite struct ParameterTests {
    @Test func readsEachKind() throws {
        let parameters = try Parameters(["levels": "7", "pause": "3s"], declared: declared)
        #expect(try parameters.decimal("size") == ExactDecimal("0.5"))
        #expect(try parameters.integer("levels") == 7)
        #expect(try parameters.duration("pause") == .seconds(3))
        #expect(try parameters.flag("active"))
        #expect(try parameters.real("factor") == 1.5)
    }

    @Test(arguments: [
        ([:], "levels"), (["levels": "seven"], "levels"), (["levels": "1", "sise": "2"], "sise"),
        (["levels": "1", "size": "1e3"], "size"), (["levels": "1", "pause": "3 min"], "pause"),
        (["levels": "1", "active": "yes"], "active"), (["levels": "1", "factor": "inf"], "factor"),
    ])
    func errorsNameTheKey(configured: [String: String], key: String) {
        do {
            _ = try Parameters(configured, declared: declared)
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.key == key)
            #expect(error.description.contains("\"\(key)\""))
        }
    }

    @Test func boundsAreChecked() throws {
        let parameters = try Parameters(["levels": "7"], declared: declared)
        #expect(throws: ParameterError.self) { try parameters.integer("levels", in: 1...5) }
        #expect(throws: ParameterError.self) { try parameters.real("factor", in: 0...1) }
        #expect(throws: ParameterError.self) { try parameters.text("undeclared") }
    }
}
