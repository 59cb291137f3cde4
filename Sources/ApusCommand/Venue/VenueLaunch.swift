import ApusVenue
import ApusVenueServer
import ArgumentParser

/// The protocols that a venue in this process can speak.
enum VenueProtocol: String, CaseIterable, ExpressibleByArgument {
    case binanceUSDM = "binance-usdm"
    case deriv
    case polymarket

    static var names: [String] { allCases.map(\.rawValue) }
}

/// What a venue is started from, whatever it speaks.
struct VenueLaunch {
    /// Instruments as the venue names them; empty: the venue's default.
    var symbols: [String] = []
    /// Accounts as the venue's kind writes them; empty: one with new keys.
    var accounts: [String] = []
    var seed: UInt64 = 1
    var speed = MarketSpeed.real
    var faults = FaultPlan()
    /// Whether the real venue's rate limits are enforced.
    var enforcesLimits = false
    var server = VenueServerConfiguration()

    func start(_ kind: VenueProtocol) throws -> LaunchedVenue {
        switch kind {
        case .binanceUSDM: try startBinance()
        case .deriv: try startDeriv()
        case .polymarket: try startPolymarket()
        }
    }
}

/// A venue that runs in this process.
struct LaunchedVenue: Sendable {
    let port: Int?
    let tlsPort: Int?
    /// What its accounts trade with: for each one names, as in JSON, and values.
    let accounts: [[(name: String, value: String)]]
    /// What can be traded, where ids are made up.
    let instruments: [[(name: String, value: String)]]
    private let end: @Sendable () throws -> Void

    /// - Throws: `CommandFailure` when the configuration is refused or the venue cannot listen.
    init<Core: VenueCore>(
        _ server: VenueServerConfiguration, accounts: [[(name: String, value: String)]],
        instruments: [[(name: String, value: String)]] = [],
        make: @escaping @Sendable (VenueTime) throws -> Core
    ) throws {
        do {
            let running = try blocking { try await VenueServer.start(server, make: make) }
            port = running.port
            tlsPort = running.tlsPort
            end = { try blocking { try await running.stop() } }
        } catch let error as VenueConfigurationError {
            throw CommandFailure(ExitStatus.usage, "\(error)")
        } catch {
            throw CommandFailure(ExitStatus.unavailable, "cannot start the venue: \(error)")
        }
        self.accounts = accounts
        self.instruments = instruments
    }

    func stop() throws { try end() }
}
