/// The effective configuration: for every key its value and where that came from.
///
/// Later sources win: built-in values, then the file, then the environment, then `--set`.
package struct ConfigurationStore: Sendable {
    /// A value with its origin.
    package struct Setting: Equatable, Sendable {
        package let value: ConfigurationValue
        package let origin: ConfigurationOrigin
    }

    package let schema: [ConfigurationField]
    private var settings: [String: Setting] = [:]

    /// Starts from the built-in values.
    package init(schema: [ConfigurationField] = configurationSchema) {
        self.schema = schema
        for field in schema {
            if let standard = field.standard { settings[field.key] = Setting(value: standard, origin: .builtIn) }
        }
    }

    /// Merges all sources. `text` is the file's content, nil without a file.
    package init(
        schema: [ConfigurationField] = configurationSchema, file: (path: String, text: String)?,
        environment: [String: String], assignments: [String]
    ) throws(ConfigurationError) {
        self.init(schema: schema)
        if let file {
            for entry in try ConfigurationFile.entries(of: file.text, path: file.path, schema: schema) {
                merge(entry.value, at: entry.key, from: entry.origin)
            }
        }
        try apply(environment: environment)
        for assignment in assignments { try apply(assignment: assignment) }
    }

    /// The setting of a key, or nil when nobody set it and it has no built-in value.
    package func setting(_ key: String) -> Setting? { settings[key] }

    /// Sets a key from a flag of its own, such as `--symbols`; the text is checked like any other.
    package mutating func set(_ key: String, to text: String, flag: String) throws(ConfigurationError) {
        try assign(text, to: key, origin: .commandLine(flag: flag))
    }

    private mutating func merge(_ value: ConfigurationValue, at key: String, from origin: ConfigurationOrigin) {
        guard case .table(let added) = value, case .table(let present)? = settings[key]?.value else {
            settings[key] = Setting(value: value, origin: origin)
            return
        }
        let names = Set(added.map(\.name))
        let merged = present.filter { !names.contains($0.name) } + added
        settings[key] = Setting(value: .table(merged), origin: origin)
    }

    private mutating func assign(_ text: String, to key: String, origin: ConfigurationOrigin) throws(ConfigurationError)
    {
        if let field = schema.first(where: { $0.key == key }), !field.kind.isTable {
            if field.kind == .list {
                let items = text.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
                if items.isEmpty {
                    throw ConfigurationError(origin, key: key, "it is empty; expected names with commas between")
                }
                merge(.list(items), at: key, from: origin)
            } else if let refusal = field.kind.refusal(of: text) {
                throw ConfigurationError(origin, key: key, refusal)
            } else {
                merge(.scalar(text), at: key, from: origin)
            }
            return
        }
        for field in schema where field.kind.isTable && key.hasPrefix(field.key + ".") {
            let name = String(key.dropFirst(field.key.count + 1))
            merge(.table([.init(name: name, value: text, origin: origin)]), at: field.key, from: origin)
            return
        }
        if schema.contains(where: { $0.key == key }) {
            throw ConfigurationError(origin, key: key, "it is a table: set one of its entries, \(key).NAME=VALUE")
        }
        let hint = closest(to: key, among: schema.map(\.key)).map { "; did you mean \($0)?" } ?? ""
        throw ConfigurationError(origin, key: key, "there is no such key\(hint)")
    }

    private mutating func apply(environment: [String: String]) throws(ConfigurationError) {
        let byVariable = Dictionary(uniqueKeysWithValues: schema.map { ($0.variable, $0) })
        let prefixes = Set(schema.map { "APUS_" + $0.key.prefix { $0 != "." }.uppercased() })
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("APUS_") {
            let origin = ConfigurationOrigin.environment(variable: variable)
            if let field = byVariable[variable], !field.kind.isTable {
                try assign(text, to: field.key, origin: origin)
            } else if let table = schema.first(where: { $0.kind == .table && variable.hasPrefix($0.variable + "_") }) {
                // A variable cannot hold a hyphen: HALF_SPREAD is half-spread.
                let name = variable.dropFirst(table.variable.count + 1).lowercased().replacing("_", with: "-")
                try assign(text, to: table.key + "." + name, origin: origin)
            } else if prefixes.contains(where: { variable == $0 || variable.hasPrefix($0 + "_") }) {
                let hint = closest(to: variable.lowercased(), among: byVariable.keys.map { $0.lowercased() }.sorted())
                let advice = hint.map { "; did you mean \($0.uppercased())?" } ?? ""
                throw ConfigurationError(origin, key: "", "it overrides no key\(advice)")
            }
        }
    }

    private mutating func apply(assignment: String) throws(ConfigurationError) {
        guard let equals = assignment.firstIndex(of: "=") else {
            throw ConfigurationError(.commandLine(flag: "--set \(assignment)"), key: "", "expected KEY=VALUE")
        }
        let key = trimmed(assignment[..<equals])
        try assign(
            trimmed(assignment[assignment.index(after: equals)...]), to: key, origin: .commandLine(flag: "--set \(key)")
        )
    }
}

private func trimmed(_ text: Substring) -> String {
    let start = text.drop { $0.isWhitespace }
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(start[...last])
}

// MARK: Reading

extension ConfigurationStore {
    /// A scalar as text, or nil when it is not set.
    package func text(_ key: String) -> String? {
        guard case .scalar(let text)? = settings[key]?.value else { return nil }
        return text
    }

    /// A whole number. The schema has checked it, so that only a wrong key can be missing.
    package func integer(_ key: String) -> Int? { text(key).flatMap { Int($0) } }

    /// A truth value.
    package func boolean(_ key: String) -> Bool? { text(key).map { $0 == "true" } }

    /// The texts of a list.
    package func list(_ key: String) -> [String] {
        switch settings[key]?.value {
        case .list(let items)?: items
        case .scalar(let item)?: [item]
        default: []
        }
    }

    /// The entries of a table.
    package func table(_ key: String) -> [ConfigurationParameter] {
        guard case .table(let parameters)? = settings[key]?.value else { return [] }
        return parameters
    }

    /// An error about a key's value, with the place where it was written.
    package func error(_ key: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(settings[key]?.origin ?? .builtIn, key: key, problem)
    }
}
