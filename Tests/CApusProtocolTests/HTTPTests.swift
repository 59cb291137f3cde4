import CApusProtocol
import Testing

/// What came out of an answer parser, copied out of its buffer.
struct Answer: Equatable {
    var status: UInt16 = 0
    var body = ""
    var keepAlive = false
    var retryAfter: UInt32 = 0
    var error: Int32 = 0
    var offset: UInt64 = 0
}

final class AnswerReader {
    let channel = UnsafeMutablePointer<apus_channel>.allocate(capacity: 1)
    let parser = UnsafeMutablePointer<apus_http>.allocate(capacity: 1)
    private let memory: UnsafeMutablePointer<UInt8>

    init(maxBody: Int, capacity: Int) {
        let bytes = capacity + Int(APUS_PADDING)
        memory = .allocate(capacity: bytes)
        memory.initialize(repeating: 0xff, count: bytes)
        channel.initialize(to: apus_channel())
        parser.initialize(to: apus_http())
        apus_buffer_init(&channel.pointee.rx, memory, bytes)
        apus_http_init(parser, maxBody)
    }

    deinit {
        memory.deallocate()
        channel.deallocate()
        parser.deallocate()
    }

    /// Feeds text in pieces, and then the end of the stream where `ended` says so.
    func feed(_ text: String, piece: Int = .max, ended: Bool = false) -> [Answer] {
        var answers: [Answer] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            var place: UnsafeMutablePointer<UInt8>?
            let count = min(piece, apus_channel_space(channel, &place), rest.count)
            guard count > 0, let place else { return answers }
            for (index, byte) in rest.prefix(count).enumerated() { place[index] = byte }
            apus_channel_received(channel, count, 1, 0)
            rest = rest.dropFirst(count)
            answers += drain(ended: false)
            if answers.last.map({ $0.error != 0 }) == true { return answers }
        }
        return ended ? answers + drain(ended: true) : answers
    }

    private func drain(ended: Bool) -> [Answer] {
        var answers: [Answer] = []
        var response = apus_http_response()
        while true {
            let result = apus_http_next(parser, &channel.pointee.rx, ended, &response)
            if result == 0 { return answers }
            if result < 0 {
                return answers + [Answer(error: result, offset: parser.pointee.what_offset)]
            }
            let body = UnsafeBufferPointer(start: response.body, count: response.body_size)
            answers.append(
                Answer(
                    status: response.status, body: String(decoding: body, as: UTF8.self),
                    keepAlive: response.keep_alive, retryAfter: response.retry_after_s))
            if ended || response.status == 101 || !response.keep_alive { return answers }
        }
    }
}

@Suite struct HTTPAnswerTests {
    private func answers(_ text: String, maxBody: Int = 1000, capacity: Int = 4000, ended: Bool = false) -> [Answer] {
        let whole = AnswerReader(maxBody: maxBody, capacity: capacity).feed(text, ended: ended)
        for piece in 1...9 {
            let pieces = AnswerReader(maxBody: maxBody, capacity: capacity).feed(text, piece: piece, ended: ended)
            #expect(pieces == whole, "in pieces of \(piece)")
        }
        return whole
    }

    @Test func aBodyOfKnownLength() {
        let text = "HTTP/1.1 200 OK\r\ncontent-LENGTH:  5 \r\n\r\nhello"
        #expect(answers(text) == [Answer(status: 200, body: "hello", keepAlive: true)])
    }

