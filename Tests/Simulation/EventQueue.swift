/// What is to happen, ordered by time and, at one time, in the order in which it was planned: a binary heap.
struct EventQueue<Event> {
    private struct Entry {
        var time: UInt64
        var number: UInt64
        var event: Event
    }

    private var heap: [Entry] = []
    private var nextNumber: UInt64 = 0

    /// When the first event is due; `.max` when there is none.
    var earliest: UInt64 { heap.first?.time ?? .max }

    mutating func add(_ event: Event, at time: UInt64) {
        heap.append(Entry(time: time, number: nextNumber, event: event))
        nextNumber += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !isBefore(child, parent) { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the first event if it is due by then.
    mutating func take(until time: UInt64) -> Event? {
        guard let first = heap.first, first.time <= time else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first.event
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        heap[a].time != heap[b].time ? heap[a].time < heap[b].time : heap[a].number < heap[b].number
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < heap.count && isBefore(left, least) { least = left }
            if left + 1 < heap.count && isBefore(left + 1, least) { least = left + 1 }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
