import CApusProtocol
import Foundation
import Testing

@testable import ApusReplay

enum CaptureSupport {
    /// Writes the messages of another recording as a capture.
    static func capture(of path: String, to target: String, venue: String) throws -> String {
        let reader = try Recording(path: path).reader()
        let tap = CaptureTap(bytes: 1 << 20)
        let writer = try CaptureWriter(path: target, venue: venue, realtimeOffset: 1_000)
        while let message = try reader.next() {
            let kind = message.kind == .stream ? APUS_TAP_TEXT : APUS_TAP_BODY
            let note = message.symbol.map { "/depth?symbol=\($0)&limit=5" } ?? ""
            let isWritten = apus_tap_write(
                tap.tap, UInt8(kind.rawValue), message.connection, message.time - 1_000, 0, note, note.utf8.count,
                message.bytes.baseAddress, message.bytes.count)
            #expect(isWritten)
            _ = try writer.drain(tap)
        }
        try writer.close()
        return target
    }

    static func write(_ tap: CaptureTap, _ text: String, time: UInt64, connection: UInt16 = 0, note: String = "")
        -> Bool
    {
        let kind = note.isEmpty ? APUS_TAP_TEXT : APUS_TAP_BODY
        return apus_tap_write(
            tap.tap, UInt8(kind.rawValue), connection, time, time - 5, note, note.utf8.count, text, text.utf8.count)
    }

    static func messages(_ path: String) throws -> (texts: [String], tail: String?) {
        let reader = try Recording(path: path).reader()
        var texts: [String] = []
        while let message = try reader.next() {
            texts.append(
                "\(message.time) \(message.kernelTime) \(message.connection) \(message.symbol ?? "-") "
                    + String(decoding: message.bytes, as: UTF8.self))
        }
        return (texts, reader.tail)
    }
}

@Suite struct CaptureTests {
    private func sample(_ scratch: Scratch) throws -> (path: String, expected: [String]) {
        let path = scratch.path + "/sample"
        let tap = CaptureTap(bytes: 1 << 16)
        let writer = try CaptureWriter(path: path, venue: "binance-usdm", realtimeOffset: 1_000_000)
        #expect(CaptureSupport.write(tap, "{\"a\":1}", time: 100))
        #expect(CaptureSupport.write(tap, "{\"b\":\"ü\"}", time: 200, connection: 3))
        #expect(
            CaptureSupport.write(
                tap, "{\"c\":1}", time: 300, connection: 1, note: "/fapi/v1/depth?symbol=btcusdt&limit=5"))
        #expect(apus_tap_write(tap.tap, UInt8(APUS_TAP_STATE.rawValue), 0, 400, 0, "lost", 4, "closing", 7))
        #expect(CaptureSupport.write(tap, "", time: 500))
        #expect(try writer.drain(tap) == 5)
        #expect(writer.messages == 5 && writer.missing == 0)
        try writer.close()
        return (
            path,
            [
                "1000100 1000095 0 - {\"a\":1}", "1000200 1000195 3 - {\"b\":\"ü\"}",
                "1000300 1000295 1 BTCUSDT {\"c\":1}",
                "1000500 1000495 0 - ",
            ]
        )
    }

    @Test func whatWasReceivedIsReadBackByteForByte() throws {
        let scratch = try Scratch()
        let (path, expected) = try sample(scratch)
        #expect(try Recording(path: path).form == .capture)
        let (texts, tail) = try CaptureSupport.messages(path)
        #expect(texts == expected && tail == nil)
    }

    @Test func everyTornTailIsNamedAndAllBeforeItIsGood() throws {
        let scratch = try Scratch()
        let (path, expected) = try sample(scratch)
        let whole = try Data(contentsOf: URL(filePath: path))
        for length in 64..<whole.count {
            let torn = try scratch.file("torn", whole.prefix(length))
            let (texts, tail) = try CaptureSupport.messages(torn)
            #expect(texts == Array(expected.prefix(texts.count)))
            #expect(texts.count < expected.count)
            if let tail { #expect(tail.hasPrefix(torn) && tail.contains("byte ")) }
        }
        // A file that was enlarged before it was written ends in zeros.
        let zeros = try scratch.file("zeros", whole + Data(count: 5000))
        let (texts, tail) = try CaptureSupport.messages(zeros)
        #expect(texts == expected)
        #expect(tail?.contains("zero") == true)
    }

    @Test func damageIsAnErrorWithItsPlace() throws {
        let scratch = try Scratch()
        let (path, _) = try sample(scratch)
        let whole = try Data(contentsOf: URL(filePath: path))
        for offset in stride(from: 8, to: whole.count - 8, by: 1) {
            var damaged = whole
            damaged[offset] ^= 0x41
            let file = try scratch.file("damaged", damaged)
            // Padding and fields of the future are not checked; everything else is an error, or a tail when a length is
            // what is damaged.
            do {
                let (texts, tail) = try CaptureSupport.messages(file)
                #expect(tail != nil || texts.count == 4, "byte \(offset)")
            } catch let error as RecordingError {
                #expect("\(error)".contains(file))
                if case .malformed(let place, _) = error { #expect(place.number <= offset) }
            }
        }
    }

    @Test func aFullTapCountsWhatItLeavesOut() throws {
        let scratch = try Scratch()
        let tap = CaptureTap(bytes: 1 << 16)
        let text = String(repeating: "x", count: 20_000)
        var written = 0
        for index in 0..<10 where CaptureSupport.write(tap, text, time: UInt64(index + 10)) { written += 1 }
        #expect(written == 3)
        let writer = try CaptureWriter(
            path: scratch.path + "/full", venue: "polymarket", realtimeOffset: 0, bufferBytes: 4096)
        #expect(try writer.drain(tap) == 3)
        #expect(CaptureSupport.write(tap, text, time: 99))
        #expect(!CaptureSupport.write(tap, String(repeating: "x", count: 70_000), time: 100))
        #expect(try writer.drain(tap) == 1)
        #expect(writer.missing == 7)
        try writer.close()
        let reader = try #require(try Recording(path: scratch.path + "/full").reader() as? CaptureRecording)
        var count = 0
        while let message = try reader.next() {
            #expect(message.bytes.count == 20_000)
            count += 1
        }
        #expect(count == 4 && reader.missing == 7)
    }

    @Test func aCaptureIsNeverOverwritten() throws {
        let scratch = try Scratch()
        let (path, expected) = try sample(scratch)
        #expect(throws: RecordingError.system(path: path, code: EEXIST)) {
            _ = try CaptureWriter(path: path, venue: "polymarket", realtimeOffset: 0)
        }
        #expect(try CaptureSupport.messages(path).texts == expected)
    }

    @Test func theHeadIsChecked() throws {
        let scratch = try Scratch()
        let (path, _) = try sample(scratch)
        var whole = try Data(contentsOf: URL(filePath: path))
        whole[8] = 2
        let other = try scratch.file("version", whole)
        #expect(throws: RecordingError.self) { _ = try CaptureSupport.messages(other) }
        let short = try scratch.file("short", whole.prefix(40))
        #expect(throws: RecordingError.self) { _ = try CaptureSupport.messages(short) }
    }
}
