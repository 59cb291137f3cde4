import CApusProtocol
import Testing

@Suite struct WebSocketReadingTests {
    static let maxMessage = 70000

    /// Feeds the stream whole, with plainer instructions, and in pieces into a buffer no larger than promised.
    private func items(_ stream: [UInt8], maxMessage: Int = Self.maxMessage) -> [FrameReader.Item] {
        let capacity = maxMessage + Int(APUS_WS_OVERHEAD)
        let whole = FrameReader(maxMessage: maxMessage, capacity: max(capacity, stream.count)).feed(stream)
        for level in UInt8(0)...1 {
            let reader = FrameReader(maxMessage: maxMessage, capacity: max(capacity, stream.count))
            reader.parser.pointee.level = level
            #expect(reader.feed(stream) == whole, "with instructions of level \(level)")
        }
        for piece in [1, 2, 3, 5, 7, 64, 127, 1000] where stream.count / piece < 20000 {
            let pieces = FrameReader(maxMessage: maxMessage, capacity: capacity).feed(stream, piece: piece)
            #expect(pieces == whole, "in pieces of \(piece)")
        }
        return whole
    }

    @Test(arguments: [0, 1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 125, 126, 127, 255, 256, 309, 65535, 65536])
    func messagesOfEveryFormOfLength(size: Int) {
        let payload = (0..<size).map { UInt8(0x20 + $0 % 90) }
        #expect(items(serverFrame(1, payload) + serverFrame(2, payload)) == [.text(payload), .binary(payload)])
    }

    @Test func anyCutInTwoGivesTheSame() {
        let stream =
            serverFrame(1, "κόσμε".utf8) + serverFrame(1, Array("κόσμε".utf8.prefix(3)), final: false)
            + serverFrame(9, "in between".utf8) + serverFrame(0, "κόσμε".utf8.dropFirst(3))
            + serverFrame(2, (0..<200).map { UInt8($0) }) + serverFrame(8, [0x03, 0xe8] + Array("bye".utf8))
        let expected: [FrameReader.Item] = [
            .text(Array("κόσμε".utf8)), .ping(Array("in between".utf8)), .text(Array("κόσμε".utf8)),
            .binary((0..<200).map { UInt8($0) }), .close(1000, Array("bye".utf8)),
        ]
        #expect(items(stream) == expected)
        for cut in 1..<stream.count {
            let reader = FrameReader(maxMessage: 1000, capacity: 1000 + Int(APUS_WS_OVERHEAD))
            #expect(reader.feed(stream[..<cut]) + reader.feed(stream[cut...]) == expected, "cut at \(cut)")
        }
    }

    @Test func manySmallFragmentsFitInABufferOfTheMessage() {
        let size = 5000
        let payload = (0..<size).map { UInt8(0x61 + $0 % 26) }
        var stream: [UInt8] = []
        for (index, byte) in payload.enumerated() {
            stream += serverFrame(index == 0 ? 1 : 0, [byte], final: index == size - 1)
            if index % 100 == 50 { stream += serverFrame(10, []) }
        }
        let found = items(stream, maxMessage: size)
        #expect(found.last == .text(payload))
        #expect(found.count == 51)
    }

    @Test func messagesFollowEachOtherWithoutEnd() {
        let reader = FrameReader(maxMessage: 1000, capacity: 1000 + Int(APUS_WS_OVERHEAD))
        let payload = Array(repeating: UInt8(ascii: "x"), count: 309)
        let stream = Array(repeatElement(serverFrame(1, payload), count: 500).joined())
        #expect(reader.feed(stream, piece: 700) == Array(repeating: .text(payload), count: 500))
        #expect(reader.parser.pointee.offset == UInt64(stream.count))
    }

    struct Wrong: CustomTestStringConvertible {
        var what: String
        var bytes: [UInt8]
        var code: UInt16
        var offset: UInt64
        var testDescription: String { what }
    }

