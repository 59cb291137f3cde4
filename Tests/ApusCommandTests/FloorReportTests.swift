import Foundation
import Testing

@testable import ApusCommand

private func machine(_ files: [String: String] = [:]) -> Machine {
    Machine(
        text: { files[$0] }, onlineCores: 2, lockedMemoryLimit: .max, openFileLimit: 4096, sharedMemoryFree: 1 << 30,
        counterIsInvariant: true, stampsSockets: true, tlsAllocates: false, libraries: [])
}

private let pauses = Floor.Pauses(
    watched: 400_000_000, p50: 20, p999: 21, longest: [45_200, 9000, 1500],
    above1us: .init(count: 3, lost: 55_700), above10us: .init(count: 1, lost: 45_200),
    above100us: .init(count: 0, lost: 0))

private let made = Floor(
    cpus: FloorCPUs(first: 1, second: 0), seconds: 2.04, clocks: .success(.init(gettime: 23.31, now: 9.49)),
    pingPong: .success(.init(min: 43.9, p25: 44, median: 44.1, p75: 46.52, max: 207.3, windows: 6000)),
    loopback: .success(.init(count: 30_000, p50: 4000, p99: 6200, p999: 9000, max: 31_000)),
    wake: .success(.init(count: 800, p50: 22_000, p99: 31_000, p999: 40_000, max: 45_000)), memory: .success(112.25),
    watched: [.init(cpu: 1, pauses: .success(pauses)), .init(cpu: 0, pauses: .success(pauses))])

private func reach(_ floor: Floor, cores: Int = 2, _ files: [String: String] = [:]) -> Reach {
    Reach(floor, allowedCores: cores, machine: machine(files))
}

private func report(_ floor: Floor) -> FloorReport { FloorReport(floor, reach(floor)) }

@Suite struct ReachTests {
    private func estimate(_ name: String, _ floor: Floor) -> Reach.Estimate? {
        reach(floor).estimates.first { $0.name.hasPrefix(name) }
    }

    @Test func figuresAreScaledByTheBenchmarksRatios() throws {
        let handOff = try #require(estimate("ring hand-off", made))
        #expect(handOff.low == 44.1 * Reach.Ratio.handOff.lowerBound)
        #expect(handOff.high == 44.1 * Reach.Ratio.handOff.upperBound)
        let book = try #require(estimate("wire to book", made))
        #expect(book.low == 4000 && book.high == 5000)
        let park = try #require(estimate("idle park adds", made))
        #expect(park.low == 22_000 && park.high == 31_000)
        let pause = try #require(estimate("worst pause", made))
        #expect(pause.low == 45_200 && pause.high == 45_200)
    }

    @Test func nearAndFarPlacementsAreToldApart() {
        #expect(reach(made).estimates.filter { $0.name.hasPrefix("ring hand-off") }.count == 1)
        var flipping = made
        flipping.pingPong = .success(.init(min: 43, p25: 44, median: 60, p75: 205, max: 400, windows: 6000))
        let rows = reach(flipping).estimates.filter { $0.name.hasPrefix("ring hand-off") }
        #expect(
            rows.map(\.name) == ["ring hand-off, one-way p50, cores near", "ring hand-off, one-way p50, cores far"])
        #expect(rows[0].high < rows[1].low)
    }

    @Test func whatWasNotMeasuredPromisesNothing() {
        var bare = made
        bare.pingPong = .failure(.init("none"))
        bare.loopback = .failure(.init("none"))
        bare.wake = .failure(.init("none"))
        bare.watched = [.init(cpu: 0, pauses: .failure(.init("none")))]
        #expect(reach(bare).estimates.isEmpty)
        #expect(!reach(bare).advice.reasons.isEmpty)
    }

    @Test(
        arguments: [
            (1, nil, "shared", "park"), (2, nil, "shared", "spin"), (3, nil, "shared", "spin"),
            (4, nil, "dedicated", "spin"),
            (64, "max 100000\n", "dedicated", "spin"), (64, "150000 100000\n", "shared", "park"),
            (64, "250000 100000\n", "shared", "spin"),
        ] as [(Int, String?, String, String)])
    func theAdviceFollowsTheCores(_ cores: Int, _ quota: String?, _ placement: String, _ idle: String) {
        let advice = reach(made, cores: cores, quota.map { ["/sys/fs/cgroup/cpu.max": $0] } ?? [:]).advice
        #expect(advice.placement == placement && advice.idle == idle)
    }

    @Test func otherWorkIsToldFromPausesOfAQuietMachine() {
        #expect(reach(made).advice.reasons.allSatisfy { !$0.contains("other work") && !$0.contains("a pause of") })
        var paused = made, busy = made
        var found = pauses
        found.longest = [2_000_000]
        found.above10us = .init(count: 1, lost: 2_000_000)
        paused.watched = [.init(cpu: 1, pauses: .success(found))]
        #expect(reach(paused).advice.reasons.contains { $0.hasPrefix("a pause of 2.0 ms") })
        found.above10us.lost = 40_000_000
        busy.watched = [.init(cpu: 1, pauses: .success(found)), .init(cpu: 0, pauses: .success(pauses))]
        #expect(reach(busy).advice.reasons.contains { $0.hasPrefix("other work ran on cpu 1 meanwhile") })
    }
}

