import CApusRing

/// Looks for what costs latency on a machine, and for what makes running impossible.
package struct Doctor: Sendable {
    private let machine: Machine
    /// Bytes that an engine maps and wants to lock.
    private let mappedBytes: UInt64

    package init(_ machine: Machine, mappedBytes: UInt64) {
        self.machine = machine
        self.mappedBytes = mappedBytes
    }

    /// All findings, in the order in which a person would go through them.
    package func examine() -> [Finding] {
        [
            cores(), quota(), isolation(), tickless(), siblings(), hypervisor(), governor(), clockSource(), counter(),
            hugePages(), swap(), lockedMemory(), openFiles(), sharedMemory(), stamps(), busyPoll(), tlsMemory(),
        ] + machine.libraries.map(library)
    }

    // MARK: Processor

    private func cores() -> Finding {
        if machine.onlineCores < 2 {
            return Finding(
                "cores", "\(machine.onlineCores)", .warn,
                why: "engine, venue and everything else take turns on one core",
                mend: "use a machine with two cores or more; placement shared with idle yield or park works best here")
        }
        let advice = machine.onlineCores < 4 ? "placement shared fits" : "placement dedicated fits"
        return Finding("cores", "\(machine.onlineCores) online: \(advice)")
    }

    private func quota() -> Finding {
        guard let line = machine.line("/sys/fs/cgroup/cpu.max"), !line.hasPrefix("max") else {
            return Finding("cpu quota", "none")
        }
        return Finding(
            "cpu quota", line, .warn, why: "when the quota is used up the kernel stops every thread for milliseconds",
            mend: "remove the container's CPU limit (cpu.max) and give it whole cores by cpuset instead")
    }

    private func isolation() -> Finding {
        let isolated = machine.line("/sys/devices/system/cpu/isolated") ?? ""
        if !isolated.isEmpty { return Finding("isolated cores", isolated) }
        return Finding(
            "isolated cores", "none", .warn, why: "other tasks are scheduled onto the hot thread's core",
            mend: "boot with isolcpus=N for the cores of engine.hot_cpu and engine.decide_cpu")
    }

    private func tickless() -> Finding {
        let cores = machine.line("/sys/devices/system/cpu/nohz_full") ?? ""
        if !cores.isEmpty && cores != "(null)" { return Finding("tickless cores", cores) }
        return Finding(
            "tickless cores", "none", .warn, why: "the timer tick interrupts the hot thread 100 to 1000 times a second",
            mend: "boot with nohz_full=N rcu_nocbs=N for the same cores")
    }

    private func siblings() -> Finding {
        guard machine.line("/sys/devices/system/cpu/smt/active") == "1" else { return Finding("SMT siblings", "none") }
        let pair = machine.line("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list") ?? "unknown"
        return Finding(
            "SMT siblings", "active (cpu0 shares with \(pair))", .warn,
            why: "two threads of one core share its caches and units, and slow each other down",
            mend: "leave the sibling of each pinned core idle, or boot with nosmt")
    }

    private func hypervisor() -> Finding {
        guard processorFlags().contains("hypervisor") else { return Finding("hypervisor", "none") }
        let product = machine.line("/sys/class/dmi/id/product_name") ?? machine.line("/sys/hypervisor/type")
        return Finding(
            "hypervisor", product.map { "yes (\($0))" } ?? "yes", .warn,
            why: "the host may take the core away, and interrupts and halts cost several times as much",
            mend: "use bare metal where microseconds count; spinning avoids the cost of halting")
    }

    private func processorFlags() -> Set<Substring> {
        let lines = (machine.text("/proc/cpuinfo") ?? "").split(separator: "\n")
        guard let flags = lines.first(where: { $0.hasPrefix("flags") || $0.hasPrefix("Features") }) else { return [] }
        return Set(flags.split(separator: " "))
    }

    private func governor() -> Finding {
        guard let governor = machine.line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") else {
            return Finding("cpu governor", "not under this system's control")
        }
        if governor == "performance" { return Finding("cpu governor", governor) }
        return Finding(
            "cpu governor", governor, .warn, why: "a core that has slowed down takes up to milliseconds to speed up",
            mend: "cpupower frequency-set -g performance")
    }

    // MARK: Time

    private func clockSource() -> Finding {
        let source = machine.line("/sys/devices/system/clocksource/clocksource0/current_clocksource") ?? "unknown"
        if ["tsc", "arch_sys_counter", "kvm-clock"].contains(source) { return Finding("clock source", source) }
        return Finding(
            "clock source", source, .warn, why: "reading the time becomes a system call or a slow device access",
            mend: "boot with clocksource=tsc tsc=reliable if the processor's counter is invariant")
    }

    private func counter() -> Finding {
        if machine.counterIsInvariant { return Finding("time-stamp counter", "invariant") }
        return Finding(
            "time-stamp counter", "not invariant", .warn,
            why: "stamps are taken with clock_gettime, which costs about 20 to 50 ns each",
            mend: "use a processor (or a hypervisor setting) with an invariant TSC")
    }

    // MARK: Memory

    private func hugePages() -> Finding {
        let line = machine.line("/sys/kernel/mm/transparent_hugepage/enabled") ?? "not supported"
        guard line.contains("[always]") else { return Finding("transparent huge pages", chosen(line)) }
        return Finding(
            "transparent huge pages", "always", .warn,
            why: "the kernel stops threads to collect and compact pages in the background",
            mend: "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
    }

    private func chosen(_ line: String) -> String {
        guard let open = line.firstIndex(of: "["), let close = line.firstIndex(of: "]") else { return line }
        return String(line[line.index(after: open)..<close])
    }

    private func swap() -> Finding {
        let lines = (machine.text("/proc/swaps") ?? "").split(separator: "\n").dropFirst()
        if lines.isEmpty { return Finding("swap", "off") }
        return Finding(
            "swap", "\(lines.count) in use", .warn,
            why: "a page that was swapped out costs milliseconds when it is touched",
            mend: "swapoff -a, or raise the memlock limit so that the engine's pages are locked")
    }

    private func lockedMemory() -> Finding {
        let value = bytes(machine.lockedMemoryLimit) + ", wanted \(bytes(mappedBytes))"
        if machine.lockedMemoryLimit >= mappedBytes { return Finding("locked memory limit", value) }
        return Finding(
            "locked memory limit", value, .warn,
            why: "the shared pages cannot be locked, and may be moved or swapped out",
            mend: "ulimit -l unlimited, or LimitMEMLOCK=infinity in the service's unit")
    }

    private func openFiles() -> Finding {
        let limit = machine.openFileLimit
        let value = limit == .max ? "unlimited" : "\(limit)"
        if limit >= 1024 { return Finding("open files limit", value) }
        if limit < UInt64(APUS_CONNECTIONS_MAX) + 32 {
            return Finding(
                "open files limit", value, .bad, why: "the engine's connections do not fit", mend: "ulimit -n 4096")
        }
        return Finding(
            "open files limit", value, .warn, why: "many connections, recordings and logs together may reach it",
            mend: "ulimit -n 4096")
    }

    private func sharedMemory() -> Finding {
        guard let free = machine.sharedMemoryFree else {
            return Finding(
                "/dev/shm", "not mounted", .bad, why: "the engine publishes its books and counters there",
                mend: "mount -t tmpfs tmpfs /dev/shm")
        }
        let value = bytes(free) + " free, wanted \(bytes(mappedBytes))"
        if free >= mappedBytes { return Finding("/dev/shm", value) }
        return Finding(
            "/dev/shm", value, .bad, why: "the engine's public mapping does not fit",
            mend: "mount -o remount,size=256m /dev/shm (docker run --shm-size=256m), or smaller engine.feed_slots")
    }

    // MARK: Sockets and libraries

    private func stamps() -> Finding {
        if machine.stampsSockets { return Finding("kernel receive stamps", "available") }
        return Finding(
            "kernel receive stamps", "not available", .warn,
            why: "the time between the network card and the engine cannot be seen",
            mend: "use a kernel with SO_TIMESTAMPNS")
    }

    private func busyPoll() -> Finding {
        let value = machine.line("/proc/sys/net/core/busy_poll") ?? "not supported"
        if value != "0" { return Finding("busy polling", value) }
        return Finding(
            "busy polling", "off: with a real network card, sysctl net.core.busy_poll=50 saves its interrupt")
    }

    private func tlsMemory() -> Finding {
        if !machine.tlsAllocates { return Finding("TLS records", "in memory that is used again") }
        return Finding(
            "TLS records", "allocated one by one", .warn,
            why:
                "OpenSSL was in use before the engine could give it memory of its own, and asks the heap for each record",
            mend: "link CApusWire before whatever starts OpenSSL, or do without that library")
    }

    private func library(_ library: Machine.Library) -> Finding {
        if let version = library.version { return Finding(library.name, version) }
        if library.name == "jemalloc" {
            return Finding(
                library.name, "not linked", .warn,
                why: "the system's allocator takes longer, and longest when several threads use it",
                mend: "link the executable with jemalloc (apt install libjemalloc-dev), as apus itself is")
        }
        return Finding(
            library.name, "not found", .bad, why: "the engine cannot start without it", mend: "make deps")
    }
}

/// A count of bytes in the largest unit that leaves at least one.
package func bytes(_ count: UInt64) -> String {
    if count == .max { return "unlimited" }
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where count >> shift > 0 {
        let tenths = (count >> (shift - 4)) * 10 / 16
        return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
    }
    return "\(count) B"
}
