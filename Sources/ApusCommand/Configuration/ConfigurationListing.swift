/// The configuration for eyes and for programs.
package struct ConfigurationListing {
    private let store: ConfigurationStore

    package init(_ store: ConfigurationStore) { self.store = store }

    /// A table of key, value and origin, in the order of the schema.
    package func table() -> String {
        return TextTable(columns: ["KEY", "VALUE", "FROM"], rows: store.schema.flatMap { rows($0) }).text
    }

    private func rows(_ field: ConfigurationField) -> [[String]] {
        guard let setting = store.setting(field.key) else { return [[field.key, "-", "not set"]] }
        switch setting.value {
        case .scalar(let text): return [[field.key, text, "\(setting.origin)"]]
        case .list(let items): return [[field.key, items.joined(separator: ", "), "\(setting.origin)"]]
        case .table(let parameters):
            if parameters.isEmpty { return [[field.key, "-", "\(setting.origin)"]] }
            return parameters.map { ["\(field.key).\($0.name)", $0.value, "\($0.origin)"] }
        }
    }

    /// `{key: {value, from}}`, with null for what is not set.
    package func json() -> JSONText {
        .object(
            store.schema.map { field in
                guard let setting = store.setting(field.key) else { return (field.key, .null) }
                return (field.key, .object([("value", json(setting.value)), ("from", .string("\(setting.origin)"))]))
            })
    }

    private func json(_ value: ConfigurationValue) -> JSONText {
        switch value {
        case .scalar(let text): .string(text)
        case .list(let items): .array(items.map { .string($0) })
        case .table(let parameters):
            .object(
                parameters.map {
                    ($0.name, .object([("value", .string($0.value)), ("from", .string("\($0.origin)"))]))
                })
        }
    }

    /// Every key with its variable, what it may be, its built-in value and what it means.
    package static func keys(of schema: [ConfigurationField]) -> String {
        schema.map { field in
            let standard =
                switch field.standard {
                case .scalar(let text)?: " [\(text)]"
                case .list(let items)?: " [\(items.joined(separator: ", "))]"
                default: ""
                }
            let way = field.kind.isTable ? "in a file, or --set \(field.key).NAME=VALUE" : field.variable
            return "\(field.key)\(standard)\n    \(field.help).\n    \(field.kind.expectation); \(way)"
        }.joined(separator: "\n")
    }
}
