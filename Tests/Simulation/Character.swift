import ApusVenue
import CApusProtocol

/// Random numbers of one part of a life. Each part draws from a sequence of its own, so that one part drawing more does not
/// shift the others.
struct Dice {
    private var state = apus_random()

    init(seed: UInt64, part: UInt64) { apus_random_seed(&state, seed &* 0x9E37_79B9_7F4A_7C15 &+ part) }

    mutating func word() -> UInt64 { apus_random_next(&state) }
    /// In `0..<bound`.
    mutating func below(_ bound: UInt64) -> UInt64 { apus_random_below(&state, bound) }
    mutating func below(_ bound: Int) -> Int { Int(apus_random_below(&state, UInt64(bound))) }
    /// In `low...high`.
    mutating func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + below(high - low + 1) }
    /// True once in `count` times; never for 0.
    mutating func once(in count: Int) -> Bool { count > 0 && below(count) == 0 }
    /// A state for a session.
    mutating func fork() -> apus_random {
        var child = apus_random()
        apus_random_seed(&child, word())
        return child
    }
}

let microsecond: UInt64 = 1_000
let millisecond: UInt64 = 1_000_000
let second: UInt64 = 1_000_000_000

/// One death of the engine in a life.
struct Death: Sendable, Equatable {
    /// Nanoseconds after the life's begin, or after the last rising.
    var after: UInt64
    var downtime: UInt64
    var withMachine: Bool
    /// It comes as soon as something is on its way to the venue.
    var withFlight: Bool
}

/// What kind of life a seed gives: how long, how busy, and what goes wrong in it.
struct Character {
    let seed: UInt64
    /// With faults; then the settling begins.
    var length: UInt64
    var actionsPerSecond: Double
    var depthInterval: UInt64
    /// Pause between two doings of the strategy.
    var traderPause: UInt64
    /// Wall clock of the venue minus that of the engine.
    var clockSkew: Int64
    var latency: ClosedRange<UInt64>
    /// A piece of the network's stream is cut further once in so many times.
    var cutOnce: Int
    /// A piece is held up for long once in so many times.
    var stallOnce: Int
    /// Mean pause between two faults of the network or the machine; 0: none.
    var faultPause: UInt64
    var rates: FaultRates
    /// Reports that fit their ring.
    var reportSlots: UInt64
    var feedSlots: UInt32
    var deaths: [Death] = []

    init(seed: UInt64) {
        self.seed = seed
        var dice = Dice(seed: seed, part: 1)
        length = dice.between(5, 12) * second
        actionsPerSecond = Double(dice.between(10, 60))
        depthInterval = [0, 0, 5 * millisecond, 50 * millisecond][dice.below(4)]
        traderPause = dice.between(20, 150) * millisecond
        clockSkew = Int64(dice.below(800 * millisecond)) - Int64(400 * millisecond)
        let shortest = dice.between(50 * microsecond, 5 * millisecond)
        latency = shortest...(shortest + dice.between(0, 20 * millisecond))
        cutOnce = [0, 3, 10][dice.below(3)]
        stallOnce = [0, 200, 1000][dice.below(3)]
        faultPause = [0, 1, 3][dice.below(3)] * second
        reportSlots = [16, 64, 4096][dice.below(3)]
        feedSlots = [64, 1024, 8192][dice.below(3)]
        rates = FaultRates()
        Self.choose(&rates, &dice)
        // Half of the lives have no death; the others one to three.
        var fate = Dice(seed: seed, part: 7)
        for _ in 0..<[0, 0, 0, 1, 2, 3][fate.below(6)] {
            deaths.append(
                Death(
                    after: fate.between(300 * millisecond, 4 * second),
                    downtime: fate.between(1 * millisecond, 9 * second),
                    withMachine: fate.below(2) == 0, withFlight: fate.below(2) == 0))
        }
    }

    /// Most lives have two or three kinds of the venue's faults, some all, some none.
    private static func choose(_ rates: inout FaultRates, _ dice: inout Dice) {
        choose(
            &rates, &dice,
            of: [
                (\.disconnect, 4_000), (\.freeze, 2_000), (\.gap, 50_000), (\.duplicate, 50_000), (\.reorder, 50_000),
                (\.corrupt, 20_000), (\.slowReader, 2_000), (\.tooManyRequests, 300_000), (\.serverError, 300_000),
                (\.lostAnswer, 200_000), (\.delayedAnswer, 300_000), (\.lateAnswer, 100_000), (\.cutAnswer, 50_000),
                (\.failedAnswer, 100_000), (\.duplicateEvent, 200_000), (\.reorderedEvent, 200_000),
            ])
    }

    /// - Parameter all: the largest rate of each kind.
    static func choose(
        _ rates: inout FaultRates, _ dice: inout Dice, of all: [(WritableKeyPath<FaultRates, Int>, Int)]
    ) {
        let style = dice.below(10)
        if style == 0 { return }
        for (key, rate) in all where style == 1 || dice.below(4) == 0 {
            rates[keyPath: key] = Int(dice.between(UInt64(rate) / 10, UInt64(rate)))
        }
    }

    /// Without faults, so that only a sabotage can be wrong.
    mutating func calm() {
        rates = FaultRates()
        deaths = []
        faultPause = 0
        stallOnce = 0
        length = 8 * second
        feedSlots = 8192
        reportSlots = 4096
    }
}
