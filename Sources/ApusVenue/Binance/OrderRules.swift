// What an order must be before it may reach the book: the venue's filters, each with its documented code.

/// A new order that passed every check that does not depend on the book.
struct OrderRequest {
    var market: Market
    var side: Side
    var type: OrderType
    var timeInForce: TimeInForce
    var goodTill: VenueTime
    var price: Int64
    var quantity: Int64
    var clientID: String?
    var isReduceOnly: Bool
    var prevention: SelfTradePrevention
    var wantsResult: Bool
}

extension BinanceVenue {
    func market(_ parameters: Parameters) throws(BinanceError) -> Market {
        guard let market = market(named: try parameters.required("symbol")) else { throw .invalidSymbol }
        return market
    }

    func parseSide(_ parameters: Parameters) throws(BinanceError) -> Side {
        switch try parameters.required("side") {
        case "BUY": .buy
        case "SELL": .sell
        default: throw .invalidSide
        }
    }

    /// Reads and checks a new order.
    func orderRequest(_ parameters: Parameters) throws(BinanceError) -> OrderRequest {
        let market = try market(parameters)
        let side = try parseSide(parameters)
        guard let type = OrderType(rawValue: try parameters.required("type")) else { throw .invalidOrderType }
        if let positionSide = parameters["positionSide"], positionSide != "BOTH" {
            throw .badParameter("Order's position side does not match user's setting.")
        }
        var timeInForce = TimeInForce.gtc
        var goodTill: VenueTime = 0
        var price: Int64 = 0
        if type == .limit {
            guard let known = TimeInForce(rawValue: try parameters.required("timeInForce")) else {
                throw .invalidTimeInForce
            }
            timeInForce = known
            goodTill = try parseGoodTill(parameters, known)
            price = try parsePrice(parameters, market, side)
        } else {
            if parameters["timeInForce"] != nil { throw .notRequired("timeInForce") }
            if parameters["price"] != nil { throw .notRequired("price") }
        }
        let quantity = try parseQuantity(parameters, market)
        let isReduceOnly = try parameters.bool("reduceOnly") ?? false
        try checkNotional(market, price: price, quantity: quantity, isReduceOnly: isReduceOnly)
        return OrderRequest(
            market: market, side: side, type: type, timeInForce: timeInForce, goodTill: goodTill, price: price,
            quantity: quantity, clientID: try parseClientID(parameters), isReduceOnly: isReduceOnly,
            prevention: try parsePrevention(parameters), wantsResult: parameters["newOrderRespType"] == "RESULT")
    }

    /// The venue keeps whole seconds.
    private func parseGoodTill(_ parameters: Parameters, _ timeInForce: TimeInForce) throws(BinanceError) -> VenueTime {
        let date = try parameters.integer("goodTillDate")
        guard timeInForce == .gtd else {
            if date != nil { throw .notRequired("goodTillDate") }
            return 0
        }
        guard let date else { throw .mandatory("goodTillDate") }
        guard date > now / millisecond + 600_000, date < 253_402_300_799_000 else { throw .goodTillDateOutOfRange }
        return date / 1000 * second
    }

    private func parsePrevention(_ parameters: Parameters) throws(BinanceError) -> SelfTradePrevention {
        guard let name = parameters["selfTradePreventionMode"], name != "NONE" else { return .expireMaker }
        guard let mode = SelfTradePrevention(rawValue: name) else {
            throw .badParameter("Data sent for parameter 'selfTradePreventionMode' is not valid.")
        }
        return mode
    }

    private func parseClientID(_ parameters: Parameters) throws(BinanceError) -> String? {
        guard let text = parameters["newClientOrderId"] else { return nil }
        guard text.utf8.count <= 36 else { throw .clientIDTooLong }
        for byte in text.utf8 {
            switch byte {
            case 45...58, 65...90, 95, 97...122: continue
            default: throw .illegalCharacters("newClientOrderId")
            }
        }
        return text
    }

