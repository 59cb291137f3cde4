/// A name with its value: a header, a parameter.
struct NamedText: Equatable {
    var name: String
    var value: String
}

/// A request as it came.
struct HTTPRequest: Equatable {
    var method: String
    /// Without the query.
    var path: String
    /// After the question mark, as it was sent: signatures are over these bytes.
    var query: String
    /// Names in lower case.
    var headers: [NamedText]
    var body: [UInt8]

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Whether a comma-separated header contains a token, without regard to case.
    func header(_ name: String, contains token: String) -> Bool {
        guard let value = header(name) else { return false }
        return value.split(separator: ",").contains { trimmed($0).lowercased() == token }
    }

    /// What was asked, as a fault names it: `POST /order`.
    var operation: String { "\(method) \(path)" }

    var wantsClose: Bool { header("connection", contains: "close") }
}

private func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
}

/// A request that cannot be read, and the status that says so.
struct HTTPError: Error, Equatable {
    var status: Int
    var reason: String
}

/// Reads HTTP/1.1 requests from a byte stream, any split.
struct HTTPCodec {
    static let maxHead = 16 << 10
    static let maxBody = 64 << 10

    private var buffer: [UInt8] = []

    mutating func feed(_ bytes: [UInt8]) { buffer.append(contentsOf: bytes) }

    /// Bytes behind the last request: what a WebSocket client sent right after its upgrade.
    mutating func takeRest() -> [UInt8] {
        defer { buffer = [] }
        return buffer
    }

    /// The next complete request, or nil when more bytes are needed.
    mutating func next() throws(HTTPError) -> HTTPRequest? {
        guard let headEnd = findHeadEnd() else {
            if buffer.count > Self.maxHead { throw HTTPError(status: 431, reason: "the request head is too long") }
            return nil
        }
        guard let head = String(validating: buffer[..<headEnd], as: UTF8.self) else {
            throw HTTPError(status: 400, reason: "the request head is not UTF-8")
        }
        var request = try Self.parseHead(head)
        let length = try Self.bodyLength(request)
        guard buffer.count >= headEnd + 4 + length else { return nil }
        request.body = Array(buffer[(headEnd + 4)..<(headEnd + 4 + length)])
        buffer.removeFirst(headEnd + 4 + length)
        return request
    }

    private func findHeadEnd() -> Int? {
        guard buffer.count >= 4 else { return nil }
        for index in 0...(buffer.count - 4)
        where buffer[index] == 13 && buffer[index + 1] == 10 && buffer[index + 2] == 13 && buffer[index + 3] == 10 {
            return index
        }
        return nil
    }

    private static func parseHead(_ head: String) throws(HTTPError) -> HTTPRequest {
        // "\r\n" is one Character in Swift, so lines are split there.
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        let parts = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2] == "HTTP/1.1", !parts[0].isEmpty, parts[1].first == "/" else {
            throw HTTPError(status: 400, reason: "the request line is not HTTP/1.1")
        }
        let target = parts[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var headers: [NamedText] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
                throw HTTPError(status: 400, reason: "a header has no name")
            }
            headers.append(
                NamedText(name: line[..<colon].lowercased(), value: trimmed(line[line.index(after: colon)...])))
        }
        return HTTPRequest(
            method: String(parts[0]), path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
            headers: headers, body: [])
    }

    private static func bodyLength(_ request: HTTPRequest) throws(HTTPError) -> Int {
        guard request.header("transfer-encoding") == nil else {
            throw HTTPError(status: 411, reason: "a body needs Content-Length")
        }
        guard let text = request.header("content-length") else { return 0 }
        guard let length = Int(text), length >= 0 else {
            throw HTTPError(status: 400, reason: "Content-Length is no number")
        }
        guard length <= maxBody else { throw HTTPError(status: 413, reason: "the body is too long") }
        return length
    }

    /// A whole response with a JSON body.
    static func response(
        status: Int, headers: [NamedText] = [], body: [UInt8], close: Bool
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(body.count + 256)
        out.append("HTTP/1.1 ")
        out.append(integer: Int64(status))
        out.append(32)
        out.append(text: reason(status))
        out.append("\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: ")
        out.append(integer: Int64(body.count))
        for header in headers {
            out.append("\r\n")
            out.append(text: header.name)
            out.append(": ")
            out.append(text: header.value)
        }
        out.append(close ? "\r\nConnection: close\r\n\r\n" : "\r\nConnection: keep-alive\r\n\r\n")
        out.append(contentsOf: body)
        return out
    }

    /// The answer to a WebSocket upgrade.
    static func upgradeResponse(key: String) -> [UInt8] {
        var out: [UInt8] = []
        out.append(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
        out.append(contentsOf: WebSocketCodec.acceptText(forKey: key))
        out.append("\r\n\r\n")
        return out
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 411: "Length Required"
        case 413: "Payload Too Large"
        case 425: "Too Early"
        case 418: "I'm a teapot"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Status"
        }
    }
}
