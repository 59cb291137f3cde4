/// Something that can be measured: makes one row, or a few that belong together.
///
///     struct BookOnL2: Benchmark {
///         let name = "book-l2"
///         let goal = "at most 1.0 × the C++ ladder"
///         func run(_ session: Session) throws -> [Row] { … }
///     }
protocol Benchmark {
    /// For `--only`; the rows' names begin with it.
    var name: String { get }
    /// What it must reach, for `--list`.
    var goal: String { get }
    func run(_ session: Session) throws -> [Row]
}

extension Benchmark {
    var summary: String { name.padding(to: 20) + goal }
}

/// All benchmarks, in the order of a message's way.
enum Registry {
    static var all: [any Benchmark] { hot + simulation + network }

    /// Those that `--only` names; all when it names none. A name also stands for the rows that begin with it.
    static func rows(named names: [String]) throws -> [any Benchmark] {
        if names.isEmpty { return all }
        return try names.flatMap { name in
            let found = all.filter { $0.name == name || $0.name.hasPrefix(name + "-") }
            if found.isEmpty {
                let known = all.map(\.name).joined(separator: ", ")
                throw BenchmarkError("there is no benchmark \"\(name)\"; there are: \(known)")
            }
            return found
        }
    }
}

/// Why something could not be measured.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    /// Something that is not part of this repository is not there: no failure of ours.
    let isMissing: Bool

    init(_ description: String, isMissing: Bool = false) {
        self.description = description
        self.isMissing = isMissing
    }
}

extension String {
    func padding(to width: Int) -> String {
        count >= width ? self + " " : self + String(repeating: " ", count: width - count)
    }
}
