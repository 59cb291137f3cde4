import CApusProtocol
import Glibc
import Testing

/// A decoder with a table of two tokens of 4 and 6 decimals and a market that is known.
private final class DecoderStage {
    struct Level: Equatable, CustomStringConvertible {
        var instrument: UInt16
        var isBid: Bool
        var price: Int64
        var size: Int64
        var texts: [String]
        var hash: String
        var description: String { "\(instrument) \(isBid) \(price) \(size) \(texts) \(hash)" }
    }

    /// Everything that a message says, as values.
    struct Message: Equatable {
        var result: Int32
        var kind: UInt8 = 0
        var fault: UInt8 = 0
        var offset = 0
        var timestamp: UInt64 = 0
        var levels: [Level] = []
        var counts: [UInt32] = []
        var numbers: [Int64] = []
        var texts: [String] = []
    }

    let decoder = UnsafeMutablePointer<apus_polymarket_decoder>.allocate(capacity: 1)
    private let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    private let pair = UnsafeMutablePointer<apus_polymarket_pair>.allocate(capacity: 1)
    private let levels = UnsafeMutablePointer<apus_polymarket_level>.allocate(capacity: 64)
    private let pairs = UnsafeMutablePointer<UnsafeMutablePointer<apus_polymarket_pair>?>.allocate(capacity: 16)
    private let memory: UnsafeMutableRawPointer

    init(tokens: [String] = PolymarketStage.assets, learn: Bool = true) {
        memory = .allocate(byteCount: apus_instrument_table_bytes(8), alignment: 64)
        table.initialize(to: apus_instrument_table())
        apus_instrument_table_init(table, memory, 8)
        for token in tokens {
            var entry = apus_instrument()
            entry.price_decimals = 4
            entry.quantity_decimals = 6
            entry.tick_units = 10
            entry.lot_units = 1
            entry.contract_multiplier = 1
            precondition(apus_instrument_add(table, token, token.utf8.count, &entry) >= 0)
        }
        apus_polymarket_decoder_init(decoder, table, levels, 64, pairs, 16)
        pair.initialize(to: apus_polymarket_pair())
        pair.pointee.instruments = (.max, .max)
        withUnsafeMutableBytes(of: &pair.pointee.id) { $0.copyBytes(from: TokenModel.market.utf8) }
        guard learn else { return }
        for asset in PolymarketStage.assets {
            let number = tokens.firstIndex(of: asset).map { UInt16($0) } ?? .max
            precondition(apus_polymarket_pair_token(pair, asset, asset.utf8.count, number))
        }
        precondition(apus_polymarket_decoder_learn(decoder, pair) == 0)
    }

    deinit {
        decoder.deallocate()
        table.deallocate()
        pair.deallocate()
        levels.deallocate()
        pairs.deallocate()
        memory.deallocate()
    }

    private func text(_ text: apus_polymarket_text) -> String {
        String(decoding: UnsafeBufferPointer(start: text.bytes, count: Int(text.length)), as: UTF8.self)
    }

    private func level(_ level: apus_polymarket_level, _ isChange: Bool) -> Level {
        let isKnown = !isChange || level.instrument != .max
        let price = apus_polymarket_text(bytes: level.price_text, length: UInt32(level.price_length))
        let size = apus_polymarket_text(bytes: level.size_text, length: UInt32(isKnown ? level.size_length : 0))
        let hash = apus_polymarket_text(
            bytes: isChange ? level.hash : nil, length: isChange && level.hash != nil ? 40 : 0)
        return Level(
            instrument: isChange ? level.instrument : 0, isBid: isChange && level.side == UInt8(APUS_SIDE_BID),
            price: isKnown ? level.price : 0, size: isKnown ? level.size : 0,
            texts: [text(price), text(size), isChange ? text(level.asset) : ""], hash: text(hash))
    }

