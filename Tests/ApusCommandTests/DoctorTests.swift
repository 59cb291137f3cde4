import Testing

@testable import ApusCommand

private func machine(_ files: [String: String] = [:]) -> Machine {
    Machine(
        text: { files[$0] }, onlineCores: 8, lockedMemoryLimit: .max, openFileLimit: 4096, sharedMemoryFree: 1 << 30,
        counterIsInvariant: true, stampsSockets: true, tlsAllocates: false,
        libraries: [.init(name: "libuv", version: "1.44.2"), .init(name: "jemalloc", version: "5.3.0")])
}

private func finding(_ name: String, _ machine: Machine, wanted: UInt64 = 6 << 20) throws -> Finding {
    try #require(Doctor(machine, mappedBytes: wanted).examine().first { $0.name == name })
}

@Suite struct DoctorTests {
    @Test(arguments: [
        ("isolated cores", "/sys/devices/system/cpu/isolated", "2-3\n", "\n"),
        ("tickless cores", "/sys/devices/system/cpu/nohz_full", "2-3\n", "(null)\n"),
        ("SMT siblings", "/sys/devices/system/cpu/smt/active", "0\n", "1\n"),
        ("cpu governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n", "powersave\n"),
        ("clock source", "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n", "hpet\n"),
        (
            "transparent huge pages", "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n",
            "[always] madvise never\n"
        ),
        ("cpu quota", "/sys/fs/cgroup/cpu.max", "max 100000\n", "150000 100000\n"),
        (
            "swap", "/proc/swaps", "Filename Type Size Used Priority\n",
            "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"
        ),
        ("hypervisor", "/proc/cpuinfo", "flags\t\t: fpu vme tsc\n", "flags\t\t: fpu hypervisor tsc\n"),
    ])
    func readsTheSystemsFiles(_ name: String, _ path: String, _ good: String, _ costly: String) throws {
        let fine = try finding(name, machine([path: good]))
        #expect(fine.status == .ok && fine.why.isEmpty, "\(fine)")
        let warned = try finding(name, machine([path: costly]))
        #expect(warned.status == .warn, "\(warned)")
        #expect(!warned.why.isEmpty && !warned.mend.isEmpty)
    }

    @Test func missingFilesAreNoFailure() {
        let bare = Machine(
            text: { _ in nil }, onlineCores: 1, lockedMemoryLimit: 0, openFileLimit: 4096, sharedMemoryFree: 1 << 30,
            counterIsInvariant: false, stampsSockets: false, tlsAllocates: false, libraries: [])
        let findings = Doctor(bare, mappedBytes: 1 << 20).examine()
        #expect(!findings.contains { $0.status == .bad })
        #expect(findings.allSatisfy { $0.status == .ok || !$0.why.isEmpty })
    }

    @Test func limitsAreHeldAgainstWhatIsWanted() throws {
        var small = machine()
        small.lockedMemoryLimit = 64 << 10
        #expect(try finding("locked memory limit", small).status == .warn)
        #expect(try finding("locked memory limit", small, wanted: 1024).status == .ok)
        small.openFileLimit = 40
        #expect(try finding("open files limit", small).status == .bad)
        small.openFileLimit = 256
        #expect(try finding("open files limit", small).status == .warn)
    }

    @Test func whatMakesRunningImpossibleIsBad() throws {
        var broken = machine()
        broken.sharedMemoryFree = 1 << 20
        #expect(try finding("/dev/shm", broken).status == .bad)
        broken.sharedMemoryFree = nil
        #expect(try finding("/dev/shm", broken).status == .bad)
        broken.libraries = [.init(name: "libuv", version: nil), .init(name: "jemalloc", version: nil)]
        #expect(try finding("libuv", broken).status == .bad)
        #expect(try finding("jemalloc", broken).status == .warn)
        broken.tlsAllocates = true
        #expect(try finding("TLS records", broken).status == .warn)
    }

    @Test func aProcessorThatIsNotThereIsAnErrorOfTheConfiguration() {
        let wrong = ["doctor", "--quick", "--set", "engine.hot_cpu=1023"]
        #expect(ApusProgram.run(wrong, strategies: []) == ExitStatus.usage)
    }

    @Test func looksAtThisMachine() throws {
        let findings = Doctor(.this(), mappedBytes: 1 << 20).examine()
        #expect(findings.count >= 18)
        #expect(Set(findings.map(\.name)).count == findings.count)
    }

    @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (8 << 20, "8 MiB"), (1_610_612_736, "1.5 GiB")])
    func writesBytes(_ count: UInt64, _ text: String) {
        #expect(bytes(count) == text)
    }
}
