/// What the engine does for a `Context`: functions that capture nothing, and the engine that they are called on. A
/// protocol or a class reference here would be retained and released around every order.
package struct OrderDesk {
    /// The engine. It owns the `Context` and so outlives every call.
    package let owner: UnsafeMutableRawPointer
    package let place: (UnsafeMutableRawPointer, OrderRequest) -> Placement
    package let cancel: (UnsafeMutableRawPointer, OrderID) -> Placement
    /// Price and whole quantity in units.
    package let modify: (UnsafeMutableRawPointer, OrderID, Int64, Int64) -> Placement
    package let order: (UnsafeMutableRawPointer, OrderID) -> Order?
    /// The time of the first, and the pause after it (0: none).
    package let setTimer: (UnsafeMutableRawPointer, UInt64, UInt64) -> TimerID?
    package let cancelTimer: (UnsafeMutableRawPointer, TimerID) -> Bool

    package init(
        owner: UnsafeMutableRawPointer, place: @escaping (UnsafeMutableRawPointer, OrderRequest) -> Placement,
        cancel: @escaping (UnsafeMutableRawPointer, OrderID) -> Placement,
        modify: @escaping (UnsafeMutableRawPointer, OrderID, Int64, Int64) -> Placement,
        order: @escaping (UnsafeMutableRawPointer, OrderID) -> Order?,
        setTimer: @escaping (UnsafeMutableRawPointer, UInt64, UInt64) -> TimerID?,
        cancelTimer: @escaping (UnsafeMutableRawPointer, TimerID) -> Bool
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
