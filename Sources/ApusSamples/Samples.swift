import Apus

/// The strategies that come with Apus.
public enum Samples {
    /// All of them, for `ApusProgram.main(strategies:)`.
    public static let all: [StrategyDescription] = [
        MarketMaker.description, BookImbalanceTaker.description, EMACross.description,
    ]
}
