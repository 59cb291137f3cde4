import Foundation

/// One change of one level, in the instrument's units.
struct TimedDelta {
    let time: UInt64
    let price: Int64
    /// 0 deletes.
    let quantity: Int64
    let isAsk: Bool
}

/// What gen_l2.py of the shared peers makes, whole in memory as the peers have it.
final class DeltaStream {
    static let priceDecimals = 2
    static let quantityDecimals = 3
    /// Of bid · 31 + ask in ticks over all events from the moment both sides exist; seed 42.
    static let checksum: UInt64 = 320_000_943_235_103

    let deltas: UnsafeMutableBufferPointer<TimedDelta>

    init(_ path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let head = 16, size = 24
        guard data.count > head, data.prefix(8) == Data("L2DELTA1".utf8), (data.count - head) % size == 0 else {
            throw BenchmarkError("\(path) is no file of L2 deltas")
        }
        deltas = .allocate(capacity: (data.count - head) / size)
        data.withUnsafeBytes { bytes in
            for index in deltas.indices {
                let at = head + index * size
                let flags = bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)
                let quantity = bytes.loadUnaligned(fromByteOffset: at + 16, as: Double.self)
                deltas.initializeElement(
                    at: index,
                    to: TimedDelta(
                        time: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                        price: Int64(bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self)),
                        quantity: flags & 2 != 0 ? 0 : Int64((quantity * 1000).rounded()), isAsk: flags & 1 != 0))
            }
        }
    }

    deinit { deltas.deallocate() }
}
