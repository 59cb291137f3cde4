import Apus
import ApusEngine
import CApusWire
import Glibc

/// How the stop of an engine goes on: quoting ends, open orders are canceled, and asked for again while some are left.
private struct StopProgress {
    var deadline: UInt64
    var nextCancel: UInt64 = 0
}

extension LiveEngine {
    /// Placement `shared`: hot, decision and paper turns one after the other, until a stop.
    func runShared() {
        let wire = feed.wire
        let clock = apus_wire_clock(wire)!
        let allocated = apus_thread_allocated()
        var stopping: StopProgress?
        while true {
            var work = Int(apus_wire_turn(wire))
            let now = apus_clock_now(clock)
            work += agent.turn(now)
            if let paper { work += paper.turn(now) }
            mailbox.answer(agent)
            door.serve(agent)
            if isDone(&stopping, now) || apus_wire_stopped(wire) { break }
            if work == 0 {
                note(allocated)
                idleShared(now)
            }
        }
        _ = apus_wire_stop(wire, Self.closePatience)
        hasEnded.store(true, ordering: .releasing)
    }

    /// Placement `dedicated`: the decision thread. The hot thread is the shell's own.
    func runDecisions() {
        let wire = feed.wire
        var clock = apus_wire_clock(wire)!.pointee
        let allocated = apus_thread_allocated()
        var stopping: StopProgress?
        var idleTurns = 0
        while true {
            let now = apus_clock_now(&clock)
            var work = agent.turn(now)
            if let paper { work += paper.turn(now) }
            mailbox.answer(agent)
            door.serve(agent)
            if isDone(&stopping, now) || apus_wire_stopped(wire) { break }
            if work > 0 {
                idleTurns = 0
                apus_wire_wake(wire)
            } else {
                idleTurns += 1
                note(allocated)
                idleDecisions(idleTurns, &clock)
            }
        }
        hasEnded.store(true, ordering: .releasing)
    }

    /// Publishes how much this thread has allocated.
    @inline(__always)
    private func note(_ allocated: UnsafePointer<UInt64>?) {
        apus_decide_allocated(feed.view.pointee.counters, apus_allocated_mark(allocated))
    }

    private func isDone(_ stopping: inout StopProgress?, _ now: UInt64) -> Bool {
        guard stopRequested.load(ordering: .acquiring) else { return false }
        var progress = stopping ?? StopProgress(deadline: now &+ stopPatience.load(ordering: .relaxed))
        if stopping == nil { agent.stop(now) }
        if agent.context.openOrders.count > 0, now >= progress.nextCancel {
            agent.context.cancelAll()
            progress.nextCancel = now &+ 500_000_000
        }
        stopping = progress
        return agent.context.openOrders.count == 0 || now >= progress.deadline
    }

    private func idleShared(_ now: UInt64) {
        switch configuration.idle {
        case .spin: break
        case .yield: sched_yield()
        case .park:
            let due = min(agent.nextDue ?? .max, paper?.nextDue ?? .max)
            // A status question or a stop has no other way in than the end of the sleep.
            apus_wire_park(feed.wire, due > now ? min(due - now, 50_000_000) : 0)
        }
    }

    // The feed ring wakes nobody, since its writer must not care for its readers: a parked decision thread looks by itself, first
    // often and then ever less.
    private func idleDecisions(_ idleTurns: Int, _ clock: inout apus_clock) {
        switch configuration.idle {
        case .spin: break
        case .yield: sched_yield()
        case .park:
            if idleTurns < 100 {
                sched_yield()
            } else {
                var pause = timespec(tv_sec: 0, tv_nsec: min(1_000_000, 20_000 * (idleTurns - 99)))
                nanosleep(&pause, nil)
            }
        }
        // A clock that nobody steers drifts; the agent steers its own, and this one is a copy.
        if idleTurns & 0xFFFF == 0xFFFF { apus_clock_discipline(&clock) }
    }
}
