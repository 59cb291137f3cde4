import ApusLive
import ArgumentParser
import Foundation

struct SignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign orders of a file without sending them.",
        subcommands: [SignPolymarketCommand.self])
}

struct SignPolymarketCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "polymarket",
        abstract: "Sign Polymarket orders (CLOB V2): print each one's hash, which is its id, and its signature.",
        discussion: """
            FILE is JSON: {"orders": [{name, chainId, domainName, domainVersion, verifyingContract, privateKey, order: {salt,
            maker, signer, tokenId, makerAmount, takerAmount, side, signatureType, timestamp, metadata, builder}}]}, or that list
            alone. name may be left out; chainId is 137, domainName and domainVersion are the exchange's ("2"), metadata and builder
            zero where they are. An entry without a privateKey is signed with APUS_POLYMARKET_PRIVATE_KEY of the environment; write
            none but public test keys into a file. Where an entry holds expectedSigningHash or expectedSignature, another result
            is an error.
            """)

    @Argument(help: "The orders, JSON; - is standard input.")
    var file: String

    @Flag(help: "Print JSON: [{index, name, address, signingHash, signature}].")
    var json = false

    func run() throws {
        let source = SignableOrders(path: file == "-" ? "/dev/stdin" : file)
        let entries = try source.read()
        let key = try Environment.value("APUS_POLYMARKET_PRIVATE_KEY").map { text throws(LiveError) in
            do { return try PolymarketKey(text) } catch {
                throw LiveError("APUS_POLYMARKET_PRIVATE_KEY: \(error)")
            }
        }
        let results = try entries.indices.map { try source.sign(entries[$0], at: $0, key: key) }
        if json {
            Output.line(JSONText.array(results.map(\.json)).description)
        } else {
            Output.line(results.map(\.text).joined(separator: "\n"))
        }
    }
}

/// One signed order of a file.
struct SignedEntry {
    var index: Int
    var name: String?
    var address: String
    var result: PolymarketSignature

    var json: JSONText {
        .object([
            ("index", .integer(Int64(index))), ("name", .optional(name)), ("address", .string(address)),
            ("signingHash", .string(result.hash)), ("signature", .string(result.signature)),
        ])
    }

    var text: String {
        "\(name ?? "orders[\(index)]") by \(address)\n  hash      \(result.hash)\n  signature \(result.signature)"
    }
}

/// The orders of a file. Every error names the file, the entry and the field.
struct SignableOrders {
    var path: String

    private func fail(_ place: String, _ problem: String) -> CommandFailure {
        CommandFailure(ExitStatus.usage, "\(path): \(place.isEmpty ? "" : place + ": ")\(problem)")
    }

    /// The entries, none of them looked into yet.
    func read() throws -> [JSONTree] {
        let tree: JSONTree
        let bytes = try Files.bytes(path)
        do { tree = try JSONDecoder().decode(JSONTree.self, from: Data(bytes)) } catch {
            throw fail("", "this is no JSON: \(Self.reason(error))")
        }
        let list: JSONTree? = if case .object(let members) = tree { members["orders"] } else { tree }
        guard case .array(let entries)? = list else { throw fail("orders", "there is no list of that name") }
        return entries
    }

    private static func reason(_ error: any Error) -> String {
        guard case .dataCorrupted(let context)? = error as? DecodingError else { return "\(error)" }
        let parser = (context.underlyingError as NSError?)?.userInfo[NSDebugDescriptionErrorKey] as? String
        return parser ?? context.debugDescription
    }

    /// Signs one entry with its own key, else with that of the environment.
    func sign(_ entry: JSONTree, at index: Int, key: PolymarketKey?) throws -> SignedEntry {
        let place = "orders[\(index)]"
        guard case .object(let members) = entry else { throw fail(place, "an object was expected") }
        guard case .object(let fields)? = members["order"] else { throw fail("\(place).order", "an object is missing") }
        let signer = try self.key(members, place, key)
        let order: PolymarketTypedOrder
        do throws(PolymarketTypedOrder.FieldError) {
            order = try PolymarketTypedOrder { field throws(PolymarketTypedOrder.FieldError) in
                if let text = fields[field]?.text { return text }
                if field == "metadata" || field == "builder", fields[field] == nil { return Self.zero }
                throw PolymarketTypedOrder.FieldError(
                    field: field, problem: fields[field] == nil ? "is missing" : "must be a text or a number")
            }
        } catch {
            throw fail("\(place).order.\(error.field)", error.problem)
        }
        let result = try sign(order, members, place, signer)
        try check(members, "expectedSigningHash", result.hash, place)
        try check(members, "expectedSignature", result.signature, place)
        warn(order, signer, place)
        return SignedEntry(index: index, name: members["name"]?.text, address: signer.address, result: result)
    }

    private static let zero = "0x" + String(repeating: "0", count: 64)

    private func key(
        _ members: [String: JSONTree], _ place: String, _ key: PolymarketKey?
    ) throws -> PolymarketKey {
        if let own = members["privateKey"] {
            do { return try PolymarketKey(own.text ?? "") } catch { throw fail("\(place).privateKey", "\(error)") }
        }
        guard let key else {
            throw fail(place, "there is no privateKey, and APUS_POLYMARKET_PRIVATE_KEY is not in the environment")
        }
        return key
    }

    private func sign(
        _ order: PolymarketTypedOrder, _ members: [String: JSONTree], _ place: String, _ key: PolymarketKey
    ) throws -> PolymarketSignature {
        func text(_ name: String, _ standard: String?) throws -> String {
            if let text = members[name]?.text ?? (members[name] == nil ? standard : nil) { return text }
            throw fail("\(place).\(name)", members[name] == nil ? "is missing" : "must be a text or a number")
        }
        let chain = try text("chainId", "137")
        guard let number = UInt64(chain) else { throw fail("\(place).chainId", "\"\(chain)\" is no chain's number") }
        do {
            return try order.signed(
                by: key, domain: text("domainName", "Polymarket CTF Exchange"), version: text("domainVersion", "2"),
                chain: number, contract: text("verifyingContract", nil))
        } catch let error as PolymarketTypedOrder.FieldError {
            throw fail("\(place).\(error.field)", error.problem)
        }
    }

    private func check(_ members: [String: JSONTree], _ name: String, _ result: String, _ place: String) throws {
        guard let expected = members[name]?.text, expected.lowercased() != result else { return }
        throw CommandFailure(
            ExitStatus.failure, "\(path): \(place).\(name): the file expects \(expected), but it is \(result)")
    }

    // The venue refuses it, but it can be signed, as the owner of several keys may want.
    private func warn(_ order: PolymarketTypedOrder, _ key: PolymarketKey, _ place: String) {
        guard order.signatureType != 3, order.signer != key.address else { return }
        Output.note("apus: \(path): \(place).order.signer is \(order.signer), but the key's address is \(key.address)")
    }
}

/// Any JSON value, numbers with their digits.
indirect enum JSONTree: Decodable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([String: JSONTree])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let object = try? value.decode([String: JSONTree].self) {
            self = .object(object)
        } else if let array = try? value.decode([JSONTree].self) {
            self = .array(array)
        } else if let text = try? value.decode(String.self) {
            self = .string(text)
        } else if let flag = try? value.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? value.decode(UInt64.self) {
            self = .number("\(number)")
        } else {
            self = .number("\(try value.decode(Decimal.self))")
        }
    }

    /// A text, or a number's digits.
    var text: String? {
        switch self {
        case .string(let text), .number(let text): text
        default: nil
        }
    }
}
