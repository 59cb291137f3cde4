import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

/// One life on Binance from one seed.
final class Life: World<EngineSide, BinanceVenue> {
    let sabotage: Sabotage
    let truth: Truth
    var hiddenGap = HiddenGap()
    var checkedUpdates: [UInt64] = [0, 0]
    var states: [UInt8] = [0, 0]

    init(seed: UInt64, sabotage: Sabotage = .none) throws {
        var character = Character(seed: seed)
        if sabotage != .none { character.calm(for: sabotage) }
        self.sabotage = sabotage
        var configuration = BinanceConfiguration(
            symbols: [try Self.small(.btcusdt()), try Self.small(.ethusdt())],
            accounts: [
                BinanceAccountConfiguration(
                    apiKey: EngineSide.apiKey, secret: EngineSide.secret, balance: Self.startWallet)
            ],
            seed: seed,
            speed: MarketSpeed(
                actionsPerSecond: character.actionsPerSecond, depthInterval: Int64(character.depthInterval)))
        configuration.faults = FaultPlan(rates: character.rates)
        configuration.heartbeat.interval = Int64(second)
        configuration.heartbeat.timeout = Int64(3 * second)
        configuration.heartbeat.connectionLifetime = Int64(15 * second)
        let venue = try BinanceVenue(configuration, now: Int64(Self.start) + Self.wallOffset + character.clockSkew)
        truth = Truth(venue)
        let ledger = Ledger(), disk = SimulatedDisk(seed: seed), pause = character.traderPause
        let engine = try EngineSide(character, wallOffset: Self.wallOffset, disk: disk) {
            RandomTrader(ledger: ledger, dice: Dice(seed: seed, part: 4), pause: pause)
        }
        super.init(character, ledger, venue: venue, engine: engine, disk: disk)
    }

    /// A book of a hundred levels is enough to be wrong in.
    private static func small(_ symbol: SymbolConfiguration) throws -> SymbolConfiguration {
        var symbol = symbol
        symbol.farLevels = 10
        return symbol
    }

    override func noteVenue() {
        truth.note()
        checkLimits()
    }

    override func pass(_ bytes: [UInt8]) -> [UInt8]? { sabotage == .hiddenGap ? hiddenGap.pass(bytes) : bytes }

    override func checkPublished() { holdPublished() }
    override func rise() throws { try riseAgain() }
    override func isAtVenue(_ id: UInt64) -> Bool {
        venue.order(apiKey: EngineSide.apiKey, clientOrderID: Self.clientText(id)) != nil
    }
    override func differences() -> [Problem] { allDifferences() }

    override func strikeVenue() {
        venue.advance(to: wall)
        venue.expireListenKey(apiKey: EngineSide.apiKey)
        afterVenue()
    }

    override func sabotageEngine() { sabotageOnce() }
    override func sabotageReports() { skipCorrections() }
}
