import ApusVenue

/// Faults as a user writes them on the command line.
enum FaultOptions {
    private static let rates: [(name: String, path: WritableKeyPath<FaultRates, Int> & Sendable)] = [
        ("disconnect", \.disconnect), ("freeze", \.freeze), ("gap", \.gap), ("duplicate", \.duplicate),
        ("reorder", \.reorder), ("corrupt", \.corrupt), ("slow-reader", \.slowReader),
        ("duplicate-event", \.duplicateEvent), ("reordered-event", \.reorderedEvent),
        ("too-many-requests", \.tooManyRequests), ("too-early", \.tooEarly), ("server-error", \.serverError),
        ("lost-answer", \.lostAnswer), ("delayed-answer", \.delayedAnswer), ("late-answer", \.lateAnswer),
        ("cut-answer", \.cutAnswer), ("failed-answer", \.failedAnswer), ("failed-trade", \.failedTrade),
        ("restart", \.restart),
    ]

    /// The names that `--faults` and `--fault` take.
    static var names: String { rates.map(\.name).joined(separator: ", ") }

    /// `gap=100,disconnect=5`: rates in a million messages.
    static func rates(_ text: String) throws(CommandFailure) -> FaultRates {
        var result = FaultRates()
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2, let rate = Int(pair[1]), (0...1_000_000).contains(rate) else {
                throw refuse("\"\(part)\" is not NAME=RATE with a rate from 0 to 1000000")
            }
            guard let entry = rates.first(where: { $0.name == pair[0] }) else {
                throw refuse("there is no fault \"\(pair[0])\"; there are: \(names)")
            }
            result[keyPath: entry.path] = rate
        }
        return result
    }

    /// `disconnect@5s`, `gap@1000`, `freeze@2s:stream=bookTicker`, `lost-answer@0:request=POST /order`: one fault at a time or
    /// after a count of messages.
    static func rule(_ text: String) throws(CommandFailure) -> FaultRule {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let pair = (parts.first ?? "").split(separator: "@", maxSplits: 1).map(String.init)
        guard pair.count == 2 else {
            throw refuse("\"\(text)\" is not NAME@TIME or NAME@COUNT, such as gap@1000 or freeze@2s")
        }
        var target = FaultTarget()
        if parts.count == 2 {
            if parts[1].hasPrefix("stream=") {
                target.stream = String(parts[1].dropFirst("stream=".count))
            } else if parts[1].hasPrefix("request=") {
                target.request = String(parts[1].dropFirst("request=".count))
            } else {
                throw refuse("\"\(parts[1])\" is neither stream=SUFFIX nor request=NAME")
            }
        }
        if ["duplicate-event", "reordered-event"].contains(pair[0]) { target.role = .user }
        return FaultRule(try kind(pair[0]), try trigger(pair[1]), target: target)
    }

    private static func kind(_ name: String) throws(CommandFailure) -> FaultKind {
        let second: VenueTime = 1_000_000_000
        switch name {
        case "disconnect": return .disconnect
        case "freeze": return .freeze(3 * second)
        case "gap": return .gap
        case "duplicate", "duplicate-event": return .duplicate
        case "reorder", "reordered-event": return .reorder
        case "corrupt": return .corrupt(.invalidJSON)
        case "slow-reader": return .slowReader(second, bytesPerMillisecond: 64)
        case "too-many-requests": return .httpStatus(429)
        case "too-early": return .httpStatus(425)
        case "server-error": return .httpStatus(503)
        case "lost-answer": return .lostAnswer
        case "delayed-answer": return .delayedAnswer(second / 2)
        case "late-answer": return .delayedAnswer(3 * second)
        case "cut-answer": return .cutAnswer
        case "failed-answer": return .failedAnswer(502)
        case "failed-trade": return .failedTrade
        case "restart": return .restart(2 * second, status: nil)
        default: throw refuse("there is no fault \"\(name)\"; there are: \(names)")
        }
    }

    private static func trigger(_ text: String) throws(CommandFailure) -> FaultRule.Trigger {
        if text.hasSuffix("ms"), let value = Int64(text.dropLast(2)), value >= 0 { return .after(value * 1_000_000) }
        if text.hasSuffix("s"), let value = Int64(text.dropLast()), (0...1_000_000_000).contains(value) {
            return .after(value * 1_000_000_000)
        }
        if let count = Int(text), count >= 0 { return .afterMessages(count) }
        throw refuse("\"\(text)\" is neither a time (5s, 250ms) nor a count of messages")
    }

    private static func refuse(_ text: String) -> CommandFailure { CommandFailure(ExitStatus.usage, text) }
}
