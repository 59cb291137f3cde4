import CApusProtocol
import CApusRing
import Testing

/// Answers of the WebSocket API and events of the user stream.
@Suite struct BinanceOrdersAnswerTests {
    let stage = MarketStage()

    private func decode(_ text: String) -> (result: Int32, answer: apus_binance_answer) {
        var answer = apus_binance_answer()
        let result = withPadded(text) { apus_binance_decode_answer(stage.table, "USDT", $0, $1, &answer) }
        return (result, answer)
    }

    /// Decodes and reads a text that lies inside the message, while the message is there.
    private func text(
        _ message: String, _ place: (apus_binance_answer) -> (UnsafePointer<UInt8>?, UInt32)
    ) -> String? {
        var answer = apus_binance_answer()
        return withPadded(message) { bytes, length -> String? in
            guard apus_binance_decode_answer(stage.table, "USDT", bytes, length, &answer) == 0 else { return nil }
            let (start, count) = place(answer)
            return start.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
        }
    }

    static func event(
        _ execution: String, _ status: String, client: String = "apus0000000700000001", cumulative: String = "0",
        last: String = "0", price: String = "100.50", lastPrice: String = "0", fee: String = "0",
        asset: String = "USDT",
        maker: Bool = false, trade: Int = 0
    ) -> String {
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1700000000001,\"E\":1700000000002,\"o\":{\"s\":\"AAAUSDT\",\"c\":\"\(client)\","
            + "\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.500\",\"p\":\"\(price)\",\"ap\":\"0\",\"sp\":\"0\","
            + "\"x\":\"\(execution)\",\"X\":\"\(status)\",\"i\":8389765000,\"l\":\"\(last)\",\"z\":\"\(cumulative)\","
            + "\"L\":\"\(lastPrice)\",\"n\":\"\(fee)\",\"N\":\"\(asset)\",\"T\":1700000000003,\"t\":\(trade),\"m\":\(maker)}}"
    }

    @Test func aGoodAnswer() {
        let (result, answer) = decode(
            "{\"id\":\"17\",\"status\":200,\"result\":{\"orderId\":325078477,\"symbol\":\"AAAUSDT\",\"status\":\"NEW\","
                + "\"clientOrderId\":\"apus0000000700000001\",\"price\":\"100.50\",\"avgPrice\":\"0.00\","
                + "\"origQty\":\"0.500\",\"executedQty\":\"0.100\",\"side\":\"SELL\",\"updateTime\":1702555534435},"
                + "\"rateLimits\":[{\"rateLimitType\":\"ORDERS\",\"limit\":300}]}")
        #expect(result == 0 && UInt32(answer.kind) == APUS_BINANCE_ORDER_ANSWER.rawValue)
        #expect(answer.request_id == 17 && answer.status == 200 && answer.code == 0)
        #expect(answer.ours && answer.client_id == 0x0000_0007_0000_0001 && answer.instrument == 0)
        #expect(answer.venue_order_id == 325_078_477 && answer.event_time_ms == 1_702_555_534_435)
        #expect(answer.price == 10_050 && answer.quantity == 500 && answer.cumulative == 100)
        #expect(answer.order_status == UInt8(APUS_STATUS_NEW.rawValue) && answer.side == UInt8(APUS_SELL.rawValue))
    }

    @Test func aRefusal() {
        let message =
            "{\"id\":\"18\",\"status\":400,\"error\":{\"code\":-2010,\"msg\":\"Account has insufficient balance.\"}}"
        let (result, answer) = decode(message)
        #expect(result == 0 && answer.request_id == 18 && answer.status == 400 && answer.code == -2010)
        #expect(text(message) { ($0.message, $0.message_length) } == "Account has insufficient balance.")
    }

    @Test func aListenKey() {
        let message = "{\"id\":\"3\",\"status\":200,\"result\":{\"listenKey\":\"abcDEF123\"}}"
        #expect(text(message) { ($0.listen_key, $0.listen_key_length) } == "abcDEF123")
    }

