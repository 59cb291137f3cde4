/// One side of a fill in terms of its own token.
struct OutcomeParty {
    var owner: Int32
    /// 0 or 1.
    var token: Int
    var side: Side
}

/// What one fill did; enough to undo it.
struct OutcomeTransfer {
    var market: Int
    var quantity: Int64
    var taker: OutcomeParty
    var maker: OutcomeParty
    /// Collateral that each side paid (a buyer) or got (a seller).
    var takerCash: Int64
    var makerCash: Int64
}

/// Money and outcome tokens of all owners: the accounts first, then the simulated participants.
///
/// Tokens exist in pairs: minting a pair locks one unit of collateral, merging one frees it. So for every market the tokens
/// of each outcome, over all owners, are what is locked; and all collateral with all that is locked never changes.
final class OutcomeLedger {
    struct Owner {
        /// `10^-6` of the collateral.
        var collateral: Int64
        /// By market and outcome.
        var tokens: [Int64]
    }

    private(set) var owners: [Owner] = []
    /// Collateral that stands behind the tokens of each market.
    private(set) var locked: [Int128]

    init(markets: Int) { locked = Array(repeating: 0, count: markets) }

    /// Adds an owner with pairs of tokens of every market, which are minted for it.
    func addOwner(collateral: Int64, pairs: Int64) -> Int32 {
        owners.append(Owner(collateral: collateral, tokens: Array(repeating: pairs, count: locked.count * 2)))
        for market in locked.indices { locked[market] += Int128(pairs) }
        return Int32(owners.count - 1)
    }

    func tokens(_ owner: Int32, market: Int, token: Int) -> Int64 { owners[Int(owner)].tokens[market * 2 + token] }

    /// The transfer of a fill at a price of the maker's token: tokens change hands, or a pair is minted or merged.
    func transfer(
        market: Int, quantity: Int64, makerPrice: Int64, taker: OutcomeParty, maker: OutcomeParty
    ) -> OutcomeTransfer {
        let makerCash = cost(price: makerPrice, quantity: quantity)
        return OutcomeTransfer(
            market: market, quantity: quantity, taker: taker, maker: maker,
            takerCash: taker.token == maker.token ? makerCash : quantity - makerCash, makerCash: makerCash)
    }

    func book(_ transfer: OutcomeTransfer) { apply(transfer, sign: 1) }

    func undo(_ transfer: OutcomeTransfer) { apply(transfer, sign: -1) }

    /// What an owner would have less after undoing: nothing may become negative.
    func canUndo(_ transfers: [OutcomeTransfer]) -> Bool {
        var changed: [Int32: Owner] = [:]
        for transfer in transfers {
            for (party, cash) in [(transfer.taker, transfer.takerCash), (transfer.maker, transfer.makerCash)] {
                var owner = changed[party.owner] ?? owners[Int(party.owner)]
                let sign: Int64 = party.side == .buy ? -1 : 1
                owner.collateral -= sign * cash
                owner.tokens[transfer.market * 2 + party.token] += sign * transfer.quantity
                changed[party.owner] = owner
            }
        }
        // order does not matter: every owner is held to the same rule
        return changed.values.allSatisfy { $0.collateral >= 0 && $0.tokens.allSatisfy { $0 >= 0 } }
    }

    private func apply(_ transfer: OutcomeTransfer, sign: Int64) {
        move(transfer.taker, transfer.market, sign * transfer.quantity, sign * transfer.takerCash)
        move(transfer.maker, transfer.market, sign * transfer.quantity, sign * transfer.makerCash)
        guard transfer.taker.token != transfer.maker.token else { return }
        locked[transfer.market] += Int128(transfer.taker.side == .buy ? sign : -sign) * Int128(transfer.quantity)
    }

    private func move(_ party: OutcomeParty, _ market: Int, _ quantity: Int64, _ cash: Int64) {
        let sign: Int64 = party.side == .buy ? 1 : -1
        owners[Int(party.owner)].collateral -= sign * cash
        owners[Int(party.owner)].tokens[market * 2 + party.token] += sign * quantity
    }
}
