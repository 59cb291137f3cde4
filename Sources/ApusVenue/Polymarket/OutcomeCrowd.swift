/// The other side of a prediction market: makers with ladders around a fair probability that wanders, takers at random and
/// informed ones, and far passive depth. Everything comes from the seed and the passing of time.
struct OutcomeCrowd {
    private struct Quote {
        var slot: Int32 = -1
        var number: Int64 = 0
    }

    private struct Maker {
        var owner: Int32
        /// Distances from the fair price in ticks.
        var nearest: Double
        var farthest: Double
        var sizeFactor: Double
        /// Even places are bids, odd ones asks.
        var quotes: [Quote]
        var cursor = 0
    }

    private let configuration: OutcomeMarketConfiguration
    private let meanGap: Double
    private var random: DeterministicRandom
    /// Price units of the first token.
    private var fair: Double
    private var fairTime: VenueTime
    private var makers: [Maker] = []
    private var far: [Quote]
    private let farOwner: Int32
    private let noiseOwner: Int32
    private let informedOwner: Int32
    private(set) var nextTime: VenueTime

    init(
        configuration: OutcomeMarketConfiguration, speed: MarketSpeed, seed: UInt64, index: Int, time: VenueTime,
        addOwner: () -> Int32
    ) {
        self.configuration = configuration
        meanGap = speed.actionsPerSecond > 0 ? Double(second) / speed.actionsPerSecond : 0
        random = DeterministicRandom(seed: seed, stream: UInt64(index) * 16 + 5)
        fair = Double(configuration.startPrice)
        fairTime = time
        for (nearest, farthest, size) in [(0.5, 3.0, 0.7), (0.5, 6.0, 1.0), (2.0, 14.0, 2.0)] {
            makers.append(
                Maker(
                    owner: addOwner(), nearest: nearest, farthest: farthest, sizeFactor: size,
                    quotes: Array(repeating: Quote(), count: 12)))
        }
        far = Array(repeating: Quote(), count: configuration.farLevels * 2)
        farOwner = addOwner()
        noiseOwner = addOwner()
        informedOwner = addOwner()
        nextTime = .max
        if meanGap > 0 { nextTime = time + 1 + VenueTime(random.exponential() * meanGap) }
    }

    /// Fills the empty book.
    mutating func open(_ market: OutcomeMarket) {
        for index in far.indices { placeFar(index, market) }
        for maker in makers.indices {
            for _ in makers[maker].quotes.indices { requote(maker, market) }
        }
    }

    /// Ends all activity; the book stays as it is.
    mutating func stop() { nextTime = .max }

    /// Leaves out what was due before that time.
    mutating func skip(to time: VenueTime) { nextTime = max(nextTime, time) }

    /// Does what is due at `nextTime` and sets the next time. A taker is returned for the venue to let it trade.
    mutating func act(_ market: OutcomeMarket, time: VenueTime) -> OutcomeTaker? {
        moveFair(to: time)
        nextTime = time + 1 + VenueTime(random.exponential() * meanGap)
        switch random.below(100) {
        case 0..<70: requote(random.below(makers.count), market)
        case 70..<80: refreshFar(market)
        case 80..<92: return takeAtRandom(market)
        default: return takeInformed(market)
        }
        return nil
    }

    // A random walk that is pulled back to the start over ten minutes and stays inside the range of prices.
    private mutating func moveFair(to time: VenueTime) {
        let seconds = Double(time - fairTime) / Double(second)
        fairTime = time
        guard seconds > 0 else { return }
        let start = Double(configuration.startPrice)
        fair += random.gaussian() * configuration.volatility * seconds.squareRoot()
        fair += (start - fair) * min(seconds / 600, 1)
        fair = min(max(fair, 300), Double(wholePrice) - 300)
    }

