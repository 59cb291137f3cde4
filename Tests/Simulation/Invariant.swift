/// What must hold in every life. A life that breaks one says which, so that a mistake made on purpose is seen to be found for its own
/// reason.
enum Invariant: String, Sendable, CaseIterable {
    /// A live book is the venue's, level for level, and the strategy is shown what was published.
    case book
    /// What the venue has of orders was approved, each once.
    case approval
    /// An order that may be open at the venue is known, and open.
    case memory
    /// State, price and quantity of an order are the venue's.
    case order
    /// What is filled of an order is the venue's, and was told.
    case fill
    case position
    /// What was earned and paid, and the balance.
    case money
    /// No limit is exceeded at the venue.
    case limit
    /// The journal holds what was sent, and is sound up to what was safe.
    case journal
    /// Recovery comes to an end.
    case recovery
    /// Every tick is told once, in order.
    case ticks
}

/// One invariant that did not hold.
struct Problem: Sendable, Equatable, CustomStringConvertible {
    var invariant: Invariant
    var text: String

    init(_ invariant: Invariant, _ text: String) {
        self.invariant = invariant
        self.text = text
    }

    var description: String { "\(invariant): \(text)" }
}
