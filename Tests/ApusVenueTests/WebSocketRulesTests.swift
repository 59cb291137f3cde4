import Testing

@testable import ApusVenue

/// The server's half of RFC 6455.
@Suite struct WebSocketRulesTests {
    private static let question = Array("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}".utf8)
    private static let answer = Array("{\"result\":[],\"id\":1}".utf8)

    @Test func theHandshakeOfTheStandard() throws {
        #expect(
            String(decoding: WebSocketCodec.acceptText(forKey: "dGhlIHNhbXBsZSBub25jZQ=="), as: UTF8.self)
                == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let harness = try Harness()
        let client = harness.connect()
        let old = client.request(
            "GET", "/ws",
            headers:
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n"
        )
        #expect(old.status == 426 && old.headers["sec-websocket-version"] == "13")
        let keyless = client.request(
            "GET", "/ws", headers: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
        #expect(keyless.status == 400)
        #expect(client.upgrade("/ws") == 101)
    }

    /// Breaking a rule closes with the code that the standard names.
    static let violations: [(name: String, bytes: [UInt8], code: UInt16)] = [
        ("unmasked", [0x81, 0x02, 0x7B, 0x7D], 1002),
        ("reserved bit", [0xC1] + TestClient.frame(1, question).dropFirst(), 1002),
        ("unknown opcode", TestClient.frame(3, question), 1002),
        ("unknown control opcode", TestClient.frame(11, []), 1002),
        ("fragmented ping", TestClient.frame(9, [1], isFinal: false), 1002),
        ("long ping", TestClient.frame(9, Array(repeating: 1, count: 126)), 1002),
        ("continuation of nothing", TestClient.frame(0, question), 1002),
        (
            "text inside a fragmented text", TestClient.frame(1, [123], isFinal: false) + TestClient.frame(1, [125]),
            1002
        ),
        ("text that is not UTF-8", TestClient.frame(1, [0xC3, 0x28]), 1007),
        ("binary", TestClient.frame(2, [1, 2, 3]), 1003),
        ("too long", [0x81, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0], 1009),
        ("close with one byte", TestClient.frame(8, [3]), 1002),
        ("close with a forbidden code", TestClient.frame(8, [0x03, 0xED]), 1002),
        ("close with a bad reason", TestClient.frame(8, [0x03, 0xE8, 0xFF]), 1007),
    ]

    @Test(arguments: violations.indices)
    func aBrokenRuleClosesWithItsCode(_ index: Int) throws {
        let (name, bytes, code) = Self.violations[index]
        let harness = try Harness()
        let client = harness.webSocket("/ws")
        client.send(bytes)
        #expect(client.isClosed && client.closeCode == code, "\(name): \(client.closeCode ?? 0)")
        #expect(harness.venue.role(of: client.id) == nil)
    }

    @Test func fragmentsWithPingsBetweenThemAreOneMessage() throws {
        let client = try Harness().webSocket("/ws")
        let text = Self.question
        client.send(TestClient.frame(1, Array(text[..<5]), isFinal: false))
        client.send(TestClient.frame(9, [7, 8]))
        client.send(TestClient.frame(0, Array(text[5..<9]), isFinal: false))
        client.send(TestClient.frame(0, Array(text[9...])))
        #expect(client.frames.map(\.opcode) == [10, 1])
        #expect(client.frames.map(\.payload) == [[7, 8], Self.answer])
    }

    @Test func anySplitOfTheBytesIsTheSame() throws {
        let client = try Harness().webSocket("/ws")
        for byte in TestClient.frame(1, Self.question) + TestClient.frame(9, []) { client.send([byte]) }
        #expect(client.frames.map(\.opcode) == [1, 10])
    }

    @Test func aCloseIsEchoed() throws {
        let client = try Harness().webSocket("/ws")
        client.send(TestClient.frame(8, [0x03, 0xE8]))
        #expect(client.closeCode == 1000 && client.isClosed)
    }

    @Test func framesRightBehindTheUpgradeAreRead() throws {
        let harness = try Harness()
        let client = harness.connect()
        let head =
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        client.send(Array(head.utf8) + TestClient.frame(1, Self.question))
        #expect(client.takeAnswer()?.status == 101)
    }

    @Test func lengthsOfAllThreeKindsAreWritten() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let frame = WebSocketCodec.frame(.text, Array(repeating: 65, count: length))
            let header = length < 126 ? 2 : length < 65_536 ? 4 : 10
            #expect(frame.count == header + length)
            #expect(frame[0] == 0x81)
            #expect(Int(frame[1]) == (length < 126 ? length : length < 65_536 ? 126 : 127))
            if header > 2 { #expect(frame[2..<header].reduce(0) { $0 << 8 | Int($1) } == length) }
        }
    }

