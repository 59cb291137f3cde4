extension Int128 {
    /// The product, or the end of the range with its sign when it does not fit.
    @inlinable
    package func multipliedSaturating(by other: Int128) -> Int128 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }

    /// self · factor / divisor with 256 bits between, rounded to nearest, halves away from zero; saturates.
    package func scaled(by factor: UInt64, over divisor: UInt64) -> Int128 {
        let (high, low) = magnitude.multipliedFullWidth(by: UInt128(factor))
        let wide = UInt128(divisor)
        guard high < wide else { return self < 0 ? .min : .max }
        var (quotient, rest) = wide.dividingFullWidth((high, low))
        if rest >= wide - rest { quotient += 1 }
        guard quotient <= UInt128(Int128.max) else { return self < 0 ? .min : .max }
        return self < 0 ? -Int128(quotient) : Int128(quotient)
    }

    /// self / divisor rounded to nearest, halves away from zero. The divisor is positive.
    @inlinable
    package func dividedNearest(by divisor: Int128) -> Int128 {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        guard rest.magnitude >= divisor.magnitude - rest.magnitude else { return quotient }
        return self < 0 ? quotient - 1 : quotient + 1
    }
}
