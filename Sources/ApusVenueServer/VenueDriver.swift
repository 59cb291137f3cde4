import ApusVenue
import NIOCore
import NIOPosix
import NIOSSL

/// Real time that never goes back: the wall clock at the start plus what the monotonic clock has counted since.
struct VenueClock: Sendable {
    private let wallStart: Int64
    private let monotonicStart: NIODeadline

    init() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        wallStart = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        monotonicStart = .now()
    }

    var now: VenueTime { wallStart + (NIODeadline.now() - monotonicStart).nanoseconds }

    func deadline(of time: VenueTime) -> NIODeadline { monotonicStart + .nanoseconds(time - wallStart) }
}

/// One socket.
private final class VenuePeer {
    let id: ConnectionID
    let channel: any Channel
    var unsent: ByteBuffer

    init(id: ConnectionID, channel: any Channel) {
        self.id = id
        self.channel = channel
        unsent = channel.allocator.buffer(capacity: 16 << 10)
    }
}

/// Brings bytes and time to the core and carries out its outputs.
///
/// `@unchecked Sendable`: everything in it is touched on its event loop only; every method asserts that.
final class VenueDriver<Core: VenueCore>: @unchecked Sendable {
    let loop: any EventLoop
    private let venue: Core
    private let clock: VenueClock
    private let turnInterval: Int64
    private var peers: [ConnectionID: VenuePeer] = [:]
    /// Peers with unsent bytes, in the order in which they got them.
    private var touched: [VenuePeer] = []
    private var timer: Scheduled<Void>?
    private var isStopped = false
    /// How far the market may be behind the clock. Nanoseconds.
    private static var longestLag: Int64 { 100_000_000 }

    init(venue: Core, clock: VenueClock, loop: any EventLoop, turnInterval: Int64) {
        self.venue = venue
        self.clock = clock
        self.loop = loop
        self.turnInterval = max(turnInterval, 1000)
    }

    func withVenue<Result>(_ body: (Core) throws -> Result) rethrows -> Result {
        loop.assertInEventLoop()
        defer { carryOut() }
        return try body(venue)
    }

    // MARK: From the sockets

    func connected(_ channel: any Channel) -> ConnectionID? {
        loop.assertInEventLoop()
        guard !isStopped else { return nil }
        let tls = try? channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        let id = venue.connect(now: marketTime(), isSecure: tls != nil)
        peers[id] = VenuePeer(id: id, channel: channel)
        carryOut()
        return id
    }

    func received(_ id: ConnectionID, _ bytes: ByteBuffer) {
        loop.assertInEventLoop()
        venue.receive(id, Array(bytes.readableBytesView), now: marketTime())
        carryOut()
    }

    func disconnected(_ id: ConnectionID) {
        loop.assertInEventLoop()
        peers[id] = nil
        venue.disconnect(id, now: marketTime())
        carryOut()
    }

    func stop() {
        loop.assertInEventLoop()
        isStopped = true
        timer?.cancel()
        // Closing takes a peer out of the dictionary, so the walk is over a copy; the order does not matter any more.
        for peer in Array(peers.values) { cut(peer) }
        peers = [:]
    }

    // MARK: Time

    /// Runs the market up to now and sets the timer for the next turn.
    func turn() {
        loop.assertInEventLoop()
        guard !isStopped else { return }
        venue.advance(to: marketTime())
        carryOut()
    }

    /// The time to which the venue is to run now; a market that is too far behind it goes on from there.
    private func marketTime() -> VenueTime {
        let now = clock.now
        venue.dropMarket(before: now - Self.longestLag)
        return now
    }

    private func schedule() {
        timer?.cancel()
        timer = nil
        guard !isStopped, let next = venue.nextDeadline else { return }
        let due = max(next, clock.now + turnInterval)
        timer = loop.scheduleTask(deadline: clock.deadline(of: due)) { [weak self] in self?.turn() }
    }

    // MARK: To the sockets

    private func carryOut() {
        for output in venue.takeOutputs() {
            guard let peer = peers[output.connection] else { continue }
            switch output.action {
            case .bytes(let bytes):
                if peer.unsent.readableBytes == 0 { touched.append(peer) }
                peer.unsent.writeBytes(bytes)
            case .close: closeAfterSending(peer)
            case .abort: cut(peer)
            case .pauseReading: setReading(peer, false)
            case .resumeReading: setReading(peer, true)
            }
        }
        for peer in touched { flush(peer) }
        touched.removeAll(keepingCapacity: true)
        schedule()
    }

    private func flush(_ peer: VenuePeer) {
        guard peer.unsent.readableBytes > 0 else { return }
        guard peer.channel.isWritable else {
            // A client that does not read for so long is cut off, as the real venue does.
            venue.disconnect(peer.id, now: marketTime())
            return cut(peer)
        }
        let bytes = peer.unsent
        peer.unsent = peer.channel.allocator.buffer(capacity: bytes.readableBytes)
        peer.channel.writeAndFlush(bytes, promise: nil)
    }

    private func closeAfterSending(_ peer: VenuePeer) {
        peers[peer.id] = nil
        let channel = peer.channel
        let bytes = peer.unsent
        peer.unsent.clear()
        channel.writeAndFlush(bytes).whenComplete { _ in channel.close(promise: nil) }
    }

    /// Cuts a connection with a reset, without TLS's farewell.
    private func cut(_ peer: VenuePeer) {
        peers[peer.id] = nil
        peer.unsent.clear()
        let channel = peer.channel
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        if let tls = try? channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(mode: .all, promise: nil)
        } else {
            channel.close(mode: .all, promise: nil)
        }
    }

    private func setReading(_ peer: VenuePeer, _ isOn: Bool) {
        _ = peer.channel.setOption(.autoRead, value: isOn)
        if isOn { peer.channel.read() }
    }
}

/// The end of a pipeline: hands events to the driver.
final class VenueHandler<Core: VenueCore>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let driver: VenueDriver<Core>
    private var id: ConnectionID?

    init(_ driver: VenueDriver<Core>) { self.driver = driver }

    func channelActive(context: ChannelHandlerContext) {
        id = driver.connected(context.channel)
        if id == nil { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let id { driver.received(id, unwrapInboundIn(data)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let id { driver.disconnected(id) }
        id = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