    // MARK: Heartbeat

    @Test func theServerPingsAndCutsWhoDoesNotAnswer() throws {
        let harness = try Harness()
        let lively = harness.webSocket("/ws")
        let dead = harness.webSocket("/ws")
        for turn in 1...6 {
            harness.advance(by: 20 * second)
            #expect(lively.frames.last?.opcode == 9, "turn \(turn)")
            lively.send(TestClient.frame(10, lively.frames.last?.payload ?? []))
        }
        #expect(!lively.isAborted && dead.isAborted)
    }

    @Test func aConnectionLivesADay() throws {
        var configuration = try testConfiguration()
        configuration.heartbeat.interval = 48 * 3600 * second
        let harness = try Harness(configuration)
        let client = harness.webSocket("/ws")
        harness.advance(by: 24 * 3600 * second - 1)
        #expect(!client.isClosed)
        harness.advance(by: 1)
        #expect(client.isClosed && client.closeCode == 1001)
    }
}

@Suite struct HTTPTests {
    @Test func severalRequestsInOnePacketAreAnsweredInOrder() throws {
        let harness = try Harness()
        let client = harness.connect()
        // "\r\n" is one Character: without the last one, the empty line that ends the head is missing.
        let one = "GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
        let two = "GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"
        client.send(Array((one + two + String(one.dropLast())).utf8))
        #expect(client.takeAnswer()?.body == .object([]))
        #expect(client.takeAnswer()?["serverTime"] == String(testStart / millisecond))
        #expect(client.takeAnswer() == nil)
        client.send([13, 10])
        #expect(client.takeAnswer()?.status == 200)
        #expect(!client.isClosed)
    }

    @Test func closeIsHonoured() throws {
        let client = try Harness().connect()
        let answer = client.request("GET", "/fapi/v1/ping", headers: "Connection: close\r\n")
        #expect(answer.status == 200 && answer.headers["connection"] == "close" && client.isClosed)
    }

    @Test(arguments: [
        ("nonsense\r\n\r\n", 400), ("GET /x HTTP/1.0\r\n\r\n", 400), ("GET x HTTP/1.1\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\n: v\r\n\r\n", 400), ("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST /x HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", 413),
        ("GET /" + String(repeating: "x", count: 17_000), 431),
    ])
    func whatCannotBeReadIsRefusedAndClosed(_ text: String, _ status: Int) throws {
        let client = try Harness().connect()
        client.send(Array(text.utf8))
        #expect(client.takeAnswer()?.status == status && client.isClosed)
    }

    @Test func exchangeInfoHasTheFilters() throws {
        let harness = try Harness()
        let info = harness.rest.request("GET", "/fapi/v1/exchangeInfo").body
        guard case .array(let symbols)? = info["symbols"], case .array(let filters)? = symbols.first?["filters"] else {
            Issue.record("exchangeInfo has no symbols")
            return
        }
        #expect(symbols.map { text($0, "symbol") } == ["BTCUSDT", "ETHUSDT"])
        #expect(text(symbols[0], "pricePrecision") == "2" && text(symbols[0], "quantityPrecision") == "3")
        func filter(_ name: String, _ key: String) -> String? {
            filters.first { text($0, "filterType") == name }.flatMap { text($0, key) }
        }
        #expect(filter("PRICE_FILTER", "tickSize") == "0.10")
        #expect(filter("LOT_SIZE", "stepSize") == "0.001" && filter("LOT_SIZE", "maxQty") == "1000.000")
        #expect(filter("MIN_NOTIONAL", "notional") == "50")
        #expect(
            harness.rest.request("GET", "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT")["bidPrice"] == harness.touch(.buy))
    }
}
