package import Apus
internal import CApusProtocol
internal import CApusRing
import Glibc

/// What the beginning of a recording tells: the venue, its instruments, their price steps.
package struct Survey: Sendable {
    /// How far it looks.
    static let messages = 4096

    package private(set) var venue: ReplayVenue
    package private(set) var instruments: [InstrumentDefinition] = []

    /// Reads up to `Survey.messages` messages.
    package init(_ recording: Recording, _ configuration: ReplayConfiguration) throws {
        venue = try configuration.venue ?? Self.venue(of: recording)
        let decimals = venue.decimals(recording.form)
        let price = configuration.priceDecimals ?? decimals.price
        let quantity = configuration.quantityDecimals ?? decimals.quantity
        try Self.check(price, quantity)
        let symbols: [(String, Int64)]
        if venue == .polymarket {
            symbols = try Self.tokens(recording).map { ($0, 0) }
        } else {
            symbols = try Self.symbols(recording, price, quantity)
        }
        for (symbol, step) in symbols {
            instruments.append(try definition(symbol, price, quantity, configuration.tickSize, step: step))
        }
    }

    /// An instrument that appears later.
    package func definition(_ symbol: String, in recording: Recording, _ configuration: ReplayConfiguration) throws
        -> InstrumentDefinition
    {
        let decimals = venue.decimals(recording.form)
        return try definition(
            symbol, configuration.priceDecimals ?? decimals.price, configuration.quantityDecimals ?? decimals.quantity,
            configuration.tickSize, step: 0)
    }

    /// `step` is in price units; 0: not known, and the usual one is taken (a price off it is still right).
    private func definition(_ symbol: String, _ price: Int, _ quantity: Int, _ tick: ExactDecimal?, step: Int64) throws
        -> InstrumentDefinition
    {
        let usual: Int64 = venue == .polymarket && price >= 3 ? powerOfTen(price - 3) : 1
        let size = tick ?? ExactDecimal(digits: step > 0 ? step : usual, decimals: price)
        if let units = try? size.units(decimals: price), units > 0 {
            return venue.definition(symbol: symbol, priceDecimals: price, quantityDecimals: quantity, tick: size)
        }
        throw ReplayError.option("tick-size", "\(size) is no price of \(price) decimals above zero")
    }

    private static func check(_ price: Int, _ quantity: Int) throws {
        guard (0...18).contains(price) else { throw ReplayError.option("price-decimals", "\(price) is not 0 to 18") }
        guard (0...18).contains(quantity), price + quantity <= 18 else {
            throw ReplayError.option(
                "quantity-decimals", "\(quantity): price and quantity decimals together must not exceed 18")
        }
    }

    // MARK: The venue

    private static func venue(of recording: Recording) throws -> ReplayVenue {
        let reader = try recording.reader()
        if let capture = reader as? CaptureRecording, let venue = ReplayVenue(rawValue: capture.venue) { return venue }
        var ticker: ReplayVenue?
        var seen = 0
        while seen < messages, let message = try reader.next() {
            seen += 1
            let bytes = message.bytes
            if bytes.contains("\"event_type\"") || bytes.contains("\"asset_id\"") { return .polymarket }
            guard message.kind == .stream else { continue }
            if bytes.contains("\"depthUpdate\"") {
                guard bytes.contains("\"pu\"") else { return .binanceSpot }
                return bytes.contains("\"ps\"") || bytes.contains("_PERP\"") ? .binanceCOINM : .binanceUSDM
            }
            // Spot's ticker has no event type; a futures ticker has.
            if bytes.contains("\"bookTicker\"") {
                ticker =
                    ticker ?? (bytes.contains("\"ps\"") || bytes.contains("_PERP\"") ? .binanceCOINM : .binanceUSDM)
            } else if bytes.contains("@bookTicker\"") {
                ticker = ticker ?? .binanceSpot
            }
        }
        guard let ticker else { throw ReplayError.unknownVenue(path: recording.path) }
        return ticker
    }

    // MARK: Binance

    /// The symbols in the order in which they appear, each with the greatest step that its first snapshot's prices are
    /// on.
    private static func symbols(_ recording: Recording, _ price: Int, _ quantity: Int) throws -> [(String, Int64)] {
        let scout = try Scout(price, quantity)
        let reader = try recording.reader()
        var steps: [Int64] = []
        var seen = 0
        while seen < messages, let message = try reader.next() {
            seen += 1
            let number = try scout.read(message)
            while steps.count < scout.symbols.count { steps.append(0) }
            guard let number, steps[number] == 0 else { continue }
            steps[number] = scout.snapshotStep
        }
        return Array(zip(scout.symbols, steps))
    }

    // MARK: Polymarket

    private static func tokens(_ recording: Recording) throws -> [String] {
        let memory = try MarketMemory(
            venue: "survey", capacity: Int(APUS_INSTRUMENTS_MAX), boardDepth: 1, feedSlots: Int(APUS_FEED_SLOTS_MIN),
            arenaBytes: 1 << 28)
        let market = try PolymarketMarket(memory, minOrderSize: "5", negRisk: false)
        let reader = try recording.reader()
        var tokens: [String] = []
        var seen = 0
        while seen < messages, let message = try reader.next() {
            seen += 1
            while let token = market.stranger(in: message) {
                _ = try memory.add(
                    ReplayVenue.polymarket.definition(
                        symbol: token, priceDecimals: 9, quantityDecimals: 9, tick: ExactDecimal(digits: 1)))
                tokens.append(token)
            }
        }
        return tokens
    }
}

