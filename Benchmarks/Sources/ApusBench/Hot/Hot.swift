extension Registry {
    /// Bytes, books and rings: the hot path piece by piece.
    static var hot: [any Benchmark] {
        [
            BookOnL2(), BookOnDepth(), BooksInTurn(), Decoding(.binance, bound: 70), Decoding(.polymarket, bound: 58),
            DecodingOfRecording(), FrameParsing(), Pipeline(), HopCost(), HandOff(), WriterWithReaders(),
            PolymarketSignature(),
        ]
    }
}
