import CApusProtocol
import Glibc

/// The memory that books, sessions and buffers come from: a large reservation whose pages the kernel gives at the first touch.
final class HotMemory {
    let arena: UnsafeMutablePointer<apus_arena>
    private let base: UnsafeMutableRawPointer
    private let size: Int

    /// Reserves `size` bytes and makes the first `prefault` of them present, so that the start of trading faults no page.
    init(size: Int = 4 << 30, prefault: Int = 64 << 20) throws(LiveError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw LiveError(
                "cannot reserve \(size >> 20) MiB of address space for books: \(String(cString: strerror(errno)))")
        }
        self.base = base
        self.size = size
        // Where the kernel cannot do it (before 5.14) the pages come one by one.
        _ = madvise(base, min(prefault, size), populateWrite)
        arena = .allocate(capacity: 1)
        arena.initialize(to: apus_arena())
        apus_arena_init(arena, base, size)
    }

    deinit {
        arena.deallocate()
        munmap(base, size)
    }

    /// A cleared record of its own, which lives as long as this memory.
    func make<Record>(_ type: Record.Type) throws(LiveError) -> UnsafeMutablePointer<Record> {
        try makeArray(type, count: 1)
    }

    /// Cleared records in a row.
    func makeArray<Record>(_ type: Record.Type, count: Int) throws(LiveError) -> UnsafeMutablePointer<Record> {
        let size = MemoryLayout<Record>.stride * count
        guard let block = apus_arena_alloc(arena, size) else { throw LiveError("the memory for books is used up") }
        memset(block, 0, size)
        return block.bindMemory(to: Record.self, capacity: count)
    }
}

// MADV_POPULATE_WRITE of Linux 5.14.
private let populateWrite: Int32 = 23

/// Throws the system's word for a negative errno.
func check(_ result: Int32, _ what: @autoclosure () -> String) throws(LiveError) {
    if result < 0 { throw LiveError("\(what()): \(String(cString: strerror(-result)))") }
}
