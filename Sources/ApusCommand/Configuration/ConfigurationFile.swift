import Yams

/// One key of a file with what was written there.
package struct ConfigurationEntry: Equatable, Sendable {
    package let key: String
    package let value: ConfigurationValue
    package let origin: ConfigurationOrigin
}

/// Reads YAML, or JSON as the part of YAML that it is, into flat keys that remember their lines.
package struct ConfigurationFile {
    private let path: String
    private let fields: [String: ConfigurationField]
    private let sections: Set<String>
    private var entries: [ConfigurationEntry] = []

    /// The entries of `text`, in its order. Throws for the first thing that is wrong in it.
    package static func entries(
        of text: String, path: String, schema: [ConfigurationField]
    ) throws(ConfigurationError) -> [ConfigurationEntry] {
        var file = ConfigurationFile(path: path, schema: schema)
        guard let root = try file.compose(text) else { return [] }
        try file.read(root, prefix: "")
        return file.entries
    }

    private init(path: String, schema: [ConfigurationField]) {
        self.path = path
        fields = Dictionary(uniqueKeysWithValues: schema.map { ($0.key, $0) })
        // `venue.tls.ca_file` makes the sections `venue` and `venue.tls`.
        sections = Set(
            schema.flatMap { field in
                let parts = field.key.split(separator: ".")
                return (1..<max(parts.count, 1)).map { parts[..<$0].joined(separator: ".") }
            })
    }

    private func compose(_ text: String) throws(ConfigurationError) -> Node? {
        do {
            return try Yams.compose(yaml: withoutTabs(text), .basic)
        } catch let error as YamlError {
            throw failure(error)
        } catch {
            throw ConfigurationError(.file(path: path, line: 1), key: "", "\(error)")
        }
    }

    private mutating func read(_ node: Node, prefix: String) throws(ConfigurationError) {
        guard case .mapping(let mapping) = node else {
            let what = prefix.isEmpty ? "the file must hold keys and values" : "it must be a section with keys"
            throw ConfigurationError(origin(node), key: prefix, what)
        }
        for (keyNode, value) in mapping {
            guard case .scalar(let scalar) = keyNode else {
                throw ConfigurationError(origin(keyNode), key: prefix, "a key must be a plain text")
            }
            let key = prefix.isEmpty ? scalar.string : prefix + "." + scalar.string
            if let field = fields[key] {
                entries.append(.init(key: key, value: try written(value, of: field), origin: origin(keyNode)))
            } else if sections.contains(key) {
                if isNull(value) { continue }
                try read(value, prefix: key)
            } else {
                throw unknown(key, at: origin(keyNode))
            }
        }
    }

    private func written(_ node: Node, of field: ConfigurationField) throws(ConfigurationError) -> ConfigurationValue {
        switch (field.kind, node) {
        case (.list, .sequence(let items)):
            var texts: [String] = []
            for item in items { texts.append(try text(of: item, key: field.key, kind: .text)) }
            return .list(texts)
        case (.table, .mapping(let mapping)):
            var parameters: [ConfigurationParameter] = []
            for (name, value) in mapping {
                let name = try text(of: name, key: field.key, kind: .text)
                let setting = try text(of: value, key: field.key + "." + name, kind: .text)
                parameters.append(.init(name: name, value: setting, origin: origin(value)))
            }
            return .table(parameters)
        case (.sections, .sequence(let items)): return .table(try sections(items, of: field))
        case (.table, _) where isNull(node), (.sections, _) where isNull(node): return .table([])
        default: return .scalar(try text(of: node, key: field.key, kind: field.kind))
        }
    }

    private func sections(
        _ items: Node.Sequence, of field: ConfigurationField
    ) throws(ConfigurationError) -> [ConfigurationParameter] {
        var found: [ConfigurationParameter] = []
        for (place, item) in items.enumerated() {
            let key = "\(field.key)[\(place)]"
            guard case .mapping(let mapping) = item, let named = mapping["name"] else {
                throw ConfigurationError(origin(item), key: key, "it must be a section with a name")
            }
            let name = try text(of: named, key: key + ".name", kind: .text)
            guard isName(name) else {
                throw ConfigurationError(
                    origin(named), key: key + ".name",
                    "\"\(name)\" is no name: it must have 1 to 63 letters, digits, hyphens or underscores")
            }
            if found.contains(where: { $0.name == name + ".name" }) {
                throw ConfigurationError(origin(named), key: key + ".name", "another one is called \(name)")
            }
            try flatten(item, name, key, into: &found)
        }
        return found
    }

    /// The scalars below a node, by their dotted keys; the texts of a list with commas between.
    private func flatten(
        _ node: Node, _ name: String, _ key: String, into found: inout [ConfigurationParameter]
    ) throws(ConfigurationError) {
        switch node {
        case .mapping(let mapping):
            for (keyNode, value) in mapping {
                let part = try text(of: keyNode, key: key, kind: .text)
                try flatten(value, name + "." + part, key + "." + part, into: &found)
            }
        case .sequence(let items):
            var texts: [String] = []
            for item in items { texts.append(try text(of: item, key: key, kind: .text)) }
            found.append(.init(name: name, value: texts.joined(separator: ","), origin: origin(node)))
        default:
            found.append(.init(name: name, value: try text(of: node, key: key, kind: .text), origin: origin(node)))
        }
    }

    private func text(of node: Node, key: String, kind: ConfigurationKind) throws(ConfigurationError) -> String {
        guard case .scalar(let scalar) = node else {
            let found = if case .sequence = node { "a list" } else { "a section" }
            throw ConfigurationError(origin(node), key: key, "it must be \(kind.expectation), not \(found)")
        }
        if isNull(node) {
            throw ConfigurationError(origin(node), key: key, "it has no value; expected \(kind.expectation)")
        }
        if let refusal = kind.refusal(of: scalar.string) {
            throw ConfigurationError(origin(node), key: key, refusal)
        }
        return scalar.string
    }

    private func unknown(_ key: String, at origin: ConfigurationOrigin) -> ConfigurationError {
        if isSecret(key) {
            return ConfigurationError(
                origin, key: key,
                "secrets are not accepted from a file; remove it and set \(secretVariables.joined(separator: " and ")) "
                    + "in the environment")
        }
        let known = Array(fields.keys) + sections
        let hint = closest(to: key, among: known.sorted()).map { "; did you mean \($0)?" } ?? ""
        return ConfigurationError(origin, key: key, "there is no such key\(hint)")
    }

    private func origin(_ node: Node) -> ConfigurationOrigin { .file(path: path, line: node.mark?.line ?? 1) }

    private func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private func failure(_ error: YamlError) -> ConfigurationError {
        func at(_ mark: Mark, _ problem: String) -> ConfigurationError {
            ConfigurationError(.file(path: path, line: mark.line), key: "", "\(problem) (column \(mark.column))")
        }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return at(mark, problem)
        case .duplicatedKeysInMapping(let names, let context):
            let origin = ConfigurationOrigin.file(path: path, line: context.mark.line)
            return ConfigurationError(
                origin, key: names.first ?? "", "the key is written more than once; this is the first")
        case .reader(let problem, let offset, _, let text):
            let line = 1 + text.prefix(offset ?? 0).filter(\.isNewline).count
            return ConfigurationError(.file(path: path, line: line), key: "", problem)
        default:
            return ConfigurationError(.file(path: path, line: 1), key: "", "\(error)")
        }
    }
}

/// The only places that secrets are read from.
package let secretVariables = [
    "APUS_BINANCE_API_KEY", "APUS_BINANCE_API_SECRET", "APUS_BINANCE_PRIVATE_KEY", "APUS_BINANCE_PRIVATE_KEY_FILE",
]

private func isSecret(_ key: String) -> Bool {
    let name = key.lowercased().filter { $0.isLetter }
    return ["apikey", "secret", "password", "passphrase", "privatekey"].contains { name.contains($0) }
}

// JSON may be indented with tabs, which YAML forbids. Blanks in their place keep every line number.
private func withoutTabs(_ text: String) -> String {
    guard text.first(where: { !$0.isWhitespace }) == "{" else { return text }
    var inString = false, escaped = false
    return String(
        text.map { character in
            if escaped { escaped = false; return character }
            if inString && character == "\\" { escaped = true }
            if character == "\"" { inString.toggle() }
            return character == "\t" && !inString ? " " : character
        })
}

/// Whether a text can name one of several sections: it is part of keys.
private func isName(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
}
