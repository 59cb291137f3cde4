import Apus
import ApusEngine
import CApusProtocol
import CApusRing
import Glibc

/// Puts journal records into words. It remembers what the run has said of its instruments, so that numbers read as the venue writes them.
struct JournalWords {
    private struct Known {
        var symbol: String
        var price: Int
        var quantity: Int
    }

    private var instruments: [UInt16: Known] = [:]
    private var strategies: [UInt8: String] = [:]

    /// One record as a line and as a JSON object.
    mutating func tell(_ record: UnsafePointer<apus_journal_record>) -> (line: String, json: JSONText) {
        let payload = UnsafeRawPointer(record) + (Int(APUS_JOURNAL_RECORD) - Int(APUS_JOURNAL_PAYLOAD))
        let (kind, words, fields) = parts(UInt32(record.pointee.kind), payload)
        let head: [(String, JSONText)] = [
            ("number", .unsigned(record.pointee.number)), ("wall_ns", .unsigned(record.pointee.wall_ns)),
            ("run", .unsigned(record.pointee.run)), ("durable", .unsigned(record.pointee.durable)),
            ("kind", .string(kind)),
        ]
        return ("\(record.pointee.number)  \(Self.time(record.pointee.wall_ns))  \(words)", .object(head + fields))
    }

    private mutating func parts(
        _ kind: UInt32, _ payload: UnsafeRawPointer
    ) -> (kind: String, words: String, fields: [(String, JSONText)]) {
        switch kind {
        case APUS_JOURNAL_RUN_START.rawValue: return run(payload.load(as: apus_journal_run.self))
        case APUS_JOURNAL_INTENT.rawValue: return order("intent", payload.load(as: apus_order.self))
        case APUS_JOURNAL_ADOPTED.rawValue: return order("adopted", payload.load(as: apus_order.self))
        case APUS_JOURNAL_REPORT.rawValue: return report(payload.load(as: apus_report.self))
        case APUS_JOURNAL_STATE.rawValue: return state(payload.load(as: apus_journal_state.self))
        case APUS_JOURNAL_INSTRUMENT.rawValue: return instrument(payload.load(as: apus_journal_instrument.self))
        case APUS_JOURNAL_CLEAN_STOP.rawValue:
            let open = payload.load(as: apus_journal_state.self).values.0
            return ("clean_stop", "stopped in order, \(open) orders open", [("open_orders", .integer(open))])
        case APUS_JOURNAL_TEXT.rawValue:
            let text = Self.text(UnsafeRawBufferPointer(start: payload, count: Int(APUS_JOURNAL_PAYLOAD)))
            return ("text", text, [("text", .string(text))])
        default: return ("unknown", "record of the kind \(kind)", [("code", .unsigned(UInt64(kind)))])
        }
    }

    // MARK: Kinds

    private mutating func run(_ run: apus_journal_run) -> (String, String, [(String, JSONText)]) {
        instruments.removeAll()
        strategies.removeAll()
        var run = run
        let venue = withUnsafeBytes(of: &run.venue) { Self.text($0) }
        let version = withUnsafeBytes(of: &run.version) { Self.text($0) }
        let engine = withUnsafeBytes(of: &run.engine) { Self.text($0) }
        let policies = ["each", "interval", "never"]
        let policy = Int(run.policy) < policies.count ? policies[Int(run.policy)] : "\(run.policy)"
        return (
            "run_start", "run \(run.run_tag) of \(engine) on \(venue), fsync \(policy), version \(version)",
            [
                ("run_tag", .unsigned(UInt64(run.run_tag))), ("engine", .string(engine)), ("venue", .string(venue)),
                ("version", .string(version)), ("fsync", .string(policy)),
                ("config_hash", .string(String(run.config_hash, radix: 16))),
            ]
        )
    }

    private mutating func instrument(
        _ instrument: apus_journal_instrument
    ) -> (String, String, [(String, JSONText)]) {
        var instrument = instrument
        let symbol = withUnsafeBytes(of: &instrument.symbol) { Self.text($0) }
        instruments[instrument.index] = Known(
            symbol: symbol, price: Int(min(instrument.price_decimals, 18)),
            quantity: Int(min(instrument.quantity_decimals, 18)))
        return (
            "instrument",
            "instrument \(instrument.index) is \(symbol), \(instrument.price_decimals) and \(instrument.quantity_decimals) decimals",
            [
                ("index", .unsigned(UInt64(instrument.index))), ("symbol", .string(symbol)),
                ("price_decimals", .unsigned(UInt64(instrument.price_decimals))),
                ("quantity_decimals", .unsigned(UInt64(instrument.quantity_decimals))),
                ("multiplier", .integer(instrument.multiplier)),
            ]
        )
    }

    private func order(_ kind: String, _ order: apus_order) -> (String, String, [(String, JSONText)]) {
        let actions: [UInt8: String] = [1: "place", 2: "cancel", 3: "modify", 4: "query"]
        let action = actions[order.action] ?? "\(order.action)"
        let known = instruments[order.instrument]
        let price = decimal(order.price, known?.price), quantity = decimal(order.quantity, known?.quantity)
        let id = "\(OrderID(order.client_id))"
        let side = order.side == Side.buy.rawValue ? "buy" : "sell"
        let strategy = strategies[order.strategy] ?? (order.strategy == Order.nobody ? "nobody" : "")
        let whose = strategy.isEmpty ? "" : " for \(strategy)"
        return (
            kind, "\(kind): \(action) \(id) \(symbol(order.instrument)) \(side) \(quantity) at \(price)\(whose)",
            [
                ("action", .string(action)), ("order", .string(id)), ("client_id", .unsigned(order.client_id)),
                ("symbol", .string(symbol(order.instrument))), ("side", .string(side)), ("price", .string(price)),
                ("quantity", .string(quantity)), ("strategy", .unsigned(UInt64(order.strategy))),
                ("strategy_name", .string(strategy)), ("held_for", .unsigned(order.journal)),
            ]
        )
    }