    static let wrong: [Wrong] = [
        Wrong(what: "reserved bit", bytes: [0xc1, 0], code: 1002, offset: 0),
        Wrong(what: "reserved data opcode", bytes: [0x83, 0], code: 1002, offset: 0),
        Wrong(what: "reserved control opcode", bytes: [0x8b, 0], code: 1002, offset: 0),
        Wrong(what: "fragmented ping", bytes: [0x09, 0], code: 1002, offset: 0),
        Wrong(what: "long ping", bytes: [0x89, 126, 0, 126], code: 1002, offset: 1),
        Wrong(what: "continuation of nothing", bytes: [0x80, 0], code: 1002, offset: 0),
        Wrong(what: "message within a message", bytes: [0x01, 0, 0x81, 0], code: 1002, offset: 2),
        Wrong(what: "masked", bytes: [0x81, 0x81, 1, 2, 3, 4, 5], code: 1002, offset: 1),
        Wrong(what: "16-bit length below 126", bytes: [0x81, 126, 0, 125], code: 1002, offset: 2),
        Wrong(
            what: "64-bit length below 65536", bytes: [0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255], code: 1002, offset: 2),
        Wrong(what: "64-bit length negative", bytes: [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], code: 1002, offset: 2),
        Wrong(what: "too long at once", bytes: [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x71], code: 1009, offset: 1),
        Wrong(what: "close of one byte", bytes: [0x88, 1, 3], code: 1002, offset: 2),
        Wrong(what: "close code 1005", bytes: [0x88, 2, 0x03, 0xed], code: 1002, offset: 2),
        Wrong(what: "close reason", bytes: [0x88, 4, 0x03, 0xe8, 0x61, 0xff], code: 1007, offset: 5),
        Wrong(what: "close reason cut", bytes: [0x88, 3, 0x03, 0xe8, 0xc3], code: 1007, offset: 5),
        Wrong(what: "surrogate", bytes: [0x81, 4, 0x61, 0xed, 0xa0, 0x80], code: 1007, offset: 4),
        Wrong(what: "character cut", bytes: [0x81, 2, 0xe2, 0x82], code: 1007, offset: 4),
        Wrong(what: "cut over fragments", bytes: [0x01, 1, 0xe2, 0x80, 1, 0x41], code: 1007, offset: 5),
    ]

    @Test(arguments: wrong) func protocolErrorsNameTheirPlace(wrong: Wrong) {
        let good = serverFrame(1, "good".utf8)
        let place = UInt64(good.count) + wrong.offset
        #expect(
            items(good + wrong.bytes + good)
                == [.text(Array("good".utf8)), .failure(code: wrong.code, offset: place)])
    }

    @Test func aMessageMayNotGrowBeyondItsLimitByFragments() {
        let stream =
            serverFrame(2, Array(repeating: 1, count: 90), final: false)
            + serverFrame(0, Array(repeating: 2, count: 11))
        #expect(
            items(stream, maxMessage: 101) == [.binary(Array(repeating: 1, count: 90) + Array(repeating: 2, count: 11))]
        )
        #expect(items(stream, maxMessage: 100) == [.failure(code: 1009, offset: 93)])
    }

    @Test func invalidTextFailsBeforeItsFrameIsComplete() {
        let reader = FrameReader(maxMessage: 1000, capacity: 2000)
        #expect(reader.feed([0x81, 100] + Array("text ".utf8) + [0xf4]) == [])
        #expect(reader.feed([0x90]) == [.failure(code: 1007, offset: 8)])
    }

    @Test func aWrongHeaderFailsAtItsFirstByte() {
        let reader = FrameReader(maxMessage: 1000, capacity: 2000)
        #expect(reader.feed([0xf1]) == [.failure(code: 1002, offset: 0)])
    }

    @Test func nothingComesAfterACloseFrame() {
        #expect(items(serverFrame(8, []) + serverFrame(1, "late".utf8)) == [.close(1005, [])])
    }

    @Test func closeCodes() {
        let registered = Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014])
        for code in 0...5100 {
            let allowed = registered.contains(code) || (3000...4999).contains(code)
            #expect(apus_ws_close_code_valid(UInt16(code)) == allowed, "\(code)")
        }
    }
}

@Suite struct WebSocketTextTests {
    @Test func validationAgreesWithTheStandardLibrary() {
        var random = seeded(7)
        let interesting: [UInt8] = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
            0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ]
        var valid = 0
        for _ in 0..<200_000 {
            let count = Int(apus_random_below(&random, 6))
            var bytes = (0..<count).map { _ in interesting[Int(apus_random_below(&random, UInt64(interesting.count)))] }
            bytes.insert(contentsOf: repeatElement(0x61, count: Int(apus_random_below(&random, 20))), at: 0)
            let expected = String(validating: bytes, as: UTF8.self) != nil
            if apus_utf8_valid(bytes, bytes.count) != expected { Issue.record("\(bytes)") }
            valid += expected ? 1 : 0
        }
        #expect(valid > 10_000 && valid < 190_000)
    }

    @Test func everyCharacterIsValidInPieces() {
        var state: apus_utf8_state = 0
        for value in UInt32(0)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for byte in UTF8.encode(scalar)! {
                var one = byte
                if apus_utf8_feed(&state, &one, 1) != 1 { Issue.record("U+\(String(value, radix: 16))") }
            }
            if state != 0 { Issue.record("U+\(String(value, radix: 16)) does not end") }
        }
    }

    @Test func everyWidthOfInstructionFindsEveryHighBit() {
        for count in 0...200 {
            var bytes = [UInt8](repeating: 0x7f, count: count)
            for level in UInt8(0)...2 where !apus_ascii_only_at(level, bytes, count) {
                Issue.record("level \(level), \(count) bytes")
            }
            for place in 0..<count {
                bytes[place] = 0x80
                for level in UInt8(0)...2 where apus_ascii_only_at(level, bytes, count) {
                    Issue.record("level \(level), byte \(place) of \(count)")
                }
                bytes[place] = 0x7f
            }
        }
    }
}

