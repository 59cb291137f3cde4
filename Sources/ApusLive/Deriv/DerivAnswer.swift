import Apus
import CApusProtocol

/// A message of Deriv's, read by the same decoder as on the hot path.
struct DerivAnswer {
    /// The message with readable bytes behind it.
    let bytes: [UInt8]
    private let length: Int

    /// The message itself.
    var message: [UInt8] { Array(bytes.prefix(length)) }

    /// - Throws: `AccountError` for what cannot be read, and for a refusal.
    init(_ message: [UInt8]) throws(AccountError) {
        bytes = message + Array(repeating: 0, count: Int(APUS_PADDING))
        length = message.count
        var problem: AccountError?
        read { result, message in
            if result < 0 {
                let what = String(cString: apus_deriv_fault_text(message.pointee.fault))
                problem = AccountError(.venue, "the venue's answer: \(what) at byte \(message.pointee.error_offset)")
            } else if message.pointee.error != UInt8(APUS_DERIV_ERROR_NONE.rawValue) {
                problem = Self.refusal(message.pointee)
            }
        }
        if let problem { throw problem }
    }

    private static func refusal(_ message: apus_deriv_message) -> AccountError {
        let code = text(message.error_code) ?? "an error", what = text(message.error_message) ?? ""
        if UInt32(message.error) == APUS_DERIV_ERROR_RATE_LIMIT.rawValue {
            return AccountError(.rateLimit, "\(code): \(what)", retryAfter: 60)
        }
        let isUnsure = apus_deriv_error_unsure(message.error)
        return AccountError(isUnsure ? .venue : .refused, "\(code): \(what)")
    }

    private func read(_ body: (Int32, UnsafeMutablePointer<apus_deriv_message>) -> Void) {
        bytes.withUnsafeBufferPointer { bytes in
            var message = apus_deriv_message()
            let result = apus_deriv_decode(bytes.baseAddress, length, &message)
            body(result, &message)
        }
    }

    /// The number of the request that a message answers.
    static func number(_ message: [UInt8]) -> Int? {
        (message + Array(repeating: 0, count: Int(APUS_PADDING))).withUnsafeBufferPointer { bytes in
            var decoded = apus_deriv_message()
            // Also an answer that is wrong in other ways has its number, where that was read.
            _ = apus_deriv_decode(bytes.baseAddress, message.count, &decoded)
            return decoded.answers ? Int(decoded.request) : nil
        }
    }

    static func text(_ text: apus_deriv_text) -> String? {
        text.bytes.map { String(decoding: UnsafeBufferPointer(start: $0, count: text.length), as: UTF8.self) }
    }

    /// The answer's own members.
    var fields: DerivFields {
        var fields = DerivFields()
        read { _, message in
            withUnsafePointer(to: &message.pointee.fields) { place in
                place.withMemoryRebound(to: apus_deriv_text.self, capacity: DerivFields.count) {
                    fields = DerivFields($0, instrument: nil)
                }
            }
        }
        return fields
    }

    /// The rows of a portfolio or profit table that are contracts of one of these shapes.
    func contracts(_ shapes: [DerivShape]) -> [DerivFields] {
        var found: [DerivFields] = []
        read { _, message in
            var rows = apus_deriv_rows()
            var texts = [apus_deriv_text](repeating: apus_deriv_text(), count: DerivFields.count)
            apus_deriv_rows_begin(&rows, message)
            while apus_deriv_rows_next(&rows, &texts) == 1 {
                let shape = shapes.firstIndex { $0.matches(texts) }
                guard let shape else { continue }
                found.append(texts.withUnsafeBufferPointer { DerivFields($0.baseAddress, instrument: shape) })
            }
        }
        return found
    }

    /// How many rows the answer has.
    var rowCount: Int {
        var count = 0
        read { _, message in
            var rows = apus_deriv_rows()
            var texts = [apus_deriv_text](repeating: apus_deriv_text(), count: DerivFields.count)
            apus_deriv_rows_begin(&rows, message)
            while apus_deriv_rows_next(&rows, &texts) == 1 { count += 1 }
        }
        return count
    }
}

/// The members of a contract, a balance or an answer.
struct DerivFields {
    static let count = Int(APUS_DERIV_FIELDS.rawValue)

    /// Place of the shape among those that were asked for.
    var shape: Int?
    private var texts: [String?] = []

    init() {}

    init(_ fields: UnsafePointer<apus_deriv_text>?, instrument: Int?) {
        guard let fields else { return }
        shape = instrument
        texts = (0..<Self.count).map { DerivAnswer.text(fields[$0]) }
    }

    func text(_ field: apus_deriv_field) -> String? { texts.isEmpty ? nil : texts[Int(field.rawValue)] }
    func number(_ field: apus_deriv_field) -> UInt64? { text(field).flatMap { UInt64($0) } }
    func decimal(_ field: apus_deriv_field) -> ExactDecimal? { text(field).flatMap { try? ExactDecimal($0) } }

    var contract: UInt64 { number(APUS_DERIV_CONTRACT) ?? 0 }
    var boughtAt: UInt64 { number(APUS_DERIV_BOUGHT_AT) ?? 0 }
    var soldAt: UInt64 { number(APUS_DERIV_SOLD_AT) ?? 0 }
    var isSold: Bool { ["1", "true"].contains(text(APUS_DERIV_IS_SOLD) ?? "") }
    /// Whether it was sold before its end.
    var wasSold: Bool { ["sold", "cancelled"].contains(text(APUS_DERIV_STATUS) ?? "") }
}

/// A symbol of the configuration, as the decoder knows it.
struct DerivShape {
    let symbol: String
    let decimals: Int

    /// - Throws: `LiveError` for a symbol that is neither an underlying nor a shape.
    init(_ symbol: String, decimals: Int) throws(LiveError) {
        self.symbol = symbol
        self.decimals = decimals
        guard parse({ _ in true }) ?? false else {
            throw LiveError(
                "\"\(symbol)\" is no instrument of Deriv's: it must be an underlying (R_100) or a contract's shape, "
                    + "underlying/type/duration/stake or payout/amount[/barrier] (R_100/CALL/5t/stake/10)")
        }
    }

    /// Calls `body` with the parsed symbol, whose texts live as long as the call; nil where it cannot be parsed.
    private func parse<Result>(_ body: (inout apus_deriv_shape) -> Result) -> Result? {
        symbol.withCString { text in
            var shape = apus_deriv_shape()
            guard apus_deriv_shape_parse(text, symbol.utf8.count, &shape) == 0 else { return nil }
            return body(&shape)
        }
    }

    var isContract: Bool { parse { $0.type.bytes != nil } ?? false }
    var underlying: String { parse { DerivAnswer.text($0.underlying) ?? "" } ?? "" }

    func matches(_ fields: [apus_deriv_text]) -> Bool {
        parse { shape in
            fields.withUnsafeBufferPointer { apus_deriv_shape_matches(&shape, $0.baseAddress, UInt32(decimals)) }
        } ?? false
    }
}
