/// A trading strategy: a struct (or class) that the engine tells what happens, one call after the other, on one thread.
///
/// Every callback has an empty default; write those you need. Numbers and time come from the arguments alone, so the
/// same inputs give the same decisions live, in replay and in backtest. A callback must not wait and, where speed
/// matters, not allocate.
///
/// ```swift
/// import Apus
///
/// struct BuyTheDip: Strategy {
///     var average = EMA(period: 500)
///
///     mutating func book(_ book: BookView, _ context: Context) {
///         guard book.isLive, let mid = book.mid, let ask = book.ask else { return }
///         let value = average.update(Double(mid.units))
///         if Double(mid.units) < value * 0.999, context.position(of: book.instrument).isFlat {
///             context.limit(.buy, book.instrument.minQuantity, of: book.instrument, at: ask, .immediateOrCancel)
///         }
///     }
/// }
/// ```
public protocol Strategy: SendableMetatype {
    /// Before anything else: look up instruments, set timers. An error stops the program and is shown;
    /// `ParameterError` names the key.
    mutating func start(_ context: Context) throws
    /// The touch or the depth of a book changed. Check `BookView.isLive` before trading on it.
    mutating func book(_ book: BookView, _ context: Context)
    /// The venue's own best bid and offer; often a little ahead of the book.
    mutating func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context)
    /// A trade on the venue.
    mutating func trade(_ trade: Trade, _ context: Context)
    /// News of one of the strategy's orders.
    mutating func report(_ report: Report, _ context: Context)
    /// A timer that was set is due.
    mutating func timer(_ timer: TimerID, _ context: Context)
    /// A book became live, stale, or is gone.
    mutating func bookState(_ change: BookStateChange, _ context: Context)
    /// An instrument's tick changed; `Instrument.tick` is already the new one.
    mutating func tickSize(_ instrument: Instrument, previous: Price, _ context: Context)
    /// Events were lost because the strategy was too slow.
    mutating func loss(_ loss: Loss, _ context: Context)
    /// A connection changed its state.
    mutating func connection(_ change: ConnectionChange, _ context: Context)
    /// After everything else. Orders may still be canceled here; new ones are refused.
    mutating func stop(_ context: Context)
}

extension Strategy {
    /// Does nothing.
    public mutating func start(_ context: Context) throws {}
    /// Does nothing.
    public mutating func book(_ book: BookView, _ context: Context) {}
    /// Does nothing.
    public mutating func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context) {}
    /// Does nothing.
    public mutating func trade(_ trade: Trade, _ context: Context) {}
    /// Does nothing.
    public mutating func report(_ report: Report, _ context: Context) {}
    /// Does nothing.
    public mutating func timer(_ timer: TimerID, _ context: Context) {}
    /// Does nothing.
    public mutating func bookState(_ change: BookStateChange, _ context: Context) {}
    /// Does nothing.
    public mutating func tickSize(_ instrument: Instrument, previous: Price, _ context: Context) {}
    /// Does nothing.
    public mutating func loss(_ loss: Loss, _ context: Context) {}
    /// Does nothing.
    public mutating func connection(_ change: ConnectionChange, _ context: Context) {}
    /// Does nothing.
    public mutating func stop(_ context: Context) {}
}
