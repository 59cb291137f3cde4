import Foundation
import Testing

@testable import ApusCommand

/// Beside the project: orders with the venue's own answers.
private let vectors =
    (ProcessInfo.processInfo.environment["APUS_SHARED"]
        ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared").path()) + "/vectors/polymarket-signing.json"

private let vectorsAreNeeded =
    FileManager.default.fileExists(atPath: vectors) || ProcessInfo.processInfo.environment["CI"] == "true"

private let publicKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

private let order = """
    "salt": 123456789, "maker": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "signer": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "makerAmount": "100000000", "takerAmount": "50000000",
    "tokenId": "71321045679252212594626385532706912750332728571942532289631379312455583992563", "side": "BUY",
    "signatureType": 0, "timestamp": "1713398400000"
    """

private func entry(_ fields: String = order, key: String = publicKey) -> String {
    """
    {"verifyingContract": "0xE111180000d2663C0091e4f400237545B87B996B", "privateKey": "\(key)", "order": {\(fields)}}
    """
}

private func sign(_ text: String) throws -> [SignedEntry] {
    let path = FileManager.default.temporaryDirectory.appending(path: "apus-sign-\(UUID().uuidString).json").path()
    try Data(text.utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let source = SignableOrders(path: path)
    return try source.read().enumerated().map { try source.sign($1, at: $0, key: nil) }
}

@Suite struct SignTests {
    @Test(.enabled(if: vectorsAreNeeded)) func knownAnswers() throws {
        struct File: Decodable {
            struct Entry: Decodable {
                var name: String
                var expectedSigningHash: String
                var expectedSignature: String
            }
            var orders: [Entry]
        }
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: vectors)))
        let source = SignableOrders(path: vectors)
        let results = try source.read().enumerated().map { try source.sign($1, at: $0, key: nil) }
        #expect(results.count == file.orders.count && results.count >= 4)
        for (result, expected) in zip(results, file.orders) {
            #expect(result.name == expected.name)
            #expect(result.result.hash == expected.expectedSigningHash)
            #expect(result.result.signature == expected.expectedSignature)
        }
        #expect(ApusProgram.run(["sign", "polymarket", vectors, "--json"], strategies: []) == ExitStatus.success)
    }

    @Test func whatMayBeLeftOut() throws {
        let results = try sign("{\"orders\": [\(entry())]}")
        #expect(results.first?.result.hash == "0x32961c48ddac87ed3582f8e02097cd0eff4fcf80460306bd44b3710438dfa64c")
        #expect(results.first?.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        #expect(try sign("[\(entry()), \(entry())]").count == 2)
    }

    private func failure(_ text: String) -> String {
        let error = #expect(throws: CommandFailure.self) { try sign(text) }
        return error?.description ?? ""
    }

    @Test(arguments: [
        ("\"BUY\"", "\"buy\"", "orders[1].order.side: \"buy\" is neither BUY nor SELL"),
        ("\"signatureType\": 0", "\"signatureType\": 4", "orders[1].order.signatureType: \"4\" is none of"),
        ("\"makerAmount\": \"100000000\"", "\"makerAmount\": \"1.5\"", "orders[1].order.makerAmount: \"1.5\" is no"),
        ("\"makerAmount\": \"100000000\", ", "", "orders[1].order.makerAmount: is missing"),
        ("\"takerAmount\": \"50000000\"", "\"takerAmount\": []", "orders[1].order.takerAmount: must be a text"),
        ("\"salt\": 123456789", "\"salt\": -1", "orders[1].order.salt: \"-1\" is no whole number"),
        ("\"maker\": \"0xf39", "\"maker\": \"0xg39", "orders[1].order.maker: "),
    ])
    func errorsNameEntryAndField(_ text: String, _ replacement: String, _ message: String) {
        let changed = order.replacingOccurrences(of: text, with: replacement)
        #expect(changed != order)
        #expect(failure("[\(entry()), \(entry(changed))]").contains(message))
    }

    @Test func errorsOfTheWholeFile() {
        #expect(failure("{").contains("this is no JSON"))
        #expect(failure("{\"bids\": []}").contains("orders: there is no list"))
        #expect(failure("[1]").contains("orders[0]: an object was expected"))
        #expect(failure("[{\"privateKey\": \"\(publicKey)\"}]").contains("orders[0].order: an object is missing"))
        #expect(failure("[\(entry().replacingOccurrences(of: "privateKey", with: "key"))]").contains("no privateKey"))
        let other = entry().replacingOccurrences(of: "verifyingContract", with: "contract")
        #expect(failure("[\(other)]").contains("orders[0].verifyingContract: is missing"))
        #expect(throws: FileError.self) { try SignableOrders(path: "/nowhere/at/all.json").read() }
    }

    @Test func aBadKeyIsNotRepeated() {
        let secret = "0x" + String(repeating: "12", count: 20)
        let message = failure("[\(entry(key: secret))]")
        #expect(message.contains("orders[0].privateKey: the private key is none"))
        #expect(!message.contains("1212"))
    }

    @Test func anotherResultThanExpectedIsAnError() {
        let expecting = entry().replacingOccurrences(
            of: "\"order\"", with: "\"expectedSigningHash\": \"0x00\", \"order\"")
        #expect(failure("[\(expecting)]").contains("orders[0].expectedSigningHash: the file expects 0x00"))
    }
}