    private func report(_ report: apus_report) -> (String, String, [(String, JSONText)]) {
        let known = instruments[report.instrument]
        let name = Self.name(of: report.kind)
        let price = decimal(report.price, known?.price), quantity = decimal(report.quantity, known?.quantity)
        let id = report.client_id == 0 ? "account" : "\(OrderID(report.client_id))"
        var words = "report: \(id) \(symbol(report.instrument)) \(name)"
        var fields: [(String, JSONText)] = [
            ("report", .string(name)), ("order", .string(id)), ("client_id", .unsigned(report.client_id)),
            ("symbol", .string(symbol(report.instrument))), ("price", .string(price)), ("quantity", .string(quantity)),
            ("cumulative", .string(decimal(report.cumulative, known?.quantity))),
            ("venue_order_id", .unsigned(report.venue_order_id)), ("trade_id", .unsigned(report.trade_id)),
            ("fee", .string(Money(hundredMillionths: report.fee).text(decimals: 8))),
            ("code", .integer(Int64(report.code))),
        ]
        let side = report.side == Side.buy.rawValue ? "buy" : "sell"
        if report.trade_id != 0 {
            words += " \(side) \(quantity) at \(price), trade \(report.trade_id)"
            fields.append(("side", .string(side)))
        }
        if report.code != 0 { words += ", code \(report.code)" }
        return ("report", words, fields)
    }

    static func name(of kind: UInt8) -> String {
        if let known = ReportKind(rawValue: kind) { return "\(known)" }
        switch UInt32(kind) {
        case APUS_REPORT_MISSED.rawValue: return "missed"
        case APUS_REPORT_SETTLED.rawValue: return "settled"
        case APUS_REPORT_FUNDING.rawValue: return "funding"
        case APUS_REPORT_BALANCE.rawValue: return "balance"
        case APUS_REPORT_STALLED.rawValue: return "stalled"
        default: return "kind \(kind)"
        }
    }

    private mutating func state(_ state: apus_journal_state) -> (String, String, [(String, JSONText)]) {
        var state = state
        let subjects = [
            "", "trading", "strategy", "breaker", "limit", "day", "recovery", "position", "strategy_day", "fee_rate",
        ]
        let subject = Int(state.subject) < subjects.count ? subjects[Int(state.subject)] : "\(state.subject)"
        let name = withUnsafeBytes(of: &state.name) { Self.text($0) }
        let values = [state.values.0, state.values.1, state.values.2, state.values.3]
        if UInt32(state.subject) == APUS_SUBJECT_STRATEGY.rawValue && !name.isEmpty {
            strategies[UInt8(truncatingIfNeeded: state.number)] = name
        }
        var words = "state: \(subject)"
        if !name.isEmpty { words += " \(name)" }
        switch UInt32(state.subject) {
        case APUS_SUBJECT_TRADING.rawValue, APUS_SUBJECT_STRATEGY.rawValue:
            words += " \(Self.trading(state.before)) to \(Self.trading(state.after))"
        case APUS_SUBJECT_DAY.rawValue, APUS_SUBJECT_STRATEGY_DAY.rawValue:
            let day = TradingDay(state), cause = RiskStateChange.Cause(rawValue: UInt8(clamping: state.reason))
            words += " \(Self.trading(state.before)) to \(Self.trading(state.after))"
            if let cause { words += ", \(cause)" }
            if let day { words += ", began at \(day.start), peak \(day.peak)" }
        case APUS_SUBJECT_FEE_RATE.rawValue:
            words += " of another asset \(Money(low: state.values.0, high: state.values.1))"
        case APUS_SUBJECT_POSITION.rawValue:
            let known = instruments[state.number]
            words += " of \(symbol(state.number)) taken over: \(decimal(state.values.0, known?.quantity))"
        default: words += " \(state.before) to \(state.after)"
        }
        return (
            "state", words,
            [
                ("subject", .string(subject)), ("name", .string(name)), ("before", .unsigned(UInt64(state.before))),
                ("after", .unsigned(UInt64(state.after))), ("number", .unsigned(UInt64(state.number))),
                ("reason", .unsigned(UInt64(state.reason))), ("values", .array(values.map { .integer($0) })),
            ]
        )
    }

    private static func trading(_ state: UInt8) -> String {
        let names = ["active", "reducing", "halted"]
        return Int(state) < names.count ? names[Int(state)] : "\(state)"
    }

    // MARK: Numbers and texts

    private func symbol(_ number: UInt16) -> String { instruments[number]?.symbol ?? "instrument \(number)" }

    private func decimal(_ units: Int64, _ decimals: Int?) -> String {
        decimals.map { ExactDecimal(digits: units, decimals: $0).description } ?? "\(units) units"
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Wall clock in UTC, to the microsecond.
    static func time(_ nanoseconds: UInt64) -> String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let micro = String(nanoseconds % 1_000_000_000 / 1_000)
        let fraction = String(repeating: "0", count: 6 - micro.count) + micro
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)"
    }
}
