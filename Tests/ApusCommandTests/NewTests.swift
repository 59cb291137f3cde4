import Foundation
import Testing

@testable import ApusCommand

private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-new-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
}

@Suite struct NewTests {
    @Test(arguments: [
        ("MeanReversion", "MeanReversion", "mean-reversion"), ("mean-reversion", "MeanReversion", "mean-reversion"),
        ("x2", "X2", "x2"), ("FXCarry", "FXCarry", "fxcarry"), ("a_b", "AB", "a-b"),
    ])
    func formsOfAName(_ text: String, _ type: String, _ strategy: String) throws {
        let name = try StrategyName(text)
        #expect(name.type == type)
        #expect(name.strategy == strategy)
    }

    @Test(arguments: ["", "2x", "-a", "a b", "a/b", "../a", "é", "apus", "ApusEngine", "Swift"])
    func refusesNames(_ text: String) {
        #expect(throws: CommandFailure.self) { try StrategyName(text) }
    }

    @Test func makesThePackageOnceAndOverwritesNothing() throws {
        try withFolder { folder in
            #expect(
                ApusProgram.run(["new", "MeanReversion", "--path", folder + "/MeanReversion"], strategies: [])
                    == ExitStatus.success)
            let root = folder + "/MeanReversion"
            let manifest = try Files.text(root + "/Package.swift")
            #expect(manifest.contains(".package(name: \"apus\", path: \"\(try CheckoutLocation.find(named: nil))\")"))
            let strategy = root + "/Sources/MeanReversionStrategy/MeanReversion.swift"
            #expect(try Files.text(strategy).contains("public struct MeanReversion: Strategy"))
            for file in [".gitignore", "README.md", "Sources/MeanReversion/main.swift"] {
                #expect(Files.exists(root + "/" + file))
            }
            #expect(
                ApusProgram.run(["new", "MeanReversion", "--path", folder + "/MeanReversion"], strategies: [])
                    == ExitStatus.usage)
            #expect(try Files.text(root + "/Package.swift") == manifest)
        }
    }

    @Test func aFolderThatIsNoCheckoutIsRefused() throws {
        try withFolder { folder in
            let status = ApusProgram.run(
                ["new", "Other", "--path", folder + "/Other", "--apus", folder], strategies: [])
            #expect(status == ExitStatus.unavailable)
            #expect(!Files.exists(folder + "/Other"))
        }
    }
}
