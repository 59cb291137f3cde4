// Answers to questions about orders, accounts and instruments, with the venue's keys in the venue's order.

/// Which request an order is rendered for; they differ in a few fields.
enum OrderShape { case place, modify, cancel, query }

extension BinanceVenue {
    func renderOrder(_ order: AccountOrder, _ shape: OrderShape) -> [UInt8] {
        let rules = markets[order.symbol].configuration
        var out: [UInt8] = []
        out.reserveCapacity(640)
        out.append("{\"orderId\":")
        out.append(integer: order.id)
        out.append(",\"symbol\":\"")
        out.append(text: rules.name)
        out.append("\",\"status\":\"")
        out.append(text: order.status.rawValue)
        out.append("\",\"clientOrderId\":")
        out.append(quotedText: order.clientID)
        out.append(",\"price\":")
        out.append(quotedDecimal: order.price, decimals: rules.priceDecimals)
        out.append(",\"avgPrice\":")
        out.append(quotedDecimal: order.averagePrice(rules), decimals: rules.priceDecimals)
        out.append(",\"origQty\":")
        out.append(quotedDecimal: order.quantity, decimals: rules.quantityDecimals)
        out.append(",\"executedQty\":")
        out.append(quotedDecimal: order.executed, decimals: rules.quantityDecimals)
        if shape != .query {
            out.append(",\"cumQty\":")
            out.append(quotedDecimal: order.executed, decimals: rules.quantityDecimals)
        }
        out.append(",\"cumQuote\":")
        out.append(quotedDecimal: order.cumulativeQuote, decimals: moneyDecimals)
        out.append(",\"timeInForce\":\"")
        out.append(text: order.timeInForce.rawValue)
        out.append("\",\"type\":\"")
        out.append(text: order.type.rawValue)
        out.append("\",\"reduceOnly\":")
        out.append(bool: order.isReduceOnly)
        out.append(",\"closePosition\":false,\"side\":\"")
        out.append(order.side.name)
        out.append("\",\"positionSide\":\"BOTH\",\"stopPrice\":\"0.00\",\"workingType\":\"CONTRACT_PRICE\"")
        out.append(",\"priceProtect\":false,\"origType\":\"")
        out.append(text: order.type.rawValue)
        out.append("\",\"priceMatch\":\"NONE\",\"selfTradePreventionMode\":\"")
        out.append(text: order.prevention.rawValue)
        out.append("\",\"goodTillDate\":")
        out.append(integer: order.goodTill / millisecond)
        if shape == .query {
            out.append(",\"time\":")
            out.append(integer: order.createTime / millisecond)
        }
        out.append(",\"updateTime\":")
        out.append(integer: order.updateTime / millisecond)
        out.append(125)
        return out
    }

