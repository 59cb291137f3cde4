import ApusVenue

extension VenueLaunch {
    /// Starts a venue that speaks Polymarket's protocol. Instruments are token ids, or names from which markets are made;
    /// accounts are written `0xSIGNER`, or `0xSIGNER:TYPE:0xFUNDER` when another address holds the money.
    func startPolymarket() throws -> LaunchedVenue {
        var rows: [[(name: String, value: String)]] = []
        var wallets: [PolymarketAccountConfiguration] = []
        if accounts.isEmpty {
            let key = newPrivateKey()
            wallets.append(PolymarketAccountConfiguration(signer: key.address))
            rows.append([(name: "private_key", value: key.text), (name: "address", value: "\(key.address)")])
        }
        for text in accounts {
            let wallet = try polymarketAccount(text)
            wallets.append(wallet)
            rows.append([(name: "address", value: "\(wallet.signer)"), (name: "funder", value: "\(wallet.funder)")])
        }
        let markets = (symbols.isEmpty ? ["will-it-rain", "will-it-snow"] : symbols).map {
            OutcomeMarketConfiguration($0)
        }
        var configuration = PolymarketConfiguration(
            markets: markets, accounts: wallets, seed: seed, speed: speed, faults: faults)
        configuration.rateLimits.enforced = enforcesLimits
        let instruments = markets.map { market in
            [
                (name: "slug", value: market.slug), (name: "market", value: market.conditionID),
                (name: "yes", value: market.tokens[0]), (name: "no", value: market.tokens[1]),
            ]
        }
        return try LaunchedVenue(server, accounts: rows, instruments: instruments) { [configuration] now in
            try PolymarketVenue(configuration, now: now)
        }
    }

    private func polymarketAccount(_ text: String) throws -> PolymarketAccountConfiguration {
        let parts = text.split(separator: ":").map(String.init)
        guard parts.count == 1 || parts.count == 3, let signer = EthereumAddress(parts[0]) else {
            throw CommandFailure(ExitStatus.usage, "--account: expected 0xSIGNER or 0xSIGNER:TYPE:0xFUNDER")
        }
        guard parts.count == 3 else { return PolymarketAccountConfiguration(signer: signer) }
        guard let type = Int(parts[1]).flatMap(SignatureType.init), let funder = EthereumAddress(parts[2]) else {
            throw CommandFailure(
                ExitStatus.usage,
                "--account: TYPE is 0 (EOA), 1 (proxy), 2 (Safe) or 3 (deposit wallet), FUNDER an address")
        }
        return PolymarketAccountConfiguration(signer: signer, funder: funder, signatureType: type)
    }
}

/// A private key of secp256k1 from the system's generator, with its address.
func newPrivateKey() -> (text: String, address: EthereumAddress) {
    while true {
        // Nearly every 32 bytes are a key.
        let text = "0x" + randomHex(64)
        if let address = EthereumAddress.ofPrivateKey(text) { return (text, address) }
    }
}
