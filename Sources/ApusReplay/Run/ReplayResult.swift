package import ApusEngine

/// What a replay ended with: the answer of `apus replay --json`.
package struct ReplayResult: Codable, Sendable, Equatable {
    /// Messages read.
    package var frames: UInt64 = 0
    /// Events published to the feed ring.
    package var events: UInt64 = 0
    /// How long the replay took, on the wall clock.
    package var seconds: Double = 0
    package var orders: UInt64 = 0
    package var fills: UInt64 = 0
    /// Binance: by symbol; Polymarket: in the order in which the tokens appeared.
    package var books: [ReplayBook] = []

    // MARK: For people; not in the JSON

    package var venue = ReplayVenue.binanceUSDM
    package var form = Recording.Form.lines
    /// From the first message to the last, as recorded.
    package var recordedSeconds: Double = 0
    /// Messages that could not be read, with their places; the first few.
    package var problems: [String] = []
    package var unreadable: UInt64 = 0
    /// What the strategy did; nil without one.
    package var summary: EngineSummary?

    private enum CodingKeys: String, CodingKey { case frames, events, seconds, orders, fills, books }

    package init() {}
}

/// A book at the end. Prices and quantities are whole numbers of the instrument's units (10^-decimals).
package struct ReplayBook: Codable, Sendable, Equatable {
    package var instrument: String
    /// `syncing`, `live`, `stale` or `dropped`.
    package var state: String
    /// Messages applied to the synchronised book.
    package var applied: UInt64
    /// Bids and asks.
    package var levels: [Int]
    /// Bid price, bid quantity, ask price, ask quantity; nil (null) when a side is empty.
    package var best: [Int64]?
    /// SHA-256 over the lines "b <price> <quantity>" best first, then "a <price> <quantity>" best first.
    package var digest: String
    /// Of the tickers with the update id of a book, how many had its best prices and quantities: equal, compared.
    package var ticker: [UInt64]
    /// Of the venue's hashes, how many were the book's: equal, compared.
    package var hash: [UInt64]
    /// Breaks of continuity.
    package var gaps: UInt64
    /// How often it became live again.
    package var resyncs: UInt64

    package func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(instrument, forKey: .instrument)
        try keys.encode(state, forKey: .state)
        try keys.encode(applied, forKey: .applied)
        try keys.encode(levels, forKey: .levels)
        // An empty side is told by null, not by leaving the key out.
        try keys.encode(best, forKey: .best)
        try keys.encode(digest, forKey: .digest)
        try keys.encode(ticker, forKey: .ticker)
        try keys.encode(hash, forKey: .hash)
        try keys.encode(gaps, forKey: .gaps)
        try keys.encode(resyncs, forKey: .resyncs)
    }
}
