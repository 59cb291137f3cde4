// What a simulation asks of the venue besides the truth: an end of faults, a quiet market, and a look at each book as it is
// published. Nothing here is reached by a client.

extension BinanceVenue {
    /// The fingerprint of a symbol's book as it is now; the index is that of the configuration.
    package func fingerprint(_ index: Int) -> BookFingerprint {
        let market = markets[index]
        var hash = BookFingerprint.seed
        for side in [Side.buy, .sell] {
            market.book.side(side).levels.withUnsafeBufferPointer { levels in
                var place = levels.count
                while place > 0 {
                    place &-= 1
                    hash = BookFingerprint.add(hash, levels[place].price, levels[place].quantity)
                }
                hash = BookFingerprint.add(hash, -1, Int64(levels.count))
            }
        }
        func best(_ side: Side) -> TrueLevel? {
            market.book.best(side).map { TrueLevel(price: $0.price, quantity: $0.quantity) }
        }
        return BookFingerprint(updateID: market.updateID, hash: hash, bid: best(.buy), ask: best(.sell))
    }

    /// The id of the newest change of a symbol's book.
    package func updateID(_ index: Int) -> Int64 { markets[index].updateID }

    /// Calls `body` with the symbol's index whenever a depth event leaves for a listener, while the book is what it tells.
    package func observeDepth(_ body: @escaping (Int) -> Void) {
        for market in markets {
            let inner = market.feed.deliver
            market.feed.deliver = { connection, kind, frame in
                if kind.isDepth { body(market.index) }
                inner(connection, kind, frame)
            }
        }
    }

    package func stopFaults() -> [FaultRecord] { hub.stopFaults() }

    package func restart(outage: VenueTime, status: Int?) { hub.restart(outage: outage, status: status) }

    package func quieten() { stopParticipants() }

    /// Ends the account's listen key before its hour is over.
    package func expireListenKey(apiKey: String) {
        guard let account = account(forKey: apiKey), account.listenKey != nil else { return }
        expireListenKey(account)
    }

    /// How many orders the account has ever placed.
    package func orderCount(apiKey: String) -> Int { account(forKey: apiKey)?.orderCount ?? 0 }
}
