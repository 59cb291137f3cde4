/// The other side of the market: simulated participants of several kinds around a fundamental value that wanders.
///
/// - market makers quote ladders around the value at several distances and lean against their inventory;
/// - a crowd joins the touch, or improves it, and goes away again;
/// - noise takers buy and sell at random, with many small sizes and few large ones: they give a quoting strategy its fills;
/// - informed takers take what the value has left behind, which is what moves the price;
/// - momentum takers follow the last seconds' trades;
/// - far passive depth fills the book for thousands of levels;
/// - bursts multiply the activity for a fraction of a second and lean to one side.
///
/// Everything comes from the seed and the passing of time; only IEEE addition, multiplication and square root are used on
/// floating point, which give the same bits everywhere.
struct Participants {
    /// A maker with its ladder of quotes; even slots are bids, odd ones asks.
    private struct Maker {
        var owner: Int32
        var nearest: Double
        var farthest: Double
        var sizeFactor: Double
        var quotes: [Quote]
        var cursor = 0
    }

    private struct Quote {
        var slot: Int32 = -1
        var id: Int64 = 0
    }

    private struct Burst {
        var until: VenueTime
        var side: Side
    }

    private let configuration: SymbolConfiguration
    private let meanGap: Double
    private var random: DeterministicRandom
    /// The value in price units.
    private var fundamental: Double
    private var fundamentalTime: VenueTime
    private var trend: Double
    private var burst: Burst?
    private var nextBurst: VenueTime
    private var makers: [Maker] = []
    private var crowd: [Quote]
    private let crowdOwner: Int32
    private let farOwner: Int32
    private let noiseOwner: Int32
    private let momentumOwner: Int32
    private let informedOwner: Int32
    private var far: [Quote]
    private let isTrading: Bool
    private(set) var nextTime: VenueTime

    init(
        configuration: SymbolConfiguration, speed: MarketSpeed, seed: UInt64, index: Int, time: VenueTime,
        addOwner: () -> Int32
    ) {
        self.configuration = configuration
        isTrading = speed.actionsPerSecond > 0
        meanGap = isTrading ? Double(second) / speed.actionsPerSecond : 0
        random = DeterministicRandom(seed: seed, stream: UInt64(index) * 16 + 2)
        fundamental = Double(configuration.startPrice)
        fundamentalTime = time
        trend = fundamental
        nextBurst = time + 5 * second
        // Three makers at the touch, two in the middle, two outside: distances in ticks.
        let reach = [
            (0.5, 4.0, 0.5), (0.5, 8.0, 1.0), (1.0, 16.0, 1.0), (8.0, 60.0, 1.5), (20.0, 120.0, 2.0),
            (80.0, 400.0, 4.0),
            (200.0, 1000.0, 6.0),
        ]
        for (nearest, farthest, size) in reach {
            makers.append(
                Maker(
                    owner: addOwner(), nearest: nearest, farthest: farthest, sizeFactor: size,
                    quotes: Array(repeating: Quote(), count: 16)))
        }
        crowd = Array(repeating: Quote(), count: 48)
        far = Array(repeating: Quote(), count: configuration.farLevels * 2)
        crowdOwner = addOwner()
        farOwner = addOwner()
        noiseOwner = addOwner()
        momentumOwner = addOwner()
        informedOwner = addOwner()
        nextTime = isTrading ? time : .max
        if isTrading { nextTime = time + 1 + VenueTime(random.exponential() * meanGap) }
    }

    /// Fills the empty book: far depth and every maker's ladder.
    mutating func open(_ market: Market) {
        for index in far.indices { placeFar(index, market) }
        for maker in makers.indices {
            for _ in makers[maker].quotes.indices { requote(maker, market, inventory: 0) }
        }
    }

    /// Ends all activity; the book stays as it is.
    mutating func stop() { nextTime = .max }

    /// Leaves out what was due before that time.
    mutating func skip(to time: VenueTime) { nextTime = max(nextTime, time) }

