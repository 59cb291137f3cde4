import Apus
import ArgumentParser

struct StrategiesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "strategies", abstract: "List the strategies of this program with their parameters.")

    @Flag(help: "Print JSON: [{name, summary, parameters: [{key, kind, default, summary}]}].")
    var json = false

    func run() throws {
        let strategies = ApusProgram.strategies
        Output.line(json ? listing(strategies).description : table(strategies))
    }

    private func table(_ strategies: [StrategyDescription]) -> String {
        strategies.map { strategy in
            let rows = strategy.parameters.map {
                ["  " + $0.key, $0.kind.rawValue, $0.defaultValue.map { "\"\($0)\"" } ?? "needed", $0.summary]
            }
            let parameters = TextTable(columns: ["  PARAMETER", "KIND", "DEFAULT", "MEANING"], rows: rows).text
            return "\(strategy.name): \(strategy.summary)" + (rows.isEmpty ? "" : "\n" + parameters)
        }.joined(separator: "\n\n")
    }

    private func listing(_ strategies: [StrategyDescription]) -> JSONText {
        .array(
            strategies.map { strategy in
                .object([
                    ("name", .string(strategy.name)), ("summary", .string(strategy.summary)),
                    (
                        "parameters",
                        .array(
                            strategy.parameters.map {
                                .object([
                                    ("key", .string($0.key)), ("kind", .string($0.kind.rawValue)),
                                    ("default", .optional($0.defaultValue)), ("summary", .string($0.summary)),
                                ])
                            })
                    ),
                ])
            })
    }
}
