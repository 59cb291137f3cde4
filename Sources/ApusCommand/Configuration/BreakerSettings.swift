import ApusEngine

/// The keys of circuit breakers: those that are ready-made, and `venue` for every connection to a venue.
let breakerFields = BreakerSettings.standards.flatMap { name, standard in
    [
        ConfigurationField(
            "breakers.\(name).failure_threshold", .integer(1...1_000), .scalar("\(standard.failureThreshold)"),
            "So many venue errors and time-outs in a row open it"),
        ConfigurationField(
            "breakers.\(name).success_threshold", .integer(1...1_000), .scalar("\(standard.successThreshold)"),
            "So many successes close it, once it is half open"),
        ConfigurationField(
            "breakers.\(name).timeout_seconds", .integer(1...86_400), .scalar("\(standard.timeoutSeconds)"),
            "How long it stays open"),
        ConfigurationField(
            "breakers.\(name).half_open_max_calls", .integer(1...1_000), .scalar("\(standard.halfOpenMaxCalls)"),
            "Calls under way at once while it is half open"),
    ]
}

/// Reads circuit breakers from a configuration.
enum BreakerSettings {
    static let standards = BreakerConfiguration.readyMade + [("venue", BreakerConfiguration())]

    static func breakers(_ store: ConfigurationStore) -> CircuitBreakers {
        var configured: [String: BreakerConfiguration] = [:]
        for (name, standard) in standards {
            func integer(_ key: String, _ usual: Int) -> Int { store.integer("breakers.\(name).\(key)") ?? usual }
            configured[name] = BreakerConfiguration(
                failureThreshold: integer("failure_threshold", standard.failureThreshold),
                timeoutSeconds: integer("timeout_seconds", standard.timeoutSeconds),
                successThreshold: integer("success_threshold", standard.successThreshold),
                halfOpenMaxCalls: integer("half_open_max_calls", standard.halfOpenMaxCalls))
        }
        return CircuitBreakers(configured, others: configured["venue"] ?? BreakerConfiguration())
    }

    /// The breaker before a venue's new orders and changes.
    static func name(venue: String) -> String { venue == "deriv" ? "deriv_api" : "\(venue).orders" }
}
