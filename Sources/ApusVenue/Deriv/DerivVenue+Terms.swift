// The shape of a contract is read from a proposal here, and what the venue does not offer is refused.

extension DerivVenue {
    static let longestTicks: Int64 = 10
    static let shortestSeconds: Int64 = 15
    static let longestSeconds: Int64 = 86_400

    /// The terms that a proposal, or a purchase without one, asks for.
    func terms(_ request: DerivRequest) throws(DerivError) -> DerivTerms {
        let name = request.text(request.api.symbolKey) ?? ""
        guard let index = index(named: name) else { throw .invalidSymbol(name) }
        guard let kind = DerivContractKind(rawValue: request.text("contract_type") ?? "") else {
            throw .offering("Trading is not offered for this contract type.")
        }
        guard request.text("currency") == "USD" else { throw .currency }
        guard let amount = try request.cents("amount") else { throw .creation("Basis amount is missing.") }
        let basis = DerivBasis(rawValue: request.text("basis") ?? "payout") ?? .payout
        let duration = try duration(request, index)
        if kind.isDigit, case .seconds = duration { throw .offering("Trading is not offered for this duration.") }
        return DerivTerms(
            kind: kind, symbol: index.place, duration: duration, barrier: try barrier(request, kind, index),
            basis: basis, amount: amount)
    }

    private func duration(_ request: DerivRequest, _ index: DerivIndex) throws(DerivError) -> DerivDuration {
        let refusal = DerivError.offering("Trading is not offered for this duration.")
        if let start = request.integer("date_start"), start > epoch { throw refusal }
        let seconds: Int64
        if let expiry = request.integer("date_expiry") {
            guard request.integer("duration") == nil else {
                throw .creation("Enter either the duration or the expiry time.")
            }
            seconds = expiry - epoch
        } else {
            guard let length = request.integer("duration") else { throw .creation("Missing required duration.") }
            switch request.text("duration_unit") ?? "s" {
            case "t":
                guard (1...Self.longestTicks).contains(length) else { throw refusal }
                return .ticks(Int(length))
            case "s": seconds = length
            case "m": seconds = length * 60
            case "h": seconds = length * 3600
            default: throw refusal
            }
        }
        // Two quotes must lie in a contract: its entry and its exit.
        let shortest = max(Self.shortestSeconds, 2 * index.symbol.interval)
        guard (shortest...Self.longestSeconds).contains(seconds) else { throw refusal }
        return .seconds(seconds)
    }

    private func barrier(
        _ request: DerivRequest, _ kind: DerivContractKind, _ index: DerivIndex
    ) throws(DerivError) -> DerivBarrier {
        let text = request.text("barrier")
        if kind.needsDigit {
            guard let text, text.utf8.count == 1, let digit = Int(text), kind.digits.contains(digit) else {
                throw .creation(
                    "The digit must be in the range of \(kind.digits.lowerBound) to \(kind.digits.upperBound).")
            }
            return .digit(digit)
        }
        guard let text else { return .entry }
        guard kind == .call || kind == .put else { throw .creation("A barrier is not allowed for this contract type.") }
        let isRelative = text.utf8.first == 43 || text.utf8.first == 45
        let digits = text.utf8.first == 43 ? String(text.dropFirst()) : text
        let quote: Int64
        do { quote = try parseDecimal(digits, decimals: index.symbol.decimals) } catch { throw .invalid("barrier") }
        guard quote.magnitude <= 1_000_000_000_000_000 else { throw .invalid("barrier") }
        if isRelative { return quote == 0 ? .entry : .relative(quote) }
        guard quote > 0 else { throw .creation("Barrier must be above zero.") }
        return .absolute(quote)
    }
}
