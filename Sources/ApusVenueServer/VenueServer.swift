import ApusVenue
import NIOCore
import NIOPosix
import NIOSSL

/// Where and how a venue listens.
package struct VenueServerConfiguration: Sendable {
    /// Port for plain connections on 127.0.0.1; 0 takes a free one, nil opens none.
    package var port: Int?
    /// Port for TLS connections on 127.0.0.1; 0 takes a free one, nil opens none.
    package var tlsPort: Int?
    /// Where to write the PEM of the certificate authority that was made for this run; clients verify against it.
    package var certificatePath: String?
    /// Shortest time between two turns of the market, in nanoseconds. Shorter is smoother and costs more wake-ups.
    package var turnInterval: Int64

    package init(
        port: Int? = 0, tlsPort: Int? = nil, certificatePath: String? = nil, turnInterval: Int64 = 250_000
    ) {
        self.port = port
        self.tlsPort = tlsPort
        self.certificatePath = certificatePath
        self.turnInterval = turnInterval
    }
}

/// A venue on real sockets: a thin shell that brings bytes and time to the core and carries out what it says.
///
/// One event loop on one thread owns the core and all connections.
///
///     let server = try await VenueServer.start(VenueServerConfiguration()) { try BinanceVenue(configuration, now: $0) }
///     print(server.port ?? 0)
///     let fills = try await server.withVenue { $0.statistics.fills }
///     try await server.stop()
package final class VenueServer<Core: VenueCore>: Sendable {
    /// The plain port that was bound.
    package let port: Int?
    /// The TLS port that was bound.
    package let tlsPort: Int?
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let driver: VenueDriver<Core>
    private let listeners: [any Channel]

    private init(
        group: MultiThreadedEventLoopGroup, driver: VenueDriver<Core>, plain: (any Channel)?, tls: (any Channel)?
    ) {
        self.group = group
        loop = driver.loop
        self.driver = driver
        port = plain?.localAddress?.port
        tlsPort = tls?.localAddress?.port
        listeners = [plain, tls].compactMap { $0 }
    }

    /// Makes the venue, binds its ports and starts its market.
    ///
    /// - Parameter make: Makes the core, on the server's thread, for the moment in which its market begins.
    /// - Throws: What `make` throws, or the error of a port that cannot be bound or a file that cannot be written.
    package static func start(
        _ configuration: VenueServerConfiguration, make: @escaping @Sendable (VenueTime) throws -> Core
    ) async throws -> VenueServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let loop = group.any()
            let driver = try await loop.submit {
                let clock = VenueClock()
                let venue = try make(clock.now)
                return VenueDriver(venue: venue, clock: clock, loop: loop, turnInterval: configuration.turnInterval)
            }.get()
            let plain = try await bind(configuration.port, group, driver, tls: nil)
            var tls: (any Channel)?
            if configuration.tlsPort != nil {
                let identity = try TestIdentity.make()
                if let path = configuration.certificatePath { try identity.writeAuthority(to: path) }
                tls = try await bind(configuration.tlsPort, group, driver, tls: try identity.serverContext())
            }
            try await loop.submit { driver.turn() }.get()
            return VenueServer(group: group, driver: driver, plain: plain, tls: tls)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func bind(
        _ port: Int?, _ group: MultiThreadedEventLoopGroup, _ driver: VenueDriver<Core>, tls: NIOSSLContext?
    ) async throws -> (any Channel)? {
        guard let port else { return nil }
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 8 << 20, high: 32 << 20))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandler(VenueHandler(driver))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    /// Looks at the venue, or changes it, on its own thread.
    package func withVenue<Result: Sendable>(
        _ body: @escaping @Sendable (Core) throws -> Result
    ) async throws -> Result {
        let driver = driver
        return try await loop.submit { try driver.withVenue(body) }.get()
    }

    /// Closes every connection and port and ends the thread.
    package func stop() async throws {
        for listener in listeners { try await listener.close().get() }
        let driver = driver
        try await loop.submit { driver.stop() }.get()
        try await group.shutdownGracefully()
    }
}
