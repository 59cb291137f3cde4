import CApusProtocol
import Testing

/// A request queue on a channel, with a shell and a server played by the test.
final class FetchStage {
    struct Outcome: Equatable {
        var tag: UInt64
        var status: UInt16 = 0
        var body = ""
        var error: Int32 = 0
        var sent = true
        var attempts: UInt32 = 1
    }

    static let second: UInt64 = 1_000_000_000

    let channel = UnsafeMutablePointer<apus_channel>.allocate(capacity: 1)
    let fetch = UnsafeMutablePointer<apus_fetch>.allocate(capacity: 1)
    let initialized: Int32
    var now: UInt64 = 1000 * FetchStage.second
    var outcomes: [Outcome] = []
    var newest = apus_fetch_response()
    private let memory: UnsafeMutablePointer<UInt8>

    init(
        seed: UInt64 = 1, slotBytes: Int = 512, txBytes: Int = 1024,
        configure: (inout apus_fetch_config) -> Void = { _ in }
    ) {
        let padding = Int(APUS_PADDING)
        let rxBytes = 4096 + Int(APUS_HTTP_HEAD_BYTES_MAX) + padding
        let storage = slotBytes * Int(APUS_FETCH_SLOTS)
        memory = .allocate(capacity: rxBytes + txBytes + padding + storage)
        memory.initialize(repeating: 0, count: rxBytes + txBytes + padding + storage)
        channel.initialize(to: apus_channel())
        fetch.initialize(to: apus_fetch())
        apus_channel_init(channel, memory, rxBytes, memory + rxBytes, txBytes + padding)
        withUnsafeMutableBytes(of: &channel.pointee.endpoint.host) { $0.copyBytes(from: "api.example".utf8) }
        channel.pointee.endpoint.port = 443
        channel.pointee.endpoint.tls = true
        var config = apus_fetch_config()
        apus_fetch_config_default(&config)
        config.max_body_bytes = 4096
        configure(&config)
        var random = seeded(seed)
        initialized = apus_fetch_init(fetch, channel, &config, memory + rxBytes + txBytes + padding, storage, &random)
    }

    deinit {
        channel.deallocate()
        fetch.deallocate()
        memory.deallocate()
    }

    @discardableResult func submit(
        _ method: String, _ path: String, body: String? = nil, tag: UInt64, idempotent: Bool = false,
        timeout: UInt64 = 0
    ) -> Int32 {
        let bytes = Array((body ?? "").utf8)
        return method.withCString { method in
            path.withCString { path in
                bytes.withUnsafeBytes { bytes in
                    var request = apus_fetch_request(
                        method: method, path: path, headers: nil, body: body == nil ? nil : bytes.baseAddress,
                        body_size: bytes.count, tag: tag, timeout_ns: timeout, idempotent: idempotent)
                    return apus_fetch_submit(fetch, &request, now)
                }
            }
        }
    }

    func turn() {
        while apus_fetch_next(fetch, now, &newest) == 1 {
            let body = UnsafeBufferPointer(start: newest.http.body, count: newest.http.body_size)
            outcomes.append(
                Outcome(
                    tag: newest.tag, status: newest.http.status, body: String(decoding: body, as: UTF8.self),
                    error: newest.error, sent: newest.sent, attempts: newest.attempts))
        }
    }

    func advance(_ seconds: Double) {
        now += UInt64(seconds * 1e9)
        turn()
    }

    func waitForDeadline() {
        let due = apus_fetch_deadline(fetch)
        if due != .max { now = max(now, due) }
        turn()
    }

    func perform() {
        turn()
        if channel.pointee.want == UInt8(APUS_WANT_CLOSE) {
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
            turn()
        }
        if channel.pointee.want == UInt8(APUS_WANT_OPEN) { apus_channel_opening(channel) }
        turn()
    }

    /// Performs, connects and gives the request that comes out.
    func connectAndTakeRequest() -> String {
        perform()
        if channel.pointee.state == UInt8(APUS_CHANNEL_OPENING) { apus_channel_opened(channel, now) }
        turn()
        return sent()
    }

    func closed(_ reason: Int = APUS_CLOSED_PEER) {
        apus_channel_closed(channel, UInt8(reason), 0)
        turn()
    }

    func sent(_ limit: Int = .max) -> String {
        var bytes: UnsafePointer<UInt8>?
        let count = min(limit, apus_channel_pending(channel, &bytes))
        let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
        apus_channel_sent(channel, count, now)
        return text
    }

