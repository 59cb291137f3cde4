import ApusEngine
import ApusLive

/// Asks a running engine over its control socket for its strategies, at most once a second, after half a minute where it did not answer:
/// each question is a moment of the decision thread's. One that runs alone is not asked about again.
struct StrategyQuestions {
    private let path: String
    private var lines: [RiskReport.StrategyLine] = []
    /// nil: there is nothing to ask for.
    private var due: ContinuousClock.Instant? = .now

    /// - Parameter path: the engine's control socket.
    init(at path: String) { self.path = path }

    /// What is known now; empty where one runs alone, or the engine does not answer.
    mutating func answer() -> [RiskReport.StrategyLine] {
        guard let due, due <= .now else { return lines }
        let reply = try? ControlClient.ask(ControlRequest(.status), at: path, patience: .milliseconds(500)).reply
        lines = reply?.strategies ?? []
        // Questions to an engine that hangs would take all the places of its socket.
        self.due = reply?.ok != true ? .now + .seconds(30) : lines.isEmpty ? nil : .now + .seconds(1)
        return lines
    }
}
