/// One line of a recording: when it was received and what came, byte for byte.
package struct RecordedLine: Sendable {
    /// Nanoseconds; only differences matter.
    package var time: Int64
    package var payload: [UInt8]

    package init(time: Int64, payload: [UInt8]) {
        self.time = time
        self.payload = payload
    }
}

/// Plays a recording to subscribers in place of the simulated market.
///
/// Lines `{"stream":..,"data":..}` go to the subscribers of their stream with the recorded distances in time. A line with
/// `lastUpdateId` is a snapshot of the first configured symbol. `/depth` answers with the book as the recording has made it
/// so far; before its first snapshot has come it answers with that snapshot, as a client that buffers expects.
final class Playback {
    private let next: () -> RecordedLine?
    private let speed: Double
    private var queue: [RecordedLine] = []
    private var queueStart = 0
    private var origin: Int64?
    private var started: VenueTime?
    private var books: [String: PlaybackBook] = [:]
    private let symbols: [SymbolConfiguration]
    private(set) var nextTime: VenueTime = .max
    private(set) var linesPlayed = 0

    init(symbols: [SymbolConfiguration], speed: Double, next: @escaping () -> RecordedLine?) {
        self.symbols = symbols
        self.speed = speed
        self.next = next
    }

    var isFinished: Bool { started != nil && nextTime == .max }

    func start(_ now: VenueTime) {
        guard started == nil else { return }
        started = now
        schedule()
    }

    private func peek() -> RecordedLine? {
        if queueStart == queue.count {
            queue.removeAll(keepingCapacity: true)
            queueStart = 0
            guard let line = next() else { return nil }
            queue.append(line)
        }
        return queue[queueStart]
    }

    private func schedule() {
        guard let started, let line = peek() else {
            nextTime = .max
            return
        }
        if origin == nil { origin = line.time }
        let elapsed = Double(line.time - (origin ?? line.time)) / speed
        nextTime = started + VenueTime(max(elapsed, 0))
    }

    /// Takes the next line off and applies it to the book of its symbol.
    func take() -> PlayedLine? {
        guard let line = peek() else { return nil }
        queueStart += 1
        linesPlayed += 1
        let played = PlayedLine(line.payload)
        if played.isSnapshot || played.isDepth { apply(line.payload, played) }
        schedule()
        return played
    }

    private func apply(_ payload: [UInt8], _ played: PlayedLine) {
        guard let value = try? JSONParser.parse(payload) else { return }
        let data = played.isSnapshot ? value : value["data"] ?? .null
        let name = played.isSnapshot ? symbols[0].name : data["s"]?.string ?? ""
        guard let rules = symbols.first(where: { $0.name == name }) else { return }
        books[name, default: PlaybackBook(rules)].apply(data)
    }

    /// The body of `/depth`.
    func depth(_ rules: SymbolConfiguration, limit: Int) throws(BinanceError) -> [UInt8] {
        if let book = books[rules.name], book.lastUpdateID != nil { return book.render(limit: limit) }
        guard rules.name == symbols[0].name, let snapshot = findSnapshot() else { throw .unavailable(503) }
        var book = PlaybackBook(rules)
        book.apply(snapshot)
        return book.render(limit: limit)
    }

    /// Reads ahead to the first snapshot that has not been played.
    private func findSnapshot() -> JSONValue? {
        var index = queueStart
        while true {
            if index == queue.count {
                guard let line = next() else { return nil }
                queue.append(line)
            }
            if PlayedLine(queue[index].payload).isSnapshot { return try? JSONParser.parse(queue[index].payload) }
            index += 1
        }
    }
}

/// What a recorded line is.
struct PlayedLine {
    /// Stream name; nil for a line without one.
    var stream: String?
    /// The bytes of `data`.
    var data: [UInt8] = []
    var isSnapshot = false

    var isDepth: Bool { stream?.contains("@depth") ?? false }

