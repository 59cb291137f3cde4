/// What kind of value a parameter takes.
public enum ParameterKind: String, Sendable, Codable {
    /// A whole number.
    case integer
    /// An exact decimal number.
    case decimal
    /// A number that may be rounded.
    case real
    /// `true` or `false`.
    case flag
    /// Any text.
    case text
    /// A time: a whole number followed by `us`, `ms` or `s`.
    case duration
}

/// A parameter that a strategy declares: for `--help`, for checking a configuration, and as the source of its default.
public struct ParameterDescription: Sendable, Equatable {
    /// Its key in the configuration.
    public let key: String
    /// What kind of value it takes.
    public let kind: ParameterKind
    /// The value it has when the configuration names none; nil: the configuration must name one.
    public let defaultValue: String?
    /// What it does, in a sentence.
    public let summary: String

    /// Declares a parameter.
    public init(_ key: String, _ kind: ParameterKind, default defaultValue: String?, _ summary: String) {
        self.key = key
        self.kind = kind
        self.defaultValue = defaultValue
        self.summary = summary
    }
}

/// A parameter that is missing, unknown or unreadable. It names the key.
public struct ParameterError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The key.
    public let key: String
    /// What is wrong.
    public let reason: String
    /// The strategy's name in its engine, where that is known.
    package var strategy: String?

    /// An error about that key; a strategy's `make` may throw it too.
    public init(key: String, reason: String) {
        self.key = key
        self.reason = reason
    }

    /// The error in words.
    public var description: String { "parameter \"\(key)\": \(reason)" }
}

/// A strategy's parameters: texts from the configuration, read by kind.
///
/// ```swift
/// let size = try parameters.decimal("size")
/// let levels = try parameters.integer("levels")
/// ```
public struct Parameters: Sendable {
    private let values: [String: String]

    /// No parameters.
    public init() { values = [:] }

    /// Parameters from a configuration, completed by defaults. Throws when a key is missing, unknown, or of the wrong
    /// kind.
    public init(_ configured: [String: String], declared: [ParameterDescription]) throws(ParameterError) {
        var values: [String: String] = [:]
        for parameter in declared {
            guard let value = configured[parameter.key] ?? parameter.defaultValue else {
                throw ParameterError(key: parameter.key, reason: "is missing (\(parameter.summary))")
            }
            values[parameter.key] = value
        }
        if let unknown = configured.keys.filter({ values[$0] == nil }).sorted().first {
            let known = declared.map(\.key).joined(separator: ", ")
            throw ParameterError(key: unknown, reason: "is unknown; there are: \(known.isEmpty ? "none" : known)")
        }
        self.values = values
        for parameter in declared { try check(parameter) }
    }

    private func check(_ parameter: ParameterDescription) throws(ParameterError) {
        switch parameter.kind {
        case .integer: _ = try integer(parameter.key)
        case .decimal: _ = try decimal(parameter.key)
        case .real: _ = try real(parameter.key)
        case .flag: _ = try flag(parameter.key)
        case .text: _ = try text(parameter.key)
        case .duration: _ = try duration(parameter.key)
        }
    }

    /// A text.
    public func text(_ key: String) throws(ParameterError) -> String {
        guard let value = values[key] else { throw ParameterError(key: key, reason: "is not declared") }
        return value
    }

    /// A whole number, within bounds.
    public func integer(_ key: String, in range: ClosedRange<Int> = .min ... .max) throws(ParameterError) -> Int {
        let value = try text(key)
        guard let number = Int(value) else { throw ParameterError(key: key, reason: "\"\(value)\" is no whole number") }
        guard range.contains(number) else {
            throw ParameterError(key: key, reason: "\(number) is not within \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An exact decimal number.
    public func decimal(_ key: String) throws(ParameterError) -> ExactDecimal {
        let value = try text(key)
        do {
            return try ExactDecimal(value)
        } catch {
            throw ParameterError(key: key, reason: "\"\(value)\": \(error.description)")
        }
    }

    /// The instrument of that name; an empty text means the engine's first.
    public func instrument(_ key: String, _ context: Context) throws(ParameterError) -> Instrument {
        let symbol = try text(key)
        if let found = symbol.isEmpty ? context.instruments.first : context.instrument(symbol) { return found }
        let known = context.instruments.prefix(20).map(\.symbol).joined(separator: ", ")
        throw ParameterError(key: key, reason: "\"\(symbol)\" is no instrument of this engine; there are: \(known)")
    }

    /// A quantity of that instrument: a positive whole number of its lots.
    public func quantity(_ key: String, of instrument: Instrument) throws(ParameterError) -> Quantity {
        let value = try decimal(key)
        guard let quantity = try? instrument.quantity(value), quantity > .zero, quantity.isMultiple(of: instrument.lot)
        else {
            let lot = instrument.text(instrument.lot)
            throw ParameterError(
                key: key, reason: "\(value) is no positive multiple of \(instrument.symbol)'s lot, \(lot)")
        }
        return quantity
    }

    /// A finite number, within bounds.
    public func real(
        _ key: String, in range: ClosedRange<Double> = -.greatestFiniteMagnitude ... .greatestFiniteMagnitude
    ) throws(ParameterError) -> Double {
        let value = try text(key)
        guard let number = Double(value), number.isFinite else {
            throw ParameterError(key: key, reason: "\"\(value)\" is no number")
        }
        guard range.contains(number) else {
            throw ParameterError(key: key, reason: "\(number) is not within \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// True or false.
    public func flag(_ key: String) throws(ParameterError) -> Bool {
        let value = try text(key)
        guard let flag = Bool(value) else {
            throw ParameterError(key: key, reason: "\"\(value)\" is neither true nor false")
        }
        return flag
    }

    /// A time such as `250ms`.
    public func duration(_ key: String) throws(ParameterError) -> Duration {
        let value = try text(key)
        let digits = value.prefix { $0.isNumber }
        if let count = Int64(digits) {
            switch value.dropFirst(digits.count) {
            case "us": return .microseconds(count)
            case "ms": return .milliseconds(count)
            case "s": return .seconds(count)
            default: break
            }
        }
        throw ParameterError(
            key: key, reason: "\"\(value)\" is no time; write a whole number and us, ms or s, as in 250ms")
    }
}
