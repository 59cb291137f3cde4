import ApusReplay
import ApusVenue

/// A recording that a venue plays in place of its market.
struct VenuePlayback {
    var path: String
    /// Recorded seconds that pass in one.
    var speed: Double
}

extension VenueLaunch {
    /// Starts a venue that speaks Binance's USDⓈ-M protocol. Accounts are written `key:secret`, or
    /// `key:ed25519:PUBLIC` with a public key in base64: its 32 bytes, or the body of its PEM file.
    func startBinance(playing playback: VenuePlayback? = nil) throws -> LaunchedVenue {
        let accounts = try binanceAccounts()
        let configuration = BinanceConfiguration(
            symbols: try (symbols.isEmpty ? ["BTCUSDT"] : symbols).map(symbolConfiguration), accounts: accounts,
            seed: seed, speed: speed, rateLimits: BinanceRateLimits(enforced: enforcesLimits), faults: faults)
        // A bad path is told here, not by the venue's thread.
        if let playback {
            do { _ = try Recording(path: playback.path) } catch {
                throw CommandFailure(ExitStatus.unavailable, "--play: \(error)")
            }
        }
        let rows = accounts.map { account in
            [(name: "api_key", value: account.apiKey)]
                + (account.publicKey.isEmpty ? [(name: "secret", value: account.secret)] : [])
        }
        return try LaunchedVenue(server, accounts: rows) { now in
            let venue = try BinanceVenue(configuration, now: now)
            if let playback { playRecording(playback, on: venue) }
            return venue
        }
    }

    private func binanceAccounts() throws -> [BinanceAccountConfiguration] {
        if accounts.isEmpty { return [BinanceAccountConfiguration(apiKey: randomHex(64), secret: randomHex(64))] }
        return try accounts.map { text in
            let pair = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { throw CommandFailure(ExitStatus.usage, "--account: expected key:secret") }
            guard pair[1].hasPrefix("ed25519:") else {
                return BinanceAccountConfiguration(apiKey: pair[0], secret: pair[1])
            }
            // In a PEM file twelve bytes that name the algorithm stand before the key (RFC 8410).
            let bytes = BinanceAuthentication.base64Bytes(String(pair[1].dropFirst("ed25519:".count))) ?? []
            guard bytes.count == 32 || bytes.count == 44 else {
                throw CommandFailure(
                    ExitStatus.usage, "--account \(pair[0]): the Ed25519 public key must be base64 of 32 or 44 bytes")
            }
            return BinanceAccountConfiguration(apiKey: pair[0], publicKey: Array(bytes.suffix(32)))
        }
    }
}

/// The instruments that the loopback venue can list.
private func symbolConfiguration(_ name: String) throws -> SymbolConfiguration {
    switch name {
    case "BTCUSDT": return try .btcusdt()
    case "ETHUSDT": return try .ethusdt()
    case "SOLUSDT": return try .solusdt()
    default:
        throw CommandFailure(
            ExitStatus.usage, "the loopback venue lists BTCUSDT, ETHUSDT and SOLUSDT, not \(name) (venue.symbols)")
    }
}

/// Lets the venue play a recording; what cannot be read ends the playback with a word on standard error.
private func playRecording(_ playback: VenuePlayback, on venue: BinanceVenue) {
    do {
        let reader = try Recording(path: playback.path).reader()
        venue.play(speed: playback.speed) {
            do {
                return try reader.next().map { RecordedLine(time: Int64($0.time), payload: Array($0.bytes)) }
            } catch {
                Output.note("apus: \(error)")
                return nil
            }
        }
    } catch {
        Output.note("apus: \(error)")
    }
}
