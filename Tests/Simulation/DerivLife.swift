import ApusVenue
import CApusProtocol
import CApusRing

/// One life of Deriv's sessions from one seed: the account and the market on the venue's core, a network that loses, delays and cuts,
/// and processes that die. A trader of the simplest kind stands in for the engine: it buys, sells, asks about what it does not know,
/// and keeps what it was told; what lies in the rings when a process dies is lost.
final class DerivLife {
    static let account = "VRTC1"
    static let token = "simulated-token"
    static let wallOffset: Int64 = 1_700_000_000_000_000_000
    static let step = 5 * millisecond

    let seed: UInt64
    let isV3: Bool
    let venue: DerivVenue
    var engine: DerivEngine
    var trader: DerivTrader
    var pipes: [DerivPipe?] = [nil, nil, nil]
    var dice: Dice
    var now: UInt64 = 10 * second
    var faultsOn = true
    var refusesUntil: UInt64 = 0
    var counts = DerivCounts()
    var problems: [Problem] = []
    private var nextFault: UInt64 = 0
    /// What waits for the next order.
    private enum Ambush { case cut, death }
    private var ambush: Ambush?
    /// Connections that have ended here and not yet at the venue.
    private var ghosts: [DerivPipe] = []
    let sabotage: DerivSabotage?
    var isSabotaged = false

    /// - Parameters:
    ///   - isCalm: Nothing goes wrong.
    ///   - sabotage: The one thing that goes wrong in a calm life.
    init(seed: UInt64, isCalm: Bool = false, sabotage: DerivSabotage? = nil) throws {
        self.seed = seed
        self.sabotage = sabotage
        dice = Dice(seed: seed, part: 31)
        isV3 = dice.once(in: 2)
        faultsOn = !isCalm
        var configuration = DerivVenueConfiguration(
            symbols: [DerivSymbol.all[3]],
            accounts: [DerivAccountConfiguration(id: Self.account, token: Self.token, balance: 10_000_000)], seed: seed)
        configuration.budgets.enforced = true
        if !isCalm { configuration.faults = FaultPlan(rates: Self.rates(&dice)) }
        // Without a lost answer nothing would be there to be tried again.
        if sabotage == .retryBuy { configuration.faults.rates.lostAnswer = 100_000 }
        venue = try DerivVenue(configuration, now: Int64(now) + Self.wallOffset)
        engine = try DerivEngine(isV3: isV3, dice: &dice)
        trader = DerivTrader(dice: Dice(seed: seed, part: 32))
        trader.interfere = { [unowned self] in self.passes(&$0) }
        engine.start(now)
    }

    private static func rates(_ dice: inout Dice) -> FaultRates {
        var rates = FaultRates()
        func some(_ dice: inout Dice, _ most: Int) -> Int { dice.once(in: 2) ? 0 : dice.below(most) }
        rates.disconnect = some(&dice, 4000)
        rates.freeze = some(&dice, 3000)
        rates.gap = some(&dice, 20_000)
        rates.duplicate = some(&dice, 20_000)
        rates.reorder = some(&dice, 10_000)
        rates.corrupt = some(&dice, 5000)
        rates.lostAnswer = some(&dice, 30_000)
        rates.delayedAnswer = some(&dice, 50_000)
        rates.lateAnswer = some(&dice, 20_000)
        rates.cutAnswer = some(&dice, 30_000)
        rates.failedAnswer = some(&dice, 20_000)
        rates.serverError = some(&dice, 20_000)
        rates.restart = some(&dice, 2000)
        return rates
    }

    var wall: Int64 { Int64(now) + Self.wallOffset }

    /// Lives for two minutes with faults and as long as is needed without. Returns what was wrong.
    func live() throws -> [Problem] {
        let end = now + 120 * second
        while now < end { try pass() }
        faultsOn = false
        let faults = venue.stopFaults()
        (counts.venueFaults, counts.doubled) = (faults.count, faults.count { $0.kind == .duplicate })
        trader.isQuiet = true
        let patience = now + 150 * second
        while now < patience {
            for _ in 0..<200 { try pass() }
            // A balance whose news were lost is asked for now and then, and a stream that was frozen is found out by a question too:
            // it has to stand for a while.
            guard isAtRest else { continue }
            for _ in 0..<600 { try pass() }
            if isAtRest { break }
        }
        check()
        return problems
    }

    private var isAtRest: Bool {
        trader.isSettled && venue.openContracts(account: Self.account).isEmpty && isBalanceKnown
            && engine.tickProblems(venue, isFinal: true).isEmpty
    }