    @Test(arguments: [
        "{\"id\":null,\"status\":400,\"error\":{\"code\":-1,\"msg\":\"?\"}}", "{\"status\":400}",
        "{\"id\":\"x\",\"status\":400}",
    ])
    func anAnswerToNothingOfOurs(text: String) {
        let (result, answer) = decode(text)
        #expect(result == 0 && answer.request_id == 0)
    }

    @Test(arguments: [
        ("NEW", "NEW", APUS_REPORT_ACCEPTED, APUS_STATUS_NEW),
        ("TRADE", "PARTIALLY_FILLED", APUS_REPORT_FILL, APUS_STATUS_PARTIALLY_FILLED),
        ("TRADE", "FILLED", APUS_REPORT_FILL, APUS_STATUS_FILLED),
        ("CALCULATED", "FILLED", APUS_REPORT_FILL, APUS_STATUS_FILLED),
        ("CANCELED", "CANCELED", APUS_REPORT_CANCELED, APUS_STATUS_CANCELED),
        ("EXPIRED", "EXPIRED", APUS_REPORT_EXPIRED, APUS_STATUS_EXPIRED),
        ("EXPIRED", "EXPIRED_IN_MATCH", APUS_REPORT_EXPIRED, APUS_STATUS_EXPIRED),
        ("AMENDMENT", "NEW", APUS_REPORT_MODIFIED, APUS_STATUS_NEW),
        ("REJECTED", "REJECTED", APUS_REPORT_REJECTED, APUS_STATUS_REJECTED),
    ])
    func eventsOfEachKind(execution: String, status: String, kind: apus_report_kind, means: apus_order_status) {
        let (result, answer) = decode(Self.event(execution, status))
        #expect(result == 0 && UInt32(answer.kind) == APUS_BINANCE_ORDER_EVENT.rawValue && answer.ours)
        #expect(UInt32(answer.execution) == kind.rawValue && UInt32(answer.order_status) == means.rawValue)
    }

    @Test func aFillWithItsFee() {
        let (_, answer) = decode(
            Self.event(
                "TRADE", "PARTIALLY_FILLED", cumulative: "0.300", last: "0.100", lastPrice: "100.40",
                fee: "-0.00201599", maker: true, trade: 991))
        #expect(answer.cumulative == 300 && answer.last_quantity == 100 && answer.last_price == 10_040)
        #expect(answer.fee == -201_599 && answer.maker && answer.trade_id == 991 && !answer.fee_other_asset)
        #expect(decode(Self.event("TRADE", "FILLED", fee: "0.0000123499", asset: "BNB")).answer.fee == 1234)
        #expect(decode(Self.event("TRADE", "FILLED", asset: "BNB")).answer.fee_other_asset)
    }

    @Test func eventsOfOthersAreNotOurs() {
        #expect(!decode(Self.event("NEW", "NEW", client: "web_abc")).answer.ours)
        #expect(!decode(Self.event("NEW", "NEW").replacing("AAAUSDT", with: "ZZZUSDT")).answer.ours)
    }

    @Test func wrappedExpiredAndUnknownEvents() {
        let wrapped = "{\"stream\":\"key\",\"data\":\(Self.event("NEW", "NEW"))}"
        #expect(UInt32(decode(wrapped).answer.kind) == APUS_BINANCE_ORDER_EVENT.rawValue)
        #expect(UInt32(decode("{\"e\":\"listenKeyExpired\",\"E\":1}").answer.kind) == APUS_BINANCE_KEY_EXPIRED.rawValue)
        #expect(UInt32(decode("{\"e\":\"MARGIN_CALL\",\"a\":{}}").answer.kind) == APUS_BINANCE_OTHER.rawValue)
        #expect(UInt32(decode("{}").answer.kind) == APUS_BINANCE_OTHER.rawValue)
    }

