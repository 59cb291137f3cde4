import Apus
import ApusEngine
import ApusLive
import ArgumentParser

struct RiskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "risk",
        abstract: "Show a running engine's limits, how much of each is used, and what was refused; or tighten one.",
        discussion: """
            --set max_position_notional=500 tightens a limit while the engine runs, in force on the very next order; keys are those
            of the configuration's risk section. Loosening one needs a restart.
            """)

    @OptionGroup var options: ControlOptions

    @Option(help: ArgumentHelp("Tighten a limit.", valueName: "key=value"))
    var set: String?

    func run() throws {
        var request = ControlRequest(.risk)
        if let set {
            guard let equals = set.firstIndex(of: "=") else { throw ValidationError("--set: expected key=value") }
            request = ControlRequest(.tighten)
            let name = set[..<equals]
            let key = String(name.hasPrefix("risk.") ? name.dropFirst(5) : name)
            let value = String(set[set.index(after: equals)...])
            // What is mistyped is told without an engine.
            var store = ConfigurationStore()
            try store.set("risk.\(key)", to: value, flag: "--set")
            (request.key, request.value) = (key, value)
        }
        try options.ask(request) { reply in
            if let error = reply.error { return "NOT DONE: \(error)" }
            return reply.risk.map(text) ?? ""
        }
    }

    private func text(_ report: RiskReport) -> String {
        var lines = ["trading \(report.state) (control \(report.control), gate \(report.own))"]
        if let trip = report.trip {
            lines.append("a limit of the day was reached: \(trip); apus resume accepts what was lost")
        }
        lines.append("day's result \(report.dayResult), best \(report.dayPeak)")
        lines.append(table(report.limits))
        for instrument in report.instruments { lines.append("\(instrument.symbol)\n\(table(instrument.limits))") }
        for strategy in report.strategies {
            lines.append("strategy \(strategy.name): \(strategy.state), \(strategy.openOrders) orders open")
            if let trip = strategy.trip {
                lines.append("  \(trip) was reached; apus resume --strategy \(strategy.name) accepts what was lost")
            }
            guard let result = strategy.dayResult, let peak = strategy.dayPeak else { continue }
            lines.append("  day's result \(result), best \(peak), refused \(strategy.refused ?? 0)")
            lines.append(table(strategy.limits))
        }
        for balance in report.balances {
            lines.append(
                "balance \(balance.asset): \(balance.balance.map { "\($0)" } ?? "not known"), used \(balance.used)")
        }
        let refused = report.refusals.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        lines.append("refused: \(refused.isEmpty ? "nothing" : refused.joined(separator: ", "))")
        lines.append("cancels \(report.cancels), above the rate \(report.cancelsOverRate)")
        return lines.joined(separator: "\n")
    }

    private func table(_ lines: [RiskReport.Line]) -> String {
        let rows = lines.map { ["  \($0.key)", $0.limit ?? "none", $0.use ?? "-"] }
        return TextTable(columns: ["  LIMIT", "VALUE", "USED"], rows: rows).text
    }
}

struct BreakersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakers", abstract: "Show a running engine's circuit breakers.")

    @OptionGroup var options: ControlOptions

    func run() throws {
        try options.ask(ControlRequest(.breakers)) { reply in
            let rows = (reply.breakers ?? []).map { breaker in
                [
                    breaker.name, "\(breaker.state)", "\(breaker.failures) of \(breaker.failureThreshold)",
                    "\(breaker.timeoutSeconds) s", "\(breaker.successThreshold)", "\(breaker.halfOpenMaxCalls)",
                ]
            }
            return TextTable(
                columns: ["BREAKER", "STATE", "FAILURES", "TIMEOUT", "SUCCESSES TO CLOSE", "CALLS HALF OPEN"],
                rows: rows
            ).text
        }
    }
}