    private func pass() throws {
        now += Self.step
        venue.advance(to: wall)
        carry()
        haunt()
        if faultsOn { try strike() }
        for index in 0..<3 { serve(index) }
        engine.turn(now)
        for index in 0..<3 { collect(index) }
        if faultsOn { try spring() }
        trader.turn(engine, now, wall)
        carry()
    }

    // MARK: Network

    private func serve(_ index: Int) {
        let channel = engine.channels[index]
        if channel.pointee.want == UInt8(APUS_WANT_OPEN), channel.pointee.state == UInt8(APUS_CHANNEL_CLOSED) {
            apus_channel_opening(channel)
            pipes[index] = DerivPipe(openAt: now + dice.between(millisecond, 60 * millisecond))
        }
        if channel.pointee.want == UInt8(APUS_WANT_CLOSE), channel.pointee.state != UInt8(APUS_CHANNEL_CLOSED) {
            if let id = pipes[index]?.venue { venue.disconnect(id, now: wall) }
            pipes[index] = nil
            apus_channel_closed(channel, UInt8(APUS_CLOSED_ASKED), 0)
        }
        guard let pipe = pipes[index] else { return }
        if pipe.venue == nil, now >= pipe.openAt {
            if now < refusesUntil {
                pipes[index] = nil
                apus_channel_closed(channel, UInt8(APUS_CLOSED_CONNECT), 111)
                return
            }
            pipe.venue = venue.connect(now: wall)
            apus_channel_opened(channel, now)
        }
        deliver(pipe, channel)
    }

    private func deliver(_ pipe: DerivPipe, _ channel: UnsafeMutablePointer<apus_channel>) {
        while let first = pipe.up.first, first.time <= now, let id = pipe.venue {
            pipe.up.removeFirst()
            venue.receive(id, first.bytes, now: wall)
            carry()
        }
        guard channel.pointee.state == UInt8(APUS_CHANNEL_OPEN) else { return }
        while let first = pipe.down.first, first.time <= now, !channel.pointee.paused {
            var place: UnsafeMutablePointer<UInt8>?
            let space = apus_channel_space(channel, &place)
            let count = min(space, first.bytes.count)
            guard count > 0, let place else { break }
            for offset in 0..<count { place[offset] = first.bytes[offset] }
            apus_channel_received(channel, count, now, 0)
            if count == first.bytes.count {
                pipe.down.removeFirst()
            } else {
                pipe.down[0].bytes.removeFirst(count)
            }
            engine.turn(now)
        }
        if pipe.isEnded, pipe.down.isEmpty, let index = pipes.firstIndex(where: { $0 === pipe }) {
            pipes[index] = nil
            apus_channel_closed(channel, UInt8(APUS_CLOSED_PEER), 0)
        }
    }

    /// What a session wants to send.
    private func collect(_ index: Int) {
        let channel = engine.channels[index]
        guard let pipe = pipes[index], channel.pointee.state == UInt8(APUS_CHANNEL_OPEN) else { return }
        var bytes: UnsafePointer<UInt8>?
        let count = apus_channel_pending(channel, &bytes)
        guard count > 0 else { return }
        let sent = Array(UnsafeBufferPointer(start: bytes, count: count))
        apus_channel_sent(channel, count, now)
        pipe.lastUp = max(pipe.lastUp, now + delay())
        pipe.up.append((pipe.lastUp, sent))
    }

    private func delay() -> UInt64 {
        let usual = dice.between(2 * millisecond, 40 * millisecond)
        return faultsOn && dice.once(in: 300) ? usual + dice.between(200 * millisecond, 6 * second) : usual
    }

    /// What the venue wants carried out.
    private func carry() {
        for output in venue.takeOutputs() {
            guard let pipe = pipes.compactMap({ $0 }).first(where: { $0.venue == output.connection }) else { continue }
            switch output.action {
            case .bytes(let bytes):
                pipe.lastDown = max(pipe.lastDown, now + delay())
                pipe.down.append((pipe.lastDown, bytes))
            case .close, .abort: pipe.isEnded = true
            case .pauseReading, .resumeReading: break
            }
        }
    }

    // MARK: Faults

