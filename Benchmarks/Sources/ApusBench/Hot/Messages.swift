import Foundation

/// Messages as the venues write them, made from a seed: those of ../shared/peers/gen_json.py in kind and size.
struct MessageMaker {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    // SplitMix64 (Steele, Lea and Flood, 2014).
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    private mutating func hex(_ digits: Int) -> String {
        (0..<digits).map { _ in String(below(16), radix: 16) }.joined()
    }

    // Whole and eight decimals, as spot writes its numbers.
    private func eight(_ units: Int) -> String { String(format: "%d.%08d", units / 100_000_000, units % 100_000_000) }

    private mutating func levels(around cents: Int, step: Int) -> String {
        (0..<3).map { _ in
            let price = (cents + step * (1 + below(299))) * 1_000_000
            let size = below(5) == 0 ? 0 : Int(-log(Double(below(1_000_000) + 1) / 1_000_001) * 1e8)
            return "[\"\(eight(price))\",\"\(eight(size))\"]"
        }.joined(separator: ",")
    }

    /// Spot depth updates of about 283 bytes: three levels a side.
    mutating func binance(_ count: Int) throws -> Corpus {
        let corpus = try Corpus()
        var time = 1_757_908_892_351, update = 390_497_796
        for _ in 0..<count {
            time += below(40)
            let last = update + 1 + below(29), cents = 5_000_000 + below(4001) - 2000
            try corpus.add(
                "{\"e\":\"depthUpdate\",\"E\":\(time),\"s\":\"BTCUSDT\",\"U\":\(update),\"u\":\(last),"
                    + "\"b\":[\(levels(around: cents, step: -1))],\"a\":[\(levels(around: cents, step: 1))]}")
            update = last + 1
        }
        return corpus
    }

    /// The same with the keys in another order and spaces: valid, but not as the venue writes it.
    mutating func binanceInAnotherOrder(_ count: Int) throws -> Corpus {
        let corpus = try Corpus()
        for index in 0..<count {
            let cents = 5_000_000 + below(4001) - 2000
            try corpus.add(
                "{\"u\": \(index + 2), \"s\": \"BTCUSDT\", \"a\": [\(levels(around: cents, step: 1))], "
                    + "\"E\": 1757908892351, \"U\": \(index + 1), \"b\": [\(levels(around: cents, step: -1))], "
                    + "\"e\": \"depthUpdate\"}")
        }
        return corpus
    }

    /// A market of Polymarket and one of its tokens.
    static let market = "0x8d116ece1738f7d93d9c172411e20b8f6b0d549b6f03675a1600a35a099950d8"
    static let token = "95097065754048712493019462230827768523616324208853691743435754128633565197368"

    /// Price changes of about 377 bytes.
    mutating func polymarket(_ count: Int) throws -> Corpus {
        let corpus = try Corpus()
        var time = 1_757_908_892_351
        for _ in 0..<count {
            time += below(40)
            let price = 1 + below(98), side = below(2) == 0 ? "BUY" : "SELL"
            let cents: (Int) -> String = { String(format: "0.%02d", $0) }
            try corpus.add(
                "{\"market\":\"\(Self.market)\",\"price_changes\":[{\"asset_id\":\"\(Self.token)\",\"price\":\"\(cents(price))\","
                    + "\"size\":\"\(String(format: "%d.%02d", below(5000), below(100)))\",\"side\":\"\(side)\",\"hash\":\"\(hex(40))\","
                    + "\"best_bid\":\"\(cents(max(1, price - 1)))\",\"best_ask\":\"\(cents(price + 1))\"}],"
                    + "\"timestamp\":\"\(time)\",\"event_type\":\"price_change\"}")
        }
        return corpus
    }

    /// Futures depth updates whose ids follow each other, each of about 309 bytes, around a touch that wanders: a stream that a book takes
    /// from a snapshot with update id 1.
    mutating func stream(_ count: Int) throws -> Corpus {
        let corpus = try Corpus()
        var cents = 5_000_000
        for index in 0..<count {
            cents += below(3) - 1
            let sides = [-1, 1].map { step in
                (0..<4).map { _ -> String in
                    let price = cents + step * (1 + below(40))
                    let size = below(5) == 0 ? "0.000" : String(format: "%d.%03d", 10 + below(90), below(1000))
                    return "[\"\(price / 100).\(String(format: "%02d", price % 100))\",\"\(size)\"]"
                }.joined(separator: ",")
            }
            let id = 5_123_107_837_796 + index
            try corpus.add(
                "{\"e\":\"depthUpdate\",\"E\":1757908892351,\"T\":1757908892350,\"s\":\"BTCUSDT\",\"U\":\(id),\"u\":\(id),\"pu\":\(id - 1),"
                    + "\"b\":[\(sides[0])],\"a\":[\(sides[1])]}")
        }
        return corpus
    }

    /// The message before the first of `stream`: a book wants its snapshot from then on.
    static let beforeStream =
        "{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"s\":\"BTCUSDT\",\"U\":5123107837795,\"u\":5123107837795,\"pu\":5123107837794,\"b\":[],\"a\":[]}"
    static let streamSnapshot =
        "{\"lastUpdateId\":5123107837795,\"E\":1,\"T\":1,\"bids\":[[\"49000.00\",\"1.000\"]],\"asks\":[[\"51000.00\",\"1.000\"]]}"
}
