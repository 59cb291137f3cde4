internal import Apus
internal import CApusRing

/// An event where it lies in the ring: in simulated time the writer is the same thread, and it stays there meanwhile.
///
/// Its words are loaded one by one, as they were stored: a wider load would have to wait for the stores.
struct RingEvent {
    private let slot: UnsafePointer<apus_feed_slot>
    let number: UInt64

    @inline(__always)
    init(_ reader: UnsafeMutablePointer<apus_feed_reader>) {
        number = reader.pointee.next
        slot = reader.pointee.slots + Int(truncatingIfNeeded: number & reader.pointee.mask)
    }

    @inline(__always)
    private var words: UnsafePointer<UInt64> { UnsafeRawPointer(slot).assumingMemoryBound(to: UInt64.self) + 1 }

    /// The event as such.
    @inline(__always)
    var event: UnsafePointer<apus_event> { UnsafeRawPointer(words).assumingMemoryBound(to: apus_event.self) }
    @inline(__always)
    var isBook: Bool { UInt32(event.pointee.kind) == APUS_EVENT_BOOK.rawValue }
    @inline(__always)
    var time: UInt64 { apus_counter(words + 5) }
    @inline(__always)
    var touch: Touch { Touch(word(1), word(2), word(3), word(4)) }

    @inline(__always)
    private func word(_ place: Int) -> Int64 { Int64(bitPattern: apus_counter(words + place)) }
}