    /// Decodes a frame; one message for each object, and the error if there is one.
    func decode(_ frame: String) -> [Message] {
        withPadded(frame) { bytes, count in
            var state = apus_polymarket_frame()
            apus_polymarket_frame_begin(&state, bytes, count)
            var message = apus_polymarket_message()
            var result: [Message] = []
            while true {
                let code = apus_polymarket_frame_next(decoder, &state, &message)
                if code == 0 { return result }
                if code < 0 {
                    result.append(Message(result: code, fault: message.fault, offset: message.error_offset))
                    return result
                }
                let isChange = message.kind == UInt8(APUS_POLYMARKET_CHANGE.rawValue)
                let count = message.bid_count + message.ask_count + message.change_count
                var made = Message(result: code, kind: message.kind, timestamp: message.timestamp)
                made.levels = (0..<Int(count)).map { level(message.levels[$0], isChange) }
                made.counts = [
                    message.bid_count, message.ask_count, message.change_count, message.unknown_asset ? 1 : 0,
                ]
                if !isChange {
                    made.numbers = [message.price, message.size, message.ask, message.tick, Int64(message.side)]
                    made.texts = [message.asset, message.hash, message.tick_size, message.last_trade_price].map {
                        text($0)
                    }
                }
                made.texts.append(text(message.market))
                result.append(made)
            }
        }
    }
}

@Suite struct PolymarketDecodeTests {
    private static let hash = "5511583ad6f3eb4678e0a374e0cc2bd3b1975d07"

    private func change(_ asset: String, _ isBid: Bool, _ price: String, _ size: String) -> String {
        "{\"asset_id\":\"\(asset)\",\"price\":\"\(price)\",\"size\":\"\(size)\",\"side\":\"\(isBid ? "BUY" : "SELL")\","
            + "\"hash\":\"\(Self.hash)\",\"best_bid\":\"0.311\",\"best_ask\":\"0.39\"}"
    }

    private func message(_ changes: [String], market: String = TokenModel.market, time: String = "1790658692971")
        -> String
    {
        "{\"market\":\"\(market)\",\"price_changes\":[\(changes.joined(separator: ","))],\"timestamp\":\"\(time)\","
            + "\"event_type\":\"price_change\"}"
    }

    /// The three ways to read a frame agree; returns what they say, and whether the one-pass reader took it.
    private func agreeing(_ frame: String, tokens: [String] = PolymarketStage.assets) -> ([DecoderStage.Message], Bool)
    {
        let general = DecoderStage(tokens: tokens)
        apus_polymarket_decoder_force(general.decoder, APUS_VECTOR_PORTABLE, true)
        let expected = general.decode(frame)
        #expect(general.decoder.pointee.fast == 0)
        var fast: UInt64 = 0
        for vector in [APUS_VECTOR_PORTABLE, APUS_VECTOR_AVX2] {
            let stage = DecoderStage(tokens: tokens)
            guard apus_polymarket_decoder_force(stage.decoder, vector, false) == 0 else { continue }
            #expect(stage.decode(frame) == expected, "\(vector) on \(frame)")
            if vector == APUS_VECTOR_PORTABLE {
                fast = stage.decoder.pointee.fast
            } else {
                #expect(stage.decoder.pointee.fast == fast)
            }
        }
        return (expected, fast > 0)
    }

    @Test func aChangeInTheVenuesWritingIsReadInOnePass() throws {
        let (messages, isFast) = agreeing(
            message([
                change(PolymarketStage.first, false, "0.39", "4765"),
                change(PolymarketStage.second, true, "0.61", "4765.25"),
            ]))
        #expect(isFast)
        let levels = try #require(messages.first).levels
        #expect(levels.map(\.price) == [3900, 6100] && levels.map(\.size) == [4_765_000_000, 4_765_250_000])
        #expect(levels.map(\.isBid) == [false, true] && levels.map(\.instrument) == [0, 1])
        #expect(levels.allSatisfy { $0.hash == Self.hash })
        #expect(messages.first?.timestamp == 1_790_658_692_971)
    }

