import CApusProtocol
import Foundation
import Testing

@Suite struct BinanceDecodeTests {
    static let depth =
        #"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","#
        + #""U":5123107832006,"u":5123107837557,"pu":5123107831937,"b":[["58710.20","0.014"],["61510.90","0.000"]],"#
        + #""a":[["61800.30","12.345"]]}}"#
    static let messages = [
        depth,
        #"{"e":"depthUpdate","E":1,"T":2,"s":"BTCUSD_200626","ps":"BTCUSD","U":17285681,"u":17285702,"pu":3,"#
            + #""b":[["9517.6","10"]],"a":[]}"#,
        #"{"e":"depthUpdate","E":1633998512068,"s":"NKNUSDT","U":499869750,"u":499869752,"b":[],"#
            + #""a":[["0.35130000","6195.00000000"],["0.34750000","5548.00000000"]]}"#,
        #"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","#
            + #""B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256314}}"#,
        #"{"u":400900217,"s":"BNBBTC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#,
        #"{"e":"bookTicker","u":17242169,"s":"BTCUSD_200626","ps":"BTCUSD","b":"9548.1","B":"52","a":"9548.5","#
            + #""A":"11","T":1591268628155,"E":1591268628166}"#,
        #"{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","#
            + #""X":"MARKET","m":false}"#,
        #"{"e":"trade","E":123456789,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000","b":88,"a":50,"#
            + #""T":123456785,"m":true,"M":true}"#,
        #"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000","#
            + #""T":1672515782136,"m":true,"M":true}"#,
        #"{"e":"aggTrade","E":123456789,"s":"BTCUSDT","a":5933014,"p":"0.01","q":"100.000","f":100,"l":105,"#
            + #""T":123456785,"m":true}"#,
        #"{"lastUpdateId":5123107852948,"E":1723161256501,"T":1723161256493,"bids":[["61800.20","2.909"]],"#
            + #""asks":[["61800.30","0.001"],["621369.00","0.010"]]}"#,
        #"{"lastUpdateId":499869752,"bids":[],"asks":[]}"#,
    ]

    private func variants(_ text: [UInt8], instrument: UInt16 = 0, behind: [UInt8] = []) -> Decoded {
        let general = TestDecoder(variant: .general).decode(text, instrument: instrument)
        for variant in DecodeVariant.available {
            let decoded = TestDecoder(variant: variant).decode(text, instrument: instrument, behind: behind)
            #expect(decoded == general, "by \(variant): \(String(decoding: text, as: UTF8.self))")
        }
        return general
    }

    private func variants(_ text: String) -> Decoded { variants(Array(text.utf8)) }

    // MARK: values

