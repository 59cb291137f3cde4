import CApusProtocol
import Foundation
import Testing

/// Forbidden outcomes: a torn message, a message out of order, a doubled one, a loss that is not told.
@Suite struct TapTests {
    /// A tap in memory of its own, used by one writing and one reading thread.
    ///
    /// Unchecked: that is what is tested.
    private final class Ring: @unchecked Sendable {
        let tap: UnsafeMutablePointer<apus_tap>
        private let memory: UnsafeMutableRawPointer

        init(bytes: Int) {
            memory = .allocate(byteCount: bytes + MemoryLayout<apus_tap>.size, alignment: 64)
            tap = memory.bindMemory(to: apus_tap.self, capacity: 1)
            let ring = (memory + MemoryLayout<apus_tap>.size).bindMemory(to: UInt8.self, capacity: bytes)
            apus_tap_init(tap, ring, UInt64(bytes))
        }

        deinit { memory.deallocate() }
    }

    @Test func twoThreadsSeeEveryMessageWholeOrToldAsMissing() {
        let ring = Ring(bytes: 1 << 12)
        let total: UInt64 = 200_000
        let writer = Thread {
            var random = seeded(5)
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { bytes in
                for number in 1...total {
                    let length = Int(apus_random_below(&random, 400))
                    memset(bytes.baseAddress!, Int32(truncatingIfNeeded: number & 255), length)
                    _ = apus_tap_write(
                        ring.tap, UInt8(APUS_TAP_TEXT.rawValue), UInt16(length), number, 0, nil, 0, bytes.baseAddress,
                        length)
                }
            }
            // Until it fits, so that the losses before it are told.
            while !apus_tap_write(ring.tap, UInt8(APUS_TAP_STATE.rawValue), 0, total + 1, 0, nil, 0, nil, 0) {
                Thread.sleep(forTimeInterval: 0.0001)
            }
        }
        writer.start()
        var last: UInt64 = 0
        var missing: UInt64 = 0
        var seen: UInt64 = 0
        var isRight = true
        // The closing message counts its own failed attempts as missing, too.
        while last <= total {
            guard let head = apus_tap_peek(ring.tap) else { continue }
            let number = head.pointee.receive_ns
            missing += UInt64(head.pointee.missing)
            if head.pointee.kind == UInt8(APUS_TAP_TEXT.rawValue) {
                seen += 1
                isRight = isRight && number == last + 1 + UInt64(head.pointee.missing)
                isRight = isRight && head.pointee.length == UInt32(head.pointee.connection)
                let bytes = UnsafeBufferPointer(start: apus_tap_bytes(head), count: Int(head.pointee.length))
                isRight = isRight && bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: number) }
            }
            last = number
            apus_tap_take(ring.tap, head)
        }
        #expect(isRight)
        #expect(seen + missing >= total && seen > 0)
        #expect(missing == ring.tap.pointee.missing_total)
    }

    @Test func messagesOfEverySizeGoRoundTheRing() {
        let ring = Ring(bytes: 1 << 10)
        let text = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
        for length in 0..<1100 {
            for note in ["", "note"] {
                let isWritten = apus_tap_write(
                    ring.tap, UInt8(APUS_TAP_BODY.rawValue), 1, 2, 3, note, note.utf8.count, text, length)
                guard let head = apus_tap_peek(ring.tap) else {
                    // Where it stands now the ring has no room in one piece, or never will have.
                    #expect(!isWritten && length + note.utf8.count + 32 > 500)
                    continue
                }
                #expect(isWritten && head.pointee.length == UInt32(length))
                #expect(
                    Array(UnsafeBufferPointer(start: apus_tap_bytes(head), count: length)) == Array(text.prefix(length))
                )
                let told = UnsafeBufferPointer(start: apus_tap_note(head), count: Int(head.pointee.note_length))
                #expect(String(decoding: told, as: UTF8.self) == note)
                apus_tap_take(ring.tap, head)
                #expect(apus_tap_peek(ring.tap) == nil)
            }
        }
        #expect(!apus_tap_write(ring.tap, 1, 0, 0, 0, nil, 1 << 16, text, 1), "a note of more than 65,535 bytes")
    }
}