    /// Does what is due at `nextTime` and sets the next time.
    mutating func act(_ market: Market, ledger: Ledger) {
        let time = market.time
        moveFundamental(to: time)
        updateBurst(time)
        var gap = random.exponential() * meanGap
        if burst != nil { gap *= 0.125 }
        nextTime = time + 1 + VenueTime(gap)

        let choice = random.below(1000)
        switch choice {
        case 0..<420: requoteMaker(random.below(3), market, ledger)
        case 420..<600: requoteMaker(3 + random.below(2), market, ledger)
        case 600..<670: requoteMaker(5 + random.below(2), market, ledger)
        case 670..<720: refreshFar(market)
        case 720..<860: stirCrowd(market)
        case 860..<925: takeAtRandom(market)
        case 925..<945: followTrend(market)
        default: takeInformed(market)
        }
        if market.book.side(.buy).levels.count < 8 || market.book.side(.sell).levels.count < 8 {
            for index in far.indices where !market.book.holds(slot: far[index].slot, id: far[index].id) {
                placeFar(index, market)
            }
        }
    }

    // MARK: The value

    /// A random walk that is pulled back to the start over half an hour: prices stay realistic however long the venue runs.
    private mutating func moveFundamental(to time: VenueTime) {
        let seconds = Double(time - fundamentalTime) / Double(second)
        fundamentalTime = time
        guard seconds > 0 else { return }
        let start = Double(configuration.startPrice)
        let step = start * configuration.volatilityPpm / 1_000_000 * seconds.squareRoot()
        fundamental += random.gaussian() * step + (start - fundamental) * min(seconds / 1800, 1)
        fundamental = min(max(fundamental, start * 0.7), start * 1.3)
    }

    private mutating func updateBurst(_ time: VenueTime) {
        if let current = burst {
            if time >= current.until { burst = nil }
        } else if time >= nextBurst {
            nextBurst = time + second + VenueTime(random.exponential() * Double(14 * second))
            let length = VenueTime(random.exponential() * 300) * millisecond
            burst = Burst(until: time + length, side: random.below(2) == 0 ? .buy : .sell)
            let jump = Double(configuration.startPrice) * configuration.volatilityPpm / 1_000_000 * 2
            fundamental += burst?.side == .buy ? jump : -jump
        }
    }

    // MARK: Makers

    private mutating func requoteMaker(_ index: Int, _ market: Market, _ ledger: Ledger) {
        requote(index, market, inventory: ledger.position(makers[index].owner, symbol: market.index).quantity)
    }

    private mutating func requote(_ index: Int, _ market: Market, inventory: Int64) {
        let cursor = makers[index].cursor
        makers[index].cursor = (cursor + 1) % makers[index].quotes.count
        let maker = makers[index]
        let side: Side = cursor % 2 == 0 ? .buy : .sell
        let old = maker.quotes[cursor]
        if old.id != 0 { market.cancel(slot: old.slot, id: old.id) }
        let tick = Double(configuration.tickSize)
        let lots = Double(inventory) / Double(configuration.typicalQuantity)
        let lean = min(max(lots * 0.05, -maker.farthest / 2), maker.farthest / 2)
        let spread = maker.farthest - maker.nearest
        let unit = random.unit()
        let distance = (maker.nearest + spread * unit * unit + (side == .buy ? lean : -lean)) * tick
        let wanted = side == .buy ? fundamental - distance : fundamental + distance
        makers[index].quotes[cursor] = placePassive(
            market, owner: maker.owner, side: side, wanted: wanted, quantity: size(maker.sizeFactor))
    }

    /// Places an order that never takes: a price beyond the other side's best moves to just before it.
    private mutating func placePassive(
        _ market: Market, owner: Int32, side: Side, wanted: Double, quantity: Int64
    ) -> Quote {
        let tick = configuration.tickSize
        var price = Int64(wanted / Double(tick)) * tick
        if let best = market.book.best(side.opposite) {
            price = side == .buy ? min(price, best.price - tick) : max(price, best.price + tick)
        }
        price = max(price, tick)
        let id = market.takeOrderID()
        let slot = market.rest(id: id, owner: owner, side: side, price: price, quantity: quantity)
        return Quote(slot: slot, id: id)
    }

