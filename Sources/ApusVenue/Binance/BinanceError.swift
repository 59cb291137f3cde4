/// A refusal with the venue's documented code.
struct BinanceError: Error, Equatable {
    /// HTTP status, and `status` in an answer of the WebSocket API.
    var status: Int
    var code: Int
    var message: String
    /// Seconds a client must wait; only with 429.
    var retryAfter: Int?

    private init(_ code: Int, _ message: String, status: Int = 400, retryAfter: Int? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    static func tooManyRequests(retryAfter: Int, _ what: String) -> BinanceError {
        BinanceError(-1003, "Too many requests; current limit is \(what).", status: 429, retryAfter: retryAfter)
    }
    static func tooManyOrders(retryAfter: Int, _ what: String) -> BinanceError {
        BinanceError(-1015, "Too many new orders; current limit is \(what).", status: 429, retryAfter: retryAfter)
    }
    static let outsideReceiveWindow = BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
    static let aheadOfServer = BinanceError(
        -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    static let invalidSignature = BinanceError(-1022, "Signature for this request is not valid.")
    static func illegalCharacters(_ name: String) -> BinanceError {
        BinanceError(-1100, "Illegal characters found in parameter '\(name)'.")
    }
    static func mandatory(_ name: String) -> BinanceError {
        BinanceError(-1102, "Mandatory parameter '\(name)' was not sent, was empty/null, or malformed.")
    }
    static func oneOf(_ first: String, _ second: String) -> BinanceError {
        BinanceError(-1102, "Param '\(first)' or '\(second)' must be sent, but both were empty/null!")
    }
    static func notRequired(_ name: String) -> BinanceError {
        BinanceError(-1106, "Parameter '\(name)' sent when not required.")
    }
    static let precision = BinanceError(-1111, "Precision is over the maximum defined for this asset.")
    static let invalidTimeInForce = BinanceError(-1115, "Invalid timeInForce.")
    static let invalidOrderType = BinanceError(-1116, "Invalid orderType.")
    static let invalidSide = BinanceError(-1117, "Invalid side.")
    static let invalidSymbol = BinanceError(-1121, "Invalid symbol.")
    static let noListenKey = BinanceError(-1125, "This listenKey does not exist.")
    static func badParameter(_ text: String) -> BinanceError { BinanceError(-1130, text) }
    static let badReceiveWindow = BinanceError(-1131, "recvWindow must be less than 60000")
    static func rejected(_ why: String) -> BinanceError { BinanceError(-2010, why) }
    static let unknownOrderSent = BinanceError(-2011, "Unknown order sent.")
    static let noSuchOrder = BinanceError(-2013, "Order does not exist.")
    static let keyFormat = BinanceError(-2014, "API-key format invalid.", status: 401)
    static let unknownKey = BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", status: 401)
    static let insufficientMargin = BinanceError(-2019, "Margin is insufficient.")
    static let reduceOnlyRejected = BinanceError(-2022, "ReduceOnly Order is rejected.")
    static let priceNotPositive = BinanceError(-4001, "Price less than 0.")
    static let priceTooLarge = BinanceError(-4002, "Price greater than max price.")
    static let quantityNotPositive = BinanceError(-4003, "Quantity less than or equal to zero.")
    static let quantityTooSmall = BinanceError(-4004, "Quantity less than min quantity.")
    static let quantityTooLarge = BinanceError(-4005, "Quantity greater than max quantity.")
    static let priceOffTick = BinanceError(-4014, "Price not increased by tick size.")
    static let clientIDTooLong = BinanceError(-4015, "Client order id length should be less than 36 chars")
    static func priceAboveBand(_ limit: String) -> BinanceError {
        BinanceError(-4016, "Limit price can't be higher than \(limit).")
    }
    static let quantityOffStep = BinanceError(-4023, "Qty not increased by step size.")
    static func priceBelowBand(_ limit: String) -> BinanceError {
        BinanceError(-4024, "Limit price can't be lower than \(limit).")
    }
    static let hmacCannotLogOn = BinanceError(-4056, "HMAC_SHA256 API key is not supported.")
    static let duplicateClientID = BinanceError(-4116, "ClientOrderId is duplicated.")
    static func minNotional(_ limit: String) -> BinanceError {
        BinanceError(-4164, "Order's notional must be no smaller than \(limit) (unless you choose reduce only).")
    }
    static let postOnlyRejected = BinanceError(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history"
    )
    static let noNeedToModify = BinanceError(-5027, "No need to modify the order.")
    static func unknownMethod(_ name: String) -> BinanceError { BinanceError(-1101, "Unknown method '\(name)'.") }
    static func malformed(_ text: String) -> BinanceError { BinanceError(-1100, text) }
    static let goodTillDateOutOfRange = BinanceError(
        -5040,
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than 253402300799000"
    )
    static let noSuchPath = BinanceError(-5000, "Path does not exist or the method is not valid for it.", status: 404)
    static func unavailable(_ status: Int) -> BinanceError {
        status == 429
            ? BinanceError(-1003, "Too many requests.", status: 429, retryAfter: 1)
            : BinanceError(-1001, "Internal error; unable to process your request. Please try again.", status: status)
    }

    /// `{"code":..,"msg":".."}`
    var body: [UInt8] {
        var out: [UInt8] = []
        out.append("{\"code\":")
        out.append(integer: Int64(code))
        out.append(",\"msg\":")
        out.append(quotedText: message)
        out.append(125)
        return out
    }
}
