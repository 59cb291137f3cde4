import ApusEngine

/// How the hot and the decision agent are put into threads.
package enum Placement: String, Sendable {
    /// Both turns in one thread.
    case shared
    /// A thread each.
    case dedicated
}

/// What a thread does after a turn that found nothing.
package enum IdleStrategy: String, Sendable {
    case spin, yield, park
}

/// Where orders go.
package enum OrderRoute: Sendable {
    /// To a model of fills inside the engine.
    case paper(PaperConfiguration)
    /// To the venue.
    case live(Credentials)
    /// Nowhere: a recorder.
    case none
}

/// How orders reach Binance.
package struct BinanceOrderConfiguration: Sendable {
    /// Warm connections that requests go out on, 1 to 6.
    package var connections = 4
    /// How old a request may be when it reaches the venue, in milliseconds, 1 to 60,000. How long the engine waits for late arrivals
    /// follows from it (`VenueKind.lateArrival`).
    package var receiveWindow = 5_000

    package init() {}
}

/// All that a live engine is made from, besides its strategy.
package struct LiveConfiguration: Sendable {
    package var venue: VenueKind
    package var addresses = VenueAddresses()
    package var symbols: [String]
    /// Certificates to trust in place of the system's, PEM.
    package var caFile: String?
    package var orders: OrderRoute
    package var placement = Placement.shared
    package var idle = IdleStrategy.yield
    /// Processors to pin to; nil: none.
    package var hotCPU: Int?
    package var decideCPU: Int?
    /// Name of the public mapping.
    package var name = "apus"
    package var feedSlots: UInt32 = 65_536
    package var instruments: UInt32 = 256
    package var boardDepth: UInt32 = 20
    /// Placement dedicated: the decision thread standing still for so long, in nanoseconds, makes the hot thread refuse new orders
    /// and cancel the open ones. 0: never.
    package var stallLimit: UInt64 = 0
    package var binance = BinanceOrderConfiguration()
    package var engine: EngineConfiguration
    package var polymarket = PolymarketSettings()
    /// What the account holds where the venue knows contracts, as recovery found it.
    package var contracts: [VenueContract] = []

    package init(venue: VenueKind, symbols: [String], orders: OrderRoute, engine: EngineConfiguration) {
        self.venue = venue
        self.symbols = symbols
        self.orders = orders
        self.engine = engine
    }
}
