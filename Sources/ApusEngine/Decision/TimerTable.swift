internal import Apus

/// The timers of strategies, in fixed memory, 64 for each. Equal times fire in the order they were set.
package struct TimerTable: ~Copyable {
    package static let capacity = 64

    private struct Entry {
        var time: UInt64
        var pause: UInt64
        var id: UInt64
    }

    private let entries: UnsafeMutablePointer<Entry>
    /// How many each strategy has.
    private let counts: UnsafeMutablePointer<Int>
    private let strategies: Int
    private var count = 0
    private var nextID: UInt64 = 1
    /// The earliest time; `.max` when no timer is set.
    private(set) var earliest: UInt64 = .max

    init(strategies: Int = 1) {
        self.strategies = strategies
        entries = .allocate(capacity: strategies * Self.capacity)
        counts = .allocate(capacity: strategies)
        counts.initialize(repeating: 0, count: strategies)
    }

    deinit {
        entries.deallocate()
        counts.deallocate()
    }

    mutating func set(at time: UInt64, every pause: UInt64, of strategy: UInt8) -> TimerID? {
        let owner = Int(strategy)
        guard owner < strategies, counts[owner] < Self.capacity else { return nil }
        let timer = TimerID(nextID, of: strategy)
        (entries + count).initialize(to: Entry(time: time, pause: pause, id: timer.value))
        count += 1
        counts[owner] += 1
        nextID += 1
        earliest = min(earliest, time)
        return timer
    }

    /// Only a strategy's own.
    mutating func cancel(_ timer: TimerID, of strategy: UInt8) -> Bool {
        guard timer.strategy == Int(strategy) else { return false }
        for index in 0..<count where entries[index].id == timer.value {
            remove(index)
            return true
        }
        return false
    }

    private mutating func remove(_ index: Int) {
        counts[TimerID(entries[index].id).strategy] -= 1
        count -= 1
        for later in index..<count { entries[later] = entries[later + 1] }
        renew()
    }

    private mutating func renew() {
        earliest = .max
        for index in 0..<count { earliest = min(earliest, entries[index].time) }
    }

    /// Takes the earliest timer that is due; a repeating one is set again, in step with its first time, past `now`.
    mutating func takeDue(_ now: UInt64) -> (TimerID, UInt64)? {
        guard earliest <= now, let index = (0..<count).first(where: { entries[$0].time == earliest }) else {
            return nil
        }
        let entry = entries[index]
        if entry.pause == 0 {
            remove(index)
        } else {
            let missed = (now - entry.time) / entry.pause
            entries[index].time = entry.time + (missed + 1) * entry.pause
            renew()
        }
        return (TimerID(entry.id), entry.time)
    }
}
