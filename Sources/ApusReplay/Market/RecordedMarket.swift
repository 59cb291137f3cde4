internal import CApusProtocol
internal import CApusRing
import Glibc

/// What became of a message.
enum Taken {
    case done
    /// It could not be read; what is wrong, in words.
    case fault(String)
    /// It names an instrument that is not in the table, and changed nothing: add it and give the message again.
    case stranger(String)
}

/// A venue's market layer fed from a recording.
protocol RecordedMarket: AnyObject {
    /// Opens the book of an instrument of the table.
    func open(_ number: UInt16) throws
    func take(_ message: RecordedMessage) -> Taken
    /// When there is something to do although no message comes; nil when there is not.
    var deadline: UInt64? { get }
    /// Does what is due by then.
    func tick(_ now: UInt64)
    /// The recording is at its end.
    func finish()
}

extension MarketMemory {
    /// The number of a symbol in the table.
    func number(of symbol: String) -> UInt16? {
        let number = Array(symbol.utf8).withUnsafeBufferPointer {
            apus_instrument_find(instruments, $0.baseAddress, $0.count)
        }
        return number == UInt16.max ? nil : number
    }
}

/// Binance: depth, tickers, trades, and snapshots that may not say what they are of.
final class BinanceMarket: RecordedMarket {
    private let memory: MarketMemory
    private let binance: UnsafeMutablePointer<apus_binance_market>
    private let levels: UnsafeMutablePointer<apus_level>
    /// A snapshot that names no instrument belongs to the first one.
    private var first: UInt16?
    private var held: (bytes: [UInt8], time: UInt64)?

    init(_ memory: MarketMemory) {
        self.memory = memory
        levels = .allocate(capacity: Int(APUS_MESSAGE_LEVELS_MAX))
        binance = .allocate(capacity: 1)
        apus_binance_market_init(binance, memory.market, levels, APUS_MESSAGE_LEVELS_MAX)
    }

    deinit {
        binance.deallocate()
        levels.deallocate()
    }

    func open(_ number: UInt16) throws {
        guard apus_binance_market_open(binance, number) != nil else { throw ReplayError.memory("a book", ENOMEM) }
        if first == nil { first = number }
    }

    func take(_ message: RecordedMessage) -> Taken {
        if let held, let first {
            self.held = nil
            held.bytes.withUnsafeBufferPointer {
                _ = apus_binance_market_snapshot(
                    binance, first, $0.baseAddress, $0.count - Int(APUS_PADDING), held.time)
            }
        }
        let bytes = message.bytes.bindMemory(to: UInt8.self)
        if message.kind == .snapshot { return snapshot(message.symbol, bytes, message.time) }
        let result = apus_binance_market_message(
            binance, bytes.baseAddress, bytes.count, message.time, message.kernelTime)
        if result < 0 { return .fault(fault) }
        guard UInt32(binance.pointee.last.kind) == APUS_BINANCE_UNKNOWN.rawValue,
            UInt32(binance.pointee.last.unknown_reason) == APUS_BINANCE_UNKNOWN_SYMBOL.rawValue
        else { return .done }
        guard let symbol = binance.pointee.last.symbol else { return snapshot(nil, bytes, message.time) }
        let text = UnsafeBufferPointer(start: symbol, count: Int(binance.pointee.last.symbol_length))
        return .stranger(String(decoding: text, as: UTF8.self))
    }

    private func snapshot(_ symbol: String?, _ bytes: UnsafeBufferPointer<UInt8>, _ time: UInt64) -> Taken {
        var number = first
        if let symbol {
            number = memory.number(of: symbol)
            if number == nil { return .stranger(symbol) }
        }
        guard let number else {
            held = (Array(bytes) + Array(repeating: 0, count: Int(APUS_PADDING)), time)
            return .done
        }
        let result = apus_binance_market_snapshot(binance, number, bytes.baseAddress, bytes.count, time)
        return result < 0 ? .fault(fault) : .done
    }

    private var fault: String {
        let kind = binance.pointee.last.fault
        let what =
            UInt32(kind) == APUS_BINANCE_FAULT_JSON.rawValue
            ? apus_json_fault_text(binance.pointee.last.json_fault) : apus_binance_fault_text(kind)
        return faultText(what, binance.pointee.last.error_offset)
    }

    var deadline: UInt64? { nil }
    func tick(_ now: UInt64) {}
    func finish() {}
}

/// Polymarket: books and their hashes.
final class PolymarketMarket: RecordedMarket {
    private let memory: MarketMemory
    private let polymarket: UnsafeMutablePointer<apus_polymarket_market>
    private let levels: UnsafeMutablePointer<apus_polymarket_level>
    private let minOrderSize: String
    private let negRisk: Bool

    init(_ memory: MarketMemory, minOrderSize: String, negRisk: Bool) throws {
        self.memory = memory
        self.minOrderSize = minOrderSize
        self.negRisk = negRisk
        levels = .allocate(capacity: Int(APUS_POLYMARKET_LEVELS))
        polymarket = .allocate(capacity: 1)
        let failure = apus_polymarket_market_init(polymarket, memory.market, levels, APUS_POLYMARKET_LEVELS)
        guard failure == 0 else { throw ReplayError.memory("the markets' table", -failure) }
    }

    deinit {
        polymarket.deallocate()
        levels.deallocate()
    }

    func open(_ number: UInt16) throws {
        guard apus_polymarket_market_open(polymarket, number) != nil else { throw ReplayError.memory("a book", ENOMEM) }
        guard apus_polymarket_market_configure(polymarket, number, minOrderSize, negRisk) == 0 else {
            throw ReplayError.option("min-order-size", "\"\(minOrderSize)\" is no decimal number")
        }
    }

    /// The first token of the message that is not in the table.
    func stranger(in message: RecordedMessage) -> String? {
        let bytes = message.bytes.bindMemory(to: UInt8.self)
        var asset = apus_polymarket_text()
        guard apus_polymarket_market_stranger(polymarket, bytes.baseAddress, bytes.count, &asset) else { return nil }
        return String(decoding: UnsafeBufferPointer(start: asset.bytes, count: Int(asset.length)), as: UTF8.self)
    }

    func take(_ message: RecordedMessage) -> Taken {
        if let token = stranger(in: message) { return .stranger(token) }
        let bytes = message.bytes.bindMemory(to: UInt8.self)
        let result = apus_polymarket_market_message(
            polymarket, bytes.baseAddress, bytes.count, message.time, message.kernelTime)
        return result < 0 ? .fault(fault) : .done
    }

    private var fault: String {
        let kind = polymarket.pointee.last.fault
        let what =
            UInt32(kind) == APUS_POLYMARKET_FAULT_JSON.rawValue
            ? apus_json_fault_text(polymarket.pointee.last.json_fault) : apus_polymarket_fault_text(kind)
        return faultText(what, polymarket.pointee.last.error_offset)
    }

    var deadline: UInt64? {
        let due = apus_polymarket_market_deadline(polymarket)
        return due == .max ? nil : due
    }

    func tick(_ now: UInt64) { apus_polymarket_market_tick(polymarket, now) }
    func finish() { apus_polymarket_market_flush(polymarket) }
}

private func faultText(_ what: UnsafePointer<CChar>?, _ offset: Int) -> String {
    "\(what.map { String(cString: $0) } ?? "unreadable") (byte \(offset) of the message)"
}
