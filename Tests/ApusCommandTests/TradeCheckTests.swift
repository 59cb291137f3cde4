import Apus
import CApusRing
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusEngine
@testable import ApusLive

/// Trades of fills that only a status has told of are asked for.
@Suite struct TradeCheckTests {
    private struct Held: Sendable, Equatable {
        var quantity: Quantity
        var averagePrice: Price?
        var realised: Money
        var fees: Money
    }

    /// The one open order, of which a status says that one lot is filled.
    private func partlyFilled(_ rig: TradingRig) throws -> KnownOrder {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let order = rig.engine.visit(patience: .seconds(2)) { agent -> KnownOrder? in
                guard let record = agent.openRecords.first, record.order.state == .live else { return nil }
                var report = apus_report()
                report.kind = UInt8(APUS_REPORT_STATUS.rawValue)
                report.client_id = record.order.id.value
                report.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
                (report.price, report.quantity) = (record.order.price.units, record.order.quantity.units)
                report.cumulative = 1
                report.receive_ns = agent.context.now
                agent.take(&report)
                return KnownOrder(record)
            }
            if let order = order ?? nil { return order }
            try #require(ContinuousClock.now < end, "no order rests")
            usleep(5000)
        }
    }

    private func held(_ rig: TradingRig) -> Held? {
        rig.engine.visit(patience: .seconds(2)) {
            let position = $0.context.position(of: $0.context.instruments[0])
            return Held(
                quantity: position.quantity, averagePrice: position.averagePrice, realised: position.realised,
                fees: position.fees)
        }
    }

    @Test func aFillKeepsItsAssumedPriceUntilItsTradeIsTold() async throws {
        try await onThread { [self] in
            let rig = try TradingRig(
                "trades", settings: ["strategy.name=resting", "risk.price_band_ppm=100000"],
                strategies: [Resting.description])
            let order = try partlyFilled(rig), price = order.price.digits
            #expect(rig.engine.assumedOrders()?.map(\.clientID) == [order.clientID])
            let trade = VenueTrade(
                tradeID: 77, clientID: order.clientID, venueID: order.venueID, symbol: "BTCUSDT", side: .buy,
                price: ExactDecimal(digits: price - 10, decimals: order.price.decimals),
                quantity: ExactDecimal(digits: 1, decimals: order.quantity.decimals),
                fee: Money(hundredMillionths: 1_000_000), isMaker: true, time: 1)
            let account = ScriptedAccount([
                .failure(AccountError(.venue, "the venue is down")),
                .success(AccountSnapshot(time: 1, trades: [trade])),
            ])
            let check = TradeCheck(rig.engine, account), log = Log()
            log.isHeld = true
            let assumed = Held(
                quantity: Quantity(units: 1), averagePrice: Price(units: price), realised: .zero, fees: .zero)
            let end = ContinuousClock.now + .seconds(60)
            while rig.engine.assumedOrders()?.isEmpty == false {
                try #require(ContinuousClock.now < end, "the trade is never asked for")
                let found = held(rig)
                if account.asked.count < 2 { #expect(found == assumed) }
                if let status = rig.engine.status() { check.follow(status, log: log) }
                usleep(5000)
            }
            // A thousandth that was cheaper by 0.10 counts as earned.
            var settled = assumed
            (settled.realised, settled.fees) = (Money(hundredMillionths: 10_000), Money(hundredMillionths: 1_000_000))
            #expect(held(rig) == settled)
            // From ten seconds before the order on, for clocks that differ.
            let since = (order.wallMilliseconds - 10_000) * 1_000_000
            #expect(account.asked == [since, since])
            let lines = log.newest(10).map(\.text)
            #expect(lines.count == 1 && lines[0].hasSuffix("could not be asked for: the venue is down"))
            _ = try rig.stop()
        }
    }
}
