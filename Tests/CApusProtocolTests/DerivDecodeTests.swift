import CApusProtocol
import Foundation
import Testing

/// The decoder of both Deriv APIs.
@Suite struct DerivDecodeTests {
    /// Decodes a text and gives the result with the message while its bytes live.
    private func decode(_ text: String, _ body: (Int32, inout apus_deriv_message) -> Void) {
        withPadded(text) { bytes, count in
            var message = apus_deriv_message()
            let result = apus_deriv_decode(bytes, count, &message)
            body(result, &message)
        }
    }

    private func text(_ message: apus_deriv_message, _ field: apus_deriv_field) -> String? {
        var fields = message.fields
        return withUnsafeBytes(of: &fields) { bytes in
            let field = bytes.assumingMemoryBound(to: apus_deriv_text.self)[Int(field.rawValue)]
            return field.bytes.map {
                String(decoding: UnsafeBufferPointer(start: $0, count: field.length), as: UTF8.self)
            }
        }
    }

    private func kind(_ message: apus_deriv_message) -> apus_deriv_kind { apus_deriv_kind(UInt32(message.kind)) }

    @Test func numbersMayStandInQuotes() {
        for price in ["9.5", "\"9.50\"", "9.5e0"] {
            decode(
                "{\"msg_type\":\"buy\",\"req_id\":7,\"buy\":{\"buy_price\":\(price),\"contract_id\":12,\"transaction_id\":13}}"
            ) { result, message in
                #expect(result == 0 && kind(message) == APUS_DERIV_BUY && message.answers && message.request == 7)
                var value: Int64 = 0
                withUnsafePointer(to: &message.fields) {
                    $0.withMemoryRebound(to: apus_deriv_text.self, capacity: 1) {
                        #expect(apus_deriv_decimal($0 + Int(APUS_DERIV_BUY_PRICE.rawValue), 2, &value) == 0)
                    }
                }
                #expect(value == 950)
            }
        }
    }

    @Test func membersComeInAnyOrderAndUnknownOnesArePassedOver() {
        decode(
            "{\"proposal\":{\"new\":[1,{\"id\":\"no\"}],\"ask_price\":\"10\",\"id\":\"P\",\"payout\":\"19\"},\"later\":{\"a\":null},"
                + "\"subscription\":{\"x\":1,\"id\":\"S\"},\"req_id\":3,\"msg_type\":\"proposal\"}"
        ) { result, message in
            #expect(result == 0 && kind(message) == APUS_DERIV_PROPOSAL)
            #expect(text(message, APUS_DERIV_ID) == "P" && text(message, APUS_DERIV_ASK_PRICE) == "10")
            #expect(apus_deriv_is(&message.subscription, "S", 1))
        }
    }

    @Test(arguments: [
        ("RateLimit", APUS_DERIV_ERROR_RATE_LIMIT), ("InvalidContractProposal", APUS_DERIV_ERROR_PROPOSAL),
        ("PriceMoved", APUS_DERIV_ERROR_PRICE_MOVED), ("SomethingNew", APUS_DERIV_ERROR_OTHER),
        ("InternalServerError", APUS_DERIV_ERROR_INTERNAL),
    ])
    func errorsHaveStableNumbers(code: String, error: apus_deriv_error) {
        decode("{\"error\":{\"code\":\"\(code)\",\"message\":\"m\"},\"msg_type\":\"buy\",\"req_id\":1}") {
            result, message in
            #expect(result == 0 && kind(message) == APUS_DERIV_BUY && UInt32(message.error) == error.rawValue)
            #expect(apus_deriv_is(&message.error_message, "m", 1))
        }
        let isUnsure = error == APUS_DERIV_ERROR_OTHER || error == APUS_DERIV_ERROR_INTERNAL
        #expect(apus_deriv_error_unsure(UInt8(error.rawValue)) == isUnsure)
    }

