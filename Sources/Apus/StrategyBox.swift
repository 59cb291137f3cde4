/// A strategy whose type the engine does not know. The methods are those of `Strategy`.
package class AnyStrategyBox {
    package init() {}
    package func start(_ context: Context) throws {}
    package func book(_ book: BookView, _ context: Context) {}
    package func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context) {}
    package func trade(_ trade: Trade, _ context: Context) {}
    package func report(_ report: borrowing Report, _ context: Context) {}
    package func timer(_ timer: TimerID, _ context: Context) {}
    package func bookState(_ change: BookStateChange, _ context: Context) {}
    package func tickSize(_ instrument: Instrument, previous: Price, _ context: Context) {}
    package func loss(_ loss: Loss, _ context: Context) {}
    package func connection(_ change: ConnectionChange, _ context: Context) {}
    package func stop(_ context: Context) {}
}

/// Holds the strategy in memory of its own: calling a mutating method on it costs no exclusivity check and no copy.
package final class StrategyBox<S: Strategy>: AnyStrategyBox {
    package let strategy: UnsafeMutablePointer<S>

    package init(_ strategy: consuming S) {
        self.strategy = .allocate(capacity: 1)
        self.strategy.initialize(to: strategy)
    }

    deinit {
        strategy.deinitialize(count: 1)
        strategy.deallocate()
    }

    package override func start(_ context: Context) throws { try strategy.pointee.start(context) }
    package override func book(_ book: BookView, _ context: Context) { strategy.pointee.book(book, context) }
    package override func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context) {
        strategy.pointee.ticker(touch, of: instrument, context)
    }
    package override func trade(_ trade: Trade, _ context: Context) { strategy.pointee.trade(trade, context) }
    package override func report(_ report: borrowing Report, _ context: Context) {
        strategy.pointee.report(copy report, context)
    }
    package override func timer(_ timer: TimerID, _ context: Context) { strategy.pointee.timer(timer, context) }
    package override func bookState(_ change: BookStateChange, _ context: Context) {
        strategy.pointee.bookState(change, context)
    }
    package override func tickSize(_ instrument: Instrument, previous: Price, _ context: Context) {
        strategy.pointee.tickSize(instrument, previous: previous, context)
    }
    package override func loss(_ loss: Loss, _ context: Context) { strategy.pointee.loss(loss, context) }
    package override func connection(_ change: ConnectionChange, _ context: Context) {
        strategy.pointee.connection(change, context)
    }
    package override func stop(_ context: Context) { strategy.pointee.stop(context) }
}