    @Test(arguments: [
        ("0.3", "1", 3000, 1_000_000), ("0.0001", "0", 1, 0), ("0.9999", "0.000001", 9999, 1),
        ("1", "123456789", 10_000, 123_456_789_000_000), ("0.30", "1", 3000, 1_000_000),
        ("0.3", "1.0", 3000, 1_000_000), ("00.3", "1", 3000, 1_000_000),
        ("0.3", "220045.123456", 3000, 220_045_123_456),
        ("0.3", "9999999999.999999", 3000, 9_999_999_999_999_999),
        ("0.3", "123456789.12345", 3000, 123_456_789_123_450),
        (".5", "5", 5000, 5_000_000), ("0.3", "1e2", 3000, 100_000_000),
        ("0.10000", "7.0000000", 1000, 7_000_000),
    ])
    func numbersAreExact(price: String, size: String, units: Int64, sizeUnits: Int64) throws {
        let (messages, _) = agreeing(message([change(PolymarketStage.first, true, price, size)]))
        let level = try #require(messages.first?.levels.first)
        #expect([level.price, level.size] == [units, sizeUnits])
        #expect(level.texts[0] == price && level.texts[1] == size)
    }

    @Test func everyShortNumberIsReadAlikeByAllReaders() {
        var random = apus_random()
        apus_random_seed(&random, 7)
        let alphabet = Array("0123456789.e-")
        for _ in 0..<3000 {
            let length = Int(apus_random_below(&random, 18))
            // A sign can only stand at the beginning or it is no number in any reader's eyes.
            let text = String((0..<length).map { alphabet[Int(apus_random_below(&random, $0 == 0 ? 13 : 12))] })
            _ = agreeing(message([change(PolymarketStage.first, true, "0.5", text)]))
            _ = agreeing(message([change(PolymarketStage.first, true, text, "1")]))
        }
    }

    @Test func errorsNameTheByte() throws {
        let cases: [(String, Int32, apus_polymarket_fault, String)] = [
            ("0.39", -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, "x"),
            ("0.39", -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, "-5"),
            ("0.39", -EDOM, APUS_POLYMARKET_FAULT_DECIMALS, "1.0000001"),
            ("0.39001", -EDOM, APUS_POLYMARKET_FAULT_DECIMALS, "1"),
            ("0.39", -ERANGE, APUS_POLYMARKET_FAULT_RANGE, "99999999999999999999"),
            ("0.39", -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, ""),
            ("0.39", -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, "0.00000000000000000000000000000"),
        ]
        for (price, code, fault, size) in cases {
            let text = message([change(PolymarketStage.first, true, price, size)])
            let (messages, _) = agreeing(text)
            let error = try #require(messages.last)
            #expect(error.result == code && error.fault == UInt8(fault.rawValue), "\(price) \(size)")
            let start = text.utf8.distance(from: text.startIndex, to: text.firstRange(of: "\"price\":\"")!.upperBound)
            #expect((start...(start + price.utf8.count + size.utf8.count + 12)).contains(error.offset))
        }
    }

    @Test func everyTruncationIsAnError() {
        let texts = [
            message([
                change(PolymarketStage.first, true, "0.5", "1"), change(PolymarketStage.second, false, "0.5", "1"),
            ]),
            TokenModel(asset: PolymarketStage.first, bids: [3000: "5"], asks: [4000: "6"]).book(
                1, lastTradePrice: "0.3"),
            "[\(tradeMessage(PolymarketStage.first, 1, price: "0.3"))]",
        ]
        for text in texts {
            for count in 1..<text.utf8.count {
                let (messages, _) = agreeing(String(text.prefix(count)))
                #expect(messages.last?.result == -EBADMSG)
                #expect((messages.last?.offset ?? .max) <= count)
            }
        }
    }

    @Test func anyOtherWritingGivesTheSame() throws {
        let usual = agreeing(message([change(PolymarketStage.first, false, "0.39", "4765")])).0
        let spaced =
            " { \"event_type\" : \"price\\u005fchange\", \"extra\": [1,{\"a\":null}], \"timestamp\":\"1790658692971\",\n"
            + "\"price_changes\" : [ { \"hash\":\"\(Self.hash)\", \"side\":\"SE\\u004cL\", \"size\":\"4765\",\t\"price\":\"0.\\u00339\","
            + "\"size_extra\":true, \"\\u0061sset_id\":\"\(PolymarketStage.first)\" } ], \"market\":\"nobody\", "
            + "\"market\":\"\(TokenModel.market)\" } "
        let (messages, isFast) = agreeing(spaced)
        #expect(messages == usual && !isFast)
    }

