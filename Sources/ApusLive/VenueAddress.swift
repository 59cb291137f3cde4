import CApusProtocol

/// Where one of a venue's services is: `scheme://host[:port][/path]`.
package struct VenueAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: UInt16
    package let isSecure: Bool
    /// With its leading slash; empty when the address has none.
    package let path: String

    package init(host: String, port: UInt16, isSecure: Bool, path: String = "") {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        self.path = path
    }

    /// Reads `https://`, `wss://`, `http://` or `ws://` addresses; IPv6 hosts stand in brackets.
    package init(_ text: String) throws(LiveError) {
        let schemes: [(String, Bool)] = [("https://", true), ("wss://", true), ("http://", false), ("ws://", false)]
        guard let scheme = schemes.first(where: { text.hasPrefix($0.0) }) else {
            throw LiveError("\"\(text)\" is no address: it must start with https://, wss://, http:// or ws://")
        }
        isSecure = scheme.1
        let rest = text.dropFirst(scheme.0.count)
        let authority = rest.prefix { $0 != "/" }
        path = String(rest.dropFirst(authority.count))
        let (host, port) = try Self.split(authority, of: text)
        guard !host.isEmpty, host.utf8.count < Int(APUS_HOST_BYTES), path.utf8.count < Int(APUS_PATH_BYTES) else {
            throw LiveError("\"\(text)\" is no address: the host is missing, or it is too long")
        }
        self.host = host
        self.port = port ?? (scheme.1 ? 443 : 80)
    }

    private static func split(_ authority: Substring, of text: String) throws(LiveError) -> (String, UInt16?) {
        var host = authority
        var digits: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            if !tail.isEmpty { digits = tail.hasPrefix(":") ? tail.dropFirst() : "" }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            digits = authority[authority.index(after: colon)...]
        }
        guard let digits else { return (String(host), nil) }
        guard let port = UInt16(digits), port > 0 else {
            throw LiveError("\"\(text)\" is no address: \"\(digits)\" is no port from 1 to 65535")
        }
        return (String(host), port)
    }

    package var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(isSecure ? "https" : "http")://\(name):\(port)\(path)"
    }

    /// The host and port as the shell under the sessions wants them.
    var endpoint: apus_endpoint {
        var endpoint = apus_endpoint()
        endpoint.port = port
        endpoint.tls = isSecure
        copyText(host, to: &endpoint.host)
        return endpoint
    }
}

/// Where a venue's services are. What is nil is the venue's documented address.
package struct VenueAddresses: Sendable, Equatable {
    package var rest: VenueAddress?
    /// Market data; a path replaces the documented one.
    package var stream: VenueAddress?
    /// The account's own events; the listen key is appended to the path.
    package var user: VenueAddress?
    /// The WebSocket API; Polymarket: where orders are posted.
    package var orders: VenueAddress?
    /// Polymarket: the Gamma API.
    package var metadata: VenueAddress?

    package init() {}

    /// All services of a venue that answers on one port.
    package static func loopback(port: Int, isSecure: Bool) -> VenueAddresses {
        var addresses = VenueAddresses()
        let port = UInt16(port)
        addresses.rest = VenueAddress(host: "127.0.0.1", port: port, isSecure: isSecure)
        addresses.stream = addresses.rest
        addresses.user = addresses.rest
        addresses.orders = addresses.rest
        addresses.metadata = addresses.rest
        return addresses
    }

    /// Whether every service is on this machine.
    package var isLoopback: Bool {
        [rest, stream, user, orders].allSatisfy { address in
            address.map { $0.host == "localhost" || $0.host == "::1" || Self.isLoopback(quad: $0.host) } ?? false
        }
    }

    // Four numbers, the first 127: a name such as 127.0.0.1.example.com is somebody else's.
    private static func isLoopback(quad host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Copies text into a C array of characters, which was checked to be long enough, and ends it with a zero.
func copyText<Storage>(_ text: String, to storage: inout Storage) {
    withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.copyBytes(from: text.utf8.prefix(bytes.count - 1))
    }
}
