import Apus
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// One connection to Deriv for what is not urgent: requests with their numbers, answers by them.
///
/// Unchecked: everything mutable belongs to the channel's event loop.
final class DerivSocket: @unchecked Sendable {
    private let channel: any Channel
    private let waiting: DerivWaiting

    private init(_ channel: any Channel, _ waiting: DerivWaiting) {
        self.channel = channel
        self.waiting = waiting
    }

    static let timeout = TimeAmount.seconds(10)

    /// Connects and upgrades.
    static func connect(_ address: VenueAddress, path: String, caFile: String?) async throws(AccountError)
        -> DerivSocket
    {
        do {
            let context = address.isSecure ? try tls(caFile) : nil
            let waiting = DerivWaiting()
            let upgraded = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(5))
                .connect(host: address.host, port: Int(address.port)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try upgrade(channel, address, path, context, waiting)
                    }
                }
            let channel = try await upgraded.get()
            guard let channel else {
                throw AccountError(
                    .refused, "\(address.host) refuses the connection: token, account or app id are wrong")
            }
            return DerivSocket(channel, waiting)
        } catch let error as AccountError {
            throw error
        } catch {
            throw AccountError(.venue, "cannot connect to \(address.host):\(address.port): \(error)")
        }
    }

    private static func tls(_ caFile: String?) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let caFile { configuration.trustRoots = .file(caFile) }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func upgrade(
        _ channel: any Channel, _ address: VenueAddress, _ path: String, _ context: NIOSSLContext?,
        _ waiting: DerivWaiting
    ) throws -> EventLoopFuture<(any Channel)?> {
        if let context {
            let isName = address.host.contains { $0.isLetter }
            try channel.pipeline.syncOperations.addHandler(
                NIOSSLClientHandler(context: context, serverHostname: isName ? address.host : nil))
        }
        let upgrader = NIOTypedWebSocketClientUpgrader<(any Channel)?>(maxFrameSize: 1 << 22) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                let whole = NIOWebSocketFrameAggregator(
                    minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1024, maxAccumulatedFrameSize: 1 << 22)
                try channel.pipeline.syncOperations.addHandlers([whole, DerivSocketHandler(waiting)])
                return channel
            }
        }
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: address.host)
        headers.add(name: "Content-Length", value: "0")
        let configuration = NIOTypedHTTPClientUpgradeConfiguration<(any Channel)?>(
            upgradeRequestHead: HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers),
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in channel.close().map { nil } })
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: .init(upgradeConfiguration: configuration))
    }

    var isOpen: Bool { channel.isActive }

    /// Sends a request, a JSON object without its last brace, and waits for its answer.
    /// - Throws: `AccountError`: `timeout`, `venue` when the connection ends, `rateLimit` and `refused` for the venue's own errors.
    func ask(_ request: String) async throws(AccountError) -> DerivAnswer {
        let promise = channel.eventLoop.makePromise(of: [UInt8].self)
        channel.eventLoop.execute { [channel, waiting] in
            let number = waiting.add(promise)
            var buffer = channel.allocator.buffer(capacity: request.utf8.count + 32)
            buffer.writeString("\(request),\"req_id\":\(number)}")
            let frame = WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: buffer)
            channel.writeAndFlush(frame).whenFailure { _ in waiting.fail(number, Self.gone) }
            channel.eventLoop.scheduleTask(in: Self.timeout) {
                waiting.fail(number, AccountError(.timeout, "the venue did not answer within 10 s"))
            }
        }
        do {
            return try DerivAnswer(try await promise.futureResult.get())
        } catch let error as AccountError {
            throw error
        } catch {
            throw AccountError(.venue, "\(error)")
        }
    }

    static let gone = AccountError(.venue, "the connection to the venue has ended")

    func close() async {
        try? await channel.close()
    }
}

/// Requests that wait for their answers, by number.
///
/// Unchecked: it is used on the channel's event loop alone.
private final class DerivWaiting: @unchecked Sendable {
    private var promises: [Int: EventLoopPromise<[UInt8]>] = [:]
    private var newest = 0

    func add(_ promise: EventLoopPromise<[UInt8]>) -> Int {
        newest += 1
        promises[newest] = promise
        return newest
    }

    func succeed(_ number: Int, _ bytes: [UInt8]) { promises.removeValue(forKey: number)?.succeed(bytes) }
    func fail(_ number: Int, _ error: AccountError) { promises.removeValue(forKey: number)?.fail(error) }

    func failAll(_ error: AccountError) {
        let all = promises.values
        promises = [:]
        for promise in all { promise.fail(error) }
    }
}

/// Gives answers to those who wait.
private final class DerivSocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let waiting: DerivWaiting

    init(_ waiting: DerivWaiting) { self.waiting = waiting }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose: context.close(promise: nil)
        case .text, .binary:
            let bytes = Array(frame.unmaskedData.readableBytesView)
            if let number = DerivAnswer.number(bytes) { waiting.succeed(number, bytes) }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        waiting.failAll(DerivSocket.gone)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        waiting.failAll(AccountError(.venue, "the connection to the venue has failed: \(error)"))
        context.close(promise: nil)
    }
}