    @Test func aTokenThatIsNotOursIsPassedOver() throws {
        let text = message([
            change(PolymarketStage.first, false, "0.39", "4765"), change(PolymarketStage.second, true, "0.61", "4765"),
        ])
        let (messages, isFast) = agreeing(text, tokens: [PolymarketStage.second])
        #expect(isFast)
        #expect(try #require(messages.first).levels.map(\.instrument) == [.max, 0])
        #expect(messages.first?.counts == [0, 0, 2, 1])
        let stranger = DecoderStage(tokens: [], learn: false).decode(text)
        #expect(stranger.first?.levels.map(\.instrument) == [.max, .max])
    }

    @Test func whatOnlyLooksLikeTheVenuesWritingIsReadByTheGeneralReader() {
        let good = message([change(PolymarketStage.first, true, "0.5", "1")])
        let odd = [
            good.replacing(Self.hash, with: String(repeating: "a", count: 38) + "\\\""),
            good.replacing("BUY", with: "BUX"),
            good.replacing("1790658692971", with: "179065869297"), good.replacing("\"0.311\"", with: "\"0.311\\n\""),
            good.replacing("}]", with: "} ]"), good + " ", good.replacing("price_change\"}", with: "price_chance\"}"),
            good.replacing("\"best_ask\"", with: "\"best_asks\""), good.replacing("0x28", with: "0x29"),
            good.replacing("\"hash\":\"\(Self.hash)\",", with: ""), good.replacing("}],", with: "},],"),
        ]
        for text in odd {
            let (_, isFast) = agreeing(text)
            #expect(!isFast, "\(text)")
        }
    }

    @Test func booksOfAnyWriting() throws {
        var token = TokenModel(asset: PolymarketStage.first)
        token.bids = [3000: "5", 2900: "1.50"]
        token.asks = [4000: "6"]
        let (messages, _) = agreeing(token.book(7, lastTradePrice: "0.3"))
        let book = try #require(messages.first)
        #expect(book.kind == UInt8(APUS_POLYMARKET_BOOK.rawValue) && book.counts == [2, 1, 0, 0])
        #expect(book.levels.map(\.price) == [2900, 3000, 4000])
        #expect(book.texts[2] == "0.001" && book.texts[3] == "0.3" && book.numbers[3] == 10)
        let spaced = token.book(7, lastTradePrice: "0.3").replacing("{\"price\"", with: " {\"price\"").replacing(
            "\"size\"", with: "\"x]\":[], \"size\"")
        #expect(agreeing(spaced).0 == messages)
        // More levels than there is room for.
        for price in 1...70 { token.bids[price] = "1" }
        let (many, _) = agreeing(token.book(7, lastTradePrice: "0.3"))
        #expect(many.first?.result == -ENOBUFS && many.first?.fault == UInt8(APUS_POLYMARKET_FAULT_LEVELS.rawValue))
    }

    @Test func framesOfManyObjects() {
        let trade = tradeMessage(PolymarketStage.first, 1, price: "0.3", side: "SELL")
        let (messages, _) = agreeing(
            "[\(trade), {\"event_type\":\"new_market\"},\(message([change(PolymarketStage.first, true, "0.5", "1")]))]")
        #expect(
            messages.map { UInt32($0.kind) }
                == [APUS_POLYMARKET_TRADE, APUS_POLYMARKET_UNKNOWN, APUS_POLYMARKET_CHANGE].map(\.rawValue))
        #expect(messages.first?.numbers == [3000, 10_000_000, 0, 0, 1])
        #expect(agreeing("[]").0.isEmpty && agreeing(" [ ] ").0.isEmpty)
        for bad in ["[1]", "[[]]", "[\"a\"]", "[{}", "[{},]", "[{}] x", "", " ", "x", "PONG ", "null"] {
            #expect(agreeing(bad).0.last?.result == -EBADMSG, "\(bad)")
        }
        #expect(agreeing("[{}]").0.map(\.kind) == [0])
        for control in ["PONG", "PING", "NO NEW ASSETS"] {
            #expect(agreeing(control).0.map(\.kind) == [UInt8(APUS_POLYMARKET_CONTROL.rawValue)])
        }
    }

    @Test func faultsHaveWords() {
        var texts = Set<String>()
        for fault in UInt8(0)...11 { texts.insert(String(cString: apus_polymarket_fault_text(fault))) }
        #expect(texts.count == 12)
    }
}
