import Testing

/// The rules must be able to fail: each is shown something that breaks it and something that does not.
@Suite struct CheckerTests {
    private func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    @Test(arguments: [
        ("Sources/Apus/A.swift", "import ApusEngine"), ("Sources/ApusEngine/A.swift", "package import ApusLive"),
        ("Sources/ApusEngine/A.swift", "@testable import Foundation"), ("Sources/ApusVenue/A.swift", "import Apus"),
        ("Sources/ApusVenue/A.swift", "import NIOCore"), ("Sources/Nobody/A.swift", "let x = 1"),
        ("Sources/Apus/A.swift", "import struct Foundation.Date"),
    ])
    func importsThatTurnBack(_ path: String, _ text: String) {
        #expect(ImportRules.violations(in: [file(path, text)]).count == 1)
    }

    @Test func importsThatAreRight() {
        let fine = [
            file(
                "Sources/Apus/A.swift", "internal import CApusRing\n// import ApusLive\nlet text = \"import ApusLive\""),
            file("Sources/ApusEngine/A.swift", "public import Apus\nimport Glibc"),
        ]
        #expect(ImportRules.violations(in: fine).isEmpty)
    }

    @Test func includesThatTurnBack() {
        let wire = file("CSources/CApusWire/include/apus_wire.h", "")
        let bad = file(
            "CSources/CApusProtocol/a.c",
            "#include \"apus_wire.h\"\n#include <sys/socket.h>\n#include <uv.h>\n#include <unistd.h>")
        #expect(ImportRules.violations(in: [wire, bad]).map(\.line) == [1, 2, 3, 4])
        let ring = file("CSources/CApusRing/a.c", "#include <openssl/sha.h>")
        #expect(ImportRules.violations(in: [ring]).count == 1)
        let fine = file("CSources/CApusProtocol/b.c", "#include <openssl/sha.h>\n#include <string.h>")
        #expect(ImportRules.violations(in: [wire, fine]).isEmpty)
    }

    @Test(arguments: [
        "x = malloc(3);", "uint64_t now = apus_clock_monotonic();", "free(p);", "  time(NULL);", "n = rand() % 3;",
    ])
    func ambientCallsInC(_ line: String) {
        #expect(AmbientRules.violations(in: [file("CSources/CApusProtocol/a.c", line)]).count == 1)
        #expect(AmbientRules.violations(in: [file("CSources/CApusWire/a.c", line)]).isEmpty)
    }

    @Test(arguments: [
        "// malloc(3)", "arena->free(x);", "const char* t = \"rand()\";", "apus_arena_free(a, b, 3);", "int time = 3;",
        "static int send(int a) {\nreturn send(a);",
    ])
    func harmlessC(_ line: String) {
        #expect(AmbientRules.violations(in: [file("CSources/CApusProtocol/a.c", line)]).isEmpty)
    }

    @Test(arguments: [
        "let now = Date()", "let x = Int.random(in: 0..<3)", "Task { work() }", "let c = ContinuousClock()",
        "var g = SystemRandomNumberGenerator()", "func f() async {}",
        "var orders: [Int: String] = [:]\nfor (id, order) in orders {",
        "let names: Set<String>\nnames.forEach { use($0) }",
        "var a = [Int: Int]()\nfor x in a.values where x > 0 {", "let b = Set(list)\nlet c = b.map { $0 }",
    ])
    func ambientSwift(_ text: String) {
        #expect(AmbientRules.violations(in: [file("Sources/ApusVenue/A.swift", text)]).count == 1, "\(text)")
        #expect(AmbientRules.violations(in: [file("Sources/ApusLive/A.swift", text)]).isEmpty)
    }

    @Test(arguments: [
        "var orders: [Int: String] = [:]\nfor (id, order) in orders.sorted(by: less) {",
        "var orders: [Int: String] = [:]\n// order does not matter: they are summed\nfor (id, order) in orders {",
        "var orders: [Order] = []\nfor order in orders {",
        "let names: [(name: String, hop: Int)] = []\nfor (name, hop) in names {", "let updated = lastUpdate",
        "// Date()",
    ])
    func harmlessSwift(_ text: String) {
        #expect(AmbientRules.violations(in: [file("Sources/ApusVenue/A.swift", text)]).isEmpty, "\(text)")
    }

    @Test func formRules() {
        let long = file("Sources/Apus/A.swift", String(repeating: "x\n", count: 601))
        #expect(StyleRules.sizes([long]).count == 1)
        #expect(StyleRules.sizes([file("Sources/Apus/A.swift", String(repeating: "x\n", count: 600))]).isEmpty)
        let unfinished = file(
            "Sources/Apus/A.swift", "// TODO later\nlet x = try! f()\nlet y = z as! Int\nlet w = \"as!\"")
        #expect(StyleRules.words([unfinished]).map(\.line) == [1, 2, 3])
        let bare = file("Sources/Apus/A.swift", "let a = 1\nfinal class A: @unchecked Sendable {}")
        #expect(StyleRules.reasons([bare]).count == 1)
        let excused = file(
            "Sources/Apus/A.swift", "// Unchecked: one thread owns it.\nfinal class A: @unchecked Sendable {}")
        #expect(StyleRules.reasons([excused]).isEmpty)
    }

    @Test func documentationRule() {
        let bad = file("Sources/Apus/A.swift", "public struct A {\n    @inlinable\n    public func f() {}\n}")
        #expect(StyleRules.documentation([bad]).map(\.line) == [1, 3])
        let good = file(
            "Sources/Apus/A.swift",
            "/// A.\n@frozen\npublic struct A {\n    /// F.\n    @inlinable\n    public func f() {}\n}")
        #expect(StyleRules.documentation([good]).isEmpty)
    }

    @Test func limitsRule() {
        let bad = file("CSources/CApusProtocol/include/apus_x.h", "#define APUS_THINGS_MAX 3u\n#define APUS_F(x) x")
        #expect(StyleRules.limits([bad]).count == 1)
        #expect(StyleRules.limits([file("CSources/CApusRing/include/apus_limits.h", "#define APUS_A_MAX 3")]).isEmpty)
    }

    @Test func manifestAndHeaders() {
        #expect(StyleRules.manifest("cSettings: [.unsafeFlags([\"-O3\"])]").count == 1)
        #expect(StyleRules.manifest("let package = Package(name: \"apus\")").isEmpty)
        let bare = file("CSources/CApusRing/include/apus_x.h", "#ifndef APUS_X_H\n")
        let open = file("CSources/CApusRing/include/apus_y.h", "// Y.\nint y;\n")
        #expect(StyleRules.headers([bare, open]).count == 2)
    }

    @Test func blanksOutCommentsAndTexts() {
        #expect(withoutCommentsAndTexts("a // b\nc") == "a     \nc")
        #expect(withoutCommentsAndTexts("a /* b\nc */ d") == "a     \n     d")
        #expect(withoutCommentsAndTexts("f(\"x\\\"y\") z") == "f(\"    \") z")
        #expect(withoutCommentsAndTexts("x = \"\"\"\n  Date()\n  \"\"\"\ny").hasSuffix("\ny"))
        #expect(!withoutCommentsAndTexts("x = \"\"\"\n  Date()\n  \"\"\"\ny").contains("Date"))
    }
}