@Suite struct FloorReportTests {
    @Test func peopleReadAllOfIt() {
        let text = report(made).text
        for part in [
            "MEASURED ON CPU 1 AND CPU 0 IN 2.0 S",
            "median 44.1 ns; min 43.9 ns, p25 44.0 ns, p75 46.5 ns, max 207.3 ns of 6000 windows",
            "clock_gettime 23.3 ns, the engine's own 9.5 ns", "p50 4.0 µs, p99 6.2 µs, p99.9 9.0 µs, max 31.0 µs",
            "p50 22.0 µs, p99 31.0 µs", "112.3 ns a read",
            "p99.9 21 ns, max 45.2 µs; lost 0.014 % above 1 µs, 0.011 % above 10 µs, 0.000 % above 100 µs",
            "59.5 ns to 66.2 ns", "4.0 µs to 5.0 µs", "engine.placement: shared, engine.idle: spin",
        ] { #expect(text.contains(part), "\(part) is not in\n\(text)") }
        #expect(!text.contains("not measured"))
    }

    @Test func whatCouldNotBeMeasuredSaysWhy() throws {
        var broken = made
        broken.pingPong = .failure(.init("it takes two processors"))
        broken.watched[1].pauses = .failure(.init("cpu 0 does not exist, or this process may not use it"))
        let text = report(broken).text
        #expect(text.contains("not measured: it takes two processors"))
        #expect(text.contains("not measured: cpu 0 does not exist"))
        #expect(!text.contains("ring hand-off"))
        let json = try parsed(report(broken).floorJSON)
        #expect((json["ping_pong"] as? [String: Any])?["not_measured"] as? String == "it takes two processors")
    }

    private func parsed(_ json: JSONText) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(json.description.utf8)) as? [String: Any])
    }

    @Test func programsReadTheSame() throws {
        let floor = try parsed(report(made).floorJSON)
        let pingPong = try #require(floor["ping_pong"] as? [String: Double])
        #expect(pingPong["min_ns"] == 43.9 && pingPong["median_ns"] == 44.1 && pingPong["max_ns"] == 207.3)
        #expect((floor["clocks"] as? [String: Double])?["engine_ns"] == 9.49)
        #expect((floor["loopback"] as? [String: Int])?["p999_ns"] == 9000)
        #expect((floor["wake_up"] as? [String: Int])?["p50_ns"] == 22_000)
        #expect((floor["memory"] as? [String: Double])?["read_ns"] == 112.25)
        let watched = try #require(floor["pauses"] as? [[String: Any]])
        #expect(watched.map { $0["cpu"] as? Int } == [1, 0])
        #expect(watched[0]["max_ns"] as? Int == 45_200 && watched[0]["longest_ns"] as? [Int] == [45_200, 9000, 1500])
        #expect((watched[0]["above_1us"] as? [String: Double])?["share"] == 0.0001393)
        let reach = try parsed(report(made).reachJSON)
        #expect(reach["placement"] as? String == "shared" && reach["idle"] as? String == "spin")
        let first = try #require((reach["estimates"] as? [[String: Any]])?.first)
        #expect(first["low_ns"] as? Double == 59.54 && first["high_ns"] as? Double == 66.15)
    }

    @Test(arguments: [(0.04, "0.0 ns"), (9.49, "9.5 ns"), (999.4, "999.4 ns"), (1000, "1.0 µs"), (22_149.6, "22.1 µs")])
    func writesTimes(_ nanoseconds: Double, _ text: String) {
        #expect(timeText(nanoseconds) == text)
    }
}

