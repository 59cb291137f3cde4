import Apus
import ApusEngine

/// The venue's account outside the hot path: what recovery, `apus reconcile` and the supervisor ask and do. One connection,
/// no hurry; every call has a time-out and may be repeated, since none of them places an order.
package protocol AccountClient: Sendable {
    /// Open orders, trades since then (wall clock, nanoseconds), positions and balance of the instruments it was made for.
    func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot
    /// What has become of one order; nil: the venue does not know it.
    func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder?
    /// Cancels these orders. Returns those of which the venue did not confirm that they are open no more.
    func cancel(_ orders: [KnownOrder]) async throws(AccountError) -> [KnownOrder]
    /// Cancels every open order of the account on the instruments it was made for.
    func cancelAll() async throws(AccountError)
    /// Arms the venue's dead-man switch: without another call within that time the venue cancels what is open. Zero disarms it.
    /// Returns false where the venue has none.
    func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool
    /// Ends connections.
    func close() async
}

/// Why the venue could not be asked, in words that say what to do; never with a secret in it.
package struct AccountError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable, Equatable {
        /// The venue or the way to it failed: it may work later.
        case venue
        /// No answer in time.
        case timeout
        /// The request was refused for what it is: key, signature, parameter.
        case refused
        /// Too many requests.
        case rateLimit
    }

    package let kind: Kind
    package let description: String
    /// When to ask again, in seconds; nil: the venue did not say.
    package let retryAfter: Int?

    package init(_ kind: Kind, _ description: String, retryAfter: Int? = nil) {
        self.kind = kind
        self.description = description
        self.retryAfter = retryAfter
    }
}
