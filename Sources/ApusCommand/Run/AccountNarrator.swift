import Apus
import ApusLive
import CApusProtocol

/// Tells what happens to the account: changes of positions, and orders that were refused.
final class AccountNarrator {
    private let instruments: [InstrumentDefinition]
    private let log: Log
    /// The newest status; nil until the decision thread has answered once.
    private(set) var status: EngineStatus?
    private var refused: UInt64 = 0
    private var nextWarning = ContinuousClock.now
    private static let pause = Duration.seconds(5)

    init(_ instruments: [InstrumentDefinition], log: Log) {
        self.instruments = instruments
        self.log = log
    }

    /// Compares with the status before.
    func follow(_ next: EngineStatus) {
        warn(next)
        for (index, definition) in instruments.enumerated() where index < next.positions.count {
            let before = status.map { $0.positions[index].quantity } ?? .zero
            let position = next.positions[index]
            if position.quantity != before { tell(definition, before, position) }
        }
        status = next
    }

    // The first refusal at once, a stream of them now and then.
    private func warn(_ next: EngineStatus) {
        let new = next.rejections - refused
        guard new > 0, ContinuousClock.now >= nextWarning else { return }
        log.warning("\(countText(new)) order\(new == 1 ? "" : "s") refused by \(reason(next))")
        refused = next.rejections
        nextWarning = ContinuousClock.now + Self.pause
    }

    private func reason(_ status: EngineStatus) -> String {
        guard status.isRejectionGuards else { return "the venue, code \(status.rejectionCode)" }
        return "the guard: \(String(cString: apus_guard_reason_text(UInt8(truncatingIfNeeded: status.rejectionCode))))"
    }

    private func tell(_ definition: InstrumentDefinition, _ before: Quantity, _ position: EngineStatus.PositionLine) {
        func text(_ quantity: Quantity) -> String { quantity.text(decimals: definition.quantityDecimals) }
        let average = position.averagePrice.map { " at \($0.text(decimals: definition.priceDecimals))" } ?? ""
        log.info("\(definition.symbol): position \(text(before)) is now \(text(position.quantity))\(average)")
    }
}
