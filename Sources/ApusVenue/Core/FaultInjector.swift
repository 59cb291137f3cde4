/// Decides which message is struck. Rules are counted on the messages they match; rates are drawn from the seed.
struct FaultInjector {
    private struct ArmedRule {
        var rule: FaultRule
        var seen = 0
        var left: Int
    }

    private let start: VenueTime
    private let rates: FaultRates
    private var rules: [ArmedRule]
    private var random: DeterministicRandom
    private(set) var log: [FaultRecord] = []
    /// Whether anything can happen at all: without faults no message is looked at.
    let isActive: Bool

    init(plan: FaultPlan, seed: UInt64, start: VenueTime) {
        self.start = start
        rates = plan.rates
        rules = plan.rules.map { ArmedRule(rule: $0, left: max($0.repeats, 1)) }
        random = DeterministicRandom(seed: seed, stream: 0xFA17)
        isActive = plan != FaultPlan()
    }

    /// When the next fault that goes by the clock is due.
    var nextTime: VenueTime? {
        var result: VenueTime?
        for armed in rules where armed.left > 0 && armed.rule.kind.isByClock {
            if case .after(let delay) = armed.rule.trigger { result = min(result ?? .max, later(start, by: delay)) }
        }
        return result
    }

    /// Faults of connections that are due by the clock, with what they strike; a fault of the whole venue strikes no connection.
    mutating func takeDue<Member: Connection>(_ now: VenueTime, _ connections: [Member]) -> [(Member?, FaultKind)] {
        var due: [(Member?, FaultKind)] = []
        for index in rules.indices where rules[index].left > 0 && rules[index].rule.kind.isByClock {
            guard case .after(let delay) = rules[index].rule.trigger, later(start, by: delay) <= now else { continue }
            rules[index].left = 0
            let rule = rules[index].rule
            guard rule.kind.isOfConnection else {
                due.append((nil, rule.kind))
                continue
            }
            for connection in connections
            where !connection.isClosed && rule.target.matches(connection, stream: rule.target.stream) {
                due.append((connection, rule.kind))
            }
        }
        return due
    }

    /// The fault that strikes this message of a stream, if any.
    mutating func strikeMessage(_ connection: Connection, stream: String, _ now: VenueTime) -> FaultKind? {
        let scripted = strike(.message, now) { $0.matches(connection, stream: stream) }
        if let kind = scripted ?? draw(rates.ofMessages) { return kind }
        return connection.role == .user ? draw(rates.ofUserEvents) : nil
    }

    /// The fault that strikes the answer to this request, if any.
    mutating func strikeAnswer(_ connection: Connection, request: String, _ now: VenueTime) -> FaultKind? {
        let scripted = strike(.answer, now) { $0.stream == nil && $0.matches(connection, request: request) }
        return scripted ?? draw(rates.ofAnswers)
    }

    /// The fault that strikes this request or upgrade, if any.
    mutating func strikeRequest(_ connection: Connection, request: String, _ now: VenueTime) -> FaultKind? {
        let scripted = strike(.request, now) { $0.stream == nil && $0.matches(connection, request: request) }
        return scripted ?? draw(rates.ofRequests)
    }

    /// Whether this trade is to fail.
    mutating func strikeTrade(_ now: VenueTime) -> Bool {
        guard let kind = strike(.trade, now, matches: { _ in true }) ?? draw(rates.ofTrades) else { return false }
        record(kind, nil, stream: nil, now)
        return true
    }

    mutating func record(_ kind: FaultKind, _ connection: Connection?, stream: String?, _ now: VenueTime) {
        log.append(
            FaultRecord(time: now, connection: connection?.id, role: connection?.role, kind: kind, stream: stream))
    }

    private mutating func strike(
        _ place: FaultKind.Place, _ now: VenueTime, matches: (FaultTarget) -> Bool
    ) -> FaultKind? {
        for index in rules.indices where rules[index].left > 0 {
            let rule = rules[index].rule
            guard rule.kind.canStrike(place), matches(rule.target) else { continue }
            switch rule.trigger {
            case .after(let delay):
                // A fault that goes by the clock strikes in takeDue.
                guard !rule.kind.isByClock, later(start, by: delay) <= now else { continue }
            case .afterMessages(let count):
                rules[index].seen += 1
                guard rules[index].seen > count else { continue }
            }
            rules[index].left -= 1
            return rule.kind
        }
        return nil
    }

    private mutating func draw(_ drawn: [(Int, FaultKind)]) -> FaultKind? {
        for (rate, kind) in drawn where rate > 0 && random.below(1_000_000) < rate {
            switch kind {
            case .corrupt: return .corrupt(Corruption.allCases[random.below(Corruption.allCases.count)])
            case .restart(let length, _): return .restart(length, status: random.below(2) == 0 ? nil : 503)
            case .failedAnswer: return .failedAnswer([500, 502, 503, 504][random.below(4)])
            default: return kind
            }
        }
        return nil
    }

    /// A damaged copy of a finished server frame.
    static func corrupted(_ frame: [UInt8], _ how: Corruption) -> [UInt8] {
        let header = frame.count < 2 ? 0 : frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10
        guard frame.count > header + 4 else { return frame }
        var damaged = frame
        switch how {
        case .truncatedJSON: return WebSocketCodec.frame(.text, Array(frame[header..<(frame.count - 3)]))
        case .invalidJSON: damaged[header + (frame.count - header) / 2] = 1
        case .invalidUTF8: damaged[header + (frame.count - header) / 2] = 0xFF
        case .invalidFrame: damaged[0] |= 0x40
        }
        return damaged
    }
}
