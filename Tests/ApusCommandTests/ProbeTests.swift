import CApusRing
import Testing

@testable import ApusCommand

@Suite struct ProbeTests {
    /// Each probe with the bytes of its arguments: what people's scripts rely on.
    static let probes: [String: [Int]] = [
        "received": [8, 8, 8], "frame": [8, 8], "decoded": [2, 8], "applied": [2, 8], "published": [2, 8, 8],
        "decide": [2, 8, 8, 8], "ordered": [8, 8, 2, 1, 8], "taken": [8, 8, 2, 1, 8], "written": [8, 8],
        "sent": [8, 8, 8], "answered": [8, 2, 1, 8, 8], "reported": [8, 2, 1, 8, 8],
    ]

    /// A probe that the compiler or the linker has lost would be noticed in production only, on the day it is needed.
    @Test(.enabled(if: apus_probes_built(), "<sys/sdt.h> is missing: install systemtap-sdt-dev"))
    func everyHopIsInTheProgram() throws {
        let found = try ProbeNotes("/proc/self/exe").probes().filter { $0.provider == "apus" }
        #expect(Set(found.map(\.name)) == Set(Self.probes.keys))
        for probe in found {
            #expect(probe.sizes == Self.probes[probe.name], "\(probe.name) \(probe.arguments)")
        }
    }

    /// What stands at a probe's place does nothing.
    @Test(.enabled(if: apus_probes_built(), "<sys/sdt.h> is missing: install systemtap-sdt-dev"))
    func eachIsOneNop() throws {
        for probe in try ProbeNotes("/proc/self/exe").probes() where probe.provider == "apus" {
            #if arch(arm64)
            #expect(probe.instruction == [0x1F, 0x20, 0x03, 0xD5], "\(probe.name)")
            #else
            #expect(probe.instruction.first == 0x90, "\(probe.name)")
            #endif
        }
    }
}
