import CApusProtocol
import CApusRing
import CApusWire
import Foundation
import Testing
import WirePeer

/// A shell with one probe session, driven turn by turn by the test (placement `shared`) or by its own thread.
final class Rig {
    let wire: OpaquePointer
    let probe: OpaquePointer
    private(set) var stopped = false
    private var others: [OpaquePointer] = []

    init(
        channels: UInt32 = 1, receiveBytes: Int = 1 << 18, sendBytes: Int = 1 << 18, authority: String? = nil,
        view: UnsafeMutablePointer<apus_public>? = nil, rings: UnsafeMutablePointer<apus_private>? = nil,
        configure: (inout apus_wire_config) -> Void = { _ in }
    ) throws {
        var config = apus_wire_config()
        apus_wire_config_default(&config)
        config.idle = UInt8(APUS_IDLE_YIELD)
        configure(&config)
        var made: OpaquePointer?
        let result = withOptionalCString(authority) { path in
            config.ca_file = path
            return apus_wire_create(&made, &config, view, rings)
        }
        try #require(result == 0)
        wire = try #require(made)
        probe = try #require(probe_make(0, channels, receiveBytes, sendBytes))
        try #require(apus_wire_add(wire, probe_session(probe)) == 0)
    }

    deinit {
        apus_wire_destroy(wire)
        probe_free(probe)
        for other in others { probe_free(other) }
    }

    /// Another session behind the first, before the first turn.
    func addSession() throws -> OpaquePointer {
        let other = try #require(probe_make(UInt32(others.count) + 1, 1, 4096, 4096))
        others.append(other)
        try #require(apus_wire_add(wire, probe_session(other)) == 0)
        return other
    }

    func channel(_ index: UInt32 = 0) -> apus_channel { probe_channel(probe, index).pointee }

    func isOpen(_ index: UInt32 = 0) -> Bool { channel(index).state == UInt8(APUS_CHANNEL_OPEN) }

    func isOpening(_ index: UInt32 = 0) -> Bool { channel(index).state == UInt8(APUS_CHANNEL_OPENING) }

    /// Whether the newest connection of the channel has ended.
    func hasEnded(_ index: UInt32 = 0) -> Bool {
        let it = channel(index)
        return it.generation > 0 && it.closed_generation == it.generation
    }

    func open(_ index: UInt32 = 0, host: String = "127.0.0.1", port: UInt16, tls: Bool = false) {
        probe_endpoint(probe, index, host, port, tls)
        probe_open(probe, index)
    }

    func errorText(_ index: UInt32 = 0) -> String {
        var text = [CChar](repeating: 0, count: Int(APUS_WIRE_ERROR_BYTES))
        guard apus_wire_channel_error(wire, probe_channel(probe, index), &text, text.count) == 0 else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func info(_ index: UInt32 = 0) -> apus_wire_connection_info {
        var info = apus_wire_connection_info()
        _ = apus_wire_channel_info(wire, probe_channel(probe, index), &info)
        return info
    }

    /// Takes turns until `condition` holds; the test fails when it does not hold in the end.
    func turn(
        _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation, until condition: () -> Bool
    ) throws {
        let end = ContinuousClock.now + patience
        var holds = condition()
        while !holds && ContinuousClock.now < end {
            if apus_wire_turn(wire) == 0 { sched_yield() }
            holds = condition()
        }
        try #require(holds, comment, sourceLocation: sourceLocation)
    }

    /// Opens a channel and waits for the end of the attempt.
    func openUntilEnd(host: String = "127.0.0.1", port: UInt16, tls: Bool = false) throws -> apus_channel {
        open(host: host, port: port, tls: tls)
        try turn("the attempt ends") { hasEnded() }
        return channel()
    }

    /// Sends and receives `count` bytes of the pattern from its beginning.
    func exchange(_ index: UInt32 = 0, count: UInt64) throws {
        var sent: UInt64 = 0
        try turn("\(count) bytes come back") {
            sent += UInt64(probe_send(probe, index, sent, Int(min(count - sent, 1 << 16))))
            return probe_received(probe, index) >= count
        }
        #expect(probe_received(probe, index) == count)
        #expect(probe_wrong_bytes(probe, index) == 0)
    }

    @discardableResult
    func stop(within nanoseconds: UInt64 = 5_000_000_000) -> Int32 {
        apus_wire_stop(wire, nanoseconds)
    }
}

/// How long a condition may take on a machine that is busy; a limit for what would otherwise hang, not a measurement.
let patience = Duration.seconds(60)

/// Waits for what other threads do.
func wait(
    _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation, until condition: () -> Bool
) throws {
    let end = ContinuousClock.now + patience
    var holds = condition()
    while !holds && ContinuousClock.now < end {
        sched_yield()
        holds = condition()
    }
    try #require(holds, comment, sourceLocation: sourceLocation)
}

/// A server of WirePeer with a life.
final class Peer {
    let server: OpaquePointer

    init(
        _ kind: Int, limit: UInt64 = 0, certificate name: String? = nil, ipv6: Bool = false, tls12: Bool = false,
        receiveBuffer: Int32 = 0
    ) throws {
        let certificate = name.map { Certificates.shared.path($0 + ".pem") }
        let key = name.map { Certificates.shared.path($0 + ".key") }
        let made = withOptionalCString(certificate) { certificate in
            withOptionalCString(key) { key in
                var config = peer_config()
                config.kind = UInt8(kind)
                config.ipv6 = ipv6
                config.tls12 = tls12
                config.certificate = certificate
                config.key = key
                config.limit = limit
                config.receive_buffer = receiveBuffer
                return peer_start(&config)
            }
        }
        server = try #require(made)
    }

    deinit { peer_stop(server) }

    var port: UInt16 { peer_port(server) }
}

/// The certificates, written once for each run.
struct Certificates {
    static let shared = Certificates()
    let directory: URL

    private init() {
        let name = "apus-wire-\(ProcessInfo.processInfo.processIdentifier)"
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            fatalError("no folder for certificates: \(error)")
        }
        precondition(certificates_write(directory.path) == 0, "certificates cannot be written")
        atexit { try? FileManager.default.removeItem(at: Certificates.shared.directory) }
    }

    func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    var authority: String { path("authority.pem") }
}

func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString(body)
}
