/// What the hot and the decision thread have allocated, by jemalloc's count of each thread.
package struct Allocations: Sendable {
    /// Bytes.
    package var hot: UInt64
    package var decide: UInt64
    /// Events that the decision side had read.
    package var events: UInt64

    package init(hot: UInt64, decide: UInt64, events: UInt64) {
        self.hot = hot
        self.decide = decide
        self.events = events
    }

    /// What has come since an earlier view.
    package func since(_ earlier: Allocations) -> Allocations {
        Allocations(
            hot: hot &- earlier.hot, decide: decide &- earlier.decide, events: events &- earlier.events)
    }
}
