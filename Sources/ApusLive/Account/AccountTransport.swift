import ApusEngine
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

/// HTTP for what an account is asked: one client, a time-out for each request, and no word of an address's query in an error, since
/// that is where signatures stand.
package final class AccountTransport: Sendable {
    package struct Response: Sendable {
        package let status: Int
        package let body: Data
        package let retryAfter: Int?

        /// What a status other than success means. `reason` is the venue's own word.
        package func error(_ what: String, reason: String?) -> AccountError {
            let words = reason ?? String(decoding: body.prefix(200), as: UTF8.self)
            let text = "\(what): the venue answered \(status): \(words)"
            switch status {
            case 418, 425, 429: return AccountError(.rateLimit, text, retryAfter: retryAfter)
            case 400..<500: return AccountError(.refused, text)
            default: return AccountError(.venue, text, retryAfter: retryAfter)
            }
        }
    }

    private let client: HTTPClient

    /// - Parameter caFile: certificates to trust in place of the system's.
    package init(caFile: String?) {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        if let caFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(caFile)
            configuration.tlsConfiguration = tls
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // One that nobody has closed: its connections end a little later.
    deinit {
        let client = client
        Task { try? await client.shutdown() }
    }

    /// Ends its connections. Nothing may be sent afterwards.
    package func close() async { try? await client.shutdown() }

    /// Sends one request and reads the whole answer.
    ///
    /// - Parameter what: names the request in errors.
    package func send(
        _ method: String, _ address: String, what: String, headers: [(String, String)] = [], body: String? = nil,
        timeout: TimeAmount = .seconds(5)
    ) async throws(AccountError) -> Response {
        var request = HTTPClientRequest(url: address)
        request.method = .RAW(value: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        do {
            let response = try await client.execute(request, timeout: timeout)
            let content = try await response.body.collect(upTo: 64 << 20)
            return Response(
                status: Int(response.status.code), body: Data(content.readableBytesView),
                retryAfter: response.headers.first(name: "retry-after").flatMap { Int($0) })
        } catch let error as HTTPClientError {
            let isLate = [.deadlineExceeded, .readTimeout, .connectTimeout, .cancelled].contains(error)
            throw AccountError(isLate ? .timeout : .venue, "\(what): \(error.shortDescription)")
        } catch is CancellationError {
            throw AccountError(.timeout, "\(what): no answer in time")
        } catch {
            throw AccountError(.venue, "\(what): \(type(of: error)): the venue is not to be reached")
        }
    }
}