    @Test func chunksAreJoined() {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;name=value\r\nhello\r\n00A \r\n, chunked!\r\n0\r\nX: y\r\n\r\n"
        #expect(
            answers(text + text)
                == Array(repeating: Answer(status: 200, body: "hello, chunked!", keepAlive: true), count: 2))
    }

    @Test func manySmallChunksFitInABufferOfTheBody() {
        let body = String(repeating: "abcdefghij", count: 100)
        let chunks = body.map { "1\r\n\($0)\r\n" }.joined()
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n"
        let reader = AnswerReader(maxBody: 1000, capacity: 1100)
        #expect(reader.feed(text, piece: 40) == [Answer(status: 200, body: body, keepAlive: true)])
    }

    @Test func aBodyThatEndsWithTheStream() {
        let text = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nuntil the end"
        #expect(answers(text) == [])
        #expect(answers(text, ended: true) == [Answer(status: 200, body: "until the end")])
    }

    @Test func interimAnswersAreSkippedAndEmptyOnesHaveNoBody() {
        let text =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n"
            + "HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"
        #expect(
            answers(text) == [
                Answer(status: 204, keepAlive: true), Answer(status: 304, keepAlive: true),
                Answer(status: 404, body: "no", keepAlive: true),
            ])
    }

    @Test func whetherTheConnectionIsKept() {
        let end = "Content-Length: 0\r\n\r\n"
        #expect(answers("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\(end)")[0].keepAlive == false)
        #expect(answers("HTTP/1.0 200 OK\r\n\(end)")[0].keepAlive == false)
        #expect(answers("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\(end)")[0].keepAlive)
        #expect(answers("HTTP/1.1 200 OK\r\n\(end)")[0].keepAlive)
    }

    @Test(arguments: [
        ("120", 120), ("0", 0), ("99999999999999999999", UInt32.max), ("Fri, 01 Jan 2027 00:00:00 GMT", 0), ("", 0),
    ])
    func retryAfter(value: String, seconds: UInt32) {
        let text = "HTTP/1.1 429 Slow down\r\nRetry-After: \(value)\r\nContent-Length: 0\r\n\r\n"
        #expect(answers(text) == [Answer(status: 429, keepAlive: true, retryAfter: seconds)])
    }

    struct Wrong: CustomTestStringConvertible {
        var what: String
        var text: String
        var error: Int32 = -EPROTO
        var offset: UInt64
        var testDescription: String { what }
    }

    static let ok = "HTTP/1.1 200 OK\r\n"
    static let chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
    static let wrong: [Wrong] = [
        Wrong(what: "not HTTP", text: "SSH-2.0-OpenSSH_9\r\n\r\n", offset: 0),
        Wrong(what: "HTTP/2", text: "HTTP/2.0 200 OK\r\n\r\n", offset: 0),
        Wrong(what: "status of two digits", text: "HTTP/1.1 20 OK\r\n\r\n", offset: 0),
        Wrong(what: "status of four digits", text: "HTTP/1.1 2000 OK\r\n\r\n", offset: 0),
        Wrong(what: "empty first line", text: "\r\n", offset: 0),
        Wrong(what: "bare line feed", text: "HTTP/1.1 200 OK\nX: y\r\n\r\n", offset: 15),
        Wrong(what: "bare carriage return", text: ok + "X: a\rb\r\n\r\n", offset: 21),
        Wrong(what: "control character", text: ok + "X: a\u{1}b\r\n\r\n", offset: 21),
        Wrong(what: "folded header", text: ok + "X: a\r\n b\r\n\r\n", offset: 23),
        Wrong(what: "header without a colon", text: ok + "nothing\r\n\r\n", offset: 17),
        Wrong(what: "blank before the colon", text: ok + "Content-Length : 1\r\n\r\n", offset: 17),
        Wrong(what: "negative length", text: ok + "Content-Length: -1\r\n\r\n", offset: 17),
        Wrong(what: "length list", text: ok + "Content-Length: 1, 1\r\n\r\n", offset: 17),
        Wrong(what: "two lengths", text: ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", offset: 36),
        Wrong(
            what: "length and chunks", text: ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", offset: 0),
        Wrong(what: "gzip", text: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", offset: 17),
        Wrong(what: "chunk size is no number", text: chunked + "xyz\r\n", offset: 47),
        Wrong(what: "chunk size overflows", text: chunked + "11111111111111111\r\n", offset: 47),
        Wrong(what: "text after a chunk size", text: chunked + "5 x\r\n", offset: 49),
        Wrong(what: "chunk longer than its size", text: chunked + "2\r\nabc\r\n", offset: 52),
        Wrong(what: "body above the limit", text: ok + "Content-Length: 1001\r\n\r\n", error: -EMSGSIZE, offset: 0),
        Wrong(what: "chunk above the limit", text: chunked + "3e9\r\n", error: -EMSGSIZE, offset: 47),
        Wrong(
            what: "many headers", text: ok + String(repeating: "A: b\r\n", count: 101) + "\r\n", error: -EMSGSIZE,
            offset: 617),
    ]

    @Test(arguments: wrong) func errorsNameTheirPlace(wrong: Wrong) {
        #expect(answers(wrong.text) == [Answer(error: wrong.error, offset: wrong.offset)])
        // The place counts from the beginning of the connection, framing that was removed included.
        let first = "\(Self.chunked)2\r\nab\r\n0\r\n\r\n"
        let second = answers(first + wrong.text)
        #expect(second.count == 2)
        #expect(second.last == Answer(error: wrong.error, offset: wrong.offset + UInt64(first.utf8.count)))
    }

    @Test func aStreamThatEndsEarlyIsAnError() {
        for text in ["", "HTTP/1.1 200", Self.ok + "Content-Length: 5\r\n\r\nhell", Self.chunked + "5\r\nhello\r\n"] {
            let found = answers(text, ended: true)
            #expect(found.count == 1 && found[0].error == -EPIPE, "\(text)")
        }
    }

    @Test func aHeadLargerThanTheLimitAndABodyLargerThanTheBuffer() {
        let line = "X: " + String(repeating: "y", count: 20000)
        let reader = AnswerReader(maxBody: 100, capacity: 40000)
        #expect(reader.feed(Self.ok + line).last?.error == -EMSGSIZE)
        #expect(
            answers(Self.ok + "Content-Length: 900\r\n\r\n" + String(repeating: "z", count: 900), capacity: 500).last?
                .error == -EMSGSIZE)
    }

    @Test func headersAreFoundByAnyCase() {
        let text =
            Self.ok + "X-Mbx-Used-Weight-1M:  42\t\r\nVary: a\r\nVary: b , C\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
        text.withCString { pointer in
            var response = apus_http_response()
            response.head = pointer
            response.head_size = text.utf8.count
            var length = 0
            func value(_ name: String) -> String? {
                guard let found = apus_http_header(&response, name, &length) else { return nil }
                return String(decoding: UnsafeRawBufferPointer(start: found, count: length), as: UTF8.self)
            }
            #expect(value("x-mbx-USED-weight-1m") == "42")
            #expect(value("vary") == "a")
            #expect(value("empty") == "")
            #expect(value("x-mbx") == nil)
            #expect(apus_http_header_has(&response, "vary", "c"))
            #expect(!apus_http_header_has(&response, "vary", "d"))
        }
    }
}

@Suite struct HTTPRequestTests {
    private func endpoint(_ host: String, _ port: UInt16, tls: Bool) -> apus_endpoint {
        var endpoint = apus_endpoint()
        withUnsafeMutableBytes(of: &endpoint.host) { $0.copyBytes(from: host.utf8) }
        endpoint.port = port
        endpoint.tls = tls
        return endpoint
    }

    private func write(
        _ method: String, _ path: String, headers: String? = nil, body: String? = nil, host: String = "api.example",
        port: UInt16 = 443, tls: Bool = true, capacity: Int = 1000
    ) -> (Int32, String) {
        var place = endpoint(host, port, tls: tls)
        let tx = SendBuffer(capacity: capacity)
        func call(_ headers: UnsafePointer<CChar>?) -> Int32 {
            method.withCString { method in
                path.withCString { path in
                    withUnsafePointer(to: &place) { place in
                        let bytes = Array((body ?? "").utf8)
                        return bytes.withUnsafeBytes { bytes in
                            var request = apus_http_request(
                                method: method, endpoint: place, path: path, headers: headers,
                                body: body == nil ? nil : bytes.baseAddress, body_size: bytes.count)
                            return apus_http_write(tx.buffer, &request)
                        }
                    }
                }
            }
        }
        let result = headers.map { text in text.withCString { call($0) } } ?? call(nil)
        return (result, String(decoding: tx.bytes, as: UTF8.self))
    }

    @Test func requestsAreWritten() {
        #expect(write("GET", "/time?x=1") == (0, "GET /time?x=1 HTTP/1.1\r\nHost: api.example\r\n\r\n"))
        #expect(
            write("POST", "/order", headers: "X-Key: k\r\n", body: "{}", host: "127.0.0.1", port: 8080, tls: false)
                == (0, "POST /order HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Key: k\r\nContent-Length: 2\r\n\r\n{}"))
        #expect(
            write("PUT", "/key", host: "::1", port: 80, tls: false)
                == (0, "PUT /key HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 0\r\n\r\n"))
        #expect(write("DELETE", "/order", port: 80) == (0, "DELETE /order HTTP/1.1\r\nHost: api.example:80\r\n\r\n"))
    }

    @Test(
        arguments: [
            ("GET", "/a b", nil), ("GET", "no-slash", nil), ("GET", "", nil), ("GET", "/a\r\nX: y", nil),
            ("G T", "/", nil),
            ("GET", "/", "X: y"), ("GET", "/", "X: y\n"), ("GET", "/", "\r\n"),
            ("GET", "/", "X: y\r\n\r\nGET / HTTP/1.1\r\n"),
            ("GET", "/", "no colon\r\n"), ("GET", "/", "X: a\rb\r\n"),
        ] as [(String, String, String?)])
    func textThatWouldBreakTheFramingIsRefused(method: String, path: String, headers: String?) {
        #expect(write(method, path, headers: headers) == (-EINVAL, ""))
    }

    @Test func aFullBufferTakesNothing() {
        #expect(write("GET", "/time?x=1", capacity: 40) == (-ENOBUFS, ""))
    }
}

