/// How the paper venue behaves: times in nanoseconds, fees in millionths of an order's value.
package struct PaperConfiguration: Codable, Sendable, Equatable {
    /// From the decision until the venue has the order.
    package var orderLatency: UInt64 = 2_000_000
    /// From the venue's matching until the report is here.
    package var reportLatency: UInt64 = 2_000_000
    /// Up to so much is added to each latency, evenly distributed; the order of messages is kept, as on one connection.
    package var jitter: UInt64 = 0
    /// Where the jitter begins; the same seed gives the same run.
    package var seed: UInt64 = 1
    /// Fee of a fill that made liquidity; negative is a rebate.
    package var makerFeePpm: Int64 = 200
    /// Fee of a fill that took liquidity.
    package var takerFeePpm: Int64 = 500

    package init() {}

    package init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        orderLatency = try keys.decodeIfPresent(UInt64.self, forKey: .orderLatency) ?? orderLatency
        reportLatency = try keys.decodeIfPresent(UInt64.self, forKey: .reportLatency) ?? reportLatency
        jitter = try keys.decodeIfPresent(UInt64.self, forKey: .jitter) ?? jitter
        seed = try keys.decodeIfPresent(UInt64.self, forKey: .seed) ?? seed
        makerFeePpm = try keys.decodeIfPresent(Int64.self, forKey: .makerFeePpm) ?? makerFeePpm
        takerFeePpm = try keys.decodeIfPresent(Int64.self, forKey: .takerFeePpm) ?? takerFeePpm
    }
}

/// Why the paper venue refused something: the `code` of its reports.
package enum PaperReason: Int32, Sendable {
    case postOnlyWouldTake = -1
    case bookNotLive = -2
    case wouldMeetOwnOrder = -3
    case fillOrKillNotFilled = -4
    case tooManyOrders = -5
    case noSuchOrder = -6
    case quantityAlreadyFilled = -7
}

/// A random generator of one 64-bit word. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Evenly distributed from 0 to `limit`, both included (Lemire's multiplication; the bias is below limit / 2^64).
    mutating func upTo(_ limit: UInt64) -> UInt64 {
        limit == .max ? next() : next().multipliedFullWidth(by: limit + 1).high
    }
}

/// Messages on their way, in the order they were sent; fixed size.
struct DelayLine<Message>: ~Copyable {
    private let ring: UnsafeMutablePointer<(due: UInt64, message: Message)>
    private let mask: Int
    private var head = 0
    private(set) var count = 0
    private var last: UInt64 = 0

    /// - Parameter capacity: a power of two.
    init(capacity: Int) {
        precondition(capacity & (capacity - 1) == 0, "a ring's size is a power of two")
        ring = .allocate(capacity: capacity)
        mask = capacity - 1
    }

    deinit { ring.deallocate() }

    var isFull: Bool { count > mask }
    /// When the first message arrives; `.max` when none is on its way.
    var due: UInt64 { count == 0 ? .max : ring[head].due }
    /// The first message. There is one.
    var first: UnsafeMutablePointer<(due: UInt64, message: Message)> { ring + head }

    /// Sends a message; it arrives at `due`, but not before those ahead of it.
    mutating func send(_ message: Message, due: UInt64) {
        precondition(!isFull, "a delay line has room for what is let into it")
        last = max(last, due)
        (ring + ((head + count) & mask)).initialize(to: (last, message))
        count += 1
    }

    /// Takes the first message away.
    mutating func drop() {
        (ring + head).deinitialize(count: 1)
        head = (head + 1) & mask
        count -= 1
    }
}