@Suite struct WebSocketSendingTests {
    @Test(arguments: [0, 1, 3, 4, 15, 16, 17, 125, 126, 300, 65535, 65536, 70000])
    func framesUnmaskToTheirPayload(size: Int) {
        var random = seeded(3)
        let tx = SendBuffer(capacity: 80000)
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(apus_ws_send(tx.buffer, &random, 2, payload, size) == 0)
        let frames = ClientFrame.all(tx.bytes)
        #expect(frames?.count == 1)
        #expect(frames?.first?.opcode == 2)
        #expect(frames?.first?.payload == payload)
    }

    @Test func everyFrameHasAMaskOfItsOwn() {
        var random = seeded(4)
        let tx = SendBuffer(capacity: 4096)
        for _ in 0..<100 { #expect(apus_ws_send(tx.buffer, &random, 1, "order", 5) == 0) }
        let masks = Set((ClientFrame.all(tx.bytes) ?? []).map(\.mask))
        #expect(masks.count == 100)
    }

    @Test(arguments: [
        (400, 0), (400, 125), (400, 126), (400, 400), (125, 125), (70000, 10), (70000, 200), (70000, 70000),
    ])
    func aPayloadBuiltInPlaceIsSealedInPlace(most: Int, size: Int) {
        var random = seeded(5)
        let tx = SendBuffer(capacity: 80000)
        #expect(apus_ws_send(tx.buffer, &random, 9, "before", 6) == 0)
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        guard let place = apus_ws_reserve(tx.buffer, most) else {
            Issue.record("no room")
            return
        }
        for (index, byte) in payload.enumerated() { place[index] = byte }
        apus_ws_seal(tx.buffer, &random, 1, place, most, size)
        #expect(apus_ws_send(tx.buffer, &random, 10, "after", 5) == 0)
        let frames = ClientFrame.all(tx.bytes) ?? []
        #expect(frames.map(\.opcode) == [9, 1, 10])
        #expect(frames.map(\.payload) == [Array("before".utf8), payload, Array("after".utf8)])
    }

    @Test func aReservationThatIsNotSealedSendsNothing() {
        let tx = SendBuffer(capacity: 1000)
        #expect(apus_ws_reserve(tx.buffer, 500) != nil)
        #expect(tx.bytes.isEmpty)
    }

    @Test func aFullBufferRefusesAndKeepsWhatItHas() {
        var random = seeded(6)
        let tx = SendBuffer(capacity: 100)
        #expect(apus_ws_send(tx.buffer, &random, 1, "first", 5) == 0)
        let before = tx.bytes
        let large = [UInt8](repeating: 1, count: 90)
        #expect(apus_ws_send(tx.buffer, &random, 2, large, 90) == -ENOBUFS)
        #expect(apus_ws_send(tx.buffer, &random, 2, large, 1 << 40) == -ENOBUFS)
        #expect(apus_ws_reserve(tx.buffer, 90) == nil)
        #expect(tx.bytes == before)
        // Sent bytes make room again, wherever in the buffer they lay.
        tx.buffer.pointee.start += 8
        #expect(apus_ws_send(tx.buffer, &random, 2, large, 85) == 0)
    }

    @Test func controlFramesAreShort() {
        var random = seeded(6)
        let tx = SendBuffer(capacity: 1000)
        let payload = [UInt8](repeating: 1, count: 126)
        #expect(apus_ws_send(tx.buffer, &random, 9, payload, 126) == -EMSGSIZE)
        #expect(apus_ws_send(tx.buffer, &random, 9, payload, 125) == 0)
    }

    @Test func aCloseReasonIsCutBetweenCharacters() {
        var random = seeded(8)
        let tx = SendBuffer(capacity: 1000)
        #expect(apus_ws_send_close(tx.buffer, &random, 1000, String(repeating: "x", count: 121) + "€uro") == 0)
        #expect(apus_ws_send_close(tx.buffer, &random, 1002, nil) == 0)
        #expect(apus_ws_send_close(tx.buffer, &random, 0, nil) == 0)
        let frames = ClientFrame.all(tx.bytes) ?? []
        #expect(frames.map(\.opcode) == [8, 8, 8])
        #expect(
            frames.map(\.payload)
                == [[0x03, 0xe8] + Array(repeating: UInt8(ascii: "x"), count: 121), [0x03, 0xea], []])
    }
}
