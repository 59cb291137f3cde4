import Foundation
import Testing

@testable import ApusReplay

@Suite struct RecordingTests {
    private func texts(_ path: String) throws -> [String] { try CaptureSupport.messages(path).texts }

    @Test func linesMayBePlainAndEndInAnyWay() throws {
        let scratch = try Scratch()
        let path = try scratch.file("a", "5 {\"a\":1}\r\n\n7 [1]\n6 {}\n8 PONG")
        #expect(try Recording(path: path).form == .lines)
        // Time does not run backwards.
        #expect(try texts(path) == ["5 0 0 - {\"a\":1}", "7 0 0 - [1]", "7 0 0 - {}", "8 0 0 - PONG"])
    }

    @Test(arguments: ["5{}\n", "5 {}\nx {}\n", "5 {}\n99999999999999999999999 {}\n", "5\n"])
    func aBadLineIsNamed(text: String) throws {
        let scratch = try Scratch()
        let path = try scratch.file("a", text)
        let error = #expect(throws: RecordingError.self) { _ = try texts(path) }
        let line = text.split(separator: "\n").count
        #expect("\(try #require(error))".contains("\(path), line \(line): "))
    }

    @Test func longLinesAndManyOfThem() throws {
        let scratch = try Scratch()
        var text = ""
        for index in 0..<3000 { text += "\(index) \"\(String(repeating: "y", count: index % 997 * 7))\"\n" }
        text += "3000 \"\(String(repeating: "z", count: 3 << 20))\"\n"
        let found = try texts(try scratch.file("a", text))
        #expect(found.count == 3001)
        #expect(found[998] == "998 0 0 - \"\(String(repeating: "y", count: 7))\"")
        #expect(found[3000].utf8.count == 3 << 20 + 13)
    }

    @Test func whatIsTooLongForAMessageIsRefused() throws {
        let scratch = try Scratch()
        let path = try scratch.file("a", "1 {}\n2 " + String(repeating: "x", count: 40 << 20))
        let error = #expect(throws: RecordingError.self) { _ = try texts(path) }
        #expect("\(try #require(error))".contains("\(path), byte 5: "))
    }

    @Test func theElementsOfAnArrayAreSlicedAndNotRewritten() throws {
        let scratch = try Scratch()
        let path = try scratch.file(
            "a", " [ {\"timestamp\" : \"1700000000001\", \"x\":\"]}\\\"{\"} ,\n [ {\"E\":1700000000002} ],\"PONG\" ] \n"
        )
        #expect(try Recording(path: path).form == .array)
        #expect(
            try texts(path) == [
                "1700000000001000000 0 0 - {\"timestamp\" : \"1700000000001\", \"x\":\"]}\\\"{\"}",
                "1700000000002000000 0 0 - [ {\"E\":1700000000002} ]", "1700000000002000000 0 0 - PONG",
            ])
        #expect(try texts(try scratch.file("b", "[]")).isEmpty)
    }

    @Test(arguments: [
        ("[{}", 3), ("[{},", 4), ("[{\"a\"", 1), ("[1]", 1), ("[{}]x", 4), ("[{} {}]", 4), ("[,]", 1), ("[", 1),
    ])
    func aBadArrayIsNamed(text: String, offset: Int) throws {
        let scratch = try Scratch()
        let path = try scratch.file("a", text)
        let error = #expect(throws: RecordingError.self) { _ = try texts(path) }
        #expect("\(try #require(error))".contains("\(path), byte \(offset): "))
    }

    @Test func aFolderIsPutInOrder() throws {
        let scratch = try Scratch()
        _ = try scratch.file(
            "X.http.0.0",
            "https://x/depth?symbol=abcusdt&limit=5 -> 2.5: {\"lastUpdateId\":1}\nhttps://x/info -> 1.0: {}\nnonsense\n"
        )
        _ = try scratch.file("X.ws.1.0", "wss://x <-> 1.5\n1.25: {\"a\":1}\n3.000000001: {\"b\":1}\n2: nothing\n")
        _ = try scratch.file("X.ws.2.0", "2.75: {\"c\":1}")
        _ = try scratch.file("notes.txt", "1.0: {}")
        #expect(try Recording(path: scratch.path).form == .folder)
        #expect(
            try texts(scratch.path) == [
                "1250000000 0 0 - {\"a\":1}", "2500000000 0 0 ABCUSDT {\"lastUpdateId\":1}",
                "2750000000 0 0 - {\"c\":1}",
                "3000000001 0 0 - {\"b\":1}",
            ])
    }

    @Test func whatIsNoRecordingIsRefused() throws {
        let scratch = try Scratch()
        #expect(throws: RecordingError.system(path: "/nowhere", code: ENOENT)) { _ = try Recording(path: "/nowhere") }
        let empty = try scratch.file("empty", "")
        #expect(throws: RecordingError.empty(path: empty)) { _ = try Recording(path: empty) }
        let text = try scratch.file("text", "hello world, this is no recording")
        let error = #expect(throws: RecordingError.self) { _ = try Recording(path: text) }
        #expect("\(try #require(error))".contains("\"hello world, thi\""))
        let folder = try Scratch()
        #expect(throws: RecordingError.self) { _ = try Recording(path: folder.path).reader() }
    }

    @Test func aTornGzipFileIsNamed() throws {
        let scratch = try Scratch()
        var text = ""
        for index in 0..<20_000 { text += "\(index) {\"value\":\(index &* 7919 % 1009)}\n" }
        let path = try scratch.file("a", text)
        let zip = Process()
        zip.executableURL = URL(filePath: "/usr/bin/env")
        zip.arguments = ["gzip", path]
        try zip.run()
        zip.waitUntilExit()
        let data = try Data(contentsOf: URL(filePath: path + ".gz"))
        #expect(try texts(path + ".gz").count == 20_000)
        // Two members, one behind the other, are one recording.
        #expect(try texts(try scratch.file("two.gz", data + data)).count == 40_000)
        let torn = try scratch.file("torn.gz", data.prefix(data.count / 2))
        let error = #expect(throws: RecordingError.self) { _ = try texts(torn) }
        #expect("\(try #require(error))".contains("torn.gz, compressed byte"))
        var damaged = data
        damaged[data.count / 2] ^= 0xFF
        let bad = try scratch.file("bad.gz", damaged)
        #expect(throws: RecordingError.self) { _ = try texts(bad) }
    }
}
