// What everybody may know: indices, their quotes and history, and what is offered on them.

extension DerivVenue {
    // MARK: Quotes

    func ticks(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        var names: [String] = []
        if case .array(let values)? = request.json["ticks"] { names = values.compactMap(\.string) }
        if let name = request.text("ticks") { names = [name] }
        var found: [DerivIndex] = []
        for name in names {
            guard let index = index(named: name) else { throw .invalidSymbol(name) }
            found.append(index)
        }
        for index in found {
            let subscription =
                request.isSet("subscribe") ? try subscribe(connection, to: .ticks(index.place), request) : nil
            let id = subscription?["id"]?.string
            answer(
                request, connection, type: "tick",
                body: [("tick", render(index.newest, index, id: id)), ("subscription", subscription)])
        }
    }

    private func render(_ tick: DerivTick, _ index: DerivIndex, id: String?) -> JSONValue {
        DerivObject([
            ("ask", .number(index.text(tick.quote + 1))), ("bid", .number(index.text(tick.quote - 1))),
            ("epoch", .integer(tick.epoch)), ("id", id.map(JSONValue.string)),
            ("pip_size", .integer(Int64(index.symbol.decimals))), ("quote", .number(index.text(tick.quote))),
            ("symbol", .string(index.symbol.name)),
        ]).value
    }

    /// Tells a new quote to all who listen.
    func tellTick(_ index: DerivIndex) {
        for connection in hub.connections {
            for subscription in connection.subscriptions {
                switch subscription.topic {
                case .ticks(index.place), .history(index.place):
                    let tick = render(index.newest, index, id: subscription.id)
                    tell(subscription, connection, type: "tick", body: [("tick", tick)])
                case .candles(index.place, let length):
                    let bar = render(bar: index, length, id: subscription.id)
                    tell(subscription, connection, type: "ohlc", body: [("ohlc", bar)])
                default: continue
                }
            }
        }
    }

    // MARK: History

    func history(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        let name = request.text("ticks_history") ?? ""
        guard let index = index(named: name) else { throw .invalidSymbol(name) }
        let end = request.text("end") == "latest" ? epoch : request.epoch("end")
        guard let end else { throw .invalid("end") }
        let start = request.integer("start") ?? 0
        guard start <= end else { throw .noHistory }
        let count = Int(min(max(request.integer("count") ?? 1000, 1), Int64(DerivIndex.history)))
        let ticks = index.ticks.filter { $0.epoch >= start && $0.epoch <= end }
        let isCandles = request.text("style") == "candles"
        let length = request.integer("granularity") ?? 60
        let topic: DerivTopic = isCandles ? .candles(index.place, length) : .history(index.place)
        let subscription = request.isSet("subscribe") ? try subscribe(connection, to: topic, request) : nil
        let pip = JSONValue.integer(Int64(index.symbol.decimals))
        if isCandles {
            let bars = DerivBar.bars(of: ticks, length: length).suffix(count).map { $0.render(index) }
            return answer(
                request, connection, type: "candles",
                body: [("candles", .array(bars)), ("pip_size", pip), ("subscription", subscription)])
        }
        let page = ticks.suffix(count)
        let body = DerivObject([
            ("prices", .array(page.map { .number(index.text($0.quote)) })),
            ("times", .array(page.map { .integer($0.epoch) })),
        ])
        answer(
            request, connection, type: "history",
            body: [("history", body.value), ("pip_size", pip), ("subscription", subscription)])
    }

    private func render(bar index: DerivIndex, _ length: Int64, id: String) -> JSONValue {
        let start = index.newest.epoch / length * length
        let ticks = index.ticks.reversed().prefix { $0.epoch >= start }.reversed()
        let bar = DerivBar(start: start, ticks: Array(ticks))
        return DerivObject([
            ("close", .string(index.text(bar.close))), ("epoch", .integer(index.newest.epoch)),
            ("granularity", .integer(length)), ("high", .string(index.text(bar.high))), ("id", .string(id)),
            ("low", .string(index.text(bar.low))), ("open", .string(index.text(bar.open))),
            ("open_time", .integer(start)), ("pip_size", .integer(Int64(index.symbol.decimals))),
            ("symbol", .string(index.symbol.name)),
        ]).value
    }

    // MARK: What is offered

    func activeSymbols(_ api: DerivAPI) -> JSONValue {
        .array(
            indices.map { index in
                let symbol = index.symbol
                let pip = JSONValue.number(decimalText(1, decimals: symbol.decimals))
                let names: [(String, JSONValue?)] =
                    api == .current
                    ? [
                        ("underlying_symbol", .string(symbol.name)),
                        ("underlying_symbol_name", .string(symbol.displayName)),
                        ("underlying_symbol_type", .string("stockindex")), ("pip_size", pip),
                    ]
                    : [
                        ("symbol", .string(symbol.name)), ("display_name", .string(symbol.displayName)),
                        ("symbol_type", .string("stockindex")), ("pip", pip),
                        ("display_order", .integer(Int64(index.place) + 1)),
                        ("market_display_name", .string("Derived")), ("subgroup_display_name", .string("Synthetics")),
                        ("submarket_display_name", .string("Continuous Indices")),
                    ]
                return DerivObject(
                    names + [
                        ("exchange_is_open", .integer(1)), ("is_trading_suspended", .integer(0)),
                        ("market", .string("synthetic_index")), ("subgroup", .string("synthetics")),
                        ("submarket", .string("random_index")),
                    ]
                ).value
            })
    }

