/// A strategy that a program offers by name, with its parameters.
///
/// ```swift
/// let buyTheDip = StrategyDescription(
///     name: "buy-the-dip", summary: "Buys below its moving average",
///     parameters: [ParameterDescription("size", .decimal, default: "0.01", "quantity of one order")]
/// ) { parameters in
///     BuyTheDip(size: try parameters.decimal("size"))
/// }
/// ```
public struct StrategyDescription: Sendable {
    /// The name on the command line and in configurations.
    public let name: String
    /// What it does, in a sentence.
    public let summary: String
    /// Its parameters.
    public let parameters: [ParameterDescription]
    private let makeBox: @Sendable (Parameters) throws -> AnyStrategyBox

    /// Describes a strategy; `make` gets parameters that are complete and of the declared kinds.
    public init<S: Strategy>(
        name: String, summary: String, parameters: [ParameterDescription] = [],
        make: @escaping @Sendable (Parameters) throws -> S
    ) {
        self.name = name
        self.summary = summary
        self.parameters = parameters
        makeBox = { StrategyBox(try make($0)) }
    }

    /// A strategy with these parameters, and the parameters completed by defaults.
    package func instantiate(_ configured: [String: String]) throws -> (box: AnyStrategyBox, parameters: Parameters) {
        let complete = try Parameters(configured, declared: parameters)
        return (try makeBox(complete), complete)
    }
}
