import CApusWire
import Foundation
import Testing

/// The processors that the calling thread may use.
private func allowed() -> [Int32] {
    let status = (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    let ranges = line?.split(separator: "\t").last?.split(separator: ",") ?? []
    return ranges.flatMap { range -> [Int32] in
        let ends = range.split(separator: "-").compactMap { Int32($0) }
        return ends.isEmpty ? [] : Array(ends[0]...ends[ends.count - 1])
    }
}

/// What a thread of its own found when it avoided processors. The test's thread keeps its own.
private struct Avoidance {
    var processors: [Int32]
    var result: Int32 = 0
    var left: [Int32] = []

    mutating func run() -> Int32 {
        var thread = pthread_t()
        return withUnsafeMutablePointer(to: &self) { pointer in
            let started = apus_thread_start(
                &thread, "apus-test", -1,
                { argument in
                    let found = argument!.assumingMemoryBound(to: Avoidance.self)
                    found.pointee.result = apus_thread_avoid(
                        found.pointee.processors, found.pointee.processors.count)
                    found.pointee.left = allowed()
                    return nil
                }, pointer)
            if started == 0 { pthread_join(thread, nil) }
            return started
        }
    }
}

@Suite struct ThreadTests {
    @Test(.enabled(if: allowed().count > 1, "only one processor"))
    func keepsOffTheProcessorsOfOthers() throws {
        let all = allowed()
        let last = try #require(all.last)
        var avoidance = Avoidance(processors: [last, -1])
        #expect(avoidance.run() == 0)
        #expect(avoidance.result == 0)
        #expect(avoidance.left == Array(all.dropLast()))
    }

    @Test func changesNothingWhenNoneWouldBeLeft() {
        var avoidance = Avoidance(processors: allowed())
        #expect(avoidance.run() == 0)
        #expect(avoidance.result == -EINVAL)
        #expect(avoidance.left == allowed())
    }
}
