import ApusLive
import ApusVenue
import Glibc

/// The venue that `apus run` starts in its own process: real sockets on 127.0.0.1, threads of its own, and one account for us.
struct LoopbackVenue {
    private let venue: LaunchedVenue
    /// Nil where the engine sends no orders.
    let credentials: Credentials?
    let addresses: VenueAddresses

    /// Starts it on a free port.
    static func start(
        _ kind: VenueProtocol, symbols: [String], seed: UInt64, speed: String
    ) throws -> LoopbackVenue {
        guard let pace = MarketSpeed.named(speed) else {
            throw CommandFailure(ExitStatus.usage, "venue.speed: there is no speed \(speed)")
        }
        var launch = VenueLaunch(symbols: symbols, seed: seed, speed: pace)
        var credentials: Credentials?
        switch kind {
        case .binanceUSDM:
            let key = randomHex(64), secret = randomHex(64)
            launch.accounts = ["\(key):\(secret)"]
            credentials = .binance(BinanceCredentials(key: key, secret: secret))
        case .deriv:
            throw CommandFailure(
                ExitStatus.usage,
                "apus run does not start this venue itself; start apus venue --kind deriv beside it (venue.protocol)")
        case .polymarket: break
        }
        let venue = try launch.start(kind)
        guard let port = venue.port else {
            throw CommandFailure(ExitStatus.failure, "the loopback venue has no port")
        }
        return LoopbackVenue(
            venue: venue, credentials: credentials, addresses: .loopback(port: port, isSecure: false))
    }

    func stop() throws { try venue.stop() }
}

/// Lower-case hexadecimal digits from the system's generator.
func randomHex(_ digits: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("0123456789abcdef")
    return String((0..<digits).map { _ in alphabet[Int(generator.next() & 15)] })
}
