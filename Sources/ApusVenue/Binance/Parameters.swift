/// The parameters of a request, from a query, a form or a JSON object: names and values in the order they came.
struct Parameters {
    private(set) var items: [NamedText] = []

    init(items: [NamedText] = []) { self.items = items }

    /// Reads `a=b&c=d` and appends it.
    mutating func append(query: String) throws(BinanceError) {
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(pair[0]), let value = percentDecoded(pair.count > 1 ? pair[1] : "") else {
                throw .malformed("A parameter is not percent-encoded UTF-8.")
            }
            items.append(NamedText(name: name, value: value))
        }
    }

    /// The members of a JSON object; null counts as absent, as it does at the venue.
    init(json: JSONValue?) throws(BinanceError) {
        switch json {
        case nil, .null?: return
        case .object(let members)?:
            for member in members where member.value != .null {
                guard let text = member.value.parameterText else { throw .illegalCharacters(member.key) }
                items.append(NamedText(name: member.key, value: text))
            }
        default: throw .malformed("params must be an object.")
        }
    }

    /// The value, or nil when it is absent or empty.
    subscript(name: String) -> String? {
        items.first { $0.name == name && !$0.value.isEmpty }?.value
    }

    func required(_ name: String) throws(BinanceError) -> String {
        guard let value = self[name] else { throw .mandatory(name) }
        return value
    }

    func integer(_ name: String) throws(BinanceError) -> Int64? {
        guard let text = self[name] else { return nil }
        guard let value = Int64(text) else { throw .illegalCharacters(name) }
        return value
    }

    func bool(_ name: String) throws(BinanceError) -> Bool? {
        switch self[name]?.lowercased() {
        case nil: nil
        case "true": true
        case "false": false
        default: throw .illegalCharacters(name)
        }
    }

    /// What the WebSocket API signs: all parameters but the signature, sorted by name, joined as a query.
    /// - Parameter encoded: Whether values are percent-encoded; clients differ, and differ only for unusual client ids.
    func signedText(encoded: Bool) -> [UInt8] {
        var out: [UInt8] = []
        for item in items.sorted(by: { $0.name < $1.name }) where item.name != "signature" {
            if !out.isEmpty { out.append(38) }
            out.append(text: item.name)
            out.append(61)
            if encoded { out.append(contentsOf: percentEncoded(item.value)) } else { out.append(text: item.value) }
        }
        return out
    }
}
