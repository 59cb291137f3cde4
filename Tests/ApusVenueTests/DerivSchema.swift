import Foundation

@testable import ApusVenue

/// The older API's JSON Schemas, which lie beside the project. Tests that need them are skipped where they are missing; with
/// `CI=true` they run and fail.
enum DerivSchema {
    static let folder: String = {
        let root =
            ProcessInfo.processInfo.environment["APUS_SHARED"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared").path()
        return root + "/schemas/deriv-v3/"
    }()

    static let isPresent = FileManager.default.fileExists(atPath: folder + "buy.receive.json")
    static let isNeeded = isPresent || ProcessInfo.processInfo.environment["CI"] == "true"

    static func load(_ name: String) throws -> JSONValue {
        try JSONParser.parse(Array(try Data(contentsOf: URL(filePath: folder + name + ".json"))))
    }

    /// Everything in which a value departs from a schema, with its place; empty when it is valid. It knows the keywords that these
    /// schemas use, and says so when it meets another.
    static func faults(_ value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [String] {
        guard case .object(let rules) = schema else { return ["\(place): the schema is no object"] }
        return rules.flatMap { rule in faults(value, rule.key, rule.value, schema, place) }
    }

    private static func faults(
        _ value: JSONValue, _ keyword: String, _ rule: JSONValue, _ schema: JSONValue, _ place: String
    ) -> [String] {
        switch keyword {
        case "type": return matches(value, type: rule) ? [] : ["\(place): not of type \(rule)"]
        case "enum":
            guard case .array(let allowed) = rule else { return ["\(place): enum is no list"] }
            return allowed.contains(value) ? [] : ["\(place): not among the allowed values"]
        case "pattern":
            guard let text = value.string else { return [] }
            let isFound = text.range(of: rule.string ?? "", options: .regularExpression) != nil
            return isFound ? [] : ["\(place): \"\(text)\" does not match \(rule.string ?? "")"]
        case "minimum": return compare(value, rule) { $0 >= $1 } ? [] : ["\(place): below \(rule)"]
        case "maximum": return compare(value, rule) { $0 <= $1 } ? [] : ["\(place): above \(rule)"]
        case "required":
            guard case .array(let names) = rule, case .object = value else { return [] }
            return names.compactMap(\.string).filter { value[$0] == nil }.map { "\(place): \($0) is missing" }
        case "properties", "patternProperties", "additionalProperties": return []
        case "minProperties", "minItems", "uniqueItems": return []
        case "items":
            guard case .array(let items) = value, case .object = rule else { return [] }
            return items.enumerated().flatMap { faults($1, rule, at: "\(place)[\($0)]") }
        case "oneOf":
            guard case .array(let choices) = rule else { return ["\(place): oneOf is no list"] }
            return choices.filter { faults(value, $0).isEmpty }.count == 1 ? [] : ["\(place): not one of the choices"]
        case "title", "description", "examples", "$schema", "default", "auth_required", "auth_scopes", "sensitive",
            "subscribed", "beta":
            return []
        default: return ["\(place): the keyword \(keyword) is not known here"]
        }
    }

    /// Checks the members of an object against `properties`, `patternProperties` and `additionalProperties`.
    static func memberFaults(_ value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [String] {
        switch value {
        case .array(let items):
            guard let rule = schema["items"], case .object = rule else { return [] }
            return items.enumerated().flatMap { memberFaults($1, rule, at: "\(place)[\($0)]") }
        case .object(let members):
            return members.flatMap { member -> [String] in
                let here = "\(place).\(member.key)"
                guard let rule = rule(for: member.key, schema) else {
                    return schema["additionalProperties"] == .bool(false) ? ["\(here): not allowed"] : []
                }
                return faults(member.value, rule, at: here) + memberFaults(member.value, rule, at: here)
            }
        default: return []
        }
    }

    private static func rule(for key: String, _ schema: JSONValue) -> JSONValue? {
        if let rule = schema["properties"]?[key] { return rule }
        guard case .object(let patterns)? = schema["patternProperties"] else { return nil }
        return patterns.first { key.range(of: $0.key, options: .regularExpression) != nil }?.value
    }

    /// All faults of an answer.
    static func check(_ answer: JSONValue, _ name: String) throws -> [String] {
        let schema = try load(name)
        return faults(answer, schema) + memberFaults(answer, schema)
    }

    private static func matches(_ value: JSONValue, type: JSONValue) -> Bool {
        if case .array(let types) = type { return types.contains { matches(value, type: $0) } }
        switch (type.string, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("null", .null), ("number", .number),
            ("boolean", .bool):
            return true
        case ("integer", .number(let text)): return Int64(text) != nil
        default: return false
        }
    }

    private static func compare(_ value: JSONValue, _ rule: JSONValue, _ holds: (Double, Double) -> Bool) -> Bool {
        guard case .number(let text) = value, case .number(let limit) = rule, let number = Double(text),
            let bound = Double(limit)
        else { return true }
        return holds(number, bound)
    }
}
