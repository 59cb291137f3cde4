import CApusProtocol
import Testing

/// Keccak-f[1600] from the Keccak reference's definitions: round constants by their shift register, offsets by their walk. Slow and
/// plain, so that it shares nothing with what is tested.
enum IndependentKeccak {
    private static func rotate(_ lane: UInt64, _ bits: Int) -> UInt64 {
        bits % 64 == 0 ? lane : lane << UInt64(bits % 64) | lane >> UInt64(64 - bits % 64)
    }

    private static func permute(_ a: inout [[UInt64]]) {
        var register: UInt8 = 1
        for _ in 0..<24 {
            let parity = (0..<5).map { x in a[x].reduce(0, ^) }
            for x in 0..<5 {
                for y in 0..<5 { a[x][y] ^= parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1) }
            }
            var (x, y) = (1, 0)
            var lane = a[1][0]
            for t in 0..<24 {
                (x, y) = (y, (2 * x + 3 * y) % 5)
                (lane, a[x][y]) = (a[x][y], rotate(lane, (t + 1) * (t + 2) / 2))
            }
            for y in 0..<5 {
                let row = (0..<5).map { a[$0][y] }
                for x in 0..<5 { a[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) }
            }
            for j in 0..<7 {
                if register & 1 != 0 { a[0][0] ^= 1 << ((1 << UInt64(j)) - 1) }
                register = register << 1 ^ (register & 0x80 != 0 ? 0x71 : 0)
            }
        }
    }

    static func hash(_ input: [UInt8]) -> [UInt8] {
        var message = input + [1]
        while message.count % 136 != 0 { message.append(0) }
        message[message.count - 1] |= 0x80
        var state = [[UInt64]](repeating: [UInt64](repeating: 0, count: 5), count: 5)
        for start in stride(from: 0, to: message.count, by: 136) {
            for lane in 0..<17 {
                let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(message[start + 8 * lane + $1]) << UInt64(8 * $1) }
                state[lane % 5][lane / 5] ^= word
            }
            permute(&state)
        }
        return (0..<32).map { UInt8(truncatingIfNeeded: state[$0 / 8][0] >> UInt64(8 * ($0 % 8))) }
    }
}

@Suite struct KeccakTests {
    private func hash(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        apus_keccak256(bytes, bytes.count, &digest)
        return digest
    }

    /// Known answers of the Keccak team's submission and of Ethereum's empty code hash.
    @Test(arguments: [
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "45d3b367a6904e6e8d502ee04999a7c27647f91fa845d456525fd352ae3d7371"
        ),
    ])
    func knownAnswers(text: String, expected: String) {
        #expect(IndependentHMAC.hex(hash(Array(text.utf8))) == expected)
        #expect(IndependentHMAC.hex(IndependentKeccak.hash(Array(text.utf8))) == expected)
    }

    @Test func everyLengthAroundTheBlocks() {
        for length in [0, 1, 7, 8, 134, 135, 136, 137, 271, 272, 273, 384, 1000] {
            let text = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            #expect(hash(text) == IndependentKeccak.hash(text), "\(length) bytes")
        }
    }
}
