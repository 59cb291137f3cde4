/// Keccak-256 as Ethereum uses it: the sponge of FIPS 202 with rate 1088, but with Keccak's first padding byte, 0x01.
/// Written from the specification and independent of the engine's code.
enum Keccak256 {
    static let rate = 136

    static func hash(_ message: [UInt8]) -> [UInt8] {
        var state = [UInt64](repeating: 0, count: 25)
        var padded = message
        padded.append(0x01)
        while padded.count % rate != 0 { padded.append(0) }
        padded[padded.count - 1] |= 0x80
        for block in stride(from: 0, to: padded.count, by: rate) {
            for lane in 0..<(rate / 8) {
                var word: UInt64 = 0
                for byte in 0..<8 { word |= UInt64(padded[block + lane * 8 + byte]) << UInt64(byte * 8) }
                state[lane] ^= word
            }
            permute(&state)
        }
        return (0..<32).map { UInt8(truncatingIfNeeded: state[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    static func hash(_ text: String) -> [UInt8] { hash(Array(text.utf8)) }

    /// The rotation offsets along the path that ρ and π take together, and that path's lanes.
    private static let rotations: [UInt64] = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ]
    private static let lanes = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ]

    private static let roundConstants: [UInt64] = {
        // The linear feedback shift register of FIPS 202, section 3.2.5.
        var register: UInt8 = 1
        func bit() -> Bool {
            let result = register & 1 == 1
            register = register & 0x80 != 0 ? register << 1 ^ 0x71 : register << 1
            return result
        }
        return (0..<24).map { _ in
            var constant: UInt64 = 0
            for power in 0..<7 where bit() { constant |= 1 << UInt64((1 << power) - 1) }
            return constant
        }
    }()

    private static func permute(_ state: inout [UInt64]) {
        state.withUnsafeMutableBufferPointer { a in
            for constant in roundConstants {
                theta(a)
                var moved = a[1]
                for step in 0..<24 {
                    let lane = lanes[step]
                    (a[lane], moved) = (moved << rotations[step] | moved >> (64 - rotations[step]), a[lane])
                }
                for row in stride(from: 0, to: 25, by: 5) {
                    let (b0, b1) = (a[row], a[row + 1])
                    for x in 0..<3 { a[row + x] ^= ~a[row + x + 1] & a[row + x + 2] }
                    a[row + 3] ^= ~a[row + 4] & b0
                    a[row + 4] ^= ~b0 & b1
                }
                a[0] ^= constant
            }
        }
    }

    @inline(__always)
    private static func theta(_ a: UnsafeMutableBufferPointer<UInt64>) {
        func parity(_ x: Int) -> UInt64 { a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] }
        let columns = (parity(0), parity(1), parity(2), parity(3), parity(4))
        func mix(_ x: Int, _ left: UInt64, _ right: UInt64) {
            let value = left ^ (right << 1 | right >> 63)
            for row in stride(from: 0, to: 25, by: 5) { a[row + x] ^= value }
        }
        mix(0, columns.4, columns.1)
        mix(1, columns.0, columns.2)
        mix(2, columns.1, columns.3)
        mix(3, columns.2, columns.4)
        mix(4, columns.3, columns.0)
    }
}
