import CApusProtocol

/// A link on a channel, with a shell and a server played by the test, and time that moves only when told.
final class LinkStage {
    struct Change: Equatable {
        var state: UInt8
        var reason: UInt8
        var code: UInt16 = 0
    }

    static let second: UInt64 = 1_000_000_000

    let channel = UnsafeMutablePointer<apus_channel>.allocate(capacity: 1)
    let link = UnsafeMutablePointer<apus_link>.allocate(capacity: 1)
    let initialized: Int32
    var now: UInt64 = 1000 * LinkStage.second
    /// Every change of state so far, and the newest with all its details.
    var changes: [Change] = []
    var newest = apus_link_change()
    /// How long each wait was to be.
    var waits: [UInt64] = []
    /// Data messages so far.
    var messages: [String] = []
    private let memory: UnsafeMutablePointer<UInt8>
    private let headers: UnsafeMutablePointer<CChar>

    init(
        seed: UInt64 = 1, path: String = "/stream", headers: String? = nil, maxMessage: Int = 4096, txBytes: Int = 8192,
        configure: (inout apus_link_config) -> Void = { _ in }
    ) {
        let rxBytes = maxMessage + Int(APUS_WS_OVERHEAD) + Int(APUS_PADDING)
        memory = .allocate(capacity: rxBytes + txBytes)
        memory.initialize(repeating: 0, count: rxBytes + txBytes)
        let text = Array((headers ?? "").utf8CString)
        self.headers = .allocate(capacity: text.count)
        self.headers.initialize(from: text, count: text.count)
        channel.initialize(to: apus_channel())
        link.initialize(to: apus_link())
        apus_channel_init(channel, memory, rxBytes, memory + rxBytes, txBytes)
        withUnsafeMutableBytes(of: &channel.pointee.endpoint.host) { $0.copyBytes(from: "venue.example".utf8) }
        channel.pointee.endpoint.port = 443
        channel.pointee.endpoint.tls = true
        var config = apus_link_config()
        apus_link_config_default(&config)
        config.max_message_bytes = UInt64(maxMessage)
        if headers != nil { config.headers = UnsafePointer(self.headers) }
        configure(&config)
        var random = seeded(seed)
        initialized = apus_link_init(link, channel, &config, path, &random)
    }

    deinit {
        channel.deallocate()
        link.deallocate()
        memory.deallocate()
        headers.deallocate()
    }

    var state: Int { Int(link.pointee.state) }

    // MARK: the session

    func start() {
        apus_link_start(link, now)
        turn()
    }

    func stop() {
        apus_link_stop(link, now)
        turn()
    }

    /// The session's turn: messages, timers, changes. Returns what apus_link_next said last.
    @discardableResult func turn() -> Int32 {
        var item = apus_ws_item()
        var result = apus_link_next(link, now, &item)
        while result > 0 {
            messages.append(String(decoding: UnsafeBufferPointer(start: item.data, count: item.size), as: UTF8.self))
            result = apus_link_next(link, now, &item)
        }
        apus_link_tick(link, now)
        while apus_link_poll_change(link, &newest) {
            if newest.state == UInt8(APUS_LINK_WAITING) { waits.append(newest.wait_ns) }
            changes.append(Change(state: newest.state, reason: newest.reason, code: newest.code))
        }
        return result
    }

    func advance(_ seconds: Double) {
        now += UInt64(seconds * 1e9)
        turn()
    }

    /// Waits until the link's own deadline; false when it has none.
    @discardableResult func waitForDeadline() -> Bool {
        let due = apus_link_deadline(link)
        guard due != .max else { return false }
        now = max(now, due)
        turn()
        return true
    }

    // MARK: the shell

    /// Performs what the channel wants, as far as a shell does it without the network's answer.
    func perform() {
        if channel.pointee.want == UInt8(APUS_WANT_OPEN) {
            apus_channel_opening(channel)
        } else if channel.pointee.want == UInt8(APUS_WANT_CLOSE) {
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
        }
        turn()
    }

    func connected() {
        apus_channel_opened(channel, now)
        turn()
    }

    func closed(_ reason: Int = APUS_CLOSED_PEER, error: Int32 = 0) {
        apus_channel_closed(channel, UInt8(reason), error)
        turn()
    }

    /// What the link has sent since the last call.
    func sent() -> [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        let result = Array(UnsafeBufferPointer(start: bytes, count: count))
        apus_channel_sent(channel, count, now)
        return result
    }

    func sentFrames() -> [ClientFrame]? { ClientFrame.all(sent()) }

    @discardableResult func receive(_ bytes: some Collection<UInt8>) -> Int32 {
        var place: UnsafeMutablePointer<UInt8>?
        let space = apus_channel_space(channel, &place)
        precondition(space >= bytes.count, "the test sends more than fits")
        for (index, byte) in bytes.enumerated() { place?[index] = byte }
        apus_channel_received(channel, bytes.count, now, 0)
        return turn()
    }

    // MARK: the server

    var upgradeAnswer: String {
        let accept = withUnsafeBytes(of: link.pointee.upgrade.accept) { Array($0.prefix(while: { $0 != 0 })) }
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(String(decoding: accept, as: UTF8.self))\r\n\r\n"
    }

    /// From CONNECTING to UPGRADING; returns the upgrade request.
    @discardableResult func reachUpgrading() -> String {
        perform()
        connected()
        return String(decoding: sent(), as: UTF8.self)
    }

    /// From CONNECTING to OPEN; returns the upgrade request.
    @discardableResult func reachOpen() -> String {
        let request = reachUpgrading()
        receive(upgradeAnswer.utf8)
        return request
    }
}

extension LinkStage.Change {
    static func idle(_ reason: Int) -> Self { Self(state: UInt8(APUS_LINK_IDLE), reason: UInt8(reason)) }
    static func connecting(_ reason: Int = APUS_REASON_NONE) -> Self {
        Self(state: UInt8(APUS_LINK_CONNECTING), reason: UInt8(reason))
    }
    static var upgrading: Self { Self(state: UInt8(APUS_LINK_UPGRADING), reason: 0) }
    static var open: Self { Self(state: UInt8(APUS_LINK_OPEN), reason: 0) }
    static func closing(_ reason: Int, _ code: Int = 0) -> Self {
        Self(state: UInt8(APUS_LINK_CLOSING), reason: UInt8(reason), code: UInt16(code))
    }
    static func waiting(_ reason: Int, _ code: Int = 0) -> Self {
        Self(state: UInt8(APUS_LINK_WAITING), reason: UInt8(reason), code: UInt16(code))
    }
}
