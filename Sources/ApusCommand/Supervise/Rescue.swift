import Apus
import ApusEngine
import ApusLive
import CApusRing
import Foundation
import Glibc

/// What a supervisor found open, and what became of it.
struct RescueReport: Codable, Sendable {
    struct Line: Codable, Sendable {
        enum Outcome: String, Codable, Sendable {
            case canceled, filled, ended
            /// The venue does not know it, longer after its placement than it could have been under way.
            case neverArrived = "never_arrived"
            case unconfirmed
        }

        var order: KnownOrder
        var outcome: Outcome
    }

    var engine: String
    var reason: String
    /// Wall clock, seconds.
    var time: UInt64
    var orders: [Line] = []
    /// What went wrong on the way, in words.
    var problems: [String] = []
    var isComplete = false

    var unconfirmed: [Line] { orders.filter { $0.outcome == .unconfirmed } }

    /// For people.
    var text: String {
        var lines = ["apus supervisor: engine \(engine): \(reason)"]
        let canceled = orders.filter { $0.outcome == .canceled }.count
        lines.append(
            "  \(orders.count) orders may have been open; \(canceled) canceled, \(unconfirmed.count) not confirmed")
        for line in unconfirmed {
            let order = line.order
            lines.append(
                "  NOT CONFIRMED: \(OrderID(order.clientID)) \(order.symbol) \(order.side) \(order.quantity) @ \(order.price)"
            )
        }
        lines += problems.map { "  \($0)" }
        if !isComplete { lines.append("  look at the venue's list of open orders, and cancel what is there") }
        return lines.joined(separator: "\n")
    }
}

/// Cancels at the venue what a dead or stuck engine has left open, and asks until it is known that nothing is.
struct Rescue {
    let order: SupervisorOrder
    let client: any AccountClient
    func run(reason: String) -> RescueReport {
        var report = RescueReport(engine: order.engine, reason: reason, time: apus_clock_realtime() / 1_000_000_000)
        let opened: OpenedJournal
        do {
            opened = try OpenedJournal(
                JournalConfiguration(path: order.journal, account: order.account), access: .read,
                lateArrival: order.lateArrivalMilliseconds * 1_000_000)
        } catch {
            report.problems.append("\(error); every open order of the account on these instruments is canceled instead")
            cancelEverything(&report)
            return report
        }
        cancelOurs(opened, &report)
        return report
    }

    private func cancelOurs(_ opened: OpenedJournal, _ report: inout RescueReport) {
        let tags = opened.state.runTags
        let begin = apus_clock_realtime() / 1_000_000
        let end = begin + UInt64(order.deadlineSeconds) * 1000
        var left = opened.openOrders
        report.orders = left.map { .init(order: $0, outcome: .unconfirmed) }
        var pause: UInt32 = 100_000
        repeat {
            do {
                left = try settle(left, begin, &report)
                let found = try strangers(tags, report)
                report.orders += found.map { .init(order: $0, outcome: .unconfirmed) }
                left += found
                if left.isEmpty {
                    report.isComplete = true
                    return
                }
            } catch {
                let problem = "\(error)"
                if report.problems.last != problem { report.problems.append(problem) }
            }
            usleep(pause)
            pause = min(pause * 2, 2_000_000)
        } while apus_clock_realtime() / 1_000_000 < end
        report.problems.append("gave up after \(order.deadlineSeconds) s (supervisor.deadline_seconds)")
    }

    /// Cancels these, and asks about those whose end was not confirmed. Returns those that may still be open.
    private func settle(
        _ orders: [KnownOrder], _ begin: UInt64, _ report: inout RescueReport
    ) throws -> [KnownOrder] {
        guard !orders.isEmpty else { return [] }
        let client = client
        let left = try asked { try await client.cancel(orders) }
        let unsure = Set(left.map(\.clientID))
        for order in orders where !unsure.contains(order.clientID) {
            let known = try asked { try await client.order(order) }
            note(order, known?.end == .filled ? .filled : known?.end == .canceled ? .canceled : .ended, &report)
        }
        return try left.filter { order in
            if let known = try asked({ try await client.order(order) }) {
                guard let state = known.end else { return true }
                note(order, state == .filled ? .filled : state == .canceled ? .canceled : .ended, &report)
                return false
            }
            let placed = max(order.wallMilliseconds, order.wallMilliseconds == 0 ? begin : 0)
            if apus_clock_realtime() / 1_000_000 < placed + self.order.lateArrivalMilliseconds { return true }
            note(order, .neverArrived, &report)
            return false
        }
    }

    private func note(_ order: KnownOrder, _ outcome: RescueReport.Line.Outcome, _ report: inout RescueReport) {
        for place in report.orders.indices where report.orders[place].order.clientID == order.clientID {
            report.orders[place].outcome = outcome
        }
    }

    /// Open orders with numbers of ours that the journal does not know.
    private func strangers(_ tags: Set<UInt32>, _ report: RescueReport) throws -> [KnownOrder] {
        let client = client
        let snapshot = try asked { try await client.snapshot(since: apus_clock_realtime()) }
        let known = Set(report.orders.filter { $0.outcome == .unconfirmed }.map(\.order.clientID))
        return snapshot.openOrders.compactMap { order in
            guard let number = order.clientID, tags.contains(UInt32(number >> 32)), !known.contains(number) else {
                return nil
            }
            return KnownOrder(
                clientID: number, venueID: order.venueID, symbol: order.symbol, side: order.side, price: order.price,
                quantity: order.quantity, wallMilliseconds: 0, expireMilliseconds: 0, timeInForce: .goodTillCanceled)
        }
    }

    private func cancelEverything(_ report: inout RescueReport) {
        let client = client
        let end = ContinuousClock.now + .seconds(order.deadlineSeconds)
        repeat {
            do {
                try asked { try await client.cancelAll() }
                let snapshot = try asked { try await client.snapshot(since: apus_clock_realtime()) }
                if snapshot.openOrders.isEmpty {
                    report.isComplete = true
                    return
                }
            } catch {
                let problem = "\(error)"
                if report.problems.last != problem { report.problems.append(problem) }
            }
            usleep(500_000)
        } while ContinuousClock.now < end
    }
}