    private static let accountUpdate =
        "{\"e\":\"ACCOUNT_UPDATE\",\"E\":1564745798939,\"T\":1564745798938,\"a\":{\"m\":\"FUNDING_FEE\","
        + "\"B\":[{\"a\":\"BNB\",\"wb\":\"1\",\"bc\":\"9\"},{\"a\":\"USDT\",\"wb\":\"122624.12345678\",\"cw\":\"100.12\",\"bc\":\"-0.50000001\"}],"
        + "\"P\":[{\"s\":\"AAAUSDT\",\"pa\":\"0\"}]}}"

    @Test func anAccountEvent() {
        let (result, answer) = decode(Self.accountUpdate)
        #expect(result == 0 && UInt32(answer.kind) == APUS_BINANCE_ACCOUNT_EVENT.rawValue)
        #expect(answer.has_balance && answer.is_funding && answer.instrument == 0)
        #expect(answer.balance == 12_262_412_345_678 && answer.balance_change == -50_000_001)
        #expect(answer.event_time_ms == 1_564_745_798_938)
        let order = decode(Self.accountUpdate.replacing("FUNDING_FEE", with: "ORDER")).answer
        #expect(!order.is_funding && order.has_balance)
        #expect(!decode(Self.accountUpdate.replacing("USDT\",\"wb", with: "BUSD\",\"wb")).answer.has_balance)
        #expect(decode(Self.accountUpdate.replacing("\"122624", with: "\"x122624")).result == -74)
        #expect(decode("{\"e\":\"ACCOUNT_UPDATE\",\"a\":{\"B\":[7,[]],\"P\":7}}").result == 0)
    }

    @Test func timeAndBudgets() throws {
        let (result, answer) = decode(
            "{\"id\":\"4\",\"status\":200,\"result\":{\"serverTime\":1587884064000},\"rateLimits\":["
                + "{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":2400,\"count\":10},"
                + "{\"rateLimitType\":\"RAW_REQUESTS\",\"interval\":\"MINUTE\",\"intervalNum\":5,\"limit\":61000},"
                + "{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":300,\"count\":7}]}"
        )
        #expect(result == 0 && answer.server_time_ms == 1_587_884_064_000)
        try #require(answer.limit_count == 2)
        let weight = answer.limits.0, orders = answer.limits.1
        #expect(weight.kind == UInt8(APUS_BINANCE_WEIGHT.rawValue) && weight.window_ns == 60_000_000_000)
        #expect(weight.limit == 2400 && weight.used == 10)
        #expect(orders.kind == UInt8(APUS_BINANCE_ORDERS.rawValue) && orders.window_ns == 10_000_000_000)
        #expect(orders.limit == 300 && orders.used == 7)
    }

    @Test func whenToAskAgain() {
        let (result, answer) = decode(
            "{\"id\":\"4\",\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"banned\",\"data\":"
                + "{\"serverTime\":1659142907531,\"retryAfter\":1659146400000}}}")
        #expect(result == 0 && answer.status == 418 && answer.retry_after_ms == 1_659_146_400_000)
    }

    /// An error names the byte.
    @Test(arguments: [
        (event("TRADE", "FILLED", last: "0.1x0"), "x0"), (event("TRADE", "FILLED", cumulative: "0.12345"), "45"),
        (event("NEW", "NEW", price: "1e99"), "1e99"),
    ])
    func errorsNameThePlace(text: String, near: String) throws {
        let (result, answer) = decode(text)
        #expect(result == -74)
        let range = try #require(text.range(of: near))
        let start = text.utf8.distance(from: text.utf8.startIndex, to: range.lowerBound)
        #expect(abs(start - Int(answer.error_offset)) <= near.utf8.count)
    }

    @Test func everyTruncationIsAnErrorAndNoneCrashes() {
        let text = Self.event("TRADE", "FILLED", cumulative: "0.300", last: "0.100", lastPrice: "100.40", trade: 5)
        for length in 0..<text.utf8.count {
            #expect(decode(String(decoding: text.utf8.prefix(length), as: UTF8.self)).result == -74)
        }
    }
}
