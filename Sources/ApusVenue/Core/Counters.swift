/// A list that forgets its oldest element when it is full.
struct RingList<Element> {
    private var storage: [Element] = []
    private var start = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Appends and returns what was forgotten.
    @discardableResult
    mutating func append(_ element: Element) -> Element? {
        if storage.count < limit {
            storage.append(element)
            return nil
        }
        let forgotten = storage[start]
        storage[start] = element
        start = (start + 1) % limit
        return forgotten
    }

    /// Oldest first.
    var elements: [Element] { Array(storage[start...] + storage[..<start]) }
}

/// A counter that starts again at each full interval of the clock.
struct WindowCounter {
    let length: VenueTime
    private var window: VenueTime = -1
    private var value = 0

    init(length: VenueTime) { self.length = length }

    mutating func add(_ weight: Int, _ now: VenueTime) {
        if now / length != window {
            window = now / length
            value = 0
        }
        value += weight
    }

    func count(_ now: VenueTime) -> Int { now / length == window ? value : 0 }

    /// Whole seconds until the counter starts again, at least one.
    func secondsLeft(_ now: VenueTime) -> Int {
        let left = (now / length + 1) * length - now
        return max(1, Int((left + second - 1) / second))
    }
}

/// A bucket of tokens that fills evenly and holds no more than its burst. It begins full.
struct TokenBucket {
    let perSecond: Int64
    let burst: Int64
    /// In millionths of a token.
    private var level: Int64
    private var time: VenueTime?

    init(perSecond: Int, burst: Int) {
        self.perSecond = Int64(perSecond)
        self.burst = Int64(burst)
        level = Int64(burst) * 1_000_000
    }

    /// Takes that many tokens, or none when there are not enough.
    mutating func take(_ count: Int, _ now: VenueTime) -> Bool {
        fill(now)
        guard level >= Int64(count) * 1_000_000 else { return false }
        level -= Int64(count) * 1_000_000
        return true
    }

    /// Whole tokens that are there.
    mutating func tokens(_ now: VenueTime) -> Int {
        fill(now)
        return Int(level / 1_000_000)
    }

    /// Time until that many tokens are there.
    mutating func wait(for count: Int, _ now: VenueTime) -> VenueTime {
        fill(now)
        let missing = Int64(count) * 1_000_000 - level
        return missing <= 0 ? 0 : (missing * 1000 + perSecond - 1) / perSecond
    }

    private mutating func fill(_ now: VenueTime) {
        guard let before = time else {
            time = now
            return
        }
        let elapsed = min(max(now - before, 0), 3600 * second)
        let gained = elapsed * perSecond / 1000
        // What is left below a millionth of a token stays in the time.
        time = before + (elapsed == 3600 * second ? now - before : gained * 1000 / perSecond)
        level = min(level + gained, burst * 1_000_000)
    }
}
