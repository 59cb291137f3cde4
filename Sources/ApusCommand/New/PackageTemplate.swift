/// The files of a package of one strategy.
package struct PackageTemplate {
    package let name: StrategyName
    /// Absolute path of the apus checkout.
    package let apus: String

    package init(name: StrategyName, apus: String) {
        self.name = name
        self.apus = apus
    }

    /// Paths within the package with their texts, in the order in which they are made.
    package var files: [(path: String, text: String)] {
        [
            ("Package.swift", manifest), (".gitignore", ".build/\nPackage.resolved\n"), ("README.md", readme),
            ("Sources/\(name.type)Strategy/\(name.type).swift", strategy),
            ("Sources/\(name.package)/main.swift", main),
            ("Tests/\(name.type)Tests/\(name.type)Tests.swift", tests),
        ]
    }

    private var manifest: String {
        """
        // swift-tools-version: 6.1
        import PackageDescription

        let package = Package(
            name: "\(name.package)",
            dependencies: [
                // By name and path, so that the folder of the checkout may be called anything.
                .package(name: "apus", path: "\(apus)")
            ],
            targets: [
                .target(name: "\(name.type)Strategy", dependencies: [.product(name: "Apus", package: "apus")]),
                .executableTarget(
                    name: "\(name.package)",
                    dependencies: ["\(name.type)Strategy", .product(name: "ApusCommand", package: "apus")],
                    linkerSettings: [.linkedLibrary("jemalloc")]),
                .testTarget(
                    name: "\(name.type)Tests",
                    dependencies: ["\(name.type)Strategy", .product(name: "Apus", package: "apus")]),
            ],
            swiftLanguageModes: [.v6]
        )

        """
    }

    private var main: String {
        """
        import ApusCommand
        import \(name.type)Strategy

        ApusProgram.main(strategies: [\(name.type).description])

        """
    }

    private var strategy: String {
        """
        import Apus

        /// Buys when the price has fallen below its moving average, and sells when it has risen above.
        public struct \(name.type): Strategy {
            /// How the strategy is offered on the command line, with its parameters.
            public static let description = StrategyDescription(
                name: "\(name.strategy)", summary: "Trades against short moves away from a moving average",
                parameters: [
                    ParameterDescription("period", .integer, default: "500", "book changes in the moving average"),
                    ParameterDescription("threshold", .real, default: "0.0002", "distance from it, as a share of it"),
                ]
            ) { parameters in
                \(name.type)(
                    period: try parameters.integer("period", in: 2...1_000_000),
                    threshold: try parameters.real("threshold", in: 0...1))
            }

            private var average: EMA
            private let threshold: Double

            /// A strategy with an average over `period` book changes, which acts `threshold` away from it.
            public init(period: Int, threshold: Double) {
                average = EMA(period: period)
                self.threshold = threshold
            }

            /// What the newest mid price calls for; nil: nothing.
            public mutating func signal(_ mid: Double) -> Side? {
                let value = average.update(mid)
                guard average.isReady else { return nil }
                if mid < value * (1 - threshold) { return .buy }
                if mid > value * (1 + threshold) { return .sell }
                return nil
            }

            /// Told of each change of a book.
            public mutating func book(_ book: BookView, _ context: Context) {
                guard book.isLive, let mid = book.mid, let bid = book.bid, let ask = book.ask else { return }
                guard let side = signal(Double(mid.units)), context.openOrders.count == 0 else { return }
                let held = context.position(of: book.instrument).quantity.units
                // One lot at a time, long or short, so that this example cannot run away.
                if side == .buy ? held > 0 : held < 0 { return }
                let price = side == .buy ? ask : bid
                context.limit(side, book.instrument.minQuantity, of: book.instrument, at: price, .immediateOrCancel)
            }
        }

        """
    }

    private var tests: String {
        """
        import Apus
        import \(name.type)Strategy
        import Testing

        @Test func buysBelowAndSellsAboveTheAverage() {
            var strategy = \(name.type)(period: 10, threshold: 0.01)
            for _ in 0..<20 { #expect(strategy.signal(100) == nil) }
            #expect(strategy.signal(90) == .buy)
            #expect(strategy.signal(120) == .sell)
        }

        @Test func waitsUntilTheAverageIsReady() {
            var strategy = \(name.type)(period: 10, threshold: 0.01)
            #expect(strategy.signal(100) == nil)
            #expect(strategy.signal(50) == nil)
        }

        @Test func refusesParametersOutOfRange() {
            #expect(throws: (any Error).self) {
                try Parameters(["period": "many"], declared: \(name.type).description.parameters)
            }
        }

        """
    }

    private var readme: String {
        """
        # \(name.package)

        A trading strategy for Apus. The strategy is one file: `Sources/\(name.type)Strategy/\(name.type).swift`.

            swift run \(name.package) run                  # trade on a simulated venue in this process
            swift run \(name.package) replay RECORDING     # run it on recorded market data
            swift run \(name.package) --help               # everything else: record, top, doctor, config
            swift test

        Add `-c release` behind `swift run` where speed matters.

        Parameters are set in a configuration file (`--config`), by environment
        (`APUS_STRATEGY_PARAMETERS_THRESHOLD=0.001`) or with `--set strategy.parameters.threshold=0.001`.

        """
    }
}
