/// The back-testers that a user would pick instead, as programs of the shared peers.
struct BacktestPeers {
    private let session: Session
    private let l2: String
    private let python: Program?
    /// Million events a second by the name of the figure.
    var rates: [String: [Double]] = [:]

    init(_ session: Session, _ l2: String) {
        self.session = session
        self.l2 = l2
        python = session.python
    }

    var missing: [String] {
        python == nil ? ["hftbacktest and nautilus_trader are not installed: ../shared/peers (venv)"] : []
    }

    /// `ROIVector each` and so on.
    func hftbacktest() throws -> [(String, Double)] {
        guard let python else { return [] }
        let script = session.shared.path("peers/backtest_hftbacktest.py")
        let text = try python.output([script, l2, "3"], cpu: session.cpu)
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 2, let time = number(after: "med", in: line) else { return nil }
            return ("hftbacktest \(words[0]) \(words[1])", 1000 / time)
        }
    }

    func nautilus() throws -> [(String, Double)] {
        guard let python else { return [] }
        let script = session.shared.path("peers/backtest_nautilus.py")
        let text = try python.output([script, "500000", "1"], cpu: session.cpu)
        return text.split(separator: "\n").compactMap { line in
            guard let rate = number(after: "med", in: line), let name = line.split(separator: " ").first else {
                return nil
            }
            return ("nautilus_trader \(name)", rate)
        }
    }

    func figures(_ kind: String) -> [Figure] {
        rates.filter { $0.key.hasSuffix(" " + kind) }.map { Figure($0.key, of: $0.value, isRate: true) }
            .sorted { $0.name < $1.name }
    }

    func best(_ kind: String) -> Double? { figures(kind).map(\.median).max() }

    func ratio(_ samples: [Double], _ kind: String) -> String { short(best(kind).map { median(samples) / $0 } ?? .nan) }
}
