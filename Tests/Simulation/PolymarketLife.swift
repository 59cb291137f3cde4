import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

/// One life on Polymarket from one seed.
final class PolymarketLife: World<PolymarketEngine, PolymarketVenue> {
    /// The shortest patience of the venue without heartbeats.
    static let heartbeat = 3 * second
    /// After a restart only post-only orders pass for so long.
    static let postOnly = 1500 * millisecond

    let wallet: PolymarketWallet
    let sabotage: PolymarketSabotage
    /// The order that a sabotage has sent again last.
    var retried = OrderID(0)
    /// What came on connections that are not the engine's.
    var strays: [Int: [UInt8]] = [:]
    /// Trades that had not been settled when an engine died.
    private var unsettled: Set<String> = []
    /// What failed sales have brought back, by token: no limit of the engine's can keep that out.
    var returned: [String: Int64] = [:]

    init(seed: UInt64, sabotage: PolymarketSabotage = .none) throws {
        var character = Self.character(seed)
        if sabotage != .none { character.calm(for: sabotage) }
        self.sabotage = sabotage
        var dice = Dice(seed: seed, part: 8)
        let wallet = try PolymarketWallet(&dice)
        self.wallet = wallet
        var configuration = PolymarketConfiguration(
            markets: wallet.markets, accounts: [wallet.account], seed: seed,
            speed: MarketSpeed(actionsPerSecond: character.actionsPerSecond, depthInterval: 0),
            faults: FaultPlan(rates: character.rates))
        configuration.rateLimits.enforced = true
        Self.setTimes(&configuration.timing, &dice, isCalm: sabotage != .none)
        let begin = Self.start - 5 * second
        let offset = Self.wallOffset + character.clockSkew
        let venue = try PolymarketVenue(configuration, now: Int64(begin) + offset)
        try Self.makeKey(wallet, venue, from: Int64(begin) + offset)
        let ledger = Ledger(), disk = SimulatedDisk(seed: seed), pause = character.traderPause
        let engine = try PolymarketEngine(character, wallet, wallOffset: Self.wallOffset, disk: disk) {
            PolymarketTrader(ledger: ledger, dice: Dice(seed: seed, part: 4), pause: pause)
        }
        super.init(character, ledger, venue: venue, engine: engine, disk: disk)
    }

    private static func setTimes(_ timing: inout PolymarketTiming, _ dice: inout Dice, isCalm: Bool) {
        timing.mining = Int64(dice.between(100 * millisecond, 2 * second))
        timing.retrying = Int64(dice.between(100 * millisecond, 3 * second))
        timing.confirmation = Int64(500 * millisecond)
        // What is left open by an engine that has died ends soon, or is found again.
        timing.heartbeat = isCalm || dice.once(in: 2) ? Int64(60 * second) : Int64(heartbeat)
        // What is late by more never arrives, as "not found" supposes.
        timing.timestampTolerance = Int64(5 * second)
        timing.restartOutage = Int64(second)
        timing.postOnlyAfterRestart = Int64(postOnly)
        let restart = Int64(dice.between(6 * second, 14 * second))
        if !isCalm && dice.once(in: 4) { timing.weeklyRestart = restart }
    }

    /// Has the venue make the wallet's API key; faults strike here too, so it is asked again.
    private static func makeKey(_ wallet: PolymarketWallet, _ venue: PolymarketVenue, from start: VenueTime) throws {
        for attempt in 0..<40 {
            let now = start + Int64(attempt) * Int64(100 * millisecond)
            let id = venue.connect(now: now)
            // An answer that was lost leaves a key behind, which is derived.
            let method = attempt % 2 == 0 ? ("POST", "/auth/api-key") : ("GET", "/auth/derive-api-key")
            venue.receive(id, wallet.keyRequest(method.0, method.1, seconds: UInt64(now) / second), now: now)
            for output in venue.takeOutputs() where output.connection == id {
                if case .bytes(let bytes) = output.action, wallet.takeKey(bytes) {
                    venue.disconnect(id, now: now)
                    return
                }
            }
            venue.disconnect(id, now: now)
        }
        throw SetUpError(description: "the venue makes no API key")
    }

    // MARK: A venue's own

    override func noteVenue() { checkLimits() }

    override func takeStray(_ output: VenueOutput) {
        if case .bytes(let bytes) = output.action { strays[output.connection.value, default: []] += bytes }
    }

    override func strikeVenue() {
        venue.advance(to: wall)
        let market = wallet.markets[network.below(2)]
        switch network.below(3) {
        case 0: venue.changeTick(conditionID: market.conditionID, to: 10)
        case 1: venue.restart(outage: Int64(network.between(500 * millisecond, 2 * second)), status: 425)
        default: venue.restart(outage: Int64(network.between(100 * millisecond, second)), status: nil)
        }
        afterVenue()
    }

    override func checkPublished() {
        var event = apus_event()
        while apus_feed_read(&engine.reader, &event) != APUS_FEED_EMPTY {
            digest = BookFingerprint.add(digest, Int64(event.kind), event.bid_price)
        }
    }

    override func died() {
        for fill in venue.fills(signer: wallet.signer) where [.matched, .retrying].contains(fill.status) {
            unsettled.insert(fill.tradeID)
        }
    }

    override func tally() -> [String: Int] {
        let fills = venue.fills(signer: wallet.signer)
        let failed = Set(fills.filter { $0.status == .failed }.map(\.tradeID))
        var tally = ["failed trades": failed.count, "failed after a death": failed.intersection(unsettled).count]
        for record in faults { tally[Self.name(record.kind), default: 0] += 1 }
        return tally
    }

    private static func name(_ fault: FaultKind) -> String {
        switch fault {
        case .httpStatus(let status): "status \(status)"
        case .delayedAnswer(let time): time > Int64(second) ? "late answers" : "delayed answers"
        case .failedAnswer: "failed answers"
        case .lostAnswer, .cutAnswer: "lost answers"
        case .restart: "restarts"
        case .duplicate, .reorder: "doubled and reordered events"
        default: "other faults"
        }
    }

    override func isAtVenue(_ id: UInt64) -> Bool { order(of: id, among: ordersBySalt()) != nil }

    override func rise() throws { try riseAgain() }

    override func differences() -> [Problem] { allDifferences() }

    override func sabotageEngine() { sabotageOnce() }

    override func sabotageReports() { changeTrades() }
}
