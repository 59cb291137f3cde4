/// How prices and quantities in units become money in 10^-18 parts of an asset, without rounding where the contract
/// allows it.
///
/// With P price decimals and Q quantity decimals (P + Q ≤ 18):
/// - linear and binary value: price · quantity · multiplier · 10^(18 - P - Q), exact
/// - inverse value, in the base asset: quantity · multiplier · 10^(18 + P - Q) / price, rounded to nearest once
///   (Binance COIN-M: contract size · contracts / price)
@usableFromInline
package struct Economics: Equatable {
    package let contract: ContractKind
    package let multiplier: Int64
    @usableFromInline package let isInverse: Bool
    /// multiplier · 10^(18 - P - Q); inverse: multiplier · 10^(18 - Q), for the quote value.
    @usableFromInline package let scale: Int128
    /// 10^P, for inverse values.
    @usableFromInline package let priceOne: Int128

    package init(_ definition: InstrumentDefinition) {
        contract = definition.contract
        multiplier = definition.multiplier
        isInverse = definition.contract == .inverse
        priceOne = Int128(powerOfTen(definition.priceDecimals))
        let decimals = definition.quantityDecimals + (isInverse ? 0 : definition.priceDecimals)
        scale = Int128(definition.multiplier) * Int128(powerOfTen(18 - decimals))
    }

    /// What a quote value is a multiple of: price · quantity, inverse: the quantity. It never overflows.
    @inlinable
    package func parts(_ price: Int64, _ quantity: Int64) -> Int128 {
        if isInverse { return Int128(quantity) }
        let product = price.multipliedFullWidth(by: quantity)
        return Int128(product.high) << 64 | Int128(product.low)
    }

    /// The most parts that are worth at most so much.
    package func most(worth value: Int128) -> Int128 {
        let (parts, rest) = value.quotientAndRemainder(dividingBy: scale)
        return rest < 0 ? parts - 1 : parts
    }

    /// The least parts that are worth at least so much.
    package func least(worth value: Int128) -> Int128 {
        let (parts, rest) = value.quotientAndRemainder(dividingBy: scale)
        return rest > 0 ? parts + 1 : parts
    }

    /// The value in the quote asset; negative for a negative quantity; saturates.
    @inlinable
    package func notional(_ price: Int64, _ quantity: Int64) -> Int128 {
        parts(price, quantity).multipliedSaturating(by: scale)
    }

    /// The value in the settlement asset: what a position's cost and profit are counted in.
    @inlinable
    package func value(_ price: Int64, _ quantity: Int64) -> Int128 {
        if !isInverse { return notional(price, quantity) }
        guard price > 0 else { return 0 }
        return Int128(quantity).multipliedSaturating(by: scale).multipliedSaturating(by: priceOne)
            .dividedNearest(by: Int128(price))
    }

    /// The value in the settlement asset at the middle of two prices; saturates.
    package func value(between low: Int64, and high: Int64, _ quantity: Int64) -> Int128 {
        let sum = Int128(low) + Int128(high)
        guard sum > 0 else { return 0 }
        let parts = Int128(quantity).multipliedSaturating(by: scale)
        if isInverse {
            return parts.multipliedSaturating(by: 2 * priceOne).dividedNearest(by: sum)
        }
        return parts.multipliedSaturating(by: sum).dividedNearest(by: 2)
    }

    /// The price, rounded to nearest, at which the quantity has that value; nil when there is none.
    package func price(ofValue value: Int128, _ quantity: Int64) -> Int64? {
        let parts = Int128(quantity.magnitude).multipliedSaturating(by: scale)
        let amount = Int128(min(value.magnitude, UInt128(Int128.max)))
        guard parts > 0, amount > 0 else { return nil }
        let price =
            isInverse
            ? parts.multipliedSaturating(by: priceOne).dividedNearest(by: amount) : amount.dividedNearest(by: parts)
        return Int64(exactly: price)
    }
}
