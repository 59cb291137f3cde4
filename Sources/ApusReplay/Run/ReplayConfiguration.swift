package import Apus
package import ApusEngine

/// What is replayed, and how.
package struct ReplayConfiguration: Sendable {
    /// The recording: a file or a folder.
    package var path: String
    /// nil: told by the messages.
    package var venue: ReplayVenue?
    /// Decimals of prices and quantities; nil: the venue's usual ones.
    package var priceDecimals: Int?
    package var quantityDecimals: Int?
    /// The price step; nil: the largest step that all prices of the first snapshot are on.
    package var tickSize: ExactDecimal?
    /// Polymarket: what goes into a book's hash and is not in the stream.
    package var minOrderSize = "5"
    package var negRisk = false
    /// 1 is as it was recorded, 10 ten times as fast; nil: as fast as possible.
    package var speed: Double?
    /// The risk gate's limits on the recording's venue.
    package var limits: @Sendable (ReplayVenue) throws -> RiskLimits = { _ in RiskLimits() }
    package var paper = PaperConfiguration()
    package var startBalance: Money?
    /// Instruments that there is room for.
    package var capacity = 1024
    /// Levels a side that strategies and the paper venue can see.
    package var boardDepth = 20
    package var feedSlots = 65536
    /// Address space for books.
    package var arenaBytes = 1 << 34

    package init(path: String) { self.path = path }
}
