/// A refusal in the venue's words: `{"error":".."}` with an HTTP status.
struct PolymarketError: Error, Equatable {
    var status: Int
    var message: String
    /// Seconds a client must wait; only with 429.
    var retryAfter: Int?
    /// The id that a heartbeat should have had.
    var heartbeatID: String?

    init(_ status: Int, _ message: String, retryAfter: Int? = nil, heartbeatID: String? = nil) {
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
        self.heartbeatID = heartbeatID
    }

    static let unauthorized = PolymarketError(401, "Unauthorized/Invalid api key")
    static let badWallet = PolymarketError(401, "Invalid L1 Request headers")
    static let noKeyCreated = PolymarketError(400, "Could not create api key")
    static let noKeyDerived = PolymarketError(400, "Could not derive api key!")
    static let noToken = PolymarketError(400, "Invalid token id")
    static let noBook = PolymarketError(404, "No orderbook exists for the requested token id")
    static let noMarket = PolymarketError(404, "market not found")
    static let badPayload = PolymarketError(400, "Invalid order payload")
    static let badList = PolymarketError(400, "Invalid payload")
    static let badOrderID = PolymarketError(400, "Invalid orderID")
    static let noOrder = PolymarketError(404, "order not found")
    static let badAssetType = PolymarketError(400, "Invalid asset type")
    static let notOwner = PolymarketError(400, "the order owner has to be the owner of the API KEY")
    static let notSigner = PolymarketError(400, "the order signer address has to be the address of the API KEY")
    static let badSignature = PolymarketError(400, "invalid signature")
    static let versionMismatch = PolymarketError(400, "order_version_mismatch")
    static let badExpiration = PolymarketError(400, "invalid expiration")
    static let notEnough = PolymarketError(400, "not enough balance / allowance")
    static let postOnlyCrosses = PolymarketError(400, "invalid post-only order: order crosses book")
    static let postOnlyType = PolymarketError(400, "invalid post-only order: only GTC and GTD orders are allowed")
    static let notFilled = PolymarketError(
        400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
    static let noMatch = PolymarketError(
        400, "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.")
    static let onlyPostOnly = PolymarketError(
        503, "Trading is currently post-only. New orders must be post-only; cancels are allowed.")
    static let noPath = PolymarketError(404, "path not found")
    static func invalid(_ id: String, _ why: String) -> PolymarketError {
        PolymarketError(400, "order \(id) is invalid. \(why)")
    }
    static func tooMany(_ count: Int, _ limit: Int) -> PolymarketError {
        PolymarketError(400, "Too many orders in payload: \(count), max allowed: \(limit)")
    }
    static func tooManyRequests(retryAfter: Int) -> PolymarketError {
        PolymarketError(429, "Too Many Requests", retryAfter: retryAfter)
    }

    var body: [UInt8] {
        var out: [UInt8] = []
        out.append("{\"error\":")
        out.append(quotedText: message)
        if let heartbeatID {
            out.append(",\"heartbeat_id\":")
            out.append(quotedText: heartbeatID)
        }
        out.append(125)
        return out
    }
}
