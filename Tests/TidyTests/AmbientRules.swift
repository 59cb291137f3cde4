import Foundation

/// What lies between the rings takes time and randomness from its input alone: the same inputs in the same order give the same
/// decisions. No clock, no random source, no thread, and no order that a hash table makes up.
enum AmbientRules {
    /// Words that must not stand in the code of CApusProtocol.
    static let forbiddenInC = [
        "clock_gettime", "gettimeofday", "apus_clock_monotonic", "apus_clock_realtime", "apus_clock_start", "time",
        "getrandom", "rand", "random", "arc4random", "malloc", "calloc", "realloc", "free", "alloca", "pthread_create",
        "socket", "connect", "recv", "recvmsg", "send", "sendmsg", "printf", "fprintf",
        "syscall",
        "getenv", "sleep", "nanosleep",
    ]

    /// Words that must not stand in the Swift code that decides.
    static let forbiddenInSwift = [
        "Date", "ContinuousClock", "SuspendingClock", "DispatchTime", "DispatchQueue", "ProcessInfo", "clock_gettime",
        "gettimeofday", "apus_clock_monotonic", "apus_clock_realtime", "apus_clock_start",
        "SystemRandomNumberGenerator", "randomElement", "shuffled", "shuffle", "getrandom", "arc4random",
        "pthread_create",
        "Thread", "Task", "async", "await", "actor", "UUID", "getenv",
    ]

    /// Folders of Swift code that decides.
    static let deciding = [
        "Sources/Apus/", "Sources/ApusSamples/", "Sources/ApusEngine/", "Sources/ApusVenue/",
    ]

    /// The one place that is the door to the clock.
    static let doors = ["Sources/ApusEngine/TimeSource.swift"]

    static func violations(in files: [SourceFile]) -> [Violation] {
        files.flatMap { file -> [Violation] in
            if doors.contains(file.path) { return [] }
            if file.isC && file.path.hasPrefix("CSources/CApusProtocol/") { return calls(file, forbiddenInC) }
            guard file.isSwift, deciding.contains(where: file.path.hasPrefix) else { return [] }
            return words(file, forbiddenInSwift) + randomCalls(file) + unorderedLoops(file)
        }
    }

    // A name followed by a parenthesis: fields and types of the same name are harmless.
    private static func calls(_ file: SourceFile, _ names: [String]) -> [Violation] {
        // A function of the file itself may have any name.
        let own = Set(file.code.filter { $0.hasPrefix("static ") }.flatMap { called(in: $0) })
        let forbidden = Set(names).subtracting(own)
        return file.code.enumerated().flatMap { index, line in
            called(in: line).filter(forbidden.contains).map {
                Violation(path: file.path, line: index + 1, rule: "\($0)() is forbidden in pure code")
            }
        }
    }

    /// Names that stand right before an opening parenthesis and are not reached through a value.
    static func called(in line: String) -> [String] {
        let characters = Array(line)
        return characters.indices.filter { characters[$0] == "(" }.compactMap { place in
            var start = place
            while start > 0, isNamePart(characters[start - 1]) { start -= 1 }
            guard start < place else { return nil }
            if start > 0, characters[start - 1] == "." || characters[start - 1] == ">" { return nil }
            return String(characters[start..<place])
        }
    }

    private static func words(_ file: SourceFile, _ names: [String]) -> [Violation] {
        let forbidden = Set(names)
        return file.code.enumerated().flatMap { index, line in
            line.split(whereSeparator: { !isNamePart($0) }).map(String.init).filter(forbidden.contains).map {
                Violation(path: file.path, line: index + 1, rule: "\($0) is forbidden where decisions are made")
            }
        }
    }

    private static func randomCalls(_ file: SourceFile) -> [Violation] {
        file.code.enumerated().compactMap { index, line in
            guard line.contains(".random(") else { return nil }
            return Violation(path: file.path, line: index + 1, rule: ".random() is forbidden where decisions are made")
        }
    }

    // MARK: Unordered collections

    /// Loops over dictionaries and sets that the file declares, unless they are sorted on the same line or the line before says
    /// `order does not matter:` with the reason.
    private static func unorderedLoops(_ file: SourceFile) -> [Violation] {
        let names = unorderedNames(in: file.code)
        return file.code.enumerated().compactMap { index, line in
            guard let name = names.first(where: { walks(line, over: $0) }), !line.contains(".sorted") else {
                return nil
            }
            let excuse = "order does not matter:"
            if file.lines[index].contains(excuse) || (index > 0 && file.lines[index - 1].contains(excuse)) {
                return nil
            }
            return Violation(path: file.path, line: index + 1, rule: "the order of \(name) is a hash table's; sort it")
        }
    }

    /// Names that the code declares as dictionaries or sets.
    static func unorderedNames(in code: [String]) -> Set<String> {
        let patterns = [
            #"\b(?:let|var)\s+(\w+)\s*:\s*\[[^\[\]\(]+:[^\]]+\]"#, #"\b(?:let|var)\s+(\w+)\s*:\s*Set<"#,
            #"\b(?:let|var)\s+(\w+)\s*=\s*\[[^\[\],]+:[^\]]+\]\(\)"#, #"\b(?:let|var)\s+(\w+)\s*=\s*Set[<(]"#,
            #"\b(?:let|var)\s+(\w+)\s*=\s*Dictionary[<(]"#,
        ]
        var names: Set<String> = []
        for line in code {
            for pattern in patterns {
                guard let expression = try? NSRegularExpression(pattern: pattern) else { continue }
                let range = NSRange(line.startIndex..., in: line)
                for match in expression.matches(in: line, range: range) {
                    if let found = Range(match.range(at: 1), in: line) { names.insert(String(line[found])) }
                }
            }
        }
        return names
    }

    private static func walks(_ line: String, over name: String) -> Bool {
        let steps = [
            "forEach", "map", "flatMap", "compactMap", "filter", "reduce", "first", "min", "max", "randomElement",
        ]
        let walk = steps.joined(separator: "|")
        let patterns = [
            #"\bin\s+(?:self\.)?\#(name)(?:\.values|\.keys)?\s*(?:where\b|\{)"#,
            #"\b\#(name)(?:\.values|\.keys)?\.(?:\#(walk))\b"#,
        ]
        return patterns.contains { line.range(of: $0, options: .regularExpression) != nil }
    }
}

private func isNamePart(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
