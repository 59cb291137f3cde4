import ApusVenue

extension VenueLaunch {
    /// Starts a venue that speaks Deriv's options protocol, the current API and v3. Accounts are written `id:token`; an id that
    /// begins with VR is a demo account's.
    func startDeriv() throws -> LaunchedVenue {
        let accounts = try derivAccounts()
        let configuration = DerivVenueConfiguration(
            symbols: try symbols.isEmpty ? DerivSymbol.all : symbols.map(derivSymbol), accounts: accounts, seed: seed,
            budgets: DerivBudgetConfiguration(enforced: enforcesLimits), faults: faults)
        let rows = accounts.map {
            [
                (name: "account", value: $0.id), (name: "type", value: $0.isDemo ? "demo" : "real"),
                (name: "token", value: $0.token),
            ]
        }
        return try LaunchedVenue(server, accounts: rows) { try DerivVenue(configuration, now: $0) }
    }

    private func derivAccounts() throws -> [DerivAccountConfiguration] {
        if accounts.isEmpty {
            let token = randomHex(32)
            return [
                DerivAccountConfiguration(id: "VRTC90000001", token: token),
                DerivAccountConfiguration(id: "CR90000001", token: token, isDemo: false),
            ]
        }
        return try accounts.map { text in
            let pair = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { throw CommandFailure(ExitStatus.usage, "--account: expected id:token") }
            return DerivAccountConfiguration(id: pair[0], token: pair[1], isDemo: pair[0].hasPrefix("VR"))
        }
    }
}

private func derivSymbol(_ name: String) throws -> DerivSymbol {
    guard let symbol = DerivSymbol.named(name) else {
        let names = DerivSymbol.all.map(\.name).joined(separator: ", ")
        throw CommandFailure(ExitStatus.usage, "the loopback venue lists \(names), not \(name) (venue.symbols)")
    }
    return symbol
}