    func parsePrice(_ parameters: Parameters, _ market: Market, _ side: Side) throws(BinanceError) -> Int64 {
        let rules = market.configuration
        let price = try decimal(parameters, "price", rules.priceDecimals)
        guard price > 0 else { throw .priceNotPositive }
        guard price <= rules.maxPrice else { throw .priceTooLarge }
        guard price % rules.tickSize == 0 else { throw .priceOffTick }
        let mark = market.midPrice
        let highest = mark + mark / 20
        let lowest = mark - mark / 20
        if side == .buy && price > highest {
            throw .priceAboveBand(decimalText(highest, decimals: rules.priceDecimals))
        }
        if side == .sell && price < lowest { throw .priceBelowBand(decimalText(lowest, decimals: rules.priceDecimals)) }
        return price
    }

    func parseQuantity(_ parameters: Parameters, _ market: Market) throws(BinanceError) -> Int64 {
        let rules = market.configuration
        let quantity = try decimal(parameters, "quantity", rules.quantityDecimals)
        guard quantity > 0 else { throw .quantityNotPositive }
        guard quantity >= rules.lotStep else { throw .quantityTooSmall }
        guard quantity <= rules.maxQuantity else { throw .quantityTooLarge }
        guard quantity % rules.lotStep == 0 else { throw .quantityOffStep }
        return quantity
    }

    private func decimal(_ parameters: Parameters, _ name: String, _ decimals: Int) throws(BinanceError) -> Int64 {
        let text = try parameters.required(name)
        do throws(DecimalError) { return try parseDecimal(text, decimals: decimals) } catch {
            switch error {
            case .malformed: throw .illegalCharacters(name)
            case .tooManyDecimals, .overflow: throw .precision
            }
        }
    }

    /// The value of a market order is taken at the middle of the touch.
    func checkNotional(_ market: Market, price: Int64, quantity: Int64, isReduceOnly: Bool) throws(BinanceError) {
        if isReduceOnly { return }
        let value = market.configuration.notional(price: price > 0 ? price : market.midPrice, quantity: quantity)
        guard value >= market.configuration.minNotional else {
            throw .minNotional(shortDecimalText(market.configuration.minNotional, decimals: moneyDecimals))
        }
    }

    // MARK: Margin

    /// `10^-8` quote: profit of the account's positions at the middle of each book.
    func unrealisedProfit(_ account: Account, _ market: Market) -> Int128 {
        let position = ledger.position(account.index, symbol: market.index)
        guard position.quantity != 0 else { return 0 }
        return Int128(market.configuration.notional(price: market.midPrice, quantity: position.quantity))
            - position.openCost
    }

    /// Initial margin of positions and open orders, `10^-8` quote.
    func usedMargin(_ account: Account) -> Int128 {
        var notional: Int128 = 0
        for market in markets {
            let quantity = ledger.position(account.index, symbol: market.index).quantity
            notional += Int128(abs(market.configuration.notional(price: market.midPrice, quantity: quantity)))
        }
        for order in account.open where !order.isReduceOnly {
            notional += Int128(
                markets[order.symbol].configuration.notional(price: order.price, quantity: order.remaining))
        }
        return notional / Int128(account.configuration.leverage)
    }

    /// What the account can still put into orders, `10^-8` quote.
    func availableBalance(_ account: Account) -> Int128 {
        var equity = ledger.owners[Int(account.index)].wallet
        for market in markets { equity += unrealisedProfit(account, market) }
        return equity - usedMargin(account)
    }

    /// Refuses an order whose opening part needs more margin than there is.
    func checkMargin(_ account: Account, _ market: Market, _ side: Side, price: Int64, quantity: Int64)
        throws(BinanceError)
    {
        let held = ledger.position(account.index, symbol: market.index).quantity
        let closing = side == .buy ? max(-held, 0) : max(held, 0)
        let opening = max(quantity - closing, 0)
        if opening == 0 { return }
        let value = market.configuration.notional(price: price > 0 ? price : market.midPrice, quantity: opening)
        guard Int128(value) / Int128(account.configuration.leverage) <= availableBalance(account) else {
            throw .insufficientMargin
        }
    }
}

extension SymbolConfiguration {
    /// Twenty times the start: far outside every band, and small enough that no notional overflows.
    var maxPrice: Int64 { startPrice * 20 / tickSize * tickSize }

    /// From notional in price units times quantity units to `10^-8` quote.
    var notionalScale: Int64 { powerOfTen(moneyDecimals - priceDecimals - quantityDecimals) }

    /// `10^-8` quote.
    func notional(price: Int64, quantity: Int64) -> Int64 { price * quantity * notionalScale }
}
