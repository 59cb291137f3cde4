import Apus

/// What must be known of a venue before an engine can be made.
package struct VenueMetadata: Sendable {
    package let instruments: [InstrumentDefinition]
    /// The asset that fees are paid in.
    package let settlementAsset: String

    package init(instruments: [InstrumentDefinition], settlementAsset: String) {
        self.instruments = instruments
        self.settlementAsset = settlementAsset
    }
}