@Suite struct FloorCPUTests {
    private func pair(_ allowed: [Int32], hot: Int32 = -1, decide: Int32 = -1, _ files: [String: String] = [:])
        -> [Int32]
    {
        FloorCPUs(allowed: allowed, hot: hot, decide: decide, machine: machine(files)).all
    }

    private func siblings(_ lists: [Int: String]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: lists.map {
                ("/sys/devices/system/cpu/cpu\($0)/topology/thread_siblings_list", $1 + "\n")
            })
    }

    @Test func theConfiguredOnesComeFirst() {
        #expect(pair([0, 1, 2, 3], hot: 2, decide: 1) == [2, 1])
        #expect(pair([0, 1, 2, 3], hot: 3) == [3, 2])
        #expect(pair([0, 1, 2, 3], decide: 3) == [2, 3])
        #expect(pair([0, 1, 2, 3], hot: 3, decide: 3) == [3, 2])
        #expect(pair([0, 1], hot: 9) == [9, 1])
    }

    @Test func elseTheHighestOfTwoCores() {
        #expect(pair([0, 1, 2, 3]) == [3, 2])
        #expect(pair([0, 1, 2, 3], siblings([3: "2-3"])) == [3, 1])
        #expect(pair([0, 1, 2, 3], siblings([3: "1,3"])) == [3, 2])
        #expect(pair([0, 1], siblings([1: "0-1"])) == [1, 0])
    }

    @Test func oneIsNoPair() {
        #expect(pair([5]) == [5])
        #expect(pair([5], hot: 5) == [5])
        #expect(pair([5], decide: 5) == [5])
    }
}

@Suite(.serialized) struct FloorMeasurementTests {
    @Test func measuresThisMachine() {
        let allowed = FloorMeasurement.allowed(.this())
        let cpus = FloorCPUs(allowed: allowed, hot: -1, decide: -1, machine: .this())
        var steps: [String] = []
        let floor = FloorMeasurement(cpus, seconds: 0.2) { steps.append($0) }.run()
        #expect(floor.watched.map(\.cpu) == cpus.all)
        // A machine that does other work may leave too little for one of these, and must then say so.
        for failure in [reason(floor.clocks), reason(floor.memory)] { #expect(failure == nil) }
        for failure in [reason(floor.pingPong), reason(floor.loopback), reason(floor.wake)].compactMap({ $0 }) {
            #expect(failure.hasPrefix(cpus.second == nil ? "it takes two processors" : "other work left too little"))
        }
        if case .success(let spread) = floor.pingPong {
            #expect(spread.min > 0 && spread.min <= spread.p25 && spread.p25 <= spread.median)
            #expect(spread.median <= spread.p75 && spread.p75 <= spread.max && spread.windows > 0)
        }
        #expect(steps.first == "clocks" && steps.count == (cpus.second == nil ? 3 : 7))
    }

    private func reason<Value>(_ figure: Floor.Figure<Value>) -> String? {
        guard case .failure(let failure) = figure else { return nil }
        return failure.why
    }

    @Test func aMissingProcessorIsNamed() {
        let floor = FloorMeasurement(FloorCPUs(first: 1023, second: nil), seconds: 0.1) { _ in }.run()
        #expect(floor.clocks == .failure(.init("cpu 1023 does not exist, or this process may not use it")))
        #expect(floor.pingPong == .failure(.init("it takes two processors")))
        #expect(reason(floor.watched[0].pauses)?.hasPrefix("cpu 1023") == true)
        let text = FloorReport(floor, Reach(floor, allowedCores: 1, machine: .this())).text
        #expect(text.contains("not measured: cpu 1023 does not exist"))
    }
}

@Suite struct DoctorCommandTests {
    @Test func readsItsOptions() throws {
        #expect(try DoctorCommand.parse([]).quick == false)
        #expect(try DoctorCommand.parse([]).seconds == 2)
        for flag in ["--quick", "--no-measure"] { #expect(try DoctorCommand.parse([flag]).quick) }
        #expect(try DoctorCommand.parse(["--seconds", "30"]).seconds == 30)
        for seconds in ["0", "-1", "4000", "nan"] {
            #expect(throws: (any Error).self) { try DoctorCommand.parse(["--seconds=\(seconds)"]) }
        }
    }
}
