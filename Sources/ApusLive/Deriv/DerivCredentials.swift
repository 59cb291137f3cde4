/// What opens a Deriv account: a token, the application's id, and for the current API the account's.
package struct DerivCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The application id that the venue gives for trying things out (v3).
    static let trialApp = "1089"
    let token: String
    let appID: String?
    let account: String

    package init(token: String, appID: String?, account: String) {
        self.token = token
        self.appID = appID
        self.account = account
    }

    /// From `APUS_DERIV_TOKEN`, `APUS_DERIV_ACCOUNT` (current API) and `APUS_DERIV_APP_ID` (v3; for a personal access token too).
    package init(_ kind: VenueKind, environment: [String: String]) throws(LiveError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let token = value("APUS_DERIV_TOKEN") else {
            throw LiveError("live orders need APUS_DERIV_TOKEN in the environment")
        }
        let account = value("APUS_DERIV_ACCOUNT"), app = value("APUS_DERIV_APP_ID")
        if kind == .derivV3, app == nil { throw LiveError("live orders need APUS_DERIV_APP_ID in the environment") }
        if kind == .deriv, account == nil { throw LiveError("live orders need APUS_DERIV_ACCOUNT in the environment") }
        self.init(token: token, appID: app, account: account ?? "")
    }

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }
}
