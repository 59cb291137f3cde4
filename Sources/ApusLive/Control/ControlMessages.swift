import Apus
import ApusEngine

/// What can be asked of a running engine: one JSON object a line over its control socket.
package struct ControlRequest: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case status, halt, reduce, resume, risk, tighten, breakers, stop
        case cancelAll = "cancel_all"
    }

    package var request: Kind
    /// Only that strategy; nil: the whole engine.
    package var strategy: String?
    /// `halt`: whether open orders are canceled too; nil: yes.
    package var cancel: Bool?
    /// Why, for the log and the journal.
    package var reason: String?
    /// `tighten`: a key of the configuration's risk section, without `risk.`, and its new value.
    package var key: String?
    package var value: String?
    /// How long to wait for the venue's confirmation; nil: 5 seconds.
    package var patienceMilliseconds: Int?

    package init(_ request: Kind) { self.request = request }

    enum CodingKeys: String, CodingKey {
        case request, strategy, cancel, reason, key, value
        case patienceMilliseconds = "patience_ms"
    }
}

/// An order that may still be open at the venue, in words for people and scripts.
package struct OpenOrderLine: Codable, Sendable, Equatable {
    /// The engine's number, as in `7-1`, and as the venue got it.
    package var id: String
    package var clientID: UInt64
    package var symbol: String
    package var side: String
    package var price: String
    package var quantity: String
    package var filled: String
    /// Where it was last known to be.
    package var state: String

    enum CodingKeys: String, CodingKey {
        case id, symbol, side, price, quantity, filled, state
        case clientID = "client_id"
    }

    package init(_ order: Order) {
        let instrument = order.instrument
        id = order.id.description
        clientID = order.id.value
        symbol = instrument.symbol
        side = "\(order.side)"
        price = instrument.text(order.price)
        quantity = instrument.text(order.quantity)
        filled = instrument.text(order.filled)
        state = "\(order.state)"
    }

    /// One line for people.
    package var text: String {
        "\(id) (client id \(clientID)): \(symbol) \(side) \(quantity) @ \(price), filled \(filled), last known as \(state)"
    }
}

/// What the engine answers: one JSON object on one line.
package struct ControlReply: Codable, Sendable {
    /// Whether it was done as asked. What was not says `error`.
    package var ok: Bool
    package var error: String?
    package var engine: String
    /// `active`, `reducing` or `halted`.
    package var trading: String
    /// Orders that are open, or may be: `halt` with cancel, `cancel_all` and `stop` list those that the venue has not confirmed.
    package var unconfirmed: [OpenOrderLine]?
    package var openOrders: Int?
    /// `risk` and `tighten`: limits, their use, what was refused.
    package var risk: RiskReport?
    /// `breakers`, and `status`.
    package var breakers: [BreakerLine]?
    /// `status`: nil without a journal.
    package var journal: JournalLine?
    /// `status`: the strategies, without their limits; nil where one runs alone.
    package var strategies: [RiskReport.StrategyLine]?

    enum CodingKeys: String, CodingKey {
        case ok, error, engine, trading, unconfirmed, risk, breakers, journal, strategies
        case openOrders = "open_orders"
    }

    package init(engine: String, trading: TradingState) {
        ok = true
        self.engine = engine
        self.trading = "\(trading)"
    }

    /// A request that was not done.
    package static func refusal(_ error: String, engine: String, trading: TradingState) -> ControlReply {
        var reply = ControlReply(engine: engine, trading: trading)
        reply.ok = false
        reply.error = error
        return reply
    }
}

/// A circuit breaker, and its newest transitions.
package struct BreakerLine: Codable, Sendable, Equatable {
    package var name: String
    package var state: BreakerState
    /// In a row.
    package var failures: Int
    package var failureThreshold: Int
    package var successThreshold: Int
    package var timeoutSeconds: Int
    package var halfOpenMaxCalls: Int

    enum CodingKeys: String, CodingKey {
        case name, state, failures
        case failureThreshold = "failure_threshold"
        case successThreshold = "success_threshold"
        case timeoutSeconds = "timeout_seconds"
        case halfOpenMaxCalls = "half_open_max_calls"
    }

    package init(_ breaker: CircuitBreaker) {
        let configuration = breaker.configuration
        name = breaker.name
        state = breaker.state
        failures = breaker.failures
        failureThreshold = configuration.failureThreshold
        successThreshold = configuration.successThreshold
        timeoutSeconds = configuration.timeoutSeconds
        halfOpenMaxCalls = configuration.halfOpenMaxCalls
    }
}

/// How far a journal is.
package struct JournalLine: Codable, Sendable, Equatable {
    package var path: String
    /// Records that the engine has written, and those of them that survive the machine.
    package var written: UInt64
    package var durable: UInt64
    /// Records that still fit for certain.
    package var room: UInt64
    /// What is wrong with its disk; nil: nothing.
    package var problem: String?

    package init(path: String, written: UInt64, durable: UInt64, room: UInt64, problem: String?) {
        self.path = path
        self.written = written
        self.durable = durable
        self.room = room
        self.problem = problem
    }
}