/// Finds Binance instruments and the steps of their prices.
private final class Scout {
    private let decoder: UnsafeMutablePointer<apus_binance_decoder>
    private let message: UnsafeMutablePointer<apus_binance_message>
    private let levels: UnsafeMutablePointer<apus_level>
    private let table: UnsafeMutablePointer<apus_instrument_table>
    private let tableMemory: UnsafeMutableRawPointer
    private let price: Int
    private let quantity: Int
    private(set) var symbols: [String] = []
    /// Greatest common divisor of the prices of the message, when it was a snapshot; else 0.
    private(set) var snapshotStep: Int64 = 0

    init(_ price: Int, _ quantity: Int) throws {
        self.price = price
        self.quantity = quantity
        levels = .allocate(capacity: Int(APUS_MESSAGE_LEVELS_MAX))
        decoder = .allocate(capacity: 1)
        message = .allocate(capacity: 1)
        message.initialize(to: apus_binance_message())
        table = .allocate(capacity: 1)
        table.initialize(to: apus_instrument_table())
        tableMemory = .allocate(byteCount: apus_instrument_table_bytes(APUS_INSTRUMENTS_MAX), alignment: 64)
        apus_instrument_table_init(table, tableMemory, APUS_INSTRUMENTS_MAX)
        apus_binance_decoder_init(decoder, table, levels, APUS_MESSAGE_LEVELS_MAX)
    }

    deinit {
        levels.deallocate()
        decoder.deallocate()
        message.deallocate()
        table.deallocate()
        tableMemory.deallocate()
    }

    /// The number of the instrument that the message is about; nil when it is about none, or unreadable.
    func read(_ recorded: RecordedMessage) throws -> Int? {
        snapshotStep = 0
        var number = try recorded.symbol.map { try add($0) }
        if !decode(recorded.bytes, number) { return nil }
        if UInt32(message.pointee.unknown_reason) == APUS_BINANCE_UNKNOWN_SYMBOL.rawValue {
            if let symbol = message.pointee.symbol {
                let text = UnsafeBufferPointer(start: symbol, count: Int(message.pointee.symbol_length))
                number = try add(String(decoding: text, as: UTF8.self))
            } else {
                number = symbols.isEmpty ? nil : 0
            }
            guard number != nil, decode(recorded.bytes, number) else { return nil }
        }
        guard message.pointee.instrument != UInt16.max else { return nil }
        if UInt32(message.pointee.kind) == APUS_BINANCE_SNAPSHOT.rawValue { snapshotStep = step() }
        return Int(message.pointee.instrument)
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ number: Int?) -> Bool {
        let bytes = bytes.bindMemory(to: UInt8.self)
        let instrument = number.map { UInt16($0) } ?? UInt16.max
        return apus_binance_decode(decoder, bytes.baseAddress, bytes.count, instrument, message) == 0
    }

    private func add(_ symbol: String) throws -> Int {
        if let known = symbols.firstIndex(of: symbol) { return known }
        var entry = apus_instrument()
        entry.price_decimals = UInt8(price)
        entry.quantity_decimals = UInt8(quantity)
        entry.tick_units = 1
        entry.lot_units = 1
        entry.contract_multiplier = 1
        let number = apus_instrument_add(table, symbol, symbol.utf8.count, &entry)
        if number == -ENOSPC { throw ReplayError.instruments(limit: Int(APUS_INSTRUMENTS_MAX)) }
        guard number >= 0 else { throw ReplayError.memory("the instrument \(symbol)", -number) }
        symbols.append(symbol)
        return Int(number)
    }

    private func step() -> Int64 {
        var divisor: Int64 = 0
        for index in 0..<Int(message.pointee.bid_count + message.pointee.ask_count) {
            var other = message.pointee.levels[index].price
            while other != 0 { (divisor, other) = (other, divisor % other) }
        }
        return divisor
    }
}

func powerOfTen(_ exponent: Int) -> Int64 { (0..<exponent).reduce(1) { product, _ in product * 10 } }
