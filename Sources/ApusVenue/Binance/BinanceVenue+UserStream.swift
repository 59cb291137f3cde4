// Own events: what happened to an account's orders and money, in the order it happened, each exactly once.

/// What an order event tells.
enum ExecutionType {
    case new, canceled, expired, amendment
    case trade(AccountTrade)

    var name: StaticString {
        switch self {
        case .new: "NEW"
        case .canceled: "CANCELED"
        case .expired: "EXPIRED"
        case .amendment: "AMENDMENT"
        case .trade: "TRADE"
        }
    }
}

extension BinanceVenue {
    static let listenKeyLife = 3600 * second

    // MARK: Listen keys

    /// Gives the account its listen key; asking again keeps the key and its life starts anew.
    func startUserStream(_ account: Account) -> [UInt8] {
        if account.listenKey == nil {
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
            let key = (0..<64).map { _ in alphabet[keyRandom.below(alphabet.count)] }
            account.listenKey = String(decoding: key, as: UTF8.self)
        }
        return renewed(account)
    }

    func keepUserStream(_ account: Account) throws(BinanceError) -> [UInt8] {
        guard account.listenKey != nil else { throw .noListenKey }
        return renewed(account)
    }

    private func renewed(_ account: Account) -> [UInt8] {
        account.listenKeyExpiry = now + Self.listenKeyLife
        timersChanged()
        var out: [UInt8] = []
        out.append("{\"listenKey\":")
        out.append(quotedText: account.listenKey ?? "")
        out.append(125)
        return out
    }

    func stopUserStream(_ account: Account) throws(BinanceError) -> [UInt8] {
        guard account.listenKey != nil else { throw .noListenKey }
        endUserStream(account)
        return Array("{}".utf8)
    }

    /// The key's hour is over: listeners are told and no longer served.
    func expireListenKey(_ account: Account) {
        var out: [UInt8] = []
        out.append("{\"e\":\"listenKeyExpired\",\"E\":")
        out.append(integer: now / millisecond)
        out.append(",\"listenKey\":")
        out.append(quotedText: account.listenKey ?? "")
        out.append(125)
        sendUser(account, out)
        endUserStream(account)
    }

    private func endUserStream(_ account: Account) {
        for connection in account.listeners { connection.subscriptions.removeAll { $0.name == account.listenKey } }
        account.listeners = []
        account.listenKey = nil
    }

    private func sendUser(_ account: Account, _ data: [UInt8]) {
        guard let key = account.listenKey else { return }
        for connection in account.listeners {
            var text = data
            if connection.isCombined {
                text = []
                text.append("{\"stream\":")
                text.append(quotedText: key)
                text.append(",\"data\":")
                text.append(contentsOf: data)
                text.append(125)
            }
            hub.sendStream(WebSocketCodec.frame(.text, text), to: connection, stream: "user")
        }
    }

    // MARK: Events

