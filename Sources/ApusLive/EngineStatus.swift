import Apus
import ApusEngine
import CApusRing

/// What the control side shows of the decision side: copied by the decision thread when it is asked, in memory of fixed size.
package struct EngineStatus: Sendable {
    package struct PositionLine: Sendable {
        package var quantity = Quantity.zero
        package var averagePrice: Price?
        package var realised = Money.zero
        package var unrealised = Money.zero
        package var fees = Money.zero
    }

    package struct OrderLine: Sendable {
        package var id: OrderID
        package var instrument: UInt16
        package var side: Side
        package var state: OrderState
        package var price: Price
        package var quantity: Quantity
        package var filled: Quantity
    }

    /// By the instrument's number.
    package var positions: [PositionLine]
    package var orders: [OrderLine]
    package var openOrders = 0
    package var profit = Profit()
    /// Orders that were refused so far; the newest code is the venue's, or the guard's reason.
    package var rejections: UInt64 = 0
    package var rejectionCode: Int32 = 0
    package var isRejectionGuards = false
    /// How often a fill was taken in that no trade has told of.
    package var assumptions: UInt64 = 0
    /// What may be sent: the strictest of all that have a say.
    package var trading = TradingState.active
    /// A day's limit was reached.
    package var trip: TradingDay.Trip?
    /// Records that still fit into the journal; nil without one.
    package var journalRoom: UInt64?
}

/// Hands a status from the decision thread to the control side, without a lock and without allocating on the decision thread.
///
/// The control side asks by counting `asked` up; the decision thread answers by writing the buffers and then `answered`. Between
/// asking and the answer only the decision thread touches the buffers, afterwards only the control side.
final class StatusMailbox: @unchecked Sendable {
    /// Open orders that are shown at most.
    static let orderRoom = 32
    private let words: UnsafeMutablePointer<UInt64>
    private let positions: UnsafeMutablePointer<EngineStatus.PositionLine>
    private let positionRoom: Int
    private let orders: UnsafeMutablePointer<EngineStatus.OrderLine>
    private var positionCount = 0
    private var orderCount = 0
    private var openOrders = 0
    private var profit = Profit()
    private var trading = TradingState.active
    private var trip: TradingDay.Trip?
    private var journalRoom: UInt64?
    private var assumptions: UInt64 = 0
    private var rejections: (count: UInt64, code: Int32, isGuards: Bool) = (0, 0, false)

    init(instruments: Int) {
        words = .allocate(capacity: 16)
        words.initialize(repeating: 0, count: 16)
        positionRoom = instruments
        positions = .allocate(capacity: instruments)
        positions.initialize(repeating: .init(), count: instruments)
        orders = .allocate(capacity: Self.orderRoom)
    }

    deinit {
        words.deallocate()
        positions.deallocate()
        orders.deallocate()
    }

    // The two words lie on different cache lines.
    private var asked: UnsafeMutablePointer<UInt64> { words }
    private var answered: UnsafeMutablePointer<UInt64> { words + 8 }

    // MARK: Decision thread

    /// Answers when there is a question: one load when there is none.
    @inline(__always)
    func answer(_ agent: DecisionAgent) {
        let question = apus_flag(asked)
        if question != answered.pointee { fill(agent, question) }
    }

    private func fill(_ agent: DecisionAgent, _ question: UInt64) {
        let context = agent.context
        positionCount = min(context.instruments.count, positionRoom)
        for index in 0..<positionCount {
            let position = context.position(of: context.instruments[index])
            positions[index] = .init(
                quantity: position.quantity, averagePrice: position.averagePrice, realised: position.realised,
                unrealised: position.unrealised, fees: position.fees)
        }
        profit = context.profit
        rejections = agent.rejections
        assumptions = agent.assumptions
        trading = agent.tradingState
        trip = agent.day.trip
        journalRoom = agent.journalRoom
        openOrders = context.openOrders.count
        orderCount = 0
        for order in context.openOrders where orderCount < Self.orderRoom {
            (orders + orderCount).initialize(
                to: .init(
                    id: order.id, instrument: UInt16(order.instrument.index), side: order.side, state: order.state,
                    price: order.price, quantity: order.quantity, filled: order.filled))
            orderCount += 1
        }
        apus_flag_set(answered, question)
    }

    // MARK: Control side

    /// The status that was asked for last, or nil while the answer is outstanding; asks for the next one.
    func take() -> EngineStatus? {
        let question = asked.pointee
        guard apus_flag(answered) == question else { return nil }
        var status: EngineStatus?
        if question > 0 {
            status = EngineStatus(
                positions: Array(UnsafeBufferPointer(start: positions, count: positionCount)),
                orders: Array(UnsafeBufferPointer(start: orders, count: orderCount)), openOrders: openOrders,
                profit: profit, rejections: rejections.count, rejectionCode: rejections.code,
                isRejectionGuards: rejections.isGuards, assumptions: assumptions, trading: trading, trip: trip,
                journalRoom: journalRoom)
        }
        apus_flag_set(asked, question + 1)
        return status
    }
}
