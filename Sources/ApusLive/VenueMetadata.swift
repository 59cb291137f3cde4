import Apus

/// What must be known of a venue before an engine can be made.
package struct VenueMetadata: Sendable {
    package let instruments: [InstrumentDefinition]
    /// The asset that fees are paid in.
    package let settlementAsset: String
    /// The request budgets that the venue announces; empty: none.
    package let requestLimits: [RequestLimit]
    /// Polymarket: what else is known of each instrument, in their order.
    package let listings: [PolymarketListing]

    package init(
        instruments: [InstrumentDefinition], settlementAsset: String, requestLimits: [RequestLimit] = [],
        listings: [PolymarketListing] = []
    ) {
        self.instruments = instruments
        self.settlementAsset = settlementAsset
        self.requestLimits = requestLimits
        self.listings = listings
    }
}

/// A budget: so much within each window.
package struct RequestLimit: Sendable, Equatable {
    package enum Kind: Sendable {
        /// Of requests, by address.
        case weight
        /// Of orders that are placed or changed, by account.
        case orders
    }

    package let kind: Kind
    package let limit: UInt32
    package let windowSeconds: UInt64

    package init(_ kind: Kind, limit: UInt32, windowSeconds: UInt64) {
        self.kind = kind
        self.limit = limit
        self.windowSeconds = windowSeconds
    }
}