    @Test func depthOfFutures() {
        let decoded = variants(Self.depth)
        #expect(decoded.result == 0 && decoded.kind == UInt8(APUS_BINANCE_DEPTH.rawValue) && decoded.instrument == 0)
        #expect(
            decoded.numbers[0...4] == [
                1_723_161_256_299, 1_723_161_256_298, 5_123_107_832_006, 5_123_107_837_557, 5_123_107_831_937,
            ])
        #expect(decoded.bids == [Row(price: 5_871_020, quantity: 14), Row(price: 6_151_090, quantity: 0)])
        #expect(decoded.asks == [Row(price: 6_180_030, quantity: 12_345)])
        #expect(decoded.flags[0])
        #expect(decoded.texts == ["BTCUSDT", "btcusdt@depth@0ms", "depthUpdate", nil])
    }

    @Test func depthOfCoinMarginedFuturesAndSpot() {
        let coin = variants(Self.messages[1])
        #expect(coin.instrument == 2 && coin.flags[0] && coin.asks.isEmpty)
        #expect(coin.bids == [Row(price: 95_176, quantity: 10)])
        let spot = variants(Self.messages[2])
        #expect(spot.instrument == 1 && !spot.flags[0] && spot.bids.isEmpty)
        #expect(spot.asks.first == Row(price: 35_130_000, quantity: 619_500_000_000))
    }

    @Test func tickers() {
        let futures = variants(Self.messages[3])
        #expect(futures.kind == UInt8(APUS_BINANCE_TICKER.rawValue))
        #expect(futures.touch == [6_180_020, 2_507, 6_180_030, 2_510])
        #expect(futures.numbers[0...3] == [1_723_161_256_314, 1_723_161_256_313, 0, 5_123_107_839_020])
        let spot = variants(Self.messages[4])
        #expect(spot.touch == [2_535_190_000, 3_121_000_000, 2_536_520_000, 4_066_000_000] && spot.instrument == 3)
        #expect(variants(Self.messages[5]).touch == [95_481, 52, 95_485, 11])
    }

    @Test func trades() {
        let futures = variants(Self.messages[6])
        #expect(futures.kind == UInt8(APUS_BINANCE_TRADE.rawValue) && futures.numbers[5] == 5_266_583_935)
        #expect(futures.touch[0...1] == [6_180_030, 6] && !futures.flags[2] && !futures.flags[3])
        let insurance = variants(Self.messages[6].replacing("MARKET", with: "INSURANCE_FUND"))
        #expect(insurance.result == 0 && insurance.flags[3])
        for number in 7...8 {
            let spot = variants(Self.messages[number])
            #expect(spot.numbers[5] == 12_345 && spot.flags[2] && spot.numbers[1] > 0)
        }
        let aggregate = variants(Self.messages[9])
        #expect(aggregate.flags[1] && aggregate.numbers[5] == 5_933_014 && aggregate.touch[0...1] == [1, 100_000])
    }

    @Test func snapshots() {
        let decoded = variants(Self.messages[10])
        #expect(decoded.kind == UInt8(APUS_BINANCE_SNAPSHOT.rawValue) && decoded.numbers[3] == 5_123_107_852_948)
        #expect(decoded.asks.last == Row(price: 62_136_900, quantity: 10))
        let nobody = variants(Array(Self.messages[10].utf8), instrument: UInt16.max)
        #expect(nobody.result == 0 && nobody.unknown == UInt8(APUS_BINANCE_UNKNOWN_SYMBOL.rawValue))
    }

    @Test func answers() {
        let good = variants(#"{"result":null,"id":17}"#)
        #expect(good.kind == UInt8(APUS_BINANCE_ANSWER.rawValue) && good.flags[4] && good.numbers[6] == 17)
        let bad = variants(#"{"error":{"code":-2,"msg":"Invalid request"},"id":18}"#)
        #expect(!bad.flags[4] && bad.numbers[6] == 18 && Int64(bitPattern: bad.numbers[7]) == -2)
        #expect(bad.texts[3] == "Invalid request")
        #expect(Int64(bitPattern: variants(#"{"code":-1121,"msg":"Invalid symbol."}"#).numbers[7]) == -1_121)
    }

    @Test func whatIsUnknownIsSkippedAndCounted() {
        let test = TestDecoder()
        #expect(
            test.decode(#"{"e":"kline","s":"BTCUSDT","k":{"t":1}}"#).unknown
                == UInt8(APUS_BINANCE_UNKNOWN_EVENT.rawValue))
        #expect(test.decode("[1,2]").unknown == UInt8(APUS_BINANCE_UNKNOWN_EVENT.rawValue))
        let other = test.decode(Self.depth.replacing("BTCUSDT", with: "ETHUSDT"))
        #expect(other.unknown == UInt8(APUS_BINANCE_UNKNOWN_SYMBOL.rawValue) && other.instrument == UInt16.max)
        #expect(test.decode("{").result == -EBADMSG)
        let counters = test.decoder.pointee.counters
        #expect(counters.unknown_events == 2 && counters.unknown_symbols == 1 && counters.errors == 1)
    }

    // MARK: one form and the other

    @Test func theVenuesOwnFormIsReadFast() {
        for variant in DecodeVariant.available where variant != .general {
            let test = TestDecoder(variant: variant)
            for message in Self.messages {
                #expect(test.decode(message, instrument: 0).result == 0)
            }
            #expect(test.decoder.pointee.counters.fast == UInt64(Self.messages.count), "by \(variant)")
        }
    }

    @Test(
        .enabled(if: apus_vector_available(APUS_VECTOR_AVX512), "needs a processor with AVX-512BW, VL and VBMI2"))
    func avx512ReadsEveryForm() {
        let test = TestDecoder(variant: .avx512)
        let general = TestDecoder(variant: .general)
        for message in Self.messages {
            #expect(test.decode(message, instrument: 0) == general.decode(message, instrument: 0))
        }
    }

    @Test func anyOtherFormGivesTheSame() {
        let same = [
            Self.depth.replacing(",", with: " ,\n"), Self.depth.replacing(":", with: "\t: "),
            Self.depth.replacing(#""u":"#, with: #""\u0075":"#),
            Self.depth.replacing(#""s":"BTCUSDT""#, with: #""s":"BTC\u0055SDT""#).replacing(
                #"BTC\u0055SDT"#, with: "BTCUSDT"),
            Self.depth.replacing(#""61800.30""#, with: #""6180\u0030.300""#),
            Self.depth.replacing(#""61800.30""#, with: "61800.30"),
            Self.depth.replacing(#""61800.30""#, with: "6.18003e4"),
            Self.depth.replacing(#""U":"#, with: #""U":1,"x":{"b":[[1,2]],"U":[]},"U":"#),
            Self.depth.replacing(#""0.014"]"#, with: #""0.014",[]]"#),
            Self.depth.replacing("1723161256299", with: "1.723161256299e12"),
            Self.depth.replacing(#""pu":5123107831937,"#, with: "").replacing(
                #"]]}}"#, with: #"]],"pu":5123107831937}}"#),
        ]
        let expected = TestDecoder().decode(Self.depth)
        for text in same {
            #expect(variants(text) == expected, "\(text)")
        }
        let wrapped = #"{"data":{"a":[],"b":[],"U":1,"u":2,"s":"BTCUSDT","e":"depthUpdate"},"stream":"z"}"#
        #expect(variants(wrapped).texts == ["BTCUSDT", "z", "depthUpdate", nil])
    }

    @Test func decimalsOfAnotherFormAreExact() {
        for (text, value) in [
            ("0.01", 1), ("12", 1_200), ("12.5", 1_250), ("12.50000", 1_250), ("1234567890123.25", 123_456_789_012_325),
        ] {
            let decoded = variants(Self.depth.replacing("58710.20", with: text))
            #expect(decoded.bids.first?.price == Int64(value), "\(text)")
        }
    }

    /// Short and long texts as the first, a middle and the last level of a side, and where the side is the message's last.
    @Test func levelsOfEveryLengthAtEveryPlace() {
        let usual = #"["61800.20","2.909"]"#
        let texts = (1...19).map { String(repeating: "7", count: $0) } + ["0.01", "1.5", ".5", "5.", "123456789012.34"]
        for text in texts {
            for level in ["[\"\(text)\",\"2.909\"]", "[\"61800.20\",\"\(text)\"]"] {
                for place in 0..<3 {
                    var rows = [usual, usual, usual]
                    rows[place] = level
                    let side = rows.joined(separator: ",")
                    for (bids, asks) in [(side, usual), (usual, side), (level, ""), ("", level)] {
                        _ = variants(
                            #"{"e":"depthUpdate","E":1723161256299,"T":2,"s":"BTCUSDT","U":1,"u":2,"pu":3,"b":["#
                                + bids + #"],"a":["# + asks + "]}")
                    }
                }
            }
        }
    }

    // MARK: errors

    private func expectFault(_ text: String, _ fault: apus_binance_fault, _ result: Int32, at part: String) {
        let decoded = variants(text)
        let place = text.range(of: part).map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) }
        #expect(decoded.fault == UInt8(fault.rawValue) && decoded.result == -result, "\(text)")
        #expect(decoded.offset == place, "\(text)")
    }

    @Test func badValuesAreErrorsWithTheirPlace() {
        let depth = Self.depth
        expectFault(
            depth.replacing("58710.20", with: "58710.201"), APUS_BINANCE_FAULT_DECIMALS, EDOM, at: "1\",\"0.014")
        expectFault(depth.replacing("58710.20", with: "58710.2x"), APUS_BINANCE_FAULT_NUMBER, EBADMSG, at: "x\"")
        expectFault(
            depth.replacing("58710.20", with: "5871020:"), APUS_BINANCE_FAULT_NUMBER, EBADMSG, at: ":\",\"0.014")
        expectFault(depth.replacing("0.014", with: "-0.014"), APUS_BINANCE_FAULT_NUMBER, EBADMSG, at: "-0.014")
        expectFault(depth.replacing("58710.20", with: ""), APUS_BINANCE_FAULT_NUMBER, EBADMSG, at: "\",\"0.014")
        expectFault(
            depth.replacing("58710.20", with: "99999999999999999999"), APUS_BINANCE_FAULT_RANGE, ERANGE,
            at: "9\",\"0.014")
        expectFault(
            depth.replacing("[\"58710.20\",\"0.014\"]", with: "{}"), APUS_BINANCE_FAULT_TYPE, EBADMSG, at: "{},")
        expectFault(depth.replacing("1723161256299", with: "null"), APUS_BINANCE_FAULT_TYPE, EBADMSG, at: "null")
        expectFault(
            depth.replacing("1723161256299", with: "99999999999999999999"), APUS_BINANCE_FAULT_RANGE, ERANGE, at: "9999"
        )
        expectFault(depth.replacing("\"U\":5", with: "\"U\":05"), APUS_BINANCE_FAULT_JSON, EBADMSG, at: "5123107832006")
        expectFault(depth.replacing("@0ms", with: "@\u{1}0ms"), APUS_BINANCE_FAULT_JSON, EBADMSG, at: "\u{1}")
        expectFault(depth.replacing("@0ms", with: "@\\x"), APUS_BINANCE_FAULT_JSON, EBADMSG, at: "x\"")
        expectFault(depth + "x", APUS_BINANCE_FAULT_JSON, EBADMSG, at: "x")
    }

    @Test func aMissingFieldIsAnErrorAtTheObjectsEnd() {
        for key in ["b", "a", "U", "u", "s"] {
            let text = Self.depth.replacing("\"\(key)\":", with: "\"zz\":")
            let decoded = variants(text)
            #expect(decoded.result == -EBADMSG && decoded.fault == UInt8(APUS_BINANCE_FAULT_MISSING.rawValue), "\(key)")
            #expect(decoded.offset == text.utf8.count - 1, "\(key)")
        }
    }

    @Test func everyTruncationIsAnErrorWhateverLiesBehind() {
        for message in Self.messages {
            let text = Array(message.utf8)
            for length in 0..<text.count {
                let behind = Array(text[length...].prefix(Int(APUS_PADDING)))
                let decoded = variants(Array(text.prefix(length)), behind: behind)
                #expect(decoded.result == -EBADMSG && decoded.offset == length)
            }
        }
    }

    @Test func everyChangedByteGivesTheSameByEveryReader() {
        for message in Self.messages {
            let text = Array(message.utf8)
            for place in text.indices {
                for other in Array("\",]7./-:+e \\".utf8) + [0, 0xFF] {
                    var changed = text
                    changed[place] = other
                    _ = variants(changed)
                }
            }
        }
    }

    @Test func theNumberOfLevelsHasALimit() {
        let row = #"["61800.20","2.909"]"#
        func message(_ count: Int) -> String {
            #"{"lastUpdateId":5123107852948,"bids":["# + Array(repeating: row, count: count).joined(separator: ",")
                + #"],"asks":[]}"#
        }
        for variant in DecodeVariant.available {
            let test = TestDecoder(capacity: 2_000, variant: variant)
            let most = test.decode(message(2_000), instrument: 0)
            #expect(most.result == 0 && most.bids.count == 2_000)
            #expect(most.bids.allSatisfy { $0 == Row(price: 6_180_020, quantity: 2_909) })
            let tooMany = test.decode(message(2_001), instrument: 0)
            #expect(tooMany.result == -ENOBUFS && tooMany.fault == UInt8(APUS_BINANCE_FAULT_LEVELS.rawValue))
        }
    }

    @Test func faultsHaveTexts() {
        for fault in 0..<UInt8(10) {
            #expect(!String(cString: apus_binance_fault_text(fault)).isEmpty)
        }
    }

    // MARK: parts

    @Test func everyVariantFindsEveryByte() {
        var random = Sequence64(state: 9)
        for length in [0, 1, 63, 64, 65, 200, 1_000] {
            for density in [Int64(2), 6, 100] {
                let bytes = (0..<length + 64).map { _ in
                    random.below(density) == 0 ? UInt8(ascii: ",") : UInt8(random.below(256))
                }
                let expected = (0..<length).filter { bytes[$0] == UInt8(ascii: ",") }.map { UInt32($0) }
                for variant in DecodeVariant.available {
                    guard let vector = variant.vector else { continue }
                    var positions = [UInt32](repeating: 0, count: length + 16)
                    let count = apus_byte_positions(vector, bytes, length, UInt8(ascii: ","), &positions)
                    #expect(Array(positions.prefix(count)) == expected, "by \(variant)")
                }
            }
        }
    }

    @Test func instrumentsAreFoundByName() {
        let bytes = apus_instrument_table_bytes(300)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        defer { memory.deallocate() }
        var table = apus_instrument_table()
        #expect(apus_instrument_table_init(&table, memory, 300) == 0)
        var instrument = apus_instrument()
        #expect(apus_instrument_add(&table, "A", 1, &instrument) == -EINVAL)
        instrument.tick_units = 1
        instrument.lot_units = 1
        let names = (0..<300).map { "S" + String(repeating: "x", count: $0 % 60) + "\($0)" }
        for (number, name) in names.enumerated() {
            #expect(apus_instrument_add(&table, name, name.utf8.count, &instrument) == Int32(number))
        }
        for (number, name) in names.enumerated() {
            let text = Array(name.utf8) + [UInt8](repeating: 0x41, count: 16)
            #expect(apus_instrument_find(&table, text, name.utf8.count) == UInt16(number))
            #expect(apus_instrument_find_padded(&table, text, name.utf8.count) == UInt16(number))
            #expect(apus_instrument_find(&table, text, name.utf8.count + 1) == UInt16.max)
        }
        #expect(apus_instrument_find(&table, "", 0) == UInt16.max)
        #expect(apus_instrument_find_padded(&table, Array("0123456789abcdef".utf8), 0) == UInt16.max)
        #expect(apus_instrument_add(&table, names[5], names[5].utf8.count, &instrument) == -EEXIST)
        #expect(apus_instrument_add(&table, "one more", 8, &instrument) == -ENOSPC)
        #expect(apus_instrument_table_bytes(0) == 0 && apus_instrument_table_bytes(APUS_INSTRUMENTS_MAX + 1) == 0)
    }
}
