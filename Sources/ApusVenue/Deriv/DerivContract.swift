/// Where a contract stands.
package enum DerivContractStatus: String, Sendable {
    case open, sold, won, lost
}

/// A contract through its whole life:
///
///     open ── expiry ──▶ won or lost
///       └──── sell ────▶ sold
///
/// It is bought at once; its entry spot is the next quote after the purchase.
final class DerivContract {
    let id: Int64
    let account: DerivAccount
    let terms: DerivTerms
    /// Cents.
    let buyPrice: Int64
    let payout: Int64
    let purchaseTime: Int64
    let longcode: String
    let buyTransaction: Int64
    private(set) var shortcode = ""
    var appID: Int64

    private(set) var status = DerivContractStatus.open
    private(set) var entry: DerivTick?
    private(set) var exit: DerivTick?
    /// Quotes of a contract that counts them, the entry first.
    private(set) var ticks: [DerivTick] = []
    private(set) var sellPrice: Int64 = 0
    private(set) var sellTime: Int64 = 0
    private(set) var sellTransaction: Int64 = 0

    init(
        id: Int64, account: DerivAccount, terms: DerivTerms, quote: DerivQuote, purchaseTime: Int64, index: DerivIndex,
        buyTransaction: Int64, appID: Int64
    ) {
        self.id = id
        self.account = account
        self.terms = terms
        buyPrice = quote.ask
        payout = quote.payout
        self.purchaseTime = purchaseTime
        self.buyTransaction = buyTransaction
        self.appID = appID
        longcode = terms.longcode(index.symbol)
        shortcode = terms.shortcode(index.symbol, payout: quote.payout, start: purchaseTime)
    }

    /// Quotes after which a counted contract ends, the entry among them: a rise or fall of five ticks looks at the fifth quote
    /// after its entry, a digit contract at the fifth counting the entry.
    var tickTarget: Int? {
        guard case .ticks(let count) = terms.duration else { return nil }
        return terms.kind.isDigit ? count : count + 1
    }

    /// When it ends; for a contract that counts quotes, when its last one is expected.
    func expiry(_ symbol: DerivSymbol) -> Int64 {
        switch terms.duration {
        case .seconds(let length): return purchaseTime + length
        case .ticks:
            let first = entry?.epoch ?? (purchaseTime / symbol.interval + 1) * symbol.interval
            return first + Int64((tickTarget ?? 1) - 1) * symbol.interval
        }
    }

    /// The quote that the exit is compared with; nil before the entry is known.
    var barrier: Int64? {
        guard !terms.kind.isDigit else { return nil }
        switch terms.barrier {
        case .absolute(let quote): return quote
        case .relative(let offset): return entry.map { $0.quote + offset }
        case .entry, .digit: return entry?.quote
        }
    }

    var digit: Int {
        if case .digit(let digit) = terms.barrier { return digit }
        return 0
    }

    /// A new quote of its index; true when it is the one that ends the contract.
    func observe(_ tick: DerivTick) -> Bool {
        guard status == .open, tick.epoch > purchaseTime else { return false }
        if entry == nil { entry = tick }
        guard let target = tickTarget else { return false }
        ticks.append(tick)
        return ticks.count >= target
    }

    /// Whether it wins with that exit.
    func wins(_ exit: DerivTick) -> Bool {
        DerivPricing.wins(terms.kind, exit: exit.quote, barrier: barrier ?? 0, digit: digit)
    }

    /// Ends the contract; the price is what the account gets for it, in cents.
    func close(_ status: DerivContractStatus, exit: DerivTick, price: Int64, time: Int64, transaction: Int64) {
        self.status = status
        self.exit = exit
        sellPrice = price
        sellTime = time
        sellTransaction = transaction
    }
}

extension DerivTerms {
    /// How the barrier stands in a short code: an offset in quote units, an absolute quote with its decimals taken away, or a digit.
    private var barrierCode: String {
        switch barrier {
        case .entry: kind.isDigit ? "0" : "S0P"
        case .relative(let offset): "S\(offset)P"
        case .absolute(let quote): "\(quote)"
        case .digit(let digit): "\(digit)"
        }
    }

    /// The compact name of a contract, from which its shape can be read back.
    func shortcode(_ symbol: DerivSymbol, payout: Int64, start: Int64) -> String {
        let end: String =
            switch duration {
            case .ticks(let count): "\(count)T"
            case .seconds(let length): "\(start + length)"
            }
        return "\(kind.rawValue)_\(symbol.name)_\(moneyText(payout))_\(start)_\(end)_\(barrierCode)_0"
    }

    /// The sentence that describes a contract.
    func longcode(_ symbol: DerivSymbol) -> String {
        let when: String =
            switch duration {
            case .ticks(let count): "after \(count) tick\(count == 1 ? "" : "s")"
            case .seconds(let length): "at \(length) seconds after contract start time"
            }
        if kind.isDigit { return "Win payout if the last digit of \(symbol.displayName) is \(digitCondition) \(when)." }
        let side = kind.isHigher ? "higher" : "lower"
        let equal = kind == .callEqual || kind == .putEqual
        let relation = equal ? "\(side) than or equal to" : "strictly \(side) than"
        let level: String =
            switch barrier {
            case .absolute(let quote): decimalText(quote, decimals: symbol.decimals)
            case .relative(let offset):
                "entry spot \(offset < 0 ? "minus" : "plus") \(decimalText(abs(offset), decimals: symbol.decimals))"
            case .entry, .digit: "entry spot"
            }
        return "Win payout if \(symbol.displayName) \(when) is \(relation) \(level)."
    }

    private var digitCondition: String {
        var digit = 0
        if case .digit(let named) = barrier { digit = named }
        return switch kind {
        case .digitMatch: "\(digit)"
        case .digitDiff: "not \(digit)"
        case .digitOver: "higher than \(digit)"
        case .digitUnder: "lower than \(digit)"
        case .digitEven: "even"
        default: "odd"
        }
    }
}

/// What moved an account's money.
package enum DerivAction: String, Sendable {
    case buy, sell, deposit
}

/// One movement of an account's money. The starting balance and the amounts add up to the balance at any time.
package struct DerivTransaction: Sendable, Equatable {
    package var id: Int64
    package var action: DerivAction
    /// Cents; negative when it was paid.
    package var amount: Int64
    package var balanceAfter: Int64
    /// Whole seconds since 1970.
    package var time: Int64
    /// Zero for a deposit.
    package var contract: Int64
    /// The purchase that a sale ends; zero otherwise.
    package var reference: Int64
}
