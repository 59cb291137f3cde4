// What is true inside a venue, for tests and for the summary at the end of a run.

/// One level of a book.
package struct TrueLevel: Sendable, Equatable {
    package var price: Int64
    package var quantity: Int64
}

/// A whole book; the best levels come first.
package struct TrueBook: Sendable, Equatable {
    package var updateID: Int64
    package var bids: [TrueLevel]
    package var asks: [TrueLevel]
}

/// A book in few words: what a client that holds every level must be able to compute too.
package struct BookFingerprint: Sendable, Equatable {
    package var updateID: Int64
    /// Over all levels, bids best first, then asks best first; see `add`.
    package var hash: UInt64
    package var bid: TrueLevel?
    package var ask: TrueLevel?

    /// The hash of no level.
    package static let seed: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Takes one more level into a hash (FNV-1a over words).
    @inline(__always)
    package static func add(_ hash: UInt64, _ price: Int64, _ quantity: Int64) -> UInt64 {
        let first = (hash ^ UInt64(bitPattern: price)) &* 0x0000_0100_0000_01B3
        return (first ^ UInt64(bitPattern: quantity)) &* 0x0000_0100_0000_01B3
    }
}
