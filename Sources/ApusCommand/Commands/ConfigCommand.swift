import ArgumentParser

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check the configuration, or show it with where each value came from.",
        discussion: """
            Values come from, in rising order: the built-in defaults, the file of --config, environment variables
            (engine.idle is APUS_ENGINE_IDLE), and --set. Secrets come from the environment alone:
            APUS_BINANCE_API_KEY with APUS_BINANCE_API_SECRET, or with an Ed25519 private key in APUS_BINANCE_PRIVATE_KEY (PEM)
            or APUS_BINANCE_PRIVATE_KEY_FILE; for Polymarket APUS_POLYMARKET_PRIVATE_KEY, where the money is in another wallet
            APUS_POLYMARKET_FUNDER and APUS_POLYMARKET_SIGNATURE_TYPE, and, to use an API key that is there already,
            APUS_POLYMARKET_API_KEY, _API_SECRET and _API_PASSPHRASE (else it is derived); for Deriv APUS_DERIV_TOKEN,
            APUS_DERIV_APP_ID and APUS_DERIV_ACCOUNT.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Only check it, without asking the venue: print nothing when it is right.")
    var check = false

    @Flag(help: "Show the effective values; the default.")
    var show = false

    @Flag(help: "List every key with its meaning, its variable and its default.")
    var keys = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if [check, show, keys].filter({ $0 }).count > 1 {
            throw ValidationError("--check, --show and --keys exclude each other")
        }
    }

    func run() throws {
        if keys { return Output.line(ConfigurationListing.keys(of: configurationSchema)) }
        let store = try options.load()
        let listing = ConfigurationListing(store)
        if check {
            // As apus run reads it; what only the venue can say is not asked.
            let plan = try RunPlan(store, strategies: ApusProgram.strategies, allowLive: true)
            _ = try RunPlan.limits(store, venue: plan.venueKind)
            try plan.check(symbols: plan.isLoopback ? nil : plan.symbols)
            if json { Output.line(JSONText.object([("ok", .bool(true))]).description) }
        } else {
            Output.line(json ? listing.json().description : listing.table())
        }
    }
}
