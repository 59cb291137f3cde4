import Apus
import ApusEngine

/// Reads which strategies run from a configuration: the one of `strategy`, or those of `strategies`.
struct StrategyConfiguration {
    private let store: ConfigurationStore
    private static let key = "strategies"

    init(_ store: ConfigurationStore) { self.store = store }

    /// - Parameter offered: the program's strategies, the default one first.
    func settings(among offered: [StrategyDescription]) throws -> [StrategySetting] {
        if entries.isEmpty { return [try one(among: offered)] }
        let isAlsoOne = store.text("strategy.name") != nil ? "strategy.name" : "strategy.parameters"
        if store.text("strategy.name") != nil || !store.table("strategy.parameters").isEmpty {
            throw store.error(isAlsoOne, "one strategy is set here and several in strategies; remove one of both")
        }
        return try names.map { try setting($0, among: offered) }
    }

    private var entries: [ConfigurationParameter] { store.table(Self.key) }

    /// In the order of the list; what was set without it comes behind.
    private var names: [String] {
        let listed = entries.filter { $0.name == $0.value + ".name" }.map(\.value)
        let others = entries.map { String($0.name.prefix { $0 != "." }) }
        return others.reduce(into: listed) { if !$0.contains($1) { $0.append($1) } }
    }

    private func one(among offered: [StrategyDescription]) throws -> StrategySetting {
        let parameters = Dictionary(store.table("strategy.parameters").map { ($0.name, $0.value) }) { $1 }
        guard let name = store.text("strategy.name") else {
            if let first = offered.first { return StrategySetting(first, parameters: parameters) }
            throw CommandFailure(ExitStatus.usage, "this program has no strategy")
        }
        guard let found = offered.first(where: { $0.name == name }) else {
            throw store.error("strategy.name", unknown(name, offered))
        }
        return StrategySetting(found, parameters: parameters)
    }

    private func unknown(_ name: String, _ offered: [StrategyDescription]) -> String {
        "there is no strategy \"\(name)\"; there are: \(offered.map(\.name).joined(separator: ", "))"
    }

    private func setting(_ name: String, among offered: [StrategyDescription]) throws -> StrategySetting {
        var type = (name: name, origin: origin(name))
        var symbols: [String] = [], parameters: [String: String] = [:]
        for entry in entries where entry.name.hasPrefix(name + ".") {
            let part = String(entry.name.dropFirst(name.count + 1))
            switch part {
            case "name":
                guard entry.value == name else {
                    throw ConfigurationError(
                        entry.origin, key: "\(Self.key).\(entry.name)", "this one is called \(name) already")
                }
            case "type": type = (entry.value, entry.origin)
            case "symbols": symbols = entry.value.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
            case _ where part.hasPrefix("parameters."):
                parameters[String(part.dropFirst("parameters.".count))] = entry.value
            case _ where part.hasPrefix("limits."): break  // the risk gate's: RiskConfiguration reads them
            default:
                throw ConfigurationError(
                    entry.origin, key: "\(Self.key).\(entry.name)",
                    "there is no such key; there are: name, type, symbols, parameters, limits")
            }
        }
        guard let found = offered.first(where: { $0.name == type.name }) else {
            throw ConfigurationError(type.origin, key: "\(Self.key).\(name).type", unknown(type.name, offered))
        }
        return StrategySetting(found, name: name, parameters: parameters, symbols: symbols)
    }

    private func origin(_ name: String) -> ConfigurationOrigin {
        entries.first { $0.name.hasPrefix(name + ".") }?.origin ?? .builtIn
    }

    // MARK: Errors

    /// The error of a strategy's parameter with the place where it was written.
    func located(_ error: ParameterError) -> ConfigurationError {
        if entries.isEmpty {
            let entry = store.table("strategy.parameters").first { $0.name == error.key }
            return ConfigurationError(entry?.origin ?? .builtIn, key: "strategy.parameters.\(error.key)", error.reason)
        }
        let name = error.strategy ?? "", part = "\(name).parameters.\(error.key)"
        let entry = entries.first { $0.name == part }
        return ConfigurationError(entry?.origin ?? origin(name), key: "\(Self.key).\(part)", error.reason)
    }

    /// The same of strategies that cannot run side by side.
    func located(_ error: StrategySettingError) -> ConfigurationError {
        let isOfSymbols = entries.first { $0.name == error.strategy + ".symbols" }
        let key = "\(Self.key).\(error.strategy)" + (isOfSymbols == nil ? "" : ".symbols")
        return ConfigurationError(isOfSymbols?.origin ?? origin(error.strategy), key: key, error.reason)
    }
}