    @Test(arguments: [
        ("{\"msg_type\":\"buy\",\"buy\":{\"contract_id\":1,\"buy_price\":1}}", APUS_DERIV_FAULT_MISSING, 24),
        ("{\"msg_type\":\"buy\",\"buy\":3}", APUS_DERIV_FAULT_TYPE, 24),
        ("{\"msg_type\":\"tick\",\"tick\":{\"epoch\":1", APUS_DERIV_FAULT_JSON, 36),
        ("[]", APUS_DERIV_FAULT_TYPE, 0), ("{\"req_id\":\"a\"}", APUS_DERIV_FAULT_NUMBER, 11),
        ("{\"msg_type\":\"portfolio\",\"portfolio\":{}}", APUS_DERIV_FAULT_TYPE, 36),
        ("{} {}", APUS_DERIV_FAULT_JSON, 3),
    ])
    func faultsNameTheirPlace(text: String, fault: apus_deriv_fault, offset: Int) {
        decode(text) { result, message in
            #expect(result == -EBADMSG && UInt32(message.fault) == fault.rawValue, "\(message.fault)")
            #expect(message.error_offset == offset)
            #expect(!String(cString: apus_deriv_fault_text(message.fault)).isEmpty)
        }
    }

    @Test func whatIsMissingIsNamed() {
        decode("{\"msg_type\":\"sell\",\"sell\":{\"contract_id\":1,\"transaction_id\":2}}") { result, message in
            #expect(result == -EBADMSG && UInt32(message.missing) == APUS_DERIV_SOLD_FOR.rawValue)
            #expect(String(cString: apus_deriv_field_text(message.missing)) == "sold_for")
        }
    }

    @Test func truncatedAnywhereItIsNoMessage() {
        let whole =
            "{\"msg_type\":\"portfolio\",\"portfolio\":{\"contracts\":[{\"contract_id\":1,\"x\":\"\\u00e9\"}]},\"req_id\":4}"
        for length in 0..<whole.utf8.count {
            decode(String(decoding: whole.utf8.prefix(length), as: UTF8.self)) { result, _ in
                #expect(result == -EBADMSG)
            }
        }
        decode(whole) { result, _ in #expect(result == 0) }
    }

    @Test func rowsAreWalkedOneByOne() {
        decode(
            "{\"msg_type\":\"portfolio\",\"portfolio\":{\"contracts\":[{\"contract_id\":5},{\"contract_id\":\"6\"},7]}}"
        ) { _, message in
            var rows = apus_deriv_rows()
            var fields = [apus_deriv_text](repeating: apus_deriv_text(), count: Int(APUS_DERIV_FIELDS.rawValue))
            apus_deriv_rows_begin(&rows, &message)
            var found: [UInt64] = []
            var result = apus_deriv_rows_next(&rows, &fields)
            while result == 1 {
                var id: UInt64 = 0
                #expect(apus_deriv_whole(&fields[Int(APUS_DERIV_CONTRACT.rawValue)], &id) == 0)
                found.append(id)
                result = apus_deriv_rows_next(&rows, &fields)
            }
            #expect(found == [5, 6] && result == -EBADMSG, "the third row is no object")
        }
    }

    // MARK: The vendor's mocks

    @Test(
        .enabled(if: DerivSchemas.isNeeded),
        arguments: [
            ("buy_contract", APUS_DERIV_BUY), ("proposal", APUS_DERIV_PROPOSAL),
            ("proposal_open_contract", APUS_DERIV_OPEN_CONTRACT), ("sell", APUS_DERIV_SELL),
            ("portfolio", APUS_DERIV_PORTFOLIO), ("profit_table", APUS_DERIV_PROFIT_TABLE),
            ("balance", APUS_DERIV_BALANCE), ("transaction", APUS_DERIV_TRANSACTION),
            ("authorize", APUS_DERIV_AUTHORIZE), ("tick_history", APUS_DERIV_HISTORY), ("forget", APUS_DERIV_FORGET),
            ("ping", APUS_DERIV_PING), ("active_symbols", APUS_DERIV_OTHER), ("website_status", APUS_DERIV_OTHER),
            ("statement", APUS_DERIV_OTHER), ("server_time", APUS_DERIV_OTHER), ("trading_times", APUS_DERIV_OTHER),
            ("forget_all", APUS_DERIV_OTHER), ("sell_expired", APUS_DERIV_OTHER),
        ])
    func mocksDecode(name: String, expected: apus_deriv_kind) throws {
        decode(try DerivSchemas.mock(name)) { result, message in
            #expect(result == 0, "\(String(cString: apus_deriv_fault_text(message.fault))) at \(message.error_offset)")
            #expect(kind(message) == expected)
        }
    }

    @Test(.enabled(if: DerivSchemas.isNeeded)) func mocksTellWhatTheySay() throws {
        decode(try DerivSchemas.mock("proposal_open_contract")) { _, message in
            #expect(text(message, APUS_DERIV_BUY_TRADE) == "159790493028" && text(message, APUS_DERIV_STATUS) == "open")
            #expect(text(message, APUS_DERIV_BID_PRICE) == "50" && text(message, APUS_DERIV_SYMBOL) == "frxUSDJPY")
            #expect(text(message, APUS_DERIV_EXPIRES_AT) == "1587533980")
        }
        decode(try DerivSchemas.mock("transaction")) { _, message in
            #expect(text(message, APUS_DERIV_ACTION) == "sell" && text(message, APUS_DERIV_TRADE) == "160042962588")
        }
        decode(try DerivSchemas.mock("tick_history")) { _, message in
            var ticks = apus_deriv_ticks()
            var epoch: UInt64 = 0
            var price = apus_deriv_text()
            apus_deriv_ticks_begin(&ticks, &message)
            var epochs: [UInt64] = []
            while apus_deriv_ticks_next(&ticks, &epoch, &price) == 1 { epochs.append(epoch) }
            #expect(
                epochs == [1_587_556_946, 1_587_556_948, 1_587_556_950, 1_587_556_952, 1_587_556_954, 1_587_556_956])
            #expect(apus_deriv_is(&message.asked_symbol, "R_50", 4))
        }
    }

