import ApusVenue
import ApusVenueServer
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Testing

/// The shell on real sockets. What the venue says is tested on the core; here it is that bytes and faults get through.
@Suite(.serialized) struct ServerTests {
    private func start(tls: Bool = false, rules: [FaultRule] = [], path: String? = nil) async throws
        -> VenueServer<BinanceVenue>
    {
        let configuration = BinanceConfiguration(
            symbols: [try .btcusdt()], accounts: [BinanceAccountConfiguration(apiKey: "k", secret: "s")],
            faults: FaultPlan(rules: rules))
        return try await VenueServer.start(
            VenueServerConfiguration(port: tls ? nil : 0, tlsPort: tls ? 0 : nil, certificatePath: path)
        ) { try BinanceVenue(configuration, now: $0) }
    }

    private static let upgrade = """
        GET /ws/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
        """

    /// Sends a text and reads until what has come contains the wanted one; throws when the connection ends before.
    private func talk(port: Int, tls: NIOSSLContext? = nil, send: String, until wanted: String) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: send))
            var seen = ""
            for try await bytes in inbound {
                seen += String(decoding: bytes.readableBytesView, as: UTF8.self)
                if seen.contains(wanted) { return seen }
            }
            throw Ended(seen: seen)
        }
    }

    private struct Ended: Error { var seen: String }

    @Test func aPlainClientIsAnsweredAndHearsTheMarket() async throws {
        let server = try await start()
        let port = try #require(server.port)
        #expect(server.tlsPort == nil)
        let ping = "GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
        #expect(try await talk(port: port, send: ping, until: "\r\n\r\n{}").hasPrefix("HTTP/1.1 200 OK\r\n"))
        let market = try await talk(port: port, send: Self.upgrade, until: "\"e\":\"bookTicker\"")
        #expect(market.contains("101 Switching Protocols"))
        #expect(try await server.withVenue { $0.statistics.participantActions } > 0)
        try await server.stop()
    }

    @Test func aTLSClientVerifiesTheCertificateThatWasWritten() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "apus-venue-\(UUID().uuidString).pem").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let server = try await start(tls: true, path: path)
        let port = try #require(server.tlsPort)
        var trusting = TLSConfiguration.makeClientConfiguration()
        trusting.trustRoots = .file(path)
        let market = try await talk(
            port: port, tls: try NIOSSLContext(configuration: trusting), send: Self.upgrade,
            until: "\"e\":\"bookTicker\"")
        #expect(market.contains("101 Switching Protocols"))
        let distrusting = try NIOSSLContext(configuration: TLSConfiguration.makeClientConfiguration())
        await #expect(throws: (any Error).self) {
            try await self.talk(port: port, tls: distrusting, send: Self.upgrade, until: "\"e\":\"bookTicker\"")
        }
        try await server.stop()
    }

    @Test func anAbortEndsTheConnection() async throws {
        let rule = FaultRule(.disconnect, .afterMessages(3), target: FaultTarget(stream: "bookTicker"))
        let server = try await start(rules: [rule])
        let port = try #require(server.port)
        await #expect(throws: (any Error).self) {
            try await self.talk(port: port, send: Self.upgrade, until: "this never comes")
        }
        let log = try await server.withVenue { $0.faultLog }
        #expect(log.map(\.kind) == [.disconnect])
        try await server.stop()
    }

    @Test func aTakenPortIsAnError() async throws {
        let server = try await start()
        let configuration = BinanceConfiguration(symbols: [try .btcusdt()], accounts: [])
        await #expect(throws: (any Error).self) {
            _ = try await VenueServer.start(VenueServerConfiguration(port: server.port)) {
                try BinanceVenue(configuration, now: $0)
            }
        }
        try await server.stop()
    }
}
