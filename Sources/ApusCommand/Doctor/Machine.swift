import CApusRing
import CApusWire
import Glibc

/// What the doctor looks at. Tests give fixture texts; `Machine.this` looks at the real one.
package struct Machine: Sendable {
    /// A library that the engine needs at run time.
    package struct Library: Sendable, Equatable {
        package let name: String
        /// nil when it is not there.
        package let version: String?

        package init(name: String, version: String?) {
            self.name = name
            self.version = version
        }
    }

    /// Content of a file of /proc or /sys, nil when it is not there.
    package var text: @Sendable (_ path: String) -> String?
    package var onlineCores: Int
    /// Soft limits in bytes and in files; `UInt64.max` means none.
    package var lockedMemoryLimit: UInt64
    package var openFileLimit: UInt64
    /// Free bytes of /dev/shm, nil when it is not mounted.
    package var sharedMemoryFree: UInt64?
    package var counterIsInvariant: Bool
    /// Whether a socket accepts SO_TIMESTAMPNS.
    package var stampsSockets: Bool
    /// Whether OpenSSL takes memory from the heap for each TLS record.
    package var tlsAllocates: Bool
    package var libraries: [Library]

    package init(
        text: @escaping @Sendable (_ path: String) -> String?, onlineCores: Int, lockedMemoryLimit: UInt64,
        openFileLimit: UInt64, sharedMemoryFree: UInt64?, counterIsInvariant: Bool, stampsSockets: Bool,
        tlsAllocates: Bool, libraries: [Library]
    ) {
        self.text = text
        self.onlineCores = onlineCores
        self.lockedMemoryLimit = lockedMemoryLimit
        self.openFileLimit = openFileLimit
        self.sharedMemoryFree = sharedMemoryFree
        self.counterIsInvariant = counterIsInvariant
        self.stampsSockets = stampsSockets
        self.tlsAllocates = tlsAllocates
        self.libraries = libraries
    }

    /// The machine that this process runs on.
    package static func this() -> Machine {
        Machine(
            text: { try? Files.text($0) }, onlineCores: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            lockedMemoryLimit: softLimit(__RLIMIT_MEMLOCK),
            openFileLimit: softLimit(RLIMIT_NOFILE), sharedMemoryFree: freeSharedMemory(),
            counterIsInvariant: apus_clock_invariant(), stampsSockets: probeStamps(),
            tlsAllocates: apus_wire_tls_allocates(), libraries: findLibraries())
    }

    /// A file's text without the white space around it.
    package func line(_ path: String) -> String? {
        text(path).map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
    }
}

private func softLimit(_ resource: __rlimit_resource) -> UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return 0 }
    return UInt64(limit.rlim_cur)
}

private func freeSharedMemory() -> UInt64? {
    var status = statvfs()
    guard statvfs("/dev/shm", &status) == 0 else { return nil }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
}

private func probeStamps() -> Bool {
    let file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    var on: Int32 = 1
    return setsockopt(file, SOL_SOCKET, SO_TIMESTAMPNS, &on, socklen_t(MemoryLayout<Int32>.size)) == 0
}

// The libraries are asked for their versions by symbol, so that the doctor also works where one of them is missing.
private func findLibraries() -> [Machine.Library] {
    typealias NoArgument = @convention(c) () -> UnsafePointer<CChar>?
    typealias OneArgument = @convention(c) (Int32) -> UnsafePointer<CChar>?
    let uv = symbol("uv_version_string", in: "libuv.so.1").flatMap { unsafeBitCast($0, to: NoArgument.self)() }
    let ssl = symbol("OpenSSL_version", in: "libcrypto.so.3").flatMap { unsafeBitCast($0, to: OneArgument.self)(0) }
    let zlib = symbol("zlibVersion", in: "libz.so.1").flatMap { unsafeBitCast($0, to: NoArgument.self)() }
    return [
        .init(name: "libuv", version: uv.map { String(cString: $0) }),
        .init(name: "OpenSSL", version: ssl.map { String(cString: $0) }),
        .init(name: "zlib", version: zlib.map { String(cString: $0) }),
        .init(name: "jemalloc", version: allocatorVersion()),
    ]
}

// Only a jemalloc that this process is linked to counts: loading it later would change nothing.
private func allocatorVersion() -> String? {
    typealias Control =
        @convention(c) (
            UnsafePointer<CChar>, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?, UnsafeMutableRawPointer?, Int
        ) -> Int32
    guard let found = dlsym(nil, "mallctl") else { return nil }
    var text: UnsafePointer<CChar>?
    var size = MemoryLayout<UnsafePointer<CChar>?>.size
    guard unsafeBitCast(found, to: Control.self)("version", &text, &size, nil, 0) == 0 else { return nil }
    return text.map { String(cString: $0) }
}

private func symbol(_ name: String, in library: String) -> UnsafeMutableRawPointer? {
    if let found = dlsym(nil, name) { return found }
    // A library that stays open until the process ends needs no handle kept.
    guard let handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL) else { return nil }
    return dlsym(handle, name)
}
