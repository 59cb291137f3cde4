/// How far the settlement of a trade has come:
///
///     MATCHED ──▶ MINED ──▶ CONFIRMED
///        └──▶ RETRYING ──▶ FAILED (undone), or MINED when it cannot be undone any more
package enum TradeStatus: String, Sendable {
    case matched = "MATCHED"
    case mined = "MINED"
    case confirmed = "CONFIRMED"
    case retrying = "RETRYING"
    case failed = "FAILED"
}

/// Who stands behind an order as trades show it; participants have made-up names.
struct TradeParty {
    /// The owner number in the ledger.
    var owner: Int32
    var orderID: String
    var key: String
    var address: String
    var token: Int
    var side: Side
}

/// One order that was resting and what it gave, in terms of its own token.
struct TradeMaker {
    var party: TradeParty
    var price: Int64
    var quantity: Int64
}

/// What an incoming order traded at one price with one or more resting ones.
final class PolymarketTrade {
    /// A UUID.
    let id: String
    let market: OutcomeMarket
    let taker: TradeParty
    /// Of the taker's token.
    let price: Int64
    let size: Int64
    let makers: [TradeMaker]
    let transfers: [OutcomeTransfer]
    let matchTime: VenueTime
    let willFail: Bool
    var status = TradeStatus.matched
    var updated: VenueTime
    /// Empty until the trade is mined.
    var transactionHash = ""

    init(
        id: String, market: OutcomeMarket, taker: TradeParty, price: Int64, makers: [TradeMaker],
        transfers: [OutcomeTransfer], time: VenueTime, willFail: Bool
    ) {
        self.id = id
        self.market = market
        self.taker = taker
        self.price = price
        self.makers = makers
        self.transfers = transfers
        size = makers.reduce(0) { $0 + $1.quantity }
        matchTime = time
        updated = time
        self.willFail = willFail
    }

    /// The trade as an account sees it, without its braces. The fields are those of the venue's REST answers and events.
    func appendFields(_ out: inout [UInt8], to account: PolymarketAccount) {
        let isTaker = taker.owner == account.index
        func append(_ key: StaticString, _ text: String) {
            out.append(key)
            out.append(quotedText: text)
        }
        append("\"id\":", id)
        append(",\"taker_order_id\":", taker.orderID)
        append(",\"market\":", market.configuration.conditionID)
        append(",\"asset_id\":", market.configuration.tokens[taker.token])
        append(",\"side\":", taker.side == .buy ? "BUY" : "SELL")
        out.append(",\"size\":")
        out.append(quotedShortDecimal: size, decimals: tokenDecimals)
        out.append(",\"fee_rate_bps\":\"0\",\"price\":")
        out.append(quotedShortDecimal: price, decimals: outcomePriceDecimals)
        append(",\"status\":", status.rawValue)
        append(",\"match_time\":", String(matchTime / second))
        append(",\"last_update\":", String(updated / second))
        append(",\"outcome\":", market.configuration.outcomes[taker.token])
        append(",\"owner\":", taker.key)
        append(",\"trade_owner\":", taker.key)
        append(",\"maker_address\":", taker.address)
        append(",\"transaction_hash\":", transactionHash)
        out.append(",\"bucket_index\":0,\"maker_orders\":[")
        for (index, maker) in makers.enumerated() {
            if index > 0 { out.append(44) }
            append("{\"order_id\":", maker.party.orderID)
            append(",\"owner\":", maker.party.key)
            append(",\"maker_address\":", maker.party.address)
            out.append(",\"matched_amount\":")
            out.append(quotedShortDecimal: maker.quantity, decimals: tokenDecimals)
            out.append(",\"price\":")
            out.append(quotedShortDecimal: maker.price, decimals: outcomePriceDecimals)
            append(",\"fee_rate_bps\":", "0")
            append(",\"asset_id\":", market.configuration.tokens[maker.party.token])
            append(",\"outcome\":", market.configuration.outcomes[maker.party.token])
            out.append(",\"outcome_index\":")
            out.append(integer: Int64(maker.party.token))
            append(",\"side\":", maker.party.side == .buy ? "BUY" : "SELL")
            out.append(125)
        }
        append("],\"trader_side\":", isTaker ? "TAKER" : "MAKER")
    }
}
