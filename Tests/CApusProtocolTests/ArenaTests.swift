import CApusProtocol
import Testing

@Suite struct ArenaTests {
    /// An arena over memory of its own, that starts one byte off an alignment.
    private final class Region {
        let memory: UnsafeMutableRawPointer
        let arena: UnsafeMutablePointer<apus_arena>

        init(bytes: Int) {
            memory = .allocate(byteCount: bytes + 1, alignment: 4096)
            arena = .allocate(capacity: 1)
            apus_arena_init(arena, memory + 1, bytes)
        }

        deinit {
            arena.deallocate()
            memory.deallocate()
        }
    }

    @Test func blocksAreAlignedAndApart() {
        let region = Region(bytes: 1 << 16)
        var taken: [(start: UInt, end: UInt)] = []
        for bytes in [1, 63, 64, 65, 100, 1000, 1024, 4096, 5] {
            guard let block = apus_arena_alloc(region.arena, bytes) else {
                Issue.record("no block of \(bytes) bytes")
                return
            }
            let start = UInt(bitPattern: block)
            #expect(start % UInt(APUS_ARENA_BLOCK_MIN) == 0)
            let end = start + UInt(bytes)
            #expect(taken.allSatisfy { end <= $0.start || start >= $0.end })
            taken.append((start, end))
            block.initializeMemory(as: UInt8.self, repeating: 0xAA, count: bytes)
        }
    }

    @Test(arguments: [(1, 64), (64, 64), (65, 128), (1024, 1024), (1025, 2048), (0, 0)])
    func blocksArePowersOfTwo(bytes: Int, block: UInt64) {
        #expect(apus_arena_block_bytes(bytes) == block)
    }

    @Test func whatIsGivenBackIsUsedAgain() {
        let region = Region(bytes: 1 << 14)
        let first = apus_arena_alloc(region.arena, 1000)
        let used = region.arena.pointee.used
        apus_arena_free(region.arena, first, 1000)
        #expect(region.arena.pointee.live == 0)
        #expect(apus_arena_alloc(region.arena, 600) == first)
        #expect(region.arena.pointee.used == used)
        #expect(region.arena.pointee.live == 1024)
    }

    @Test func aLargeFreeBlockIsSplitWhenTheRegionIsUsedUp() {
        let region = Region(bytes: 4096 + 64)
        let large = apus_arena_alloc(region.arena, 4096)
        #expect(large != nil)
        #expect(apus_arena_alloc(region.arena, 64) == nil)
        apus_arena_free(region.arena, large, 4096)
        var small: Set<UInt> = []
        while let block = apus_arena_alloc(region.arena, 64) {
            small.insert(UInt(bitPattern: block))
        }
        #expect(small.count == 64)
        #expect(region.arena.pointee.live == 4096)
    }

    @Test func aFullArenaSaysSo() {
        let region = Region(bytes: 1024)
        #expect(apus_arena_alloc(region.arena, 2048) == nil)
        #expect(apus_arena_alloc(region.arena, Int.max) == nil)
        #expect(apus_arena_alloc(region.arena, 0) == nil)
        apus_arena_free(region.arena, nil, 64)
        #expect(region.arena.pointee.live == 0)
        #expect(apus_arena_alloc(region.arena, 512) != nil)
    }
}