    private mutating func requote(_ index: Int, _ market: OutcomeMarket) {
        let cursor = makers[index].cursor
        makers[index].cursor = (cursor + 1) % makers[index].quotes.count
        let maker = makers[index]
        let old = maker.quotes[cursor]
        if old.number != 0 { market.cancel(slot: old.slot, number: old.number) }
        let side: Side = cursor % 2 == 0 ? .buy : .sell
        let unit = random.unit()
        let distance = (maker.nearest + (maker.farthest - maker.nearest) * unit * unit) * Double(market.tickSize)
        makers[index].quotes[cursor] = place(
            market, owner: maker.owner, side: side, wanted: side == .buy ? fair - distance : fair + distance,
            size: size(maker.sizeFactor))
    }

    /// Places an order that never takes, under either of the tokens' names.
    private mutating func place(
        _ market: OutcomeMarket, owner: Int32, side: Side, wanted: Double, size: Int64
    ) -> Quote {
        let tick = market.tickSize
        var price = Int64(wanted / Double(tick)) * tick
        if let best = market.book.best(side.opposite) {
            price = side == .buy ? min(price, best.price - tick) : max(price, best.price + tick)
        }
        guard price >= tick, price <= wholePrice - tick else { return Quote() }
        let number = market.takeNumber(token: random.below(2))
        let slot = market.rest(number: number, owner: owner, side: side, price: price, quantity: size)
        return Quote(slot: slot, number: number)
    }

    /// Hundredths of tokens, many small and few large.
    private mutating func size(_ factor: Double) -> Int64 {
        let spread = random.exponential()
        let wanted = Double(configuration.typicalSize * 100) * factor * spread * (0.4 + 0.3 * spread)
        return max(Int64(wanted), configuration.minOrderSize * 100) * (tokenUnit / 100)
    }

    private mutating func refreshFar(_ market: OutcomeMarket) {
        let index = random.below(far.count)
        if far[index].number != 0 { market.cancel(slot: far[index].slot, number: far[index].number) }
        placeFar(index, market)
    }

    private mutating func placeFar(_ index: Int, _ market: OutcomeMarket) {
        let side: Side = index % 2 == 0 ? .buy : .sell
        let rank = Double(index / 2 + 1) / Double(configuration.farLevels)
        let reach = side == .buy ? fair : Double(wholePrice) - fair
        let distance = reach * (0.08 + 0.9 * rank * rank)
        far[index] = place(
            market, owner: farOwner, side: side, wanted: side == .buy ? fair - distance : fair + distance,
            size: size(1 + 8 * rank))
    }

    private mutating func takeAtRandom(_ market: OutcomeMarket) -> OutcomeTaker? {
        let side: Side = random.below(2) == 0 ? .buy : .sell
        guard let best = market.book.best(side.opposite) else { return nil }
        // Nobody pays any price: three ticks beyond the touch are the end.
        let reach = 3 * market.tickSize
        return taker(market, noiseOwner, side, limit: side == .buy ? best.price + reach : best.price - reach, 0.5)
    }

    /// Takes what is better than the fair price by more than a tick.
    private mutating func takeInformed(_ market: OutcomeMarket) -> OutcomeTaker? {
        let tick = Double(market.tickSize)
        if let ask = market.book.best(.sell), fair > Double(ask.price) + tick {
            return taker(market, informedOwner, .buy, limit: Int64(fair / tick) * market.tickSize, 4)
        }
        if let bid = market.book.best(.buy), fair < Double(bid.price) - tick {
            return taker(market, informedOwner, .sell, limit: (Int64(fair / tick) + 1) * market.tickSize, 4)
        }
        return nil
    }

    private mutating func taker(
        _ market: OutcomeMarket, _ owner: Int32, _ side: Side, limit: Int64, _ factor: Double
    ) -> OutcomeTaker? {
        guard limit > 0, limit < wholePrice else { return nil }
        return OutcomeTaker(
            number: market.takeNumber(token: random.below(2)), owner: owner, side: side, limit: limit,
            quantity: size(factor))
    }
}