@Suite struct HTTPUpgradeTests {
    private var sample: apus_http_upgrade {
        var upgrade = apus_http_upgrade()
        withUnsafeMutableBytes(of: &upgrade.key) { $0.copyBytes(from: "dGhlIHNhbXBsZSBub25jZQ==\0".utf8) }
        return upgrade
    }

    /// The example of RFC 6455, section 1.3.
    @Test func theAnswerToTheSampleKey() {
        var upgrade = sample
        #expect(apus_http_upgrade_accept(&upgrade) == 0)
        let accept = withUnsafeBytes(of: upgrade.accept) {
            String(decoding: $0.prefix(while: { $0 != 0 }), as: UTF8.self)
        }
        #expect(accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func keysAreSixteenBytesAndDiffer() {
        var random = seeded(1)
        var keys: Set<String> = []
        for _ in 0..<50 {
            var upgrade = apus_http_upgrade()
            #expect(apus_http_upgrade_init(&upgrade, &random) == 0)
            let key = withUnsafeBytes(of: upgrade.key) {
                String(decoding: $0.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            #expect(key.utf8.count == 24 && key.hasSuffix("=="))
            keys.insert(key)
        }
        #expect(keys.count == 50)
    }

    static let good = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    static let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

    @Test(
        arguments: [
            ("101 Switching", good + accept, nil),
            ("200 OK", good + accept, "status"),
            ("101 Switching", "Connection: Upgrade\r\n" + accept, "websocket"),
            ("101 Switching", "Upgrade: websocket\r\n" + accept, "Connection"),
            ("101 Switching", good, "without Sec-WebSocket-Accept"),
            ("101 Switching", good + "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "our key"),
            ("101 Switching", good + accept + "Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
            ("101 Switching", good + accept + "Sec-WebSocket-Protocol: chat\r\n", "subprotocol"),
        ] as [(String, String, String?)])
    func answersAreChecked(status: String, headers: String, complaint: String?) {
        var upgrade = sample
        #expect(apus_http_upgrade_accept(&upgrade) == 0)
        let text = "HTTP/1.1 \(status)\r\n\(headers)\r\n"
        text.withCString { pointer in
            var response = apus_http_response()
            response.head = pointer
            response.head_size = text.utf8.count
            response.status = UInt16(status.prefix(3)) ?? 0
            let what = apus_http_upgrade_check(&upgrade, &response).map { String(cString: $0) }
            if let complaint {
                #expect(what?.contains(complaint) == true, "\(what ?? "accepted")")
            } else {
                #expect(what == nil)
            }
        }
    }
}
