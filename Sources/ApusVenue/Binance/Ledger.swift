/// What one owner holds of one symbol.
package struct Position: Sendable, Equatable {
    /// Quantity units; negative is short.
    package var quantity: Int64 = 0
    /// What the open quantity cost, `10^-8` quote, with the sign of the quantity.
    package var openCost: Int128 = 0
    /// Profit taken so far, `10^-8` quote, without fees.
    package var realised: Int128 = 0

    /// Books a trade and returns the profit it realises.
    ///
    /// When a part of a position is closed its cost leaves in proportion, rounded towards zero; the rest stays in
    /// `openCost`, so that cost and profit together never lose a unit.
    mutating func apply(signedQuantity: Int64, signedNotional: Int128) -> Int128 {
        if quantity == 0 || (quantity > 0) == (signedQuantity > 0) {
            quantity += signedQuantity
            openCost += signedNotional
            return 0
        }
        let closing = min(signedQuantity.magnitude, quantity.magnitude)
        let closedNotional = signedNotional * Int128(closing) / Int128(signedQuantity.magnitude)
        let released = openCost * Int128(closing) / Int128(quantity.magnitude)
        let profit = -closedNotional - released
        openCost -= released
        quantity += signedQuantity > 0 ? Int64(closing) : -Int64(closing)
        realised += profit
        let opening = Int64(signedQuantity.magnitude - closing)
        if opening > 0 {
            quantity = signedQuantity > 0 ? opening : -opening
            openCost = signedNotional - closedNotional
        }
        return profit
    }
}

/// Money and positions of all owners: the accounts first, then the simulated participants.
final class Ledger {
    struct Owner {
        /// `10^-8` quote: starting balance, realised profit and fees.
        var wallet: Int128
        var feesPaid: Int128 = 0
        var positions: [Position]
    }

    private(set) var owners: [Owner] = []
    private let symbolCount: Int
    private(set) var feesCollected: Int128 = 0

    init(symbolCount: Int) { self.symbolCount = symbolCount }

    /// Adds an owner and returns its number.
    func addOwner(balance: Int64) -> Int32 {
        owners.append(Owner(wallet: Int128(balance), positions: Array(repeating: Position(), count: symbolCount)))
        return Int32(owners.count - 1)
    }

    func position(_ owner: Int32, symbol: Int) -> Position { owners[Int(owner)].positions[symbol] }

    /// What one side of a fill did to its owner.
    struct Booking {
        var fee: Int64
        var profit: Int128
    }

    /// Books one side of a fill.
    func book(
        owner: Int32, symbol: Int, side: Side, quantity: Int64, notional: Int64, feePpm: Int64
    ) -> Booking {
        let fee = Int64(Int128(notional) * Int128(feePpm) / 1_000_000)
        let sign: Int64 = side == .buy ? 1 : -1
        let profit = owners[Int(owner)].positions[symbol].apply(
            signedQuantity: sign * quantity, signedNotional: Int128(sign) * Int128(notional))
        owners[Int(owner)].wallet += profit - Int128(fee)
        owners[Int(owner)].feesPaid += Int128(fee)
        feesCollected += Int128(fee)
        return Booking(fee: fee, profit: profit)
    }
}
