import CApusProtocol
import CApusRing
import Foundation
import Testing

/// The bytes of requests. Every signature is computed again by other means.
@Suite struct BinanceOrdersEncodeTests {
    private static let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    private static let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

    private func instrument(price: UInt8 = 2, quantity: UInt8 = 3) -> apus_instrument {
        var instrument = apus_instrument()
        instrument.price_decimals = price
        instrument.quantity_decimals = quantity
        instrument.symbol_length = 7
        withUnsafeMutableBytes(of: &instrument.symbol) { $0.copyBytes(from: "BTCUSDT".utf8) }
        return instrument
    }

    private func encode(window: UInt32 = 5000, _ change: (inout apus_order) -> Void) -> String {
        var signer = apus_binance_signer()
        precondition(apus_binance_signer_init(&signer, Self.key, Self.secret) == 0)
        var order = apus_order()
        order.client_id = 0x0000_0007_0000_002a
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = 6_149_650
        order.quantity = 351
        change(&order)
        var instrument = instrument()
        var text = [CChar](repeating: 0, count: Int(APUS_BINANCE_REQUEST_BYTES))
        let length = apus_binance_encode_order(&signer, &instrument, &order, 12, 1_700_000_000_123, window, &text)
        return String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What must be signed: the parameters by name, and whether the signature is theirs.
    private func expectSigned(_ text: String, _ sourceLocation: SourceLocation = #_sourceLocation) throws -> [String:
        String]
    {
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], sourceLocation: sourceLocation)
        var parameters = try #require(json["params"] as? [String: Any], sourceLocation: sourceLocation)
        let signature = parameters.removeValue(forKey: "signature") as? String
        let query = parameters.keys.sorted().map { "\($0)=\(parameters[$0] ?? "")" }.joined(separator: "&")
        let expected = IndependentHMAC.authenticate(Array(query.utf8), key: Array(Self.secret.utf8))
        #expect(signature == IndependentHMAC.hex(expected), sourceLocation: sourceLocation)
        #expect(json["id"] as? String == "12", sourceLocation: sourceLocation)
        #expect(parameters["apiKey"] as? String == Self.key, sourceLocation: sourceLocation)
        #expect(parameters["timestamp"] as? Int == 1_700_000_000_123, sourceLocation: sourceLocation)
        #expect(parameters["symbol"] as? String == "BTCUSDT", sourceLocation: sourceLocation)
        return parameters.mapValues { "\($0)" }.merging(["method": json["method"] as? String ?? ""]) { $1 }
    }

    @Test(arguments: [(APUS_GTC, "GTC"), (APUS_IOC, "IOC"), (APUS_FOK, "FOK"), (APUS_POST_ONLY, "GTX")])
    func limitOrders(force: apus_time_in_force, name: String) throws {
        for (side, word) in [(APUS_BUY, "BUY"), (APUS_SELL, "SELL")] {
            let parameters = try expectSigned(
                encode {
                    $0.time_in_force = UInt8(force.rawValue)
                    $0.side = UInt8(side.rawValue)
                })
            #expect(parameters["method"] == "order.place")
            #expect(parameters["newClientOrderId"] == "apus000000070000002a")
            #expect(parameters["type"] == "LIMIT" && parameters["timeInForce"] == name && parameters["side"] == word)
            #expect(parameters["price"] == "61496.50" && parameters["quantity"] == "0.351")
            #expect(parameters["reduceOnly"] == nil)
        }
    }

    @Test func marketOrdersHaveNoPrice() throws {
        let parameters = try expectSigned(
            encode {
                $0.type = UInt8(APUS_MARKET.rawValue)
                $0.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue)
            })
        #expect(parameters["type"] == "MARKET" && parameters["reduceOnly"] == "true")
        #expect(parameters["price"] == nil && parameters["timeInForce"] == nil)
    }

    @Test func cancelsChangesAndQuestionsNameTheOrderMeant() throws {
        func about(_ action: apus_order_action) throws -> [String: String] {
            try expectSigned(
                encode {
                    $0.action = UInt8(action.rawValue)
                    $0.target_id = 0xdead_beef_0000_0001
                    $0.side = UInt8(APUS_SELL.rawValue)
                })
        }
        for (action, method) in [(APUS_ORDER_CANCEL, "order.cancel"), (APUS_ORDER_QUERY, "order.status")] {
            let parameters = try about(action)
            #expect(parameters["method"] == method)
            #expect(parameters["origClientOrderId"] == "apusdeadbeef00000001")
            #expect(Set(parameters.keys) == ["method", "apiKey", "origClientOrderId", "symbol", "timestamp"])
        }
        let change = try about(APUS_ORDER_MODIFY)
        #expect(change["method"] == "order.modify" && change["side"] == "SELL")
        #expect(change["price"] == "61496.50" && change["quantity"] == "0.351")
        #expect(change["origClientOrderId"] == "apusdeadbeef00000001" && change["type"] == nil)
    }

    /// The longest that the fields allow still fits the room that callers give.
    @Test func theLongestRequestFits() throws {
        var signer = apus_binance_signer()
        let key = String(repeating: "k", count: Int(APUS_BINANCE_KEY_BYTES) - 1)
        #expect(apus_binance_signer_init(&signer, key, "s") == 0)
        var instrument = instrument(price: 18, quantity: 18)
        instrument.symbol_length = UInt8(APUS_SYMBOL_BYTES)
        withUnsafeMutableBytes(of: &instrument.symbol) { bytes in
            bytes.copyBytes(from: [UInt8](repeating: 65, count: 96))
        }
        var order = apus_order()
        order.client_id = .max
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = .max
        order.quantity = .max
        order.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue)
        var text = [CChar](repeating: 7, count: Int(APUS_BINANCE_REQUEST_BYTES))
        let length = Int(apus_binance_encode_order(&signer, &instrument, &order, .max, .max, 60_000, &text))
        #expect(length < text.count)
        #expect(text[length...].allSatisfy { $0 == 7 })
    }

    @Test func keysThatWouldNeedEscapingAreRefused() {
        var signer = apus_binance_signer()
        for (key, secret) in [
            ("", "s"), ("k", ""), ("k&x", "s"), ("k\"", "s"), ("k y", "s"), (String(repeating: "k", count: 128), "s"),
        ] {
            #expect(apus_binance_signer_init(&signer, key, secret) == -22)
        }
        #expect(apus_binance_signer_init(&signer, "aZ09-_", "any secret & more") == 0)
    }

    @Test(arguments: [0, 1, 0x0123_4567_89ab_cdef, UInt64.max])
    func clientIdentifiersComeBack(id: UInt64) {
        var text = [CChar](repeating: 0, count: 20)
        apus_binance_client_id(id, &text)
        var found: UInt64 = 1234
        let bytes = text.map { UInt8(bitPattern: $0) }
        #expect(apus_binance_parse_client_id(bytes, bytes.count, &found) && found == id)
        #expect(!apus_binance_parse_client_id(bytes, 19, &found))
        #expect(!apus_binance_parse_client_id(Array("web_0000000000000001".utf8), 20, &found))
        #expect(!apus_binance_parse_client_id(Array("apus00000000000000G1".utf8), 20, &found))
    }
}
