import Foundation

/// One file of the repository as the rules see it.
struct SourceFile {
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
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All Swift and C files of the project.
    static func files(under folders: [String] = ["CSources", "Sources", "Tests", "Benchmarks"]) throws -> [SourceFile] {
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
    var result: [Character] = []
    let characters = Array(text)
    var index = 0
    func next(_ offset: Int) -> Character? { index + offset < characters.count ? characters[index + offset] : nil }
    while index < characters.count {
        let character = characters[index]
        var shown = character
        var step = 1
        switch state {
        case .code:
            if character == "/" && next(1) == "/" {
                state = .line
                shown = " "
            } else if character == "/" && next(1) == "*" {
                state = .block
                shown = " "
            } else if character == "\"" && next(1) == "\"" && next(2) == "\"" {
                state = .longString
                step = 3
            } else if character == "\"" {
                state = .string
            } else if character == "'" {
                state = .character
            }
        case .line:
            if character == "\n" { state = .code } else { shown = " " }
        case .block:
            if character == "*" && next(1) == "/" {
                state = .code
                step = 2
            }
            if character != "\n" { shown = " " }
        case .string, .character:
            let quote: Character = state == .string ? "\"" : "'"
            if character == "\\" {
                step = 2
                shown = " "
            } else if character == quote || character == "\n" {
                state = .code
            } else {
                shown = " "
            }
        case .longString:
            if character == "\"" && next(1) == "\"" && next(2) == "\"" {
                state = .code
                step = 3
            } else if character != "\n" {
                shown = " "
            }
        }
        result.append(shown)
        if step > 1 { result += Array(repeating: " ", count: step - 1) }
        index += step
    }
    return String(result)
}
