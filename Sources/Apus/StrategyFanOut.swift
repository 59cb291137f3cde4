/// One of an engine's strategies.
package struct StrategySetting: Sendable {
    /// One of a kind within the engine: its orders, positions and limits go by it, also after a restart.
    package var name: String
    package var description: StrategyDescription
    package var parameters: [String: String]
    /// What it trades and is told of; empty: all.
    package var symbols: [String]

    package init(
        _ description: StrategyDescription, name: String? = nil, parameters: [String: String] = [:],
        symbols: [String] = []
    ) {
        self.name = name ?? description.name
        self.description = description
        self.parameters = parameters
        self.symbols = symbols
    }

    /// An error about a parameter says whose it is.
    package func blaming<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch var error as ParameterError {
            error.strategy = name
            throw error
        }
    }
}

/// Strategies that cannot run side by side.
package struct StrategySettingError: Error, Equatable, CustomStringConvertible {
    package let strategy: String
    package let reason: String

    package init(strategy: String, reason: String) {
        self.strategy = strategy
        self.reason = reason
    }

    package var description: String { "strategy \(strategy): \(reason)" }
}

/// Several strategies as one: each is told, in the configured order, and sees what is its own. Decision thread only; one strategy
/// that has everything does without.
package final class StrategyFanOut: AnyStrategyBox {
    private let seats: UnsafeMutablePointer<Seat>
    private let count: Int
    private let settings: [StrategySetting]
    private let boxes: [AnyStrategyBox]
    private let parameters: [Parameters]
    private let capacity: Int
    private var isOpen = false

    private struct Seat {
        /// Without counting references: `boxes` keeps it.
        let box: Unmanaged<AnyStrategyBox>
        let core: UnsafeMutablePointer<ContextCore>
        /// By instrument.
        let isTold: UnsafeMutablePointer<Bool>
        let numbers: UnsafeMutablePointer<UInt16>?

        @inline(__always)
        func tell(_ body: (AnyStrategyBox, Context) -> Void) {
            box._withUnsafeGuaranteedRef { body($0, Context(core)) }
        }
    }

    /// - Parameter capacity: how many instruments there may be.
    package init(_ made: [(setting: StrategySetting, box: AnyStrategyBox, parameters: Parameters)], capacity: Int) {
        count = made.count
        settings = made.map(\.setting)
        boxes = made.map(\.box)
        parameters = made.map(\.parameters)
        self.capacity = max(capacity, 1)
        seats = .allocate(capacity: count)
    }

    /// Gives each strategy a context of its own, made like that of the whole account. Once, before anything is told.
    /// - Parameters:
    ///   - positions: by strategy, where the first instrument's position stands; the next ones follow in steps of `stride` bytes.
    ///   - openCounts: by strategy, how many orders are open.
    package func open(
        _ whole: ContextCore, _ instruments: InstrumentTable, positions: [UnsafeMutablePointer<PositionLedger>],
        stride: Int, openCounts: UnsafeMutablePointer<Int32>
    ) {
        for number in 0..<count {
            let isTold = UnsafeMutablePointer<Bool>.allocate(capacity: capacity)
            isTold.initialize(repeating: false, count: capacity)
            let numbers =
                settings[number].symbols.isEmpty ? nil : UnsafeMutablePointer<UInt16>.allocate(capacity: capacity)
            let core = UnsafeMutablePointer<ContextCore>.allocate(capacity: 1)
            core.initialize(to: whole)
            core.pointee.strategy = UInt8(number)
            core.pointee.parameters = parameters[number]
            core.pointee.positions = UnsafeMutableRawPointer(positions[number])
            core.pointee.positionStride = stride
            core.pointee.ownOpenCount = openCounts + number
            core.pointee.numbers = numbers
            core.pointee.isTraded = isTold
            core.pointee.instrumentCount = 0
            (seats + number).initialize(
                to: Seat(box: .passUnretained(boxes[number]), core: core, isTold: isTold, numbers: numbers))
        }
        isOpen = true
        for index in 0..<instruments.count { add(instruments[index]) }
    }

    deinit {
        for number in 0..<count where isOpen {
            seats[number].core.deinitialize(count: 1)
            seats[number].core.deallocate()
            seats[number].isTold.deallocate()
            seats[number].numbers?.deallocate()
        }
        seats.deallocate()
    }

    /// An instrument was added to the table.
    package func add(_ instrument: Instrument) {
        for (number, setting) in settings.enumerated() {
            guard setting.symbols.isEmpty || setting.symbols.contains(instrument.symbol) else { continue }
            let seat = seats[number]
            seat.isTold[instrument.index] = true
            seat.numbers?[seat.core.pointee.instrumentCount] = UInt16(instrument.index)
            seat.core.pointee.instrumentCount += 1
        }
    }

    /// What that strategy sees.
    package func context(_ number: Int) -> Context { Context(seats[number].core) }

    // MARK: Telling

    @inline(__always)
    private func each(of instrument: Instrument, _ body: (AnyStrategyBox, Context) -> Void) {
        let index = instrument.index
        for number in 0..<count where seats[number].isTold[index] { seats[number].tell(body) }
    }

    @inline(__always)
    private func each(_ body: (AnyStrategyBox, Context) -> Void) {
        for number in 0..<count { seats[number].tell(body) }
    }

    package override func start(_ context: Context) throws {
        for (number, setting) in settings.enumerated() {
            try setting.blaming { try boxes[number].start(self.context(number)) }
        }
    }

    package override func book(_ book: BookView, _ context: Context) {
        each(of: book.instrument) { $0.book(book, $1) }
    }
    package override func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context) {
        each(of: instrument) { $0.ticker(touch, of: instrument, $1) }
    }
    package override func trade(_ trade: Trade, _ context: Context) {
        each(of: trade.instrument) { $0.trade(trade, $1) }
    }
    package override func report(_ report: borrowing Report, _ context: Context) {
        // Nobody is told of what is nobody's.
        let number = Int(report.order.strategy)
        guard number < count else { return }
        let report = copy report
        seats[number].tell { $0.report(report, $1) }
    }
    package override func timer(_ timer: TimerID, _ context: Context) {
        seats[timer.strategy].tell { $0.timer(timer, $1) }
    }
    package override func bookState(_ change: BookStateChange, _ context: Context) {
        each(of: change.instrument) { $0.bookState(change, $1) }
    }
    package override func tickSize(_ instrument: Instrument, previous: Price, _ context: Context) {
        each(of: instrument) { $0.tickSize(instrument, previous: previous, $1) }
    }
    package override func loss(_ loss: Loss, _ context: Context) { each { $0.loss(loss, $1) } }
    package override func connection(_ change: ConnectionChange, _ context: Context) {
        each { $0.connection(change, $1) }
    }
    package override func stop(_ context: Context) { each { $0.stop($1) } }
}
