/// Things that are due at a time, in the order of their times and, at the same time, of their coming.
struct TimerQueue<Element> {
    private struct Entry {
        var time: VenueTime
        var number: Int
        var element: Element

        func isBefore(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    private var heap: [Entry] = []
    private var nextNumber = 0

    /// The far future when nothing waits.
    var nextTime: VenueTime { heap.first?.time ?? .max }

    mutating func add(_ element: Element, at time: VenueTime) {
        heap.append(Entry(time: time, number: nextNumber, element: element))
        nextNumber += 1
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The first thing that is due; nil when nothing is.
    mutating func take(until now: VenueTime) -> Element? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        if heap.isEmpty { return first.element }
        heap[0] = last
        var index = 0
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[smallest])
            {
                smallest = child
            }
            if smallest == index { return first.element }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}
