import ApusLive
import ApusVenue
import ApusVenueServer
import Glibc

/// The venue that `apus run` starts in its own process: real sockets on 127.0.0.1, threads of its own, and one account for us.
struct LoopbackVenue {
    let server: VenueServer
    let credentials: Credentials
    let addresses: VenueAddresses

    /// Starts it on a free port.
    static func start(symbols: [String], seed: UInt64, speed: String) throws -> LoopbackVenue {
        let key = randomHex(64), secret = randomHex(64)
        let account = AccountConfiguration(apiKey: key, secret: secret)
        guard let pace = MarketSpeed.named(speed) else {
            throw CommandFailure(ExitStatus.usage, "venue.speed: there is no speed \(speed)")
        }
        let venue = VenueConfiguration(
            symbols: try symbols.map(symbolConfiguration), accounts: [account], seed: seed, speed: pace)
        let server = try blocking { try await VenueServer.start(VenueServerConfiguration(venue: venue)) }
        guard let port = server.port else {
            throw CommandFailure(ExitStatus.failure, "the loopback venue has no port")
        }
        return LoopbackVenue(
            server: server, credentials: .binance(BinanceCredentials(key: key, secret: secret)),
            addresses: .loopback(port: port, isSecure: false))
    }

    func stop() throws {
        let server = server
        try blocking { try await server.stop() }
    }
}

/// The instruments that the loopback venue can list.
func symbolConfiguration(_ name: String) throws -> SymbolConfiguration {
    switch name {
    case "BTCUSDT": return try .btcusdt()
    case "ETHUSDT": return try .ethusdt()
    case "SOLUSDT": return try .solusdt()
    default:
        throw CommandFailure(
            ExitStatus.usage, "the loopback venue lists BTCUSDT, ETHUSDT and SOLUSDT, not \(name) (venue.symbols)")
    }
}

/// Lower-case hexadecimal digits from the system's generator.
func randomHex(_ digits: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("0123456789abcdef")
    return String((0..<digits).map { _ in alphabet[Int(generator.next() & 15)] })
}