    /// Every property that a receive schema states, with a value of its type, is something the decoder takes.
    @Test(.enabled(if: DerivSchemas.isNeeded)) func schemasGenerateMessagesThatDecode() throws {
        let folder = DerivSchemas.root + "/deriv-v3"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".receive.json") }
        #expect(names.count > 10)
        for name in names.sorted() {
            let data = try Data(contentsOf: URL(filePath: folder + "/" + name))
            let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let value = Self.instance(of: schema)
            let text = String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
            decode(text) { result, message in
                #expect(
                    result == 0,
                    "\(name): \(String(cString: apus_deriv_fault_text(message.fault))) at \(message.error_offset)")
            }
        }
    }

    private static func instance(of schema: [String: Any]) -> Any {
        if let values = schema["enum"] as? [Any], let first = values.first { return first }
        if let choices = schema["oneOf"] as? [[String: Any]], let first = choices.first { return instance(of: first) }
        let types = (schema["type"] as? [String]) ?? (schema["type"] as? String).map { [$0] } ?? ["string"]
        switch types.first(where: { $0 != "null" }) ?? "string" {
        case "object":
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            return properties.mapValues { instance(of: $0) }
        case "array": return [instance(of: schema["items"] as? [String: Any] ?? [:])]
        case "integer": return 17
        case "number": return 12.5
        case "boolean": return true
        default: return "12"
        }
    }
}

/// Symbols of shapes, and the contracts that are of one.
@Suite struct DerivShapeTests {
    private func parse(_ symbol: String) -> (Int32, apus_deriv_shape) {
        // The shape's texts lead into the symbol, which lives only here: what is looked at are numbers.
        var shape = apus_deriv_shape()
        return (apus_deriv_shape_parse(symbol, symbol.utf8.count, &shape), shape)
    }

    @Test func symbolsAreTakenApart() {
        #expect(parse("R_100").0 == 0 && parse("frxEURUSD").0 == 0)
        let (result, shape) = parse("R_100/CALL/5t/payout/10.5/+0.1")
        #expect(result == 0 && shape.duration == 5 && shape.unit == CChar(bitPattern: UInt8(ascii: "t")) && shape.pays)
        #expect(shape.underlying.length == 5 && shape.type.length == 4 && shape.amount.length == 4)
        #expect(shape.barrier.length == 4)
    }

    @Test(arguments: [
        "", "R 100", "R_100/", "R_100/CALL", "R_100/CALL/5t/stake", "R_100/CALL/5x/stake/1", "R_100/CALL/0t/stake/1",
        "R_100/CALL/t/stake/1", "R_100/CALL/5t/steak/1", "R_100/CALL/5t/stake/0", "R_100/CALL/5t/stake/-1",
        "R_100/CALL/5t/stake/1e3", "R_100/CALL/5t/stake/1/", "R_100/CALL/5t/stake/1/+", "R_100/CALL/5t/stake/1/2/3",
        "R_100/CA\"LL/5t/stake/1", "R_100/CALL/5t/stake/1\"",
    ])
    func othersAreRefused(symbol: String) {
        #expect(parse(symbol).0 == -EINVAL)
    }

