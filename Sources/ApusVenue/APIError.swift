/// A refusal with the venue's documented code.
struct APIError: Error, Equatable {
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

    static func tooManyRequests(retryAfter: Int, _ what: String) -> APIError {
        APIError(-1003, "Too many requests; current limit is \(what).", status: 429, retryAfter: retryAfter)
    }
    static func tooManyOrders(retryAfter: Int, _ what: String) -> APIError {
        APIError(-1015, "Too many new orders; current limit is \(what).", status: 429, retryAfter: retryAfter)
    }
    static let outsideReceiveWindow = APIError(-1021, "Timestamp for this request is outside of the recvWindow.")
    static let aheadOfServer = APIError(
        -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    static let invalidSignature = APIError(-1022, "Signature for this request is not valid.")
    static func illegalCharacters(_ name: String) -> APIError {
        APIError(-1100, "Illegal characters found in parameter '\(name)'.")
    }
    static func mandatory(_ name: String) -> APIError {
        APIError(-1102, "Mandatory parameter '\(name)' was not sent, was empty/null, or malformed.")
    }
    static func oneOf(_ first: String, _ second: String) -> APIError {
        APIError(-1102, "Param '\(first)' or '\(second)' must be sent, but both were empty/null!")
    }
    static func notRequired(_ name: String) -> APIError {
        APIError(-1106, "Parameter '\(name)' sent when not required.")
    }
    static let precision = APIError(-1111, "Precision is over the maximum defined for this asset.")
    static let invalidTimeInForce = APIError(-1115, "Invalid timeInForce.")
    static let invalidOrderType = APIError(-1116, "Invalid orderType.")
    static let invalidSide = APIError(-1117, "Invalid side.")
    static let invalidSymbol = APIError(-1121, "Invalid symbol.")
    static let noListenKey = APIError(-1125, "This listenKey does not exist.")
    static func badParameter(_ text: String) -> APIError { APIError(-1130, text) }
    static let badReceiveWindow = APIError(-1131, "recvWindow must be less than 60000")
    static func rejected(_ why: String) -> APIError { APIError(-2010, why) }
    static let unknownOrderSent = APIError(-2011, "Unknown order sent.")
    static let noSuchOrder = APIError(-2013, "Order does not exist.")
    static let keyFormat = APIError(-2014, "API-key format invalid.", status: 401)
    static let unknownKey = APIError(-2015, "Invalid API-key, IP, or permissions for action.", status: 401)
    static let insufficientMargin = APIError(-2019, "Margin is insufficient.")
    static let reduceOnlyRejected = APIError(-2022, "ReduceOnly Order is rejected.")
    static let priceNotPositive = APIError(-4001, "Price less than 0.")
    static let priceTooLarge = APIError(-4002, "Price greater than max price.")
    static let quantityNotPositive = APIError(-4003, "Quantity less than or equal to zero.")
    static let quantityTooSmall = APIError(-4004, "Quantity less than min quantity.")
    static let quantityTooLarge = APIError(-4005, "Quantity greater than max quantity.")
    static let priceOffTick = APIError(-4014, "Price not increased by tick size.")
    static let clientIDTooLong = APIError(-4015, "Client order id length should be less than 36 chars")
    static func priceAboveBand(_ limit: String) -> APIError {
        APIError(-4016, "Limit price can't be higher than \(limit).")
    }
    static let quantityOffStep = APIError(-4023, "Qty not increased by step size.")
    static func priceBelowBand(_ limit: String) -> APIError {
        APIError(-4024, "Limit price can't be lower than \(limit).")
    }
    static let hmacCannotLogOn = APIError(-4056, "HMAC_SHA256 API key is not supported.")
    static let duplicateClientID = APIError(-4116, "ClientOrderId is duplicated.")
    static func minNotional(_ limit: String) -> APIError {
        APIError(-4164, "Order's notional must be no smaller than \(limit) (unless you choose reduce only).")
    }
    static let postOnlyRejected = APIError(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history"
    )
    static let noNeedToModify = APIError(-5027, "No need to modify the order.")
    static func unknownMethod(_ name: String) -> APIError { APIError(-1101, "Unknown method '\(name)'.") }
    static func malformed(_ text: String) -> APIError { APIError(-1100, text) }
    static let noSuchPath = APIError(-5000, "Path does not exist or the method is not valid for it.", status: 404)
    static func unavailable(_ status: Int) -> APIError {
        status == 429
            ? APIError(-1003, "Too many requests.", status: 429, retryAfter: 1)
            : APIError(-1001, "Internal error; unable to process your request. Please try again.", status: status)
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