    func answer(_ text: String) {
        var place: UnsafeMutablePointer<UInt8>?
        precondition(apus_channel_space(channel, &place) >= text.utf8.count)
        for (index, byte) in text.utf8.enumerated() { place?[index] = byte }
        apus_channel_received(channel, text.utf8.count, now, 0)
        turn()
    }
}

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct FetchTests {
    @Test func requestsAreAnsweredInOrderOverOneConnection() {
        let stage = FetchStage()
        #expect(apus_fetch_deadline(stage.fetch) == .max)
        #expect(stage.submit("GET", "/time", tag: 1) == 0)
        #expect(stage.submit("POST", "/order", body: "{}", tag: 2) == 0)
        #expect(apus_fetch_deadline(stage.fetch) == 0)
        #expect(stage.connectAndTakeRequest() == "GET /time HTTP/1.1\r\nHost: api.example\r\n\r\n")
        let asked = stage.now
        stage.now += 5
        stage.answer("HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
        #expect(stage.newest.sent_ns == asked && stage.newest.received_ns == stage.now)
        #expect(stage.sent() == "POST /order HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\n{}")
        stage.answer(ok)
        #expect(
            stage.outcomes == [
                .init(tag: 1, status: 200, body: "ab"), .init(tag: 2, status: 200, body: "ok"),
            ])
        #expect(stage.channel.pointee.generation == 1)
        #expect(apus_fetch_count(stage.fetch) == 0)
    }

    @Test func headersOfAnAnswerCanBeLookedUp() {
        let stage = FetchStage()
        stage.submit("GET", "/depth", tag: 1)
        _ = stage.connectAndTakeRequest()
        stage.answer("HTTP/1.1 200 OK\r\nX-MBX-USED-WEIGHT-1M: 20\r\nContent-Length: 0\r\n\r\n")
        var length = 0
        let value = apus_http_header(&stage.newest.http, "x-mbx-used-weight-1m", &length)
        #expect(value.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: length), as: UTF8.self) } == "20")
    }

    @Test(arguments: [(429, true), (418, true), (503, true), (400, false)])
    func refusalsAreReportedWithTheirPatience(status: UInt16, patient: Bool) {
        let stage = FetchStage()
        stage.submit("GET", "/depth", tag: 1, idempotent: true)
        _ = stage.connectAndTakeRequest()
        stage.answer("HTTP/1.1 \(status) No\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nslow")
        #expect(stage.outcomes == [.init(tag: 1, status: status, body: "slow")])
        #expect(stage.newest.retry_after_ns == (patient ? 30 * FetchStage.second : 0))
        #expect(stage.sent() == "")
    }

    @Test func anOrderThatMayHaveArrivedIsNeverSentAgain() {
        let stage = FetchStage()
        stage.submit("POST", "/order", body: "{}", tag: 1)
        stage.submit("GET", "/time", tag: 2)
        _ = stage.connectAndTakeRequest()
        stage.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        stage.closed()
        #expect(stage.outcomes == [.init(tag: 1, error: -ECONNRESET, sent: true)])
        #expect(stage.connectAndTakeRequest().hasPrefix("GET /time"))
    }

    @Test func oneByteWrittenCountsAsSent() {
        let stage = FetchStage()
        stage.submit("POST", "/order", body: "{}", tag: 1)
        stage.perform()
        apus_channel_opened(stage.channel, stage.now)
        stage.turn()
        #expect(stage.sent(1) == "P")
        stage.closed()
        #expect(stage.outcomes == [.init(tag: 1, error: -ECONNRESET, sent: true)])
    }

    @Test func anOrderOfWhichNothingWasWrittenIsSentOnTheNextConnection() {
        let stage = FetchStage()
        stage.submit("POST", "/order", body: "{}", tag: 1)
        stage.perform()
        apus_channel_opened(stage.channel, stage.now)
        stage.turn()
        stage.closed()
        #expect(stage.outcomes == [])
        stage.waitForDeadline()
        #expect(stage.connectAndTakeRequest().hasPrefix("POST /order"))
        stage.answer(ok)
        #expect(stage.outcomes == [.init(tag: 1, status: 200, body: "ok", attempts: 2)])
    }

    @Test func anUnsentOrderThatIsGivenUpIsNotLeftInTheBuffer() {
        let stage = FetchStage { $0.retries = 0 }
        stage.submit("POST", "/order", body: "{}", tag: 1)
        stage.perform()
        apus_channel_opened(stage.channel, stage.now)
        stage.turn()
        stage.advance(10)
        #expect(stage.outcomes == [.init(tag: 1, error: -ETIMEDOUT, sent: false)])
        // A shell that writes what is left before it closes writes nothing.
        #expect(stage.sent() == "")
    }

    @Test func idempotentRequestsAreTriedSoOften() {
        let stage = FetchStage { $0.retries = 2 }
        stage.submit("GET", "/depth", tag: 1, idempotent: true)
        for _ in 0..<3 {
            #expect(stage.outcomes == [])
            #expect(stage.connectAndTakeRequest().hasPrefix("GET /depth"))
            let before = stage.now
            stage.closed()
            stage.waitForDeadline()
            #expect(stage.now - before <= FetchStage.second)
        }
        #expect(stage.outcomes == [.init(tag: 1, error: -ECONNRESET, sent: true, attempts: 3)])
        #expect(stage.newest.what != nil)
    }

    @Test func aServerThatCannotBeReached() {
        let stage = FetchStage { $0.retries = 1 }
        stage.submit("POST", "/order", tag: 1)
        stage.perform()
        stage.closed(APUS_CLOSED_CONNECT)
        stage.waitForDeadline()
        stage.perform()
        stage.closed(APUS_CLOSED_CONNECT)
        #expect(stage.outcomes == [.init(tag: 1, error: -ECONNREFUSED, sent: false, attempts: 2)])
    }

    @Test func connectingTakesOnlySoLong() {
        let stage = FetchStage { $0.retries = 0 }
        stage.submit("GET", "/time", tag: 1)
        stage.perform()
        stage.advance(5)
        #expect(stage.outcomes == [.init(tag: 1, error: -ETIMEDOUT, sent: false)])
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
    }

    @Test func aLateAnswerIsNeverTakenForTheNext() {
        let stage = FetchStage()
        stage.submit("POST", "/order", tag: 1, timeout: 2 * FetchStage.second)
        stage.submit("GET", "/time", tag: 2)
        _ = stage.connectAndTakeRequest()
        stage.advance(1.9)
        #expect(stage.outcomes == [])
        stage.advance(0.1)
        #expect(stage.outcomes == [.init(tag: 1, error: -ETIMEDOUT)])
        stage.answer(ok)
        #expect(stage.outcomes.count == 1)
        #expect(stage.connectAndTakeRequest().hasPrefix("GET /time"))
        #expect(stage.channel.pointee.generation == 2)
        stage.answer("HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n")
        #expect(stage.outcomes.last == .init(tag: 2, status: 201))
    }

    @Test func anAnswerThatClosesTheConnection() {
        let stage = FetchStage()
        stage.submit("GET", "/a", tag: 1)
        stage.submit("GET", "/b", tag: 2)
        _ = stage.connectAndTakeRequest()
        stage.answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na")
        #expect(stage.outcomes == [.init(tag: 1, status: 200, body: "a")])
        #expect(stage.connectAndTakeRequest().hasPrefix("GET /b"))
        // A body without a length ends with the connection.
        stage.answer("HTTP/1.1 200 OK\r\n\r\nall of it")
        #expect(stage.outcomes.count == 1)
        stage.closed()
        #expect(stage.outcomes.last == .init(tag: 2, status: 200, body: "all of it"))
    }

    @Test func aKeptConnectionThatEndsHarmsNobody() {
        let stage = FetchStage()
        stage.submit("GET", "/a", tag: 1)
        _ = stage.connectAndTakeRequest()
        stage.answer(ok)
        stage.closed()
        stage.submit("POST", "/b", tag: 2)
        #expect(stage.connectAndTakeRequest().hasPrefix("POST /b"))
        stage.answer(ok)
        #expect(stage.outcomes.map(\.tag) == [1, 2])
        #expect(stage.outcomes.allSatisfy { $0.error == 0 && $0.attempts == 1 })
    }

    @Test func anUnusedConnectionIsClosed() {
        let stage = FetchStage()
        stage.submit("GET", "/a", tag: 1)
        _ = stage.connectAndTakeRequest()
        stage.answer(ok)
        stage.waitForDeadline()
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
        stage.perform()
        #expect(apus_fetch_deadline(stage.fetch) == .max)
    }

    @Test func bytesNobodyAskedForAreNotTakenForAnAnswer() {
        let stage = FetchStage()
        stage.submit("GET", "/a", tag: 1)
        _ = stage.connectAndTakeRequest()
        stage.answer(ok + ok)
        stage.submit("GET", "/b", tag: 2)
        #expect(stage.connectAndTakeRequest().hasPrefix("GET /b"))
        #expect(stage.channel.pointee.generation == 2)
        #expect(stage.outcomes.count == 1)
    }

    @Test func malformedAnswersAreErrorsAndNotRetried() {
        let stage = FetchStage()
        stage.submit("GET", "/a", tag: 1, idempotent: true)
        _ = stage.connectAndTakeRequest()
        stage.answer("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        #expect(stage.outcomes == [.init(tag: 1, error: -EMSGSIZE)])
        stage.submit("GET", "/a", tag: 2, idempotent: true)
        _ = stage.connectAndTakeRequest()
        stage.answer("nonsense\r\n\r\n")
        #expect(stage.outcomes.last == .init(tag: 2, error: -EPROTO))
    }

    @Test func aServerThatSpeaksFirstOrHangsUpAtOnceIsGivenUp() {
        let speaks = FetchStage()
        speaks.submit("GET", "/a", tag: 1, idempotent: true)
        speaks.perform()
        apus_channel_opened(speaks.channel, speaks.now)
        speaks.answer("220 smtp\r\n")
        #expect(speaks.outcomes == [.init(tag: 1, error: -EPROTO, sent: false)])
        let hangsUp = FetchStage { $0.retries = 2 }
        hangsUp.submit("GET", "/a", tag: 1, idempotent: true)
        for _ in 0..<3 {
            hangsUp.perform()
            apus_channel_opened(hangsUp.channel, hangsUp.now)
            hangsUp.closed()
            hangsUp.waitForDeadline()
        }
        #expect(hangsUp.outcomes == [.init(tag: 1, error: -ECONNREFUSED, sent: false, attempts: 3)])
    }

    @Test func aFullQueueRefusesAndManyRequestsPassThrough() {
        let stage = FetchStage()
        for tag in 0..<UInt64(APUS_FETCH_SLOTS) { #expect(stage.submit("GET", "/\(tag)", tag: tag) == 0) }
        #expect(stage.submit("GET", "/more", tag: 99) == -EAGAIN)
        var request = stage.connectAndTakeRequest()
        for tag in UInt64(0)..<100 {
            #expect(request.hasPrefix("GET /\(tag) "))
            stage.answer(ok)
            if tag + 16 < 100 { #expect(stage.submit("GET", "/\(tag + 16)", tag: tag + 16) == 0) }
            request = stage.sent()
        }
        #expect(stage.outcomes.map(\.tag) == (0..<100).map { UInt64($0) })
    }

    @Test func requestsThatCannotBeAreRefused() {
        let stage = FetchStage()
        #expect(stage.submit("HEAD", "/", tag: 1) == -EINVAL)
        #expect(stage.submit("GET", "/a b", tag: 1) == -EINVAL)
        #expect(stage.submit("POST", "/", body: String(repeating: "x", count: 600), tag: 1) == -EMSGSIZE)
        #expect(apus_fetch_count(stage.fetch) == 0)
        #expect(FetchStage { $0.max_body_bytes = 4097 }.initialized == -ENOBUFS)
        #expect(FetchStage(slotBytes: 1025).initialized == -ENOBUFS)
        #expect(FetchStage { $0.backoff_min_ns = $0.backoff_max_ns + 1 }.initialized == -EINVAL)
    }

    @Test func stoppingReportsWhatWaits() {
        let stage = FetchStage()
        stage.submit("POST", "/a", tag: 1)
        stage.submit("POST", "/b", tag: 2)
        _ = stage.connectAndTakeRequest()
        apus_fetch_stop(stage.fetch, stage.now)
        stage.turn()
        #expect(
            stage.outcomes == [
                .init(tag: 1, error: -ECANCELED, sent: true, attempts: 0),
                .init(tag: 2, error: -ECANCELED, sent: false, attempts: 0),
            ])
        #expect(stage.submit("GET", "/c", tag: 3) == -ECANCELED)
        #expect(stage.channel.pointee.want == UInt8(APUS_WANT_CLOSE))
        stage.perform()
        #expect(apus_fetch_deadline(stage.fetch) == .max)
        #expect(stage.fetch.pointee.state == UInt8(APUS_FETCH_IDLE))
    }
}
