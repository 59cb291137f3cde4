/// The smallest and the largest of the newest `period` values. O(1) on average for a value, memory for 2 · `period`.
/// Source: Lemire, "Streaming maximum-minimum filter using no more than three comparisons per element", 2006.
///
/// ```swift
/// var range = RollingRange(period: 100)
/// range.update(101.5)
/// if let low = range.minimum, let high = range.maximum { print(high - low) }
/// ```
public struct RollingRange: Sendable {
    private var lows: MonotonicQueue
    private var highs: MonotonicQueue
    private var count = 0
    private let period: Int

    /// A range over that many values, at least 1.
    public init(period: Int) {
        precondition(period >= 1, "a period is at least 1")
        self.period = period
        lows = MonotonicQueue(period)
        highs = MonotonicQueue(period)
    }

    /// Whether it has seen as many values as its period.
    public var isReady: Bool { count >= period }
    /// The smallest; nil before the first value.
    public var minimum: Double? { lows.front }
    /// The largest; nil before the first value.
    public var maximum: Double? { highs.front.map { -$0 } }

    /// Takes in a value.
    public mutating func update(_ next: Double) {
        lows.push(next, number: count)
        highs.push(-next, number: count)
        count += 1
    }
}

/// Values that may yet become the minimum, rising from the front; a ring of fixed size.
private struct MonotonicQueue: Sendable {
    private var values: [(value: Double, number: Int)]
    private var head = 0
    private var count = 0

    init(_ period: Int) { values = Array(repeating: (0, 0), count: period) }

    var front: Double? { count == 0 ? nil : values[head].value }

    private func place(_ offset: Int) -> Int {
        let place = head + offset
        return place >= values.count ? place - values.count : place
    }

    mutating func push(_ value: Double, number: Int) {
        if count > 0, values[head].number + values.count <= number {
            head = place(1)
            count -= 1
        }
        while count > 0, values[place(count - 1)].value >= value { count -= 1 }
        values[place(count)] = (value, number)
        count += 1
    }
}

/// Mean and variance of the newest `period` values, each update by the difference that the entering and the leaving
/// value make: M2 += (x - y) · (x - mean' + y - mean). O(1). Renewed from the kept values once in each period.
/// Source: Welford, "Note on a method for calculating corrected sums of squares and products", 1962, applied to a
/// window.
///
/// ```swift
/// var returns = RollingVariance(period: 60)
/// returns.update(0.0012)
/// let sigma = returns.standardDeviation
/// ```
public struct RollingVariance: Sendable {
    private var window: Window
    /// The mean of the values in the window; 0 before the first.
    public private(set) var mean: Double = 0
    private var squares: Double = 0

    /// A variance over that many values, at least 2.
    public init(period: Int) {
        precondition(period >= 2, "a variance needs at least 2 values")
        window = Window(period)
    }

    /// Whether it has seen as many values as its period.
    public var isReady: Bool { window.isFull }
    /// The sample variance (divided by n - 1); 0 with fewer than two values.
    public var variance: Double { window.count < 2 ? 0 : max(squares, 0) / Double(window.count - 1) }
    /// The root of the variance.
    public var standardDeviation: Double { variance.squareRoot() }

    /// Takes in a value and returns the new variance.
    @discardableResult
    public mutating func update(_ next: Double) -> Double {
        let before = mean
        if let leaving = window.push(next) {
            mean += (next - leaving) / Double(window.count)
            squares += (next - leaving) * (next - mean + leaving - before)
        } else {
            mean += (next - before) / Double(window.count)
            squares += (next - before) * (next - mean)
        }
        if window.wrapped { renew() }
        return variance
    }

    private mutating func renew() {
        let center = window.reduce(0, +) / Double(window.count)
        squares = window.reduce(0) { $0 + ($1 - center) * ($1 - center) }
        mean = center
    }
}