    func renderList<Element>(_ elements: [Element], _ render: (inout [UInt8], Element) -> Void) -> [UInt8] {
        var out: [UInt8] = [91]
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(44) }
            render(&out, element)
        }
        out.append(93)
        return out
    }

    // MARK: Market data

    func depth(_ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let market = try market(parameters)
        let limit = Int(try parameters.integer("limit") ?? 500)
        guard [5, 10, 20, 50, 100, 500, 1000].contains(limit) else {
            throw .badParameter("Data sent for parameter 'limit' is not valid.")
        }
        if let playback { return try playback.depth(market.configuration, limit: limit) }
        let rules = market.configuration
        var out: [UInt8] = []
        out.reserveCapacity(limit * 60 + 128)
        out.append("{\"lastUpdateId\":")
        out.append(integer: market.updateID)
        out.append(",\"E\":")
        out.append(integer: now / millisecond)
        out.append(",\"T\":")
        out.append(integer: now / millisecond)
        out.append(",\"bids\":[")
        appendLevels(&out, market.book.side(.buy).levels.suffix(limit), rules)
        out.append("],\"asks\":[")
        appendLevels(&out, market.book.side(.sell).levels.suffix(limit), rules)
        out.append("]}")
        return out
    }

    /// The levels from the best on; the best one is the last of the slice.
    private func appendLevels(_ out: inout [UInt8], _ levels: ArraySlice<BookLevel>, _ rules: SymbolConfiguration) {
        for (index, level) in levels.reversed().enumerated() {
            out.append(index > 0 ? ",[" : "[")
            out.append(quotedDecimal: level.price, decimals: rules.priceDecimals)
            out.append(44)
            out.append(quotedDecimal: level.quantity, decimals: rules.quantityDecimals)
            out.append(93)
        }
    }

    func bookTicker(_ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        if parameters["symbol"] != nil { return renderTicker(try market(parameters)) }
        return renderList(markets) { out, market in out.append(contentsOf: self.renderTicker(market)) }
    }

    private func renderTicker(_ market: Market) -> [UInt8] {
        let rules = market.configuration
        let bid = market.book.best(.buy)
        let ask = market.book.best(.sell)
        var out: [UInt8] = []
        out.append("{\"symbol\":\"")
        out.append(text: rules.name)
        out.append("\",\"bidPrice\":")
        out.append(quotedDecimal: bid?.price ?? 0, decimals: rules.priceDecimals)
        out.append(",\"bidQty\":")
        out.append(quotedDecimal: bid?.quantity ?? 0, decimals: rules.quantityDecimals)
        out.append(",\"askPrice\":")
        out.append(quotedDecimal: ask?.price ?? 0, decimals: rules.priceDecimals)
        out.append(",\"askQty\":")
        out.append(quotedDecimal: ask?.quantity ?? 0, decimals: rules.quantityDecimals)
        out.append(",\"time\":")
        out.append(integer: now / millisecond)
        out.append(",\"lastUpdateId\":")
        out.append(integer: market.updateID)
        out.append(125)
        return out
    }

    func exchangeInfo() -> [UInt8] {
        let limits = configuration.rateLimits
        let symbols = configuration.symbols.map(symbolInfo).joined(separator: ",")
        let announced = """
            {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":\(limits.weightPerMinute)},\
            {"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":\(limits.ordersPerMinute)},\
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":\(limits.ordersPerTenSeconds)}
            """
        let text = """
            {"timezone":"UTC","serverTime":\(now / millisecond),"futuresType":"U_MARGINED",\
            "rateLimits":[\(limits.enforced ? announced : "")],\
            "exchangeFilters":[],"assets":[{"asset":"USDT","marginAvailable":true,"autoAssetExchange":"-10000"}],\
            "symbols":[\(symbols)]}
            """
        return Array(text.utf8)
    }

    private func symbolInfo(_ rules: SymbolConfiguration) -> String {
        let tick = decimalText(rules.tickSize, decimals: rules.priceDecimals)
        let step = decimalText(rules.lotStep, decimals: rules.quantityDecimals)
        let maxPrice = decimalText(rules.maxPrice, decimals: rules.priceDecimals)
        let maxQuantity = decimalText(rules.maxQuantity, decimals: rules.quantityDecimals)
        let minNotional = shortDecimalText(rules.minNotional, decimals: moneyDecimals)
        return """
            {"symbol":"\(rules.name)","pair":"\(rules.name)","contractType":"PERPETUAL","deliveryDate":4133404800000,\
            "onboardDate":1569398400000,"status":"TRADING","maintMarginPercent":"2.5000","requiredMarginPercent":"5.0000",\
            "baseAsset":"\(rules.baseAsset)","quoteAsset":"\(rules.quoteAsset)","marginAsset":"\(rules.quoteAsset)",\
            "pricePrecision":\(rules.priceDecimals),"quantityPrecision":\(rules.quantityDecimals),"baseAssetPrecision":8,\
            "quotePrecision":8,"underlyingType":"COIN","underlyingSubType":["PoW"],"triggerProtect":"0.0500",\
            "liquidationFee":"0.012500","marketTakeBound":"0.05","maxMoveOrderLimit":10000,"filters":[\
            {"filterType":"PRICE_FILTER","minPrice":"\(tick)","maxPrice":"\(maxPrice)","tickSize":"\(tick)"},\
            {"filterType":"LOT_SIZE","minQty":"\(step)","maxQty":"\(maxQuantity)","stepSize":"\(step)"},\
            {"filterType":"MARKET_LOT_SIZE","minQty":"\(step)","maxQty":"\(maxQuantity)","stepSize":"\(step)"},\
            {"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MAX_NUM_ALGO_ORDERS","limit":10},\
            {"filterType":"MIN_NOTIONAL","notional":"\(minNotional)"},\
            {"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}],\
            "orderTypes":["LIMIT","MARKET"],"timeInForce":["GTC","IOC","FOK","GTX"]}
            """
    }

    // MARK: Accounts

    private func money(_ units: Int128) -> String { decimalText(Int64(units), decimals: moneyDecimals) }

    private var quoteAsset: String { configuration.symbols[0].quoteAsset }

    private func totalUnrealised(_ account: Account) -> Int128 {
        markets.reduce(0) { $0 + unrealisedProfit(account, $1) }
    }

    func renderBalance(_ account: Account) -> [UInt8] {
        let wallet = money(ledger.owners[Int(account.index)].wallet)
        let available = money(max(availableBalance(account), 0))
        return Array(
            """
            [{"accountAlias":"Apus","asset":"\(quoteAsset)","balance":"\(wallet)","crossWalletBalance":"\(wallet)",\
            "crossUnPnl":"\(money(totalUnrealised(account)))","availableBalance":"\(available)",\
            "maxWithdrawAmount":"\(available)","marginAvailable":true,"updateTime":\(now / millisecond)}]
            """.utf8)
    }

    func renderAccount(_ account: Account) -> [UInt8] {
        let wallet = ledger.owners[Int(account.index)].wallet
        let profit = totalUnrealised(account)
        let used = usedMargin(account)
        let available = max(availableBalance(account), 0)
        let positions = markets.filter { ledger.position(account.index, symbol: $0.index).quantity != 0 }.map {
            market in
            let rules = market.configuration
            let position = ledger.position(account.index, symbol: market.index)
            let value = rules.notional(price: market.midPrice, quantity: position.quantity)
            return """
                {"symbol":"\(rules.name)","positionSide":"BOTH",\
                "positionAmt":"\(decimalText(position.quantity, decimals: rules.quantityDecimals))",\
                "entryPrice":"\(money(Int128(position.entryPrice(rules))))",\
                "unrealizedProfit":"\(money(unrealisedProfit(account, market)))","isolatedMargin":"0",\
                "notional":"\(money(Int128(value)))","isolatedWallet":"0",\
                "initialMargin":"\(money(Int128(abs(value)) / Int128(account.configuration.leverage)))",\
                "maintMargin":"\(money(Int128(abs(value)) / 40))","updateTime":\(now / millisecond)}
                """
        }
        return Array(
            """
            {"totalInitialMargin":"\(money(used))","totalMaintMargin":"0.00000000","totalWalletBalance":"\(money(wallet))",\
            "totalUnrealizedProfit":"\(money(profit))","totalMarginBalance":"\(money(wallet + profit))",\
            "totalPositionInitialMargin":"\(money(used))","totalOpenOrderInitialMargin":"0.00000000",\
            "totalCrossWalletBalance":"\(money(wallet))","totalCrossUnPnl":"\(money(profit))",\
            "availableBalance":"\(money(available))","maxWithdrawAmount":"\(money(available))","assets":[{\
            "asset":"\(quoteAsset)","walletBalance":"\(money(wallet))","unrealizedProfit":"\(money(profit))",\
            "marginBalance":"\(money(wallet + profit))","availableBalance":"\(money(available))",\
            "updateTime":\(now / millisecond)}],"positions":[\(positions.joined(separator: ","))]}
            """.utf8)
    }

    func renderPositions(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let wanted = parameters["symbol"] == nil ? nil : try market(parameters).index
        // Without a symbol, only what the account holds or has orders in: that is what the venue's third version tells.
        let chosen = markets.filter { market in
            wanted == market.index
                || wanted == nil
                    && (ledger.position(account.index, symbol: market.index).quantity != 0
                        || account.open.contains { $0.symbol == market.index })
        }
        return renderList(chosen) { out, market in
            let rules = market.configuration
            let position = self.ledger.position(account.index, symbol: market.index)
            let value = rules.notional(price: market.midPrice, quantity: position.quantity)
            let margin = self.money(Int128(abs(value)) / Int128(account.configuration.leverage))
            let entry = self.money(Int128(position.entryPrice(rules)))
            out.append(
                text: """
                    {"symbol":"\(rules.name)","positionSide":"BOTH",\
                    "positionAmt":"\(decimalText(position.quantity, decimals: rules.quantityDecimals))",\
                    "entryPrice":"\(entry)","breakEvenPrice":"\(entry)",\
                    "markPrice":"\(decimalText(market.midPrice, decimals: rules.priceDecimals))",\
                    "unRealizedProfit":"\(self.money(self.unrealisedProfit(account, market)))","liquidationPrice":"0",\
                    "isolatedMargin":"0","notional":"\(self.money(Int128(value)))","marginAsset":"\(rules.quoteAsset)",\
                    "isolatedWallet":"0","initialMargin":"\(margin)","maintMargin":"0","positionInitialMargin":"\(margin)",\
                    "openOrderInitialMargin":"0","adl":0,"bidNotional":"0","askNotional":"0",\
                    "updateTime":\(self.now / millisecond)}
                    """)
        }
    }

    func userTrades(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let market = try market(parameters)
        let orderID = try parameters.integer("orderId")
        let limit = Int(try parameters.integer("limit") ?? 500)
        guard limit > 0, limit <= 1000 else { throw .badParameter("Data sent for parameter 'limit' is not valid.") }
        let from = try parameters.integer("fromId"), start = try parameters.integer("startTime")
        let rules = market.configuration
        let trades = account.trades.elements.filter {
            $0.symbol == rules.name && (orderID == nil || $0.orderID == orderID) && $0.tradeID >= from ?? 0
                && $0.time / millisecond >= start ?? 0
        }
        // From a beginning the oldest come first; without one the newest are shown.
        let page = from == nil && start == nil ? trades.suffix(limit) : trades.prefix(limit)
        return renderList(Array(page)) { out, trade in
            let value = rules.notional(price: trade.price, quantity: trade.quantity)
            out.append(
                text: """
                    {"symbol":"\(trade.symbol)","id":\(trade.tradeID),"orderId":\(trade.orderID),\
                    "side":"\(trade.side == .buy ? "BUY" : "SELL")",\
                    "price":"\(decimalText(trade.price, decimals: rules.priceDecimals))",\
                    "qty":"\(decimalText(trade.quantity, decimals: rules.quantityDecimals))",\
                    "realizedPnl":"\(decimalText(trade.realisedProfit, decimals: moneyDecimals))",\
                    "marginAsset":"\(rules.quoteAsset)","quoteQty":"\(decimalText(value, decimals: moneyDecimals))",\
                    "commission":"\(decimalText(trade.fee, decimals: moneyDecimals))","commissionAsset":"\(rules.quoteAsset)",\
                    "time":\(trade.time / millisecond),"positionSide":"BOTH","buyer":\(trade.side == .buy),\
                    "maker":\(trade.isMaker)}
                    """)
        }
    }
}
