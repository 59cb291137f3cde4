import ApusVenue
import CApusProtocol
import CApusRing

/// A deliberate mistake, to see that the simulation notices.
enum DerivSabotage: String, Sendable, CaseIterable {
    /// The report of a purchase disappears.
    case lostFill
    /// A purchase that has been made is told as missing.
    case falseDenial
    /// The end of a contract is told with another price.
    case wrongEnd
    /// After a lost answer the buy is sent again, under another number.
    case retryBuy
    /// Somebody else buys on the account.
    case strangePurchase

    /// What must be found broken.
    var breaks: Invariant {
        switch self {
        case .lostFill, .falseDenial: .memory
        case .wrongEnd: .fill
        case .retryBuy, .strangePurchase: .approval
        }
    }
}

extension DerivLife {
    /// Whether a report reaches the trader, and as what.
    func passes(_ report: inout apus_report) -> Bool {
        guard let sabotage, !isSabotaged, now > 30 * second else { return true }
        let isPurchase =
            report.kind == UInt8(APUS_REPORT_FILL.rawValue) && report.side == UInt8(APUS_BUY.rawValue)
        switch sabotage {
        case .lostFill, .falseDenial:
            guard isPurchase else { return true }
            isSabotaged = true
            report.kind = UInt8(APUS_REPORT_NOT_FOUND.rawValue)
            return sabotage == .falseDenial
        case .wrongEnd:
            guard report.kind == UInt8(APUS_REPORT_SETTLED.rawValue) else { return true }
            isSabotaged = true
            report.price += 1
        case .retryBuy:
            let isLost = report.kind == UInt8(APUS_REPORT_UNKNOWN.rawValue) && report.side == UInt8(APUS_BUY.rawValue)
            if isLost && report.action == UInt8(APUS_ORDER_PLACE.rawValue) { buyAgain(report) }
        case .strangePurchase:
            isSabotaged = true
            buyAsStranger()
        }
        return true
    }

    /// Buys a shape that the engine does not trade, on a perfect line of its own.
    private func buyAsStranger() {
        let stranger = venue.connect(now: wall)
        let upgrade = """
            GET /websockets/v3?app_id=1089 HTTP/1.1\r\nHost: v\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
            """
        venue.receive(stranger, Array(upgrade.utf8), now: wall)
        let shape = """
            "amount":10,"basis":"stake","contract_type":"CALL","currency":"USD","duration":3,"duration_unit":"t",\
            "symbol":"\(DerivEngine.underlying)"
            """
        for text in [
            "{\"authorize\":\"\(Self.token)\"}", "{\"buy\":\"1\",\"price\":10,\"parameters\":{\(shape)}}",
        ] {
            let length = text.utf8.count
            let head: [UInt8] =
                length < 126 ? [0x81, 0x80 | UInt8(length)] : [0x81, 0xFE, UInt8(length >> 8), UInt8(length & 255)]
            venue.receive(stranger, head + [0, 0, 0, 0] + Array(text.utf8), now: wall)
        }
    }

    /// Sends what has no answer under another number, past the session's rule that only one of a shape may have none.
    private func buyAgain(_ report: apus_report) {
        engine.orders.pointee.buys[Int(report.instrument)].state = UInt8(APUS_DERIV_FREE.rawValue)
        var order = apus_order()
        order.client_id = report.client_id ^ 1 << 30
        order.instrument = report.instrument
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.side = report.side
        order.price = report.price
        order.quantity = 1
        order.band_high = .max
        order.decided_ns = now
        order.wall_ms = UInt64(wall / 1_000_000)
        isSabotaged = engine.push(order)
    }
}
