/// Which room may know which: DESIGN.md, "Rooms". Arrows never turn back.
enum ImportRules {
    /// For each Swift target the modules of this project that it may import.
    static let rooms: [String: Set<String>] = [
        "Sources/Apus": ["CApusRing"],
        "Sources/ApusSamples": ["Apus"],
        "Sources/ApusEngine": ["Apus", "CApusRing"],
        "Sources/ApusReplay": ["Apus", "ApusEngine", "CApusProtocol", "CApusRing", "CZlib"],
        "Sources/ApusHistory": ["Apus", "ApusEngine", "CApusRing"],
        "Sources/ApusLive": ["Apus", "ApusEngine", "CApusProtocol", "CApusRing", "CApusWire"],
        "Sources/ApusVenue": ["CSecp256k1"],
        "Sources/ApusVenueServer": ["ApusVenue"],
        "Sources/ApusCommand": [
            "Apus", "ApusEngine", "ApusHistory", "ApusLive", "ApusReplay", "ApusSamples", "ApusVenue",
            "ApusVenueServer",
            "CApusFloor", "CApusProtocol", "CApusRing", "CApusWire",
        ],
        "Sources/apus": ["ApusCommand", "ApusSamples"],
    ]

    /// For each Swift target what it may use from outside; the standard library, Glibc and Synchronization are free.
    static let outside: [String: Set<String>] = [
        "Sources/ApusLive": [
            "AsyncHTTPClient", "Foundation", "NIOCore", "NIOFoundationCompat", "NIOHTTP1", "NIOPosix", "NIOSSL",
            "NIOWebSocket",
        ],
        "Sources/ApusHistory": ["GRDB"],
        "Sources/ApusReplay": ["Foundation"],
        "Sources/ApusVenue": ["Crypto"],
        "Sources/ApusVenueServer": [
            "Crypto", "Foundation", "NIOCore", "NIOPosix", "NIOSSL", "SwiftASN1", "X509",
        ],
        "Sources/ApusCommand": ["ArgumentParser", "Dispatch", "Foundation", "Yams"],
    ]

    /// For each C target whose headers it may include.
    static let headers: [String: Set<String>] = [
        "CSources/CApusRing": ["CSources/CApusRing"],
        "CSources/CApusProtocol": ["CSources/CApusRing", "CSources/CApusProtocol"],
        "CSources/CApusWire": ["CSources/CApusRing", "CSources/CApusProtocol", "CSources/CApusWire"],
        "CSources/CApusFloor": ["CSources/CApusRing", "CSources/CApusFloor"],
    ]

    /// Headers of the system that only the named targets may include.
    static let guarded: [(prefix: String, targets: Set<String>)] = [
        ("uv.h", ["CSources/CApusWire"]), ("openssl/ssl.h", ["CSources/CApusWire"]),
        ("openssl/bio.h", ["CSources/CApusWire"]), ("openssl/x509", ["CSources/CApusWire"]),
        ("openssl/", ["CSources/CApusProtocol", "CSources/CApusWire"]),
        ("secp256k1", ["CSources/CApusProtocol"]),
        ("unistd.h", ["CSources/CApusFloor", "CSources/CApusRing", "CSources/CApusWire"]),
        ("fcntl.h", ["CSources/CApusFloor", "CSources/CApusRing", "CSources/CApusWire"]),
        ("sys/socket.h", ["CSources/CApusFloor", "CSources/CApusWire"]),
        ("netinet/", ["CSources/CApusFloor", "CSources/CApusWire"]),
        ("pthread.h", ["CSources/CApusFloor", "CSources/CApusRing", "CSources/CApusWire"]),
        ("time.h", ["CSources/CApusRing", "CSources/CApusWire"]),
        ("sys/mman.h", ["CSources/CApusRing", "CSources/CApusWire"]),
    ]

    static func violations(in files: [SourceFile]) -> [Violation] {
        var owners: [String: String] = [:]
        for file in files where file.path.hasPrefix("CSources/") && file.path.hasSuffix(".h") {
            owners[String(file.path.split(separator: "/").last ?? "")] = file.target
        }
        return files.flatMap { $0.isSwift ? swift($0) : c($0, owners: owners) }
    }

    private static func swift(_ file: SourceFile) -> [Violation] {
        guard file.path.hasPrefix("Sources/") else { return [] }
        guard let rooms = rooms[file.target] else {
            return [Violation(path: file.path, line: 1, rule: "\(file.target) is not among the rooms of ImportRules")]
        }
        let free: Set<String> = ["Glibc", "Swift", "Synchronization"]
        let allowed = rooms.union(outside[file.target] ?? []).union(free)
        return file.code.enumerated().compactMap { index, line in
            guard let module = importedModule(line), !allowed.contains(module) else { return nil }
            return Violation(path: file.path, line: index + 1, rule: "\(file.target) must not import \(module)")
        }
    }

    /// The module of an import line, with whatever stands before `import`.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let place = words.firstIndex(of: "import"), place + 1 < words.count else { return nil }
        let before = Set(words[..<place]).subtracting(["public", "package", "internal", "private", "fileprivate"])
        guard before.allSatisfy({ $0.hasPrefix("@") }) else { return nil }
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        let name = kinds.contains(words[place + 1]) && place + 2 < words.count ? words[place + 2] : words[place + 1]
        return name.split(separator: ".").first.map(String.init)
    }

    private static func c(_ file: SourceFile, owners: [String: String]) -> [Violation] {
        guard let allowed = headers[file.target] else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            guard let header = includedHeader(line) else { return nil }
            func refuse(_ reason: String) -> Violation { Violation(path: file.path, line: index + 1, rule: reason) }
            if let owner = owners[header], !allowed.contains(owner) {
                return refuse("\(file.target) must not include \(header) of \(owner)")
            }
            if let rule = guarded.first(where: { header.hasPrefix($0.prefix) }), !rule.targets.contains(file.target) {
                return refuse("\(file.target) must not include <\(header)>")
            }
            return nil
        }
    }

    /// The header of an include line.
    static func includedHeader(_ line: String) -> String? {
        let text = line.drop { $0.isWhitespace }
        guard text.hasPrefix("#include") else { return nil }
        let rest = text.dropFirst("#include".count)
        guard let open = rest.firstIndex(where: { $0 == "<" || $0 == "\"" }) else { return nil }
        let name = rest[rest.index(after: open)...].prefix { $0 != ">" && $0 != "\"" }
        return String(name)
    }
}
