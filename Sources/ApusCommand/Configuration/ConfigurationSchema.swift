import CApusRing

/// Every key there is, in the order in which it is shown. The file, the environment, `--set`, `apus config` and the
/// documentation all follow this table.
package let configurationSchema: [ConfigurationField] =
    generalFields + engineFields + venueFields + polymarketFields + strategyFields + riskFields + breakerFields
    + journalFields + recoveryFields + supervisorFields + recordFields

private let generalFields = [
    ConfigurationField(
        "mode", .choice(["paper", "live"]), nil,
        "paper: orders are filled by a model inside the engine. live: orders go to the venue; on a real venue --live is "
            + "needed too. Default: live on the loopback venue, paper elsewhere")
]

private let engineFields = [
    ConfigurationField(
        "engine.placement", .choice(["shared", "dedicated"]), .scalar("shared"),
        "shared: hot and decision work take turns in one thread. dedicated: a thread each"),
    ConfigurationField(
        "engine.idle", .choice(["spin", "yield", "park"]), .scalar("yield"),
        "What a thread does when there is nothing to do; spin is the fastest and takes a whole core"),
    ConfigurationField("engine.hot_cpu", .integer(-1...1023), .scalar("-1"), "Core of the hot thread; -1: not pinned"),
    ConfigurationField(
        "engine.decide_cpu", .integer(-1...1023), .scalar("-1"), "Core of the decision thread; -1: not pinned"),
    ConfigurationField(
        "engine.name", .text, .scalar("apus"), "Name of the public mapping in /dev/shm that apus top attaches to"),
    ConfigurationField(
        "engine.socket", .text, nil,
        "Control socket of apus halt and its like; default: $XDG_RUNTIME_DIR/apus/NAME.sock or /tmp/apus-UID/NAME.sock"),
    ConfigurationField(
        "engine.feed_slots", .powerOfTwo(Int(APUS_FEED_SLOTS_MIN)...(1 << 24)), .scalar("\(APUS_FEED_SLOTS_DEFAULT)"),
        "Events that the feed ring holds"),
    ConfigurationField(
        "engine.instruments", .integer(1...Int(APUS_INSTRUMENTS_MAX)), .scalar("\(APUS_INSTRUMENTS_DEFAULT)"),
        "Places for instruments in the public mapping"),
    ConfigurationField(
        "engine.board_depth", .integer(1...Int(APUS_BOARD_DEPTH_MAX)), .scalar("\(APUS_BOARD_DEPTH_DEFAULT)"),
        "Levels a side of each book that strategies and apus top can see"),
    ConfigurationField(
        "engine.stall_ms", .integer(0...600_000), .scalar("5000"),
        "Placement dedicated: when the decision thread stands still for so long, new orders are refused and the open ones "
            + "canceled; 0: never"),
]

private let venueFields = [
    ConfigurationField(
        "venue.kind",
        .choice([
            "loopback", "binance-usdm", "binance-coinm", "binance-spot", "polymarket", "deriv", "deriv-v3",
        ]), .scalar("loopback"), "Where to trade; loopback starts a simulated venue inside this process"),
    ConfigurationField(
        "venue.protocol", .choice(VenueProtocol.names), .scalar(VenueProtocol.binanceUSDM.rawValue),
        "Loopback venue: the venue whose protocol it speaks"),
    ConfigurationField(
        "venue.currency", .text, .scalar("USD"), "Deriv: the account's currency, in which contracts are priced"),
    ConfigurationField("venue.symbols", .list, .list(["BTCUSDT"]), "Instruments, as the venue names them"),
    ConfigurationField("venue.rest", .text, nil, "REST address, https://host[:port]; default: the venue's own"),
    ConfigurationField(
        "venue.stream", .text, nil, "Market stream address, wss://host[:port][/path]; default: the venue's own"),
    ConfigurationField(
        "venue.user", .text, nil, "User stream address, wss://host[:port][/path]; default: the venue's own"),
    ConfigurationField(
        "venue.orders", .text, nil,
        "Where orders are sent: Binance's WebSocket API, wss://host[:port]/path; Polymarket's CLOB, https://host[:port]; "
            + "default: the venue's own"),
    ConfigurationField(
        "venue.metadata", .text, nil,
        "Polymarket: the Gamma API, https://host[:port]; default: venue.rest where that is set, else the venue's own"),
    ConfigurationField(
        "venue.connections", .integer(1...Int(APUS_BINANCE_API_MAX)), .scalar("4"),
        "Binance: warm connections for orders, of which the fastest healthy one is used"),
    ConfigurationField(
        "venue.receive_window_ms", .integer(1...60_000), .scalar("5000"),
        "Binance: how old a request may be when it reaches the venue"),
    ConfigurationField("venue.tls.ca_file", .text, nil, "Certificates to trust in place of the system's, PEM"),
    ConfigurationField(
        "venue.seed", .integer(0...Int.max), .scalar("1"),
        "Loopback venue: what its other participants do follows from it"),
    ConfigurationField(
        "venue.speed", .choice(["still", "calm", "real", "brisk", "fast"]), .scalar("real"),
        "Loopback venue: how busy its market is"),
]

private let strategyFields = [
    ConfigurationField("strategy.name", .text, nil, "Which strategy trades; default: the program's first"),
    ConfigurationField("strategy.parameters", .table, .table([]), "Its parameters by name"),
    ConfigurationField(
        "strategies", .sections, .table([]),
        "Several strategies in place of strategy.*, told in this order: each a name, type (default: the name), symbols "
            + "(default: all), parameters and limits, of which risk.strategies lists the keys"),
]

private let recordFields = [
    ConfigurationField("record.path", .text, nil, "File to which everything that the sockets receive is written")
]