    func contractsFor(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        let name = request.text("contracts_for") ?? ""
        guard let index = index(named: name) else { throw .invalidSymbol(name) }
        var rows: [JSONValue] = []
        for kind in DerivContractKind.allCases {
            rows.append(offer(kind, index, expiry: "tick", durations: ("1t", "10t")))
            if !kind.isDigit { rows.append(offer(kind, index, expiry: "intraday", durations: ("15s", "1d"))) }
        }
        let body = DerivObject([
            ("available", .array(rows)), ("close", .integer((epoch / 86_400 + 1) * 86_400 - 1)),
            ("feed_license", .string("realtime")), ("hit_count", .integer(Int64(rows.count))),
            ("open", .integer(epoch / 86_400 * 86_400)), ("spot", .number(index.text(index.newest.quote))),
        ])
        answer(request, connection, body: [("contracts_for", body.value)])
    }

    private func offer(
        _ kind: DerivContractKind, _ index: DerivIndex, expiry: String, durations: (min: String, max: String)
    ) -> JSONValue {
        let category = kind.isDigit ? "digits" : kind == .callEqual || kind == .putEqual ? "callputequal" : "callput"
        return DerivObject([
            ("barrier_category", .string(kind.isDigit ? "non_financial" : "euro_atm")),
            ("barriers", .integer(kind.needsDigit ? 1 : 0)), ("contract_category", .string(category)),
            ("contract_category_display", .string(kind.isDigit ? "Digits" : "Up/Down")),
            ("contract_type", .string(kind.rawValue)), ("exchange_name", .string("RANDOM")),
            ("expiry_type", .string(expiry)), ("market", .string("synthetic_index")),
            ("max_contract_duration", .string(durations.max)), ("min_contract_duration", .string(durations.min)),
            ("sentiment", .string(kind.rawValue.lowercased())), ("start_type", .string("spot")),
            ("submarket", .string("random_index")), ("underlying_symbol", .string(index.symbol.name)),
        ]).value
    }

    var tradingTimes: JSONValue {
        let symbols = indices.map { index in
            DerivObject([
                ("events", .array([])), ("name", .string(index.symbol.displayName)),
                ("symbol", .string(index.symbol.name)),
                (
                    "times",
                    DerivObject([
                        ("close", .array([.string("23:59:59")])), ("open", .array([.string("00:00:00")])),
                        ("settlement", .string("23:59:59")),
                    ]).value
                ),
            ]).value
        }
        let submarket = DerivObject([("name", .string("Continuous Indices")), ("symbols", .array(symbols))]).value
        let market = DerivObject([("name", .string("Derived")), ("submarkets", .array([submarket]))]).value
        return DerivObject([("markets", .array([market]))]).value
    }

    var websiteStatus: JSONValue {
        func limit(_ what: String, _ row: DerivBudgetConfiguration.Row) -> JSONValue {
            DerivObject([
                ("applies_to", .string(what)), ("hourly", .integer(Int64(row.perHour))),
                ("minutely", .integer(Int64(row.perMinute))),
            ]).value
        }
        let limits = configuration.budgets
        let subscriptions = DerivObject([
            ("applies_to", .string("subscribing to proposal concurrently")),
            ("max", .integer(Int64(DerivConnection.limit))),
        ])
        let calls = DerivObject([
            ("max_proposal_subscription", subscriptions.value),
            ("max_requestes_general", limit("rest of calls", limits.others)),
            ("max_requests_outcome", limit("portfolio and profit_table", limits.portfolio)),
            ("max_requests_pricing", limit("proposal, proposal_open_contract, buy and sell", limits.pricing)),
        ])
        let transfers = DerivObject([
            ("fees", .object([])), ("limits", DerivObject([("min", .number("0.01"))]).value),
        ])
        let dollar = DerivObject([
            ("fractional_digits", .integer(2)), ("is_deposit_suspended", .integer(0)), ("is_suspended", .integer(0)),
            ("is_withdrawal_suspended", .integer(0)), ("name", .string("US Dollar")), ("stake_default", .integer(10)),
            ("transfer_between_accounts", transfers.value), ("type", .string("fiat")),
        ])
        return DerivObject([
            ("api_call_limits", calls.value), ("clients_country", .string("za")),
            ("currencies_config", DerivObject([("USD", dollar.value)]).value), ("site_status", .string("up")),
            ("supported_languages", .array([.string("EN")])),
        ]).value
    }
}

/// Open, high, low and close of the quotes in one stretch of time.
struct DerivBar {
    let start: Int64
    let open: Int64
    let high: Int64
    let low: Int64
    let close: Int64

    /// - Parameter ticks: At least one.
    init(start: Int64, ticks: [DerivTick]) {
        self.start = start
        open = ticks[0].quote
        close = ticks[ticks.count - 1].quote
        high = ticks.reduce(open) { max($0, $1.quote) }
        low = ticks.reduce(open) { min($0, $1.quote) }
    }

    static func bars(of ticks: [DerivTick], length: Int64) -> [DerivBar] {
        var bars: [DerivBar] = []
        var current: [DerivTick] = []
        for tick in ticks {
            if let first = current.first, first.epoch / length != tick.epoch / length {
                bars.append(DerivBar(start: first.epoch / length * length, ticks: current))
                current = []
            }
            current.append(tick)
        }
        if let first = current.first { bars.append(DerivBar(start: first.epoch / length * length, ticks: current)) }
        return bars
    }

    func render(_ index: DerivIndex) -> JSONValue {
        DerivObject([
            ("close", .number(index.text(close))), ("epoch", .integer(start)), ("high", .number(index.text(high))),
            ("low", .number(index.text(low))), ("open", .number(index.text(open))),
        ]).value
    }
}
