import Foundation

/// One file of the repository as the rules see it.
struct SourceFile: Sendable {
    /// From the repository's root.
    let path: String
    let lines: [String]
    /// The same lines with comments and the contents of texts blanked out.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.components(separatedBy: "\n")
        code = withoutCommentsAndTexts(text).components(separatedBy: "\n")
    }

    /// The first two parts of the path, such as `Sources/ApusEngine`: one target.
    var target: String { path.split(separator: "/").prefix(2).joined(separator: "/") }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isC: Bool { path.hasSuffix(".c") || path.hasSuffix(".h") }
}

/// Something that breaks a rule.
struct Violation: Equatable, CustomStringConvertible {
    let path: String
    let line: Int
    let rule: String

    var description: String { "\(path):\(line): \(rule)" }
}

/// The repository that these tests stand in.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All Swift and C files of the project, read once.
    static let all = Result { try files() }

    private static func files(under folders: [String] = ["CSources", "Sources", "Tests", "Benchmarks"]) throws
        -> [SourceFile]
    {
        var files: [SourceFile] = []
        for folder in folders {
            let base = root.appendingPathComponent(folder)
            guard let paths = FileManager.default.subpaths(atPath: base.path) else { continue }
            for path in paths.sorted() where !path.contains(".build") {
                guard [".swift", ".c", ".h"].contains(where: path.hasSuffix) else { continue }
                let text = try String(contentsOf: base.appendingPathComponent(path), encoding: .utf8)
                files.append(SourceFile(path: "\(folder)/\(path)", text: text))
            }
        }
        return files
    }
}

/// Blanks out `//` and `/* */` comments and what stands between quotes; line ends stay. Interpolated code is blanked out with its
/// text: rules are about statements.
func withoutCommentsAndTexts(_ text: String) -> String {
    enum State { case code, line, block, string, longString, character }
    var state = State.code
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    let blank = UInt8(ascii: " "), newline = UInt8(ascii: "\n"), quote = UInt8(ascii: "\"")
    func isAt(_ word: StaticString) -> Bool {
        guard index + word.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<word.utf8CodeUnitCount).allSatisfy { bytes[index + $0] == word.utf8Start[$0] }
    }
    while index < bytes.count {
        var shown = bytes[index]
        var step = 1
        switch state {
        case .code:
            if isAt("//") || isAt("/*") {
                state = isAt("//") ? .line : .block
                shown = blank
            } else if isAt("\"\"\"") {
                state = .longString
                step = 3
            } else if shown == quote {
                state = .string
            } else if isAt("'") {
                state = .character
            }
        case .line:
            if shown == newline { state = .code } else { shown = blank }
        case .block:
            if isAt("*/") {
                state = .code
                step = 2
            }
            if shown != newline { shown = blank }
        case .string, .character:
            if isAt("\\") {
                step = 2
                shown = blank
            } else if shown == newline || shown == (state == .string ? quote : UInt8(ascii: "'")) {
                state = .code
            } else {
                shown = blank
            }
        case .longString:
            if isAt("\"\"\"") {
                state = .code
                step = 3
            } else if shown != newline {
                shown = blank
            }
        }
        result.append(shown)
        for _ in 1..<max(step, 1) { result.append(blank) }
        index += step
    }
    return String(decoding: result, as: UTF8.self)
}
