/// What happened to an order.
public enum ReportKind: UInt8, Sendable, CaseIterable {
    /// It was handed to the network.
    case sent = 1
    /// The venue has it.
    case accepted
    /// The venue refused it; `Report.code` is the venue's.
    case rejected
    /// The last guard before the network refused it; `Report.code` says why (`apus_guard_reason`).
    case refused
    /// Some of it was filled; `Report.fill` says what.
    case fill
    /// It is canceled.
    case canceled
    /// Its time in force ended it.
    case expired
    /// It has a new price or quantity.
    case modified
    /// The venue did not cancel it.
    case cancelRejected
    /// The venue did not change it.
    case modifyRejected
    /// An answer was lost; the engine asks the venue what became of it.
    case unknown
    /// The venue's answer to that question.
    case status
    /// The venue knows no such order.
    case notFound
    /// The venue has taken a fill back; `Report.fill` says which. Position and fees are as if it had never been.
    case fillUndone = 15
}

/// One fill of an order.
@frozen
public struct Fill: Sendable, Equatable {
    /// The price.
    public package(set) var price: Price
    /// The quantity.
    public package(set) var quantity: Quantity
    /// The fee in the settlement asset; negative is a rebate. Zero when it was paid in another asset.
    public package(set) var fee: Money
    /// Whether the order stood in the book and was hit.
    public package(set) var isMaker: Bool
    /// The venue's number of the trade; 0 when the engine learned of it only from a status answer.
    public package(set) var tradeID: UInt64

    package init(price: Price, quantity: Quantity, fee: Money, isMaker: Bool, tradeID: UInt64) {
        self.price = price
        self.quantity = quantity
        self.fee = fee
        self.isMaker = isMaker
        self.tradeID = tradeID
    }
}

/// News of an order. Position and open orders already contain it. A report that came twice is told once.
///
/// ```swift
/// mutating func report(_ report: Report, _ context: Context) {
///     if let fill = report.fill { bought += fill.quantity }
///     if report.order.id == quote, !report.order.isOpen { quote = nil }
/// }
/// ```
@frozen
public struct Report {
    /// The order, after this.
    public let order: Order
    /// What happened.
    public let kind: ReportKind
    /// The fill, when there was one.
    public let fill: Fill?
    /// The venue's or the guard's code of a refusal, 0 otherwise.
    public let code: Int32
    /// When it was received: nanoseconds, monotonic.
    public let time: UInt64

    package init(order: Order, kind: ReportKind, fill: Fill?, code: Int32, time: UInt64) {
        self.order = order
        self.kind = kind
        self.fill = fill
        self.code = code
        self.time = time
    }
}