    private func matches(_ symbol: String, _ row: String) -> Bool {
        symbol.withCString { text in
            var shape = apus_deriv_shape()
            guard apus_deriv_shape_parse(text, symbol.utf8.count, &shape) == 0 else { return false }
            return withPadded("{\"msg_type\":\"portfolio\",\"portfolio\":{\"contracts\":[\(row)]}}") { bytes, count in
                var message = apus_deriv_message()
                guard apus_deriv_decode(bytes, count, &message) == 0 else { return false }
                var rows = apus_deriv_rows()
                var fields = [apus_deriv_text](repeating: apus_deriv_text(), count: Int(APUS_DERIV_FIELDS.rawValue))
                apus_deriv_rows_begin(&rows, &message)
                return apus_deriv_rows_next(&rows, &fields) == 1 && apus_deriv_shape_matches(&shape, &fields, 2)
            }
        }
    }

    private func row(_ shortcode: String, price: String = "10", payout: String = "\"19.53\"", type: String? = nil)
        -> String
    {
        let type = type.map { "\"contract_type\":\"\($0)\"," } ?? ""
        return
            "{\(type)\"buy_price\":\(price),\"payout\":\(payout),\"purchase_time\":1000,\"shortcode\":\"\(shortcode)\"}"
    }

    @Test func contractsAreKnownByTheirShortcode() {
        let shape = "R_100/CALL/5t/stake/10"
        #expect(matches(shape, row("CALL_R_100_19.53_1000_5T_S0P_0")))
        #expect(matches(shape, row("CALL_R_100_19.53_1000_5T_S0P_0", price: "\"10.00\"", type: "CALL")))
        #expect(!matches(shape, row("CALL_R_100_19.53_1000_6T_S0P_0")), "another duration")
        #expect(!matches(shape, row("CALL_R_100_19.53_1000_1005_S0P_0")), "seconds, not ticks")
        #expect(!matches(shape, row("PUT_R_100_19.53_1000_5T_S0P_0")), "another type")
        #expect(!matches(shape, row("CALL_R_10_19.53_1000_5T_S0P_0")), "another underlying")
        #expect(!matches(shape, row("CALL_R_100_19.53_1000_5T_S0P_0", price: "10.01")), "another stake")
        #expect(!matches(shape, row("CALL_R_100_19.53_1000_5T_S10P_0")), "a barrier")
        #expect(!matches(shape, row("CALL_R_100_19.53_1000_5T_S0P_0", type: "CALLE")), "what the row says counts too")
        #expect(!matches(shape, "{\"buy_price\":10,\"purchase_time\":1000}"), "nothing to know it by")
    }

    @Test func payoutDurationAndBarrierTell() {
        #expect(matches("R_100/PUT/60s/payout/20", row("PUT_R_100_20_1000_1060_S0P_0", payout: "20")))
        #expect(matches("R_100/PUT/1m/payout/20", row("PUT_R_100_20_1000_1060_S0P_0", payout: "\"20.00\"")))
        #expect(!matches("R_100/PUT/60s/payout/20", row("PUT_R_100_20_1000_1061_S0P_0", payout: "20")))
        #expect(!matches("R_100/PUT/60s/payout/20", row("PUT_R_100_21_1000_1060_S0P_0", payout: "21")))
        #expect(matches("R_100/DIGITOVER/5t/stake/10/4", row("DIGITOVER_R_100_19_1000_5T_4_0")))
        #expect(!matches("R_100/DIGITOVER/5t/stake/10/4", row("DIGITOVER_R_100_19_1000_5T_5_0")))
        #expect(matches("R_100/CALL/5t/stake/10/+0.1", row("CALL_R_100_19_1000_5T_S10P_0")))
        #expect(!matches("R_100/CALL/5t/stake/10/-0.1", row("CALL_R_100_19_1000_5T_S10P_0")))
        #expect(matches("R_100/CALL/5t/stake/10/-0.1", row("CALL_R_100_19_1000_5T_S-10P_0")))
        #expect(matches("R_100/CALL/60s/stake/10/1234.5", row("CALL_R_100_19_1000_1060_1234500000_0")))
        #expect(matches("frxEURUSD/CALL/1d/stake/10", row("CALL_FRXEURUSD_19_1000_80000_S0P_0")))
    }
}
