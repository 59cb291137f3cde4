/// A refusal on a socket, with the venue's code.
struct DerivError: Error, Equatable {
    var code: String
    var message: String

    private init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    static let badRequest = DerivError("BadRequest", "The application sent an invalid request.")
    static let unrecognised = DerivError("UnrecognisedRequest", "Unrecognised request.")
    static func invalid(_ what: String) -> DerivError {
        DerivError("InputValidationFailed", "Input validation failed: \(what)")
    }
    static let pleaseLogIn = DerivError("AuthorizationRequired", "Please log in.")
    static let invalidToken = DerivError("InvalidToken", "The token is invalid.")
    static func rateLimit(_ method: String) -> DerivError {
        DerivError("RateLimit", "You have reached the rate limit for \(method).")
    }
    static func invalidSymbol(_ name: String) -> DerivError {
        DerivError("InvalidSymbol", "Symbol \(name) is invalid.")
    }
    static func alreadySubscribed(_ what: String) -> DerivError {
        DerivError("AlreadySubscribed", "You are already subscribed to \(what).")
    }
    static let tooManySubscriptions = DerivError(
        "RateLimit", "You have reached the limit of subscriptions for a connection.")
    static let invalidProposal = DerivError("InvalidContractProposal", "Unknown contract proposal")
    static let unknownSell = DerivError("InvalidSellContractProposal", "Unknown contract sell proposal")
    static let notOpen = DerivError("NoOpenPosition", "This contract was not found among your open positions.")
    static let noResale = DerivError("NotResalable", "Resale of this contract is not offered.")
    static let notStarted = DerivError("NotResalable", "Waiting for entry tick.")
    static func priceMoved(_ from: Int64, _ to: Int64) -> DerivError {
        DerivError(
            "PriceMoved",
            "The underlying market has moved too much since you priced the contract. The contract price has changed from \(moneyText(from)) to \(moneyText(to)) USD."
        )
    }
    static func insufficient(_ balance: Int64, _ price: Int64) -> DerivError {
        DerivError(
            "InsufficientBalance",
            "Your account balance (\(moneyText(balance)) USD) is insufficient to buy this contract (\(moneyText(price)) USD)."
        )
    }
    static let noReturn = DerivError("ContractBuyValidationError", "This contract offers no return.")
    static let stakeTooSmall = DerivError(
        "ContractBuyValidationError", "Please enter a stake amount that's at least 0.35.")
    static let payoutTooLarge = DerivError(
        "ContractBuyValidationError", "Minimum stake of 0.35 and maximum payout of 50000.00.")
    static func offering(_ what: String) -> DerivError { DerivError("OfferingsValidationError", what) }
    static func creation(_ what: String) -> DerivError { DerivError("ContractCreationFailure", what) }
    static let currency = DerivError("InvalidCurrency", "The provided currency is invalid: it must be USD.")
    static let noHistory = DerivError("InvalidStartEnd", "Start and end time are not in order.")
    /// Leaves open what became of the request.
    static let internalError = DerivError(
        "InternalServerError", "Sorry, an error occurred while processing your request.")
}

/// A refusal over REST.
struct DerivRESTError: Error, Equatable {
    var status: Int
    var code: String
    var message: String
    /// Seconds a client must wait; only with 429.
    var retryAfter: Int?

    init(_ status: Int, _ code: String, _ message: String, retryAfter: Int? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    static let unauthorized = DerivRESTError(401, "Unauthorized", "Invalid or missing authentication credentials")
    static let missingApp = DerivRESTError(401, "Unauthorized", "Deriv-App-ID is missing or not known")
    static let badAccountFormat = DerivRESTError(400, "ValidationError", "Invalid account ID format")
    static let badAccount = DerivRESTError(400, "ValidationError", "Invalid account ID")
    static let badPassword = DerivRESTError(401, "Unauthorized", "The one-time password is not valid")
    static let badApp = DerivRESTError(401, "InvalidAppID", "Your app_id is invalid.")
    static let notFound = DerivRESTError(404, "NotFound", "There is no such path")
    static let noMethod = DerivRESTError(405, "MethodNotAllowed", "The method is not allowed here")
    static func bad(_ message: String, status: Int = 400) -> DerivRESTError {
        DerivRESTError(status, "BadRequest", message)
    }
    static func rateLimit(retryAfter: Int) -> DerivRESTError {
        DerivRESTError(429, "RateLimit", "Too many requests", retryAfter: retryAfter)
    }
    static func unavailable(_ status: Int) -> DerivRESTError {
        status == 429
            ? .rateLimit(retryAfter: 1) : DerivRESTError(status, "InternalServerError", "The service is not available")
    }
}
