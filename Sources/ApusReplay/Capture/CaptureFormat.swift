internal import CApusProtocol
internal import CZlib

/// Apus's own recordings: what the sockets received, byte for byte, with its times.
///
/// A file is a head of 64 bytes and records behind it; all numbers are little-endian.
///
///     head    "APUSCAP1"  u32 version (1)  u32 bytes of the head (64)
///             u64 CLOCK_REALTIME - CLOCK_MONOTONIC at the start, in ns
///             char[16] venue  u8[20] zero  u32 CRC-32 of the 60 bytes before
///     record  u32 bytes  u16 bytes of the note  u8 kind  u8 zero
///             u16 connection  u16 zero  u32 messages missing before it
///             u64 receive_ns  u64 kernel_ns (0: none)  both monotonic
///             note  bytes  u32 CRC-32 of all before it  zeros up to a multiple of 8
///
/// Kinds: 1 a text message of a stream; 2 the body of a REST answer, whose note is the request's path; 3 a binary
/// message; 4 a change of a connection's state, told by name, the note being the reason. CRC-32 is that of gzip (ISO
/// 3309).
///
/// A recorder that dies leaves at most one record that is not whole: it is recognised and named, and all before it is
/// good.
package enum CaptureFormat {
    static let magic: StaticString = "APUSCAP1"
    static let version: UInt32 = 1
    static let headBytes = 64
    static let recordHeadBytes = 32
    static let checksumBytes = 4

    /// Bytes of a record in the file.
    static func recordBytes(note: Int, bytes: Int) -> Int {
        (recordHeadBytes + note + bytes + checksumBytes + 7) & ~7
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(crc32(0, bytes.bindMemory(to: UInt8.self).baseAddress, UInt32(bytes.count)))
    }
}

extension UnsafeRawBufferPointer {
    func number<T: FixedWidthInteger>(at offset: Int, _ type: T.Type) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    func set<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}
