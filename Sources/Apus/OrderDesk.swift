/// What the engine does for a `Context`: functions that capture nothing, and the engine that they are called on. A
/// protocol or a class reference here would be retained and released around every order.
package struct OrderDesk {
    /// Whose wish it is.
    package typealias Caller = UnsafeMutablePointer<ContextCore>

    /// The engine. It owns the `Context` and so outlives every call.
    package let owner: UnsafeMutableRawPointer
    package let place: (Caller, OrderRequest) -> Placement
    package let cancel: (Caller, OrderID) -> Placement
    /// Price and whole quantity in units.
    package let modify: (Caller, OrderID, Int64, Int64) -> Placement
    package let order: (Caller, OrderID) -> Order?
    /// The time of the first, and the pause after it (0: none).
    package let setTimer: (Caller, UInt64, UInt64) -> TimerID?
    package let cancelTimer: (Caller, TimerID) -> Bool

    package init(
        owner: UnsafeMutableRawPointer, place: @escaping (Caller, OrderRequest) -> Placement,
        cancel: @escaping (Caller, OrderID) -> Placement,
        modify: @escaping (Caller, OrderID, Int64, Int64) -> Placement,
        order: @escaping (Caller, OrderID) -> Order?,
        setTimer: @escaping (Caller, UInt64, UInt64) -> TimerID?,
        cancelTimer: @escaping (Caller, TimerID) -> Bool
    ) {
        self.owner = owner
        self.place = place
        self.cancel = cancel
        self.modify = modify
        self.order = order
        self.setTimer = setTimer
        self.cancelTimer = cancelTimer
    }
}
