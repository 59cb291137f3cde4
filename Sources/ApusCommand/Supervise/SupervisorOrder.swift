import ApusEngine
import ApusLive
import Foundation

/// What a supervisor must know of the engine that it stands by: the first line that it reads. Keys come from its environment, which
/// is the engine's.
struct SupervisorOrder: Codable, Sendable {
    var engine: String
    var socket: String
    var journal: String
    var account: UInt64
    var venue: String
    var symbols: [String]
    var rest: String?
    /// Where orders go and metadata comes from, and the venue's settings, where these are more than one address.
    var orders: String?
    var metadata: String?
    var polymarket: PolymarketSettings?
    /// The account's, where the venue prices in it.
    var currency: String?
    var caFile: String?
    /// The venue lives in the engine's process and dies with it.
    var isVenueInside: Bool
    var stallSeconds: Int
    var deadManSeconds: Int
    var deadlineSeconds: Int
    /// After its decision an order may still reach the venue for so long.
    var lateArrivalMilliseconds: UInt64

    /// The account, by the keys of this environment.
    func makeClient() throws -> any AccountClient {
        guard let kind = VenueKind(rawValue: venue) else {
            throw CommandFailure(ExitStatus.usage, "there is no venue \(venue)")
        }
        var configuration = LiveConfiguration(
            venue: kind, symbols: symbols,
            orders: .live(try Credentials(kind, environment: Environment.all())), engine: EngineConfiguration(runTag: 0)
        )
        configuration.addresses.rest = try rest.map { text throws(LiveError) in try VenueAddress(text) }
        configuration.addresses.orders = try orders.map { text throws(LiveError) in try VenueAddress(text) }
        configuration.addresses.metadata = try metadata.map { text throws(LiveError) in try VenueAddress(text) }
        configuration.polymarket = polymarket ?? configuration.polymarket
        configuration.caFile = caFile
        let currency = currency ?? "USD"
        let known = configuration
        let metadata = try blocking {
            try await known.prepareCredentials()
            return try await VenueMetadata.fetch(
                known.venue, symbols: known.symbols, addresses: known.addresses, caFile: known.caFile,
                currency: currency)
        }
        guard let client = try configuration.accountClient(metadata) else {
            throw CommandFailure(ExitStatus.usage, "orders cannot be sent to \(venue)")
        }
        return QueuedAccountClient(client, patience: .seconds(10))
    }
}

/// What the engine says to its supervisor besides: one line.
enum SupervisorWord: String {
    /// Everything was stopped in order; what was not confirmed is in the engine's own report.
    case stopped
}