    /// `ORDER_TRADE_UPDATE`, with its fields in the venue's order.
    func sendOrderEvent(_ account: Account, _ order: AccountOrder, _ execution: ExecutionType) {
        guard !account.listeners.isEmpty else { return }
        let rules = markets[order.symbol].configuration
        var out: [UInt8] = []
        out.reserveCapacity(640)
        out.append("{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":")
        out.append(integer: now / millisecond)
        out.append(",\"E\":")
        out.append(integer: now / millisecond)
        out.append(",\"o\":{\"s\":\"")
        out.append(text: rules.name)
        out.append("\",\"c\":")
        out.append(quotedText: order.clientID)
        out.append(",\"S\":\"")
        out.append(order.side.name)
        out.append("\",\"o\":\"")
        out.append(text: order.type.rawValue)
        out.append("\",\"f\":\"")
        out.append(text: order.timeInForce.rawValue)
        out.append("\",\"q\":")
        out.append(quotedDecimal: order.quantity, decimals: rules.quantityDecimals)
        out.append(",\"p\":")
        out.append(quotedShortZero: order.price, decimals: rules.priceDecimals)
        out.append(",\"ap\":")
        out.append(quotedShortZero: order.averagePrice(rules), decimals: rules.priceDecimals)
        out.append(",\"sp\":\"0\",\"x\":\"")
        out.append(execution.name)
        out.append("\",\"X\":\"")
        out.append(text: order.status.rawValue)
        out.append("\",\"i\":")
        out.append(integer: order.id)
        appendExecution(&out, order, execution, rules)
        appendTail(&out, account, order, execution)
        sendUser(account, out)
    }

    private func appendExecution(
        _ out: inout [UInt8], _ order: AccountOrder, _ execution: ExecutionType, _ rules: SymbolConfiguration
    ) {
        var trade: AccountTrade?
        if case .trade(let done) = execution { trade = done }
        out.append(",\"l\":")
        out.append(quotedShortZero: trade?.quantity ?? 0, decimals: rules.quantityDecimals)
        out.append(",\"z\":")
        out.append(quotedShortZero: order.executed, decimals: rules.quantityDecimals)
        out.append(",\"L\":")
        out.append(quotedShortZero: trade?.price ?? 0, decimals: rules.priceDecimals)
        out.append(",\"n\":")
        out.append(quotedShortZero: trade?.fee ?? 0, decimals: moneyDecimals)
        out.append(",\"N\":\"")
        out.append(text: rules.quoteAsset)
        out.append("\",\"T\":")
        out.append(integer: now / millisecond)
        out.append(",\"t\":")
        out.append(integer: trade?.tradeID ?? 0)
    }

    private func appendTail(
        _ out: inout [UInt8], _ account: Account, _ order: AccountOrder, _ execution: ExecutionType
    ) {
        var isMaker = false
        var profit: Int64 = 0
        if case .trade(let trade) = execution {
            isMaker = trade.isMaker
            profit = trade.realisedProfit
        }
        let notional = openNotional(account, symbol: order.symbol)
        out.append(",\"b\":")
        out.append(quotedShortZero: notional.bids, decimals: moneyDecimals)
        out.append(",\"a\":")
        out.append(quotedShortZero: notional.asks, decimals: moneyDecimals)
        out.append(",\"m\":")
        out.append(bool: isMaker)
        out.append(",\"R\":")
        out.append(bool: order.isReduceOnly)
        out.append(",\"wt\":\"CONTRACT_PRICE\",\"ot\":\"")
        out.append(text: order.type.rawValue)
        out.append("\",\"ps\":\"BOTH\",\"cp\":false,\"rp\":")
        out.append(quotedShortZero: profit, decimals: moneyDecimals)
        out.append(",\"pP\":false,\"si\":0,\"ss\":0,\"V\":\"")
        out.append(text: order.prevention.rawValue)
        out.append("\",\"pm\":\"NONE\",\"gtd\":")
        out.append(integer: order.goodTill / millisecond)
        out.append("}}")
    }

    private func openNotional(_ account: Account, symbol: Int) -> (bids: Int64, asks: Int64) {
        var result: (bids: Int64, asks: Int64) = (0, 0)
        for order in account.open where order.symbol == symbol {
            let value = markets[symbol].configuration.notional(price: order.price, quantity: order.remaining)
            if order.side == .buy { result.bids += value } else { result.asks += value }
        }
        return result
    }

    /// `ACCOUNT_UPDATE` after a fill: the wallet and the position that changed.
    func sendAccountUpdate(_ account: Account, _ market: Market) {
        guard !account.listeners.isEmpty else { return }
        let rules = market.configuration
        let owner = ledger.owners[Int(account.index)]
        let position = owner.positions[market.index]
        var out: [UInt8] = []
        out.reserveCapacity(384)
        out.append("{\"e\":\"ACCOUNT_UPDATE\",\"T\":")
        out.append(integer: now / millisecond)
        out.append(",\"E\":")
        out.append(integer: now / millisecond)
        out.append(",\"a\":{\"B\":[{\"a\":\"")
        out.append(text: rules.quoteAsset)
        out.append("\",\"wb\":")
        out.append(quotedDecimal: Int64(owner.wallet), decimals: moneyDecimals)
        out.append(",\"cw\":")
        out.append(quotedDecimal: Int64(owner.wallet), decimals: moneyDecimals)
        out.append(",\"bc\":\"0\"}],\"P\":[{\"s\":\"")
        out.append(text: rules.name)
        out.append("\",\"pa\":")
        out.append(quotedShortZero: position.quantity, decimals: rules.quantityDecimals)
        out.append(",\"ep\":")
        out.append(quotedDecimal: position.entryPrice(rules), decimals: moneyDecimals)
        out.append(",\"cr\":")
        out.append(quotedDecimal: Int64(position.realised), decimals: moneyDecimals)
        out.append(",\"up\":")
        out.append(quotedDecimal: Int64(unrealisedProfit(account, market)), decimals: moneyDecimals)
        out.append(",\"mt\":\"cross\",\"iw\":\"0\",\"ps\":\"BOTH\",\"ma\":\"")
        out.append(text: rules.quoteAsset)
        out.append("\",\"bep\":")
        out.append(quotedDecimal: position.entryPrice(rules), decimals: moneyDecimals)
        out.append("}],\"m\":\"ORDER\"}}")
        sendUser(account, out)
    }
}

extension AccountOrder {
    /// Price units, rounded towards zero; zero before the first fill.
    func averagePrice(_ rules: SymbolConfiguration) -> Int64 {
        executed == 0 ? 0 : cumulativeQuote / rules.notionalScale / executed
    }
}

extension Position {
    /// Mean price of what is open, `10^-8` quote; zero when flat.
    func entryPrice(_ rules: SymbolConfiguration) -> Int64 {
        guard quantity != 0 else { return 0 }
        return Int64(openCost * Int128(powerOfTen(rules.quantityDecimals)) / Int128(quantity))
    }
}
