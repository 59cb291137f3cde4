extension Registry {
    /// Over sockets.
    static var network: [any Benchmark] { [WebSocketFlood(), WebSocketPaced(), TickToOrder(), Start()] }
}
