extension Registry {
    /// Over sockets.
    static var network: [any Benchmark] { [] }
}
