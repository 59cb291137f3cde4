import Foundation

/// Rules of form: sizes, words that must not stand anywhere, reasons beside exceptions, limits in one place.
enum StyleRules {
    static let longestFile = 600

    static func sizes(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.lines.count > longestFile + 1 }.map {
            Violation(
                path: $0.path, line: longestFile, rule: "\($0.lines.count - 1) lines; \(longestFile) is the limit")
        }
    }

    /// Unfinished work, and ways around the type checker.
    static func words(_ files: [SourceFile]) -> [Violation] {
        files.filter { !$0.path.hasPrefix("Tests/TidyTests/") }.flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                let code = file.code[index]
                let found =
                    ["TODO", "FIXME", "XXX:", "HACK"].first { line.contains($0) }
                    ?? (file.isSwift ? ["try!", "as!"].first { code.contains($0) } : nil)
                return found.map { Violation(path: file.path, line: index + 1, rule: "\($0) has no place here") }
            }
        }
    }

    /// `@unchecked Sendable` and `nonisolated(unsafe)` need a comment close above that says why.
    static func reasons(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.isSwift && !$0.path.hasPrefix("Tests/TidyTests/") }.flatMap { file in
            file.code.enumerated().compactMap { index, line in
                guard let word = ["@unchecked", "nonisolated(unsafe)"].first(where: { line.contains($0) }) else {
                    return nil
                }
                let above = file.lines[max(0, index - 4)...index]
                if above.contains(where: { $0.contains("//") }) { return nil }
                return Violation(path: file.path, line: index + 1, rule: "\(word) without a reason beside it")
            }
        }
    }

    /// Public declarations have a `///` above them, attributes and lines of a wrapped declaration aside.
    static func documentation(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.isSwift && $0.path.hasPrefix("Sources/") }.flatMap { file in
            file.code.enumerated().compactMap { index, line in
                guard isPublicDeclaration(line) else { return nil }
                var above = index - 1
                while above >= 0, isAttribute(file.lines[above]) { above -= 1 }
                let isDocumented = above >= 0 && file.lines[above].drop { $0 == " " }.hasPrefix("///")
                return isDocumented
                    ? nil : Violation(path: file.path, line: index + 1, rule: "public and not documented")
            }
        }
    }

    private static func isPublicDeclaration(_ line: String) -> Bool {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "(" || $0 == "<" })
        guard words.first(where: { !$0.hasPrefix("@") }) == "public" else { return false }
        return !words.contains("import") && !words.contains("extension") && !words.contains("override")
    }

    private static func isAttribute(_ line: String) -> Bool {
        let text = line.drop { $0 == " " }
        return text.hasPrefix("@") && !text.contains(" func ") && !text.contains(" var ") && !text.contains(" init")
    }

    /// Capacities stand in apus_limits.h and nowhere else.
    static func limits(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.path.hasPrefix("CSources/") && !$0.path.hasSuffix("/apus_limits.h") }.flatMap { file in
            file.code.enumerated().compactMap { index, line in
                let words = line.split(whereSeparator: \.isWhitespace)
                guard words.count >= 3, words[0] == "#define", words[1].hasPrefix("APUS_"), !words[1].contains("(")
                else {
                    return nil
                }
                guard ["_MAX", "_SLOTS", "_MIN"].contains(where: words[1].hasSuffix) else { return nil }
                return Violation(path: file.path, line: index + 1, rule: "\(words[1]) belongs into apus_limits.h")
            }
        }
    }

    /// Nothing in the manifest may keep another package from depending on this one.
    static func manifest(_ text: String) -> [Violation] {
        text.components(separatedBy: "\n").enumerated().compactMap { index, line in
            guard line.contains("unsafeFlags") || line.contains("-march") else { return nil }
            return Violation(path: "Package.swift", line: index + 1, rule: "unsafeFlags make this package undependable")
        }
    }

    /// A header begins with a comment that says what it is, and is guarded.
    static func headers(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.path.hasPrefix("CSources/") && $0.path.hasSuffix(".h") && $0.path.contains("/include/") }
            .compactMap {
                file in
                guard file.lines.first?.hasPrefix("//") == true else {
                    return Violation(path: file.path, line: 1, rule: "a header begins with what it is for")
                }
                let isGuarded = file.lines.contains { $0.hasPrefix("#ifndef APUS_") || $0.hasPrefix("#ifndef CAPUS") }
                return isGuarded ? nil : Violation(path: file.path, line: 1, rule: "the header has no include guard")
            }
    }
}
