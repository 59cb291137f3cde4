/// The exponential moving average: v += (x - v) · 2 / (period + 1), starting with the first value.
/// Source: Appel, "Technical Analysis", 2005 (the weight 2 / (n + 1) has the mean age of a simple average of n
/// values). O(1).
///
/// ```swift
/// var fast = EMA(period: 12)
/// let value = fast.update(101.5)
/// ```
public struct EMA: Sendable {
    /// The period that the weight was made from.
    public let period: Int
    /// The average; 0 before the first value.
    public private(set) var value: Double = 0
    /// How many values it has seen.
    public private(set) var count = 0
    private let weight: Double

    /// An average of that period, at least 1.
    public init(period: Int) {
        precondition(period >= 1, "a period is at least 1")
        self.period = period
        weight = 2 / (Double(period) + 1)
    }

    /// Whether it has seen as many values as its period: before that, the first value weighs too much.
    public var isReady: Bool { count >= period }

    /// Takes in a value and returns the new average.
    @discardableResult
    public mutating func update(_ next: Double) -> Double {
        value = count == 0 ? next : value + (next - value) * weight
        count += 1
        return value
    }
}

/// The simple moving average of the newest `period` values: their sum / their count. O(1), memory for `period` values.
///
/// The sum is renewed from the kept values once in each period, so that rounding errors cannot pile up.
///
/// ```swift
/// var average = SMA(period: 20)
/// for value in [1.0, 2.0, 3.0] { average.update(value) }   // average.value is 2
/// ```
public struct SMA: Sendable {
    private var window: Window
    private var sum: Double = 0

    /// An average of that many values, at least 1.
    public init(period: Int) { window = Window(period) }

    /// Whether it has seen as many values as its period.
    public var isReady: Bool { window.isFull }
    /// The average of the values so far, at most `period` of them; 0 before the first.
    public var value: Double { window.count == 0 ? 0 : sum / Double(window.count) }

    /// Takes in a value and returns the new average.
    @discardableResult
    public mutating func update(_ next: Double) -> Double {
        sum += next - (window.push(next) ?? 0)
        if window.wrapped { sum = window.reduce(0, +) }
        return value
    }
}

/// The newest values in a ring; none is moved, nothing is allocated after the start.
struct Window: Sendable {
    private var values: [Double]
    private var place = 0
    private(set) var count = 0

    init(_ period: Int) {
        precondition(period >= 1, "a period is at least 1")
        values = Array(repeating: 0, count: period)
    }

    var isFull: Bool { count == values.count }
    /// The ring has just been filled or gone round once more.
    var wrapped: Bool { place == 0 && count > 0 }

    /// Takes in a value; returns the one that leaves.
    mutating func push(_ next: Double) -> Double? {
        let leaving = isFull ? values[place] : nil
        values[place] = next
        place = place + 1 == values.count ? 0 : place + 1
        if !isFull { count += 1 }
        return leaving
    }

    func reduce(_ start: Double, _ combine: (Double, Double) -> Double) -> Double {
        var result = start
        for index in 0..<count { result = combine(result, values[index]) }
        return result
    }
}
