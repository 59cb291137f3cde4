extension LiveConfiguration {
    /// The venue's account over REST, for the instruments of this configuration; nil where orders go nowhere or to a model.
    package func accountClient(_ metadata: VenueMetadata) throws(LiveError) -> (any AccountClient)? {
        guard case .live(let credentials) = orders else { return nil }
        switch credentials {
        case .binance(let credentials):
            return try BinanceAccountClient(
                credentials, rest: addresses.rest, symbols: metadata.instruments.map(\.symbol),
                settlementAsset: metadata.settlementAsset, caFile: caFile)
        case .polymarket(let credentials):
            return PolymarketAccountClient(
                credentials, settings: polymarket, metadata: metadata, addresses: addresses, caFile: caFile)
        case .deriv(let credentials):
            return try DerivAccountClient(
                venue, addresses: addresses, caFile: caFile, credentials: credentials,
                instruments: metadata.instruments)
        }
    }
}