    init(_ payload: [UInt8]) {
        let prefix = Array("{\"stream\":\"".utf8)
        let middle = Array("\",\"data\":".utf8)
        guard payload.starts(with: prefix), let quote = payload[prefix.count...].firstIndex(of: 34),
            payload[quote...].starts(with: middle), payload.last == 125
        else {
            isSnapshot = payload.starts(with: Array("{\"lastUpdateId\":".utf8))
            return
        }
        stream = String(decoding: payload[prefix.count..<quote], as: UTF8.self)
        data = Array(payload[(quote + middle.count)..<(payload.count - 1)])
    }
}

/// A book made from recorded snapshots and events by the documented rule.
private struct PlaybackBook {
    private let rules: SymbolConfiguration
    private(set) var lastUpdateID: Int64?
    private var bids: [Int64: Int64] = [:]
    private var asks: [Int64: Int64] = [:]
    private var waiting: [JSONValue] = []

    init(_ rules: SymbolConfiguration) { self.rules = rules }

    mutating func apply(_ data: JSONValue) {
        if let text = data["lastUpdateId"]?.parameterText {
            guard lastUpdateID == nil, let id = Int64(text) else { return }
            lastUpdateID = id
            set(data["bids"], in: &bids)
            set(data["asks"], in: &asks)
            let events = waiting
            waiting = []
            for event in events { apply(event) }
            return
        }
        guard let current = lastUpdateID else { return waiting.append(data) }
        guard let id = data["u"]?.parameterText.flatMap({ Int64($0) }), id >= current else { return }
        set(data["b"], in: &bids)
        set(data["a"], in: &asks)
        lastUpdateID = id
    }

    private func set(_ rows: JSONValue?, in levels: inout [Int64: Int64]) {
        guard case .array(let rows)? = rows else { return }
        for case .array(let row) in rows where row.count >= 2 {
            guard let price = row[0].string.flatMap({ try? parseDecimal($0, decimals: rules.priceDecimals) }),
                let quantity = row[1].string.flatMap({ try? parseDecimal($0, decimals: rules.quantityDecimals) })
            else { continue }
            levels[price] = quantity == 0 ? nil : quantity
        }
    }

    func render(limit: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"lastUpdateId\":")
        out.append(integer: lastUpdateID ?? 0)
        out.append(",\"bids\":[")
        // Sorted by price, so that the order of the dictionary does not show.
        append(bids.sorted { $0.key > $1.key }.prefix(limit), to: &out)
        out.append("],\"asks\":[")
        append(asks.sorted { $0.key < $1.key }.prefix(limit), to: &out)
        out.append("]}")
        return out
    }

    private func append(_ rows: ArraySlice<(key: Int64, value: Int64)>, to out: inout [UInt8]) {
        for (index, row) in rows.enumerated() {
            out.append(index > 0 ? ",[" : "[")
            out.append(quotedDecimal: row.key, decimals: rules.priceDecimals)
            out.append(44)
            out.append(quotedDecimal: row.value, decimals: rules.quantityDecimals)
            out.append(93)
        }
    }
}

extension BinanceVenue {
    /// Plays a recording from now on: participants stop, orders are refused. It begins with the first subscription.
    ///
    /// - Parameters:
    ///   - speed: How many recorded seconds pass in one; `.infinity` sends everything at once.
    ///   - next: The lines in their order; nil at the end. Called from within `advance` and `receive`.
    package func play(speed: Double = 1, next: @escaping () -> RecordedLine?) {
        stopParticipants()
        playback = Playback(symbols: configuration.symbols, speed: speed, next: next)
    }

    /// Whether a recording has been played to its end.
    package var isPlaybackFinished: Bool { playback?.isFinished ?? false }

    func startPlayback() {
        guard let playback else { return }
        playback.start(now)
        timersChanged()
    }

    func runPlayback() {
        guard let playback else { return }
        while playback.nextTime <= now, let line = playback.take() {
            guard let name = line.stream, case .market(let index, let kind)? = try? target(of: name) else { continue }
            markets[index].feed.sendPayload(line.data, kind)
        }
    }
}