    private func strike() throws {
        guard now >= nextFault else { return }
        if nextFault > 0 {
            switch dice.below(6) {
            case 0, 1: cut(dice.below(3), losesFlight: dice.once(in: 2))
            case 2: for index in 0..<3 { cut(index, losesFlight: dice.once(in: 2)) }
            case 3: refusesUntil = now + dice.between(second, 6 * second)
            case 4: try die()
            default: ambush = dice.once(in: 2) ? .cut : .death
            }
        }
        nextFault = now + dice.between(2 * second, 16 * second)
    }

    /// Strikes as soon as an order is on its way, or its answer.
    private func spring() throws {
        guard let waits = ambush, pipes[1]?.up.isEmpty == false, trader.waitingBuys + trader.waitingSells > 0 else {
            return
        }
        ambush = nil
        if waits == .cut { cut(1, losesFlight: dice.once(in: 2)) } else { try die() }
    }

    private func haunt() {
        for ghost in ghosts {
            guard let id = ghost.venue else { continue }
            while let first = ghost.up.first, first.time <= now {
                ghost.up.removeFirst()
                venue.receive(id, first.bytes, now: wall)
                carry()
            }
            if ghost.up.isEmpty { venue.disconnect(id, now: wall) }
        }
        ghosts.removeAll { $0.up.isEmpty }
    }

    private func cut(_ index: Int, losesFlight: Bool) {
        guard let pipe = pipes[index], let id = pipe.venue else { return }
        // What is on its way to the venue may still arrive, long after the connection was given up here.
        if losesFlight {
            venue.disconnect(id, now: wall)
        } else {
            let late = dice.between(0, engine.orders.pointee.config.late_arrival_ns - 2 * second)
            if !pipe.up.isEmpty { counts.lateRequests += 1 }
            for place in pipe.up.indices { pipe.up[place].time += late }
            ghosts.append(pipe)
        }
        pipes[index] = nil
        apus_channel_closed(engine.channels[index], UInt8(APUS_CLOSED_IO), 104)
    }

    /// The process ends at once; another one begins a little later, with what the trader has written down.
    private func die() throws {
        counts.deaths += 1
        if trader.waitingBuys > 0 { counts.deathsWithBuys += 1 }
        if trader.waitingSells > 0 { counts.deathsWithSells += 1 }
        if trader.openContracts > 0 { counts.deathsWithContracts += 1 }
        for index in 0..<3 { cut(index, losesFlight: dice.once(in: 2)) }
        problems += engine.tickProblems(venue, isFinal: false)
        now += dice.between(100 * millisecond, 8 * second)
        venue.advance(to: wall)
        carry()
        engine = try DerivEngine(isV3: isV3, dice: &dice)
        trader.restart(engine)
        engine.start(now)
    }

    // MARK: The end

    private func check() {
        problems += trader.problems + engine.tickProblems(venue, isFinal: true)
        if !trader.isSettled {
            problems.append(
                Problem(.memory, "orders \(trader.openOrders) and \(trader.openContracts) contracts have no end"))
        }
        let contracts = venue.contracts(account: Self.account)
        for contract in contracts { problems += trader.compare(contract) }
        let buys = trader.filledBuys
        if buys != contracts.count {
            problems.append(Problem(.approval, "\(buys) buys were filled, and the venue sold \(contracts.count)"))
        }
        let balance = venue.balance(account: Self.account) ?? 0
        if trader.moved + 10_000_000 != balance {
            problems.append(Problem(.money, "\(trader.moved) was moved, and \(balance - 10_000_000) at the venue"))
        }
        if !isBalanceKnown { problems.append(Problem(.money, "balance \(trader.balance ?? -1), not \(balance)")) }
    }

    private var isBalanceKnown: Bool {
        trader.balance == venue.balance(account: Self.account).map { $0 * 1_000_000 }
    }
}

/// How much has happened in a life.
struct DerivCounts: Sendable, Equatable {
    var venueFaults = 0
    /// Messages that the venue sent twice.
    var doubled = 0
    var deaths = 0
    /// Deaths with a buy or a sell that had no answer, and with a contract that had not ended.
    var deathsWithBuys = 0
    var deathsWithSells = 0
    var deathsWithContracts = 0
    /// Connections that were given up with bytes on their way, which arrived all the same.
    var lateRequests = 0
}

/// One connection with what is on its way.
final class DerivPipe {
    let openAt: UInt64
    var venue: ConnectionID?
    var up: [(time: UInt64, bytes: [UInt8])] = []
    var down: [(time: UInt64, bytes: [UInt8])] = []
    var lastUp: UInt64 = 0
    var lastDown: UInt64 = 0
    var isEnded = false

    init(openAt: UInt64) { self.openAt = openAt }
}
