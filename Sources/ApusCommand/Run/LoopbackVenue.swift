import ApusLive
import ApusVenue
import Glibc

/// The venue that `apus run` starts in its own process: real sockets on 127.0.0.1, threads of its own, and one account for us.
struct LoopbackVenue {
    private let venue: LaunchedVenue
    /// Nil where the engine sends no orders.
    let credentials: Credentials?
    let addresses: VenueAddresses
    /// What its instruments are called: Polymarket's names of markets become the token ids of their first outcomes.
    let symbols: [String]

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
            let token = randomHex(32), account = "VRTC90000001"
            launch.accounts = ["\(account):\(token)"]
            launch.symbols = underlyings(of: symbols)
            credentials = .deriv(DerivCredentials(token: token, appID: "1089", account: account))
        case .polymarket: break
        }
        let venue = try launch.start(kind)
        var names = symbols
        if kind == .polymarket {
            let key = venue.accounts.first?.first { $0.name == "private_key" }?.value ?? ""
            credentials = .polymarket(
                try PolymarketCredentials(key: PolymarketKey(key), funder: nil, signatureType: 0, api: nil))
            names = venue.instruments.compactMap { row in row.first { $0.name == "yes" }?.value }
        }
        guard let port = venue.port else {
            throw CommandFailure(ExitStatus.failure, "the loopback venue has no port")
        }
        return LoopbackVenue(
            venue: venue, credentials: credentials, addresses: .loopback(port: port, isSecure: false), symbols: names)
    }

    func stop() throws { try venue.stop() }
}

/// The indices that Deriv's instruments stand on, each once: `R_100` of `R_100/CALL/5t/stake/10`.
private func underlyings(of symbols: [String]) -> [String] {
    var names: [String] = []
    for symbol in symbols {
        let name = String(symbol.prefix { $0 != "/" })
        if !names.contains(name) { names.append(name) }
    }
    return names
}

/// Lower-case hexadecimal digits from the system's generator.
func randomHex(_ digits: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("0123456789abcdef")
    return String((0..<digits).map { _ in alphabet[Int(generator.next() & 15)] })
}
