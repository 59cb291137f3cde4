extension Registry {
    /// Decision loop and simulated time.
    static var simulation: [any Benchmark] { [DecisionLoop(), Backtest(), RecordingStages()] }
}
