import CApusProtocol
import Testing

/// Instruments under their numbers, and a decoder over them.
final class TestDecoder {
    static let symbols = ["BTCUSDT", "NKNUSDT", "BTCUSD_200626", "BNBBTC"]
    static let decimals: [(UInt8, UInt8)] = [(2, 3), (8, 8), (1, 0), (8, 8)]

    let tableMemory: UnsafeMutableRawPointer
    let table: UnsafeMutablePointer<apus_instrument_table>
    let levels: UnsafeMutablePointer<apus_level>
    let decoder: UnsafeMutablePointer<apus_binance_decoder>

    init(capacity: Int = 4096, variant: DecodeVariant = .best) {
        let bytes = apus_instrument_table_bytes(16)
        tableMemory = .allocate(byteCount: bytes, alignment: 64)
        table = .allocate(capacity: 1)
        levels = .allocate(capacity: capacity)
        decoder = .allocate(capacity: 1)
        precondition(apus_instrument_table_init(table, tableMemory, 16) == 0)
        for (symbol, decimals) in zip(Self.symbols, Self.decimals) {
            var instrument = apus_instrument()
            instrument.price_decimals = decimals.0
            instrument.quantity_decimals = decimals.1
            instrument.tick_units = 1
            instrument.lot_units = 1
            precondition(apus_instrument_add(table, symbol, symbol.utf8.count, &instrument) >= 0)
        }
        apus_binance_decoder_init(decoder, table, levels, UInt32(capacity))
        if let vector = variant.vector {
            precondition(apus_binance_decoder_force(decoder, vector) == 0)
        }
        apus_binance_decoder_force_general(decoder, variant == .general)
    }

    deinit {
        decoder.deallocate()
        levels.deallocate()
        table.deallocate()
        tableMemory.deallocate()
    }

    /// Decodes a message that is followed by `behind` in its buffer.
    func decode(_ text: [UInt8], instrument: UInt16 = UInt16.max, behind: [UInt8] = []) -> Decoded {
        var padded = text + behind
        padded += [UInt8](repeating: UInt8(ascii: "\""), count: Int(APUS_PADDING))
        return padded.withUnsafeBufferPointer { bytes in
            var message = apus_binance_message()
            let result = apus_binance_decode(decoder, bytes.baseAddress, text.count, instrument, &message)
            return Decoded(result: result, message: message)
        }
    }

    func decode(_ text: String, instrument: UInt16 = UInt16.max) -> Decoded {
        decode(Array(text.utf8), instrument: instrument)
    }
}

/// The ways to read a message.
enum DecodeVariant: CaseIterable, CustomTestStringConvertible {
    case best
    case portable
    case avx2
    case avx512
    case general

    var vector: apus_vector? {
        switch self {
        case .best, .general: nil
        case .portable: APUS_VECTOR_PORTABLE
        case .avx2: APUS_VECTOR_AVX2
        case .avx512: APUS_VECTOR_AVX512
        }
    }

    var isAvailable: Bool { vector.map { apus_vector_available($0) } ?? true }
    var testDescription: String { "\(self)" }

    /// Those that this processor can run.
    static var available: [DecodeVariant] { allCases.filter(\.isAvailable) }
}

/// What a message says, in values.
struct Decoded: Equatable {
    var result: Int32
    var fault: UInt8
    var offset: Int
    var kind: UInt8
    var unknown: UInt8
    var instrument: UInt16
    var flags: [Bool]
    var numbers: [UInt64]
    var touch: [Int64]
    var bids: [Row]
    var asks: [Row]
    var texts: [String?]

    init(result: Int32, message: apus_binance_message) {
        self.result = result
        fault = message.fault
        offset = result == 0 ? 0 : message.error_offset
        kind = message.kind
        unknown = message.unknown_reason
        instrument = message.instrument
        flags = [
            message.has_previous, message.aggregate, message.buyer_is_maker, message.not_market, message.succeeded,
        ]
        numbers = [
            message.event_time, message.transaction_time, message.first_update, message.last_update,
            message.previous_update, message.trade_id, message.answer_id, UInt64(bitPattern: message.answer_code),
        ]
        touch = [message.bid.price, message.bid.quantity, message.ask.price, message.ask.quantity]
        let levels = UnsafeBufferPointer(start: message.levels, count: Int(message.bid_count + message.ask_count))
        let rows = result == 0 ? levels.map { Row(price: $0.price, quantity: $0.quantity) } : []
        bids = Array(rows.prefix(Int(message.bid_count)))
        asks = Array(rows.dropFirst(Int(message.bid_count)))
        texts =
            result == 0
            ? [
                Self.text(message.symbol, message.symbol_length), Self.text(message.stream, message.stream_length),
                Self.text(message.event_type, message.event_type_length),
                Self.text(message.answer_text, message.answer_text_length),
            ] : []
    }

    private static func text(_ start: UnsafePointer<UInt8>?, _ length: UInt32) -> String? {
        start.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) }
    }
}