    /// A size around the typical one: many small, few large, in whole lots.
    private mutating func size(_ factor: Double) -> Int64 {
        let spread = random.exponential()
        let wanted = Double(configuration.typicalQuantity) * factor * spread * (0.4 + 0.3 * spread)
        let lots = max(Int64(wanted) / configuration.lotStep, 1)
        return min(
            lots * configuration.lotStep, configuration.maxQuantity / configuration.lotStep * configuration.lotStep)
    }

    // MARK: Crowd and far depth

    private mutating func stirCrowd(_ market: Market) {
        let index = random.below(crowd.count)
        if crowd[index].id != 0, market.cancel(slot: crowd[index].slot, id: crowd[index].id) {
            crowd[index] = Quote()
            return
        }
        let side: Side = random.below(2) == 0 ? .buy : .sell
        guard let own = market.book.best(side) else { return }
        let away = Double(Int64(random.below(6)) - 1) * Double(configuration.tickSize)
        let wanted = side == .buy ? Double(own.price) - away : Double(own.price) + away
        crowd[index] = placePassive(market, owner: crowdOwner, side: side, wanted: wanted, quantity: size(0.3))
    }

    private mutating func refreshFar(_ market: Market) {
        let unit = random.unit()
        let pair = Int(unit * unit * Double(far.count / 2))
        let index = pair * 2 + random.below(2)
        if far[index].id != 0 { market.cancel(slot: far[index].slot, id: far[index].id) }
        placeFar(index, market)
    }

    /// Distances grow with the fourth power, so that a thousand levels reach from the touch to half the price away.
    private mutating func placeFar(_ index: Int, _ market: Market) {
        let side: Side = index % 2 == 0 ? .buy : .sell
        let rank = Double(index / 2)
        let relative = rank / Double(configuration.farLevels)
        let tick = Double(configuration.tickSize)
        let ticksToHalf = Double(configuration.startPrice) / tick * 0.5
        let ticks = 12 + rank * 2 + relative * relative * relative * relative * ticksToHalf + Double(random.below(3))
        let wanted = side == .buy ? fundamental - ticks * tick : fundamental + ticks * tick
        far[index] = placePassive(
            market, owner: farOwner, side: side, wanted: wanted, quantity: size(0.5 + 20 * relative))
    }

    // MARK: Takers

    private mutating func takeAtRandom(_ market: Market) {
        var side: Side = random.below(2) == 0 ? .buy : .sell
        if let burst, random.below(4) > 0 { side = burst.side }
        take(market, owner: noiseOwner, side: side, limit: nil, quantity: size(0.4))
    }

    private mutating func followTrend(_ market: Market) {
        let last = Double(market.lastPrice)
        let distance = last - trend
        trend += distance * 0.1
        guard abs(distance) > 8 * Double(configuration.tickSize) else { return }
        take(market, owner: momentumOwner, side: distance > 0 ? .buy : .sell, limit: nil, quantity: size(0.3))
    }

    /// Takes everything that is better than the value by more than an edge.
    private mutating func takeInformed(_ market: Market) {
        let edge = 2 * Double(configuration.tickSize)
        let tick = configuration.tickSize
        if let ask = market.book.best(.sell), fundamental > Double(ask.price) + edge {
            let limit = Int64((fundamental - edge) / Double(tick)) * tick
            take(market, owner: informedOwner, side: .buy, limit: limit, quantity: size(8))
        } else if let bid = market.book.best(.buy), fundamental < Double(bid.price) - edge {
            let limit = Int64((fundamental + edge) / Double(tick)) * tick + tick
            take(market, owner: informedOwner, side: .sell, limit: limit, quantity: size(8))
        }
    }

    private func take(_ market: Market, owner: Int32, side: Side, limit: Int64?, quantity: Int64) {
        _ = market.match(
            Taker(id: market.takeOrderID(), owner: owner, side: side, limit: limit, quantity: quantity))
    }
}
