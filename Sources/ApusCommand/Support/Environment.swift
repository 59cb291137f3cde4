import Glibc

/// The process's environment as it is now.
package enum Environment {
    /// All variables with their values.
    package static func all() -> [String: String] {
        var values: [String: String] = [:]
        var at = environ
        while let entry = at.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                values[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            at += 1
        }
        return values
    }

    /// One variable; an empty one counts as missing.
    package static func value(_ name: String) -> String? {
        guard let text = getenv(name), text.pointee != 0 else { return nil }
        return String(cString: text)
    }
}
