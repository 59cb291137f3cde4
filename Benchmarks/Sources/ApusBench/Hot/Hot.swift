extension Registry {
    /// Bytes, books and rings: the hot path piece by piece.
    static var hot: [any Benchmark] { [] }
}
