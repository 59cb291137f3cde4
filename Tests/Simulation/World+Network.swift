import ApusVenue
import CApusProtocol

extension World {
    // MARK: Connections

    func open(_ index: Int) {
        let channel = engine.channels[index]
        apus_channel_opening(channel)
        let latency = network.between(character.latency.lowerBound, character.latency.upperBound)
        let pipe = Pipe(channel: index, generation: channel.pointee.generation, latency: latency)
        pipes[index] = pipe
        let isBad = faultsOn && (now < refusesUntil || (character.faultPause > 0 && network.once(in: 12)))
        if isBad && network.once(in: 3) { return }  // nobody answers
        events.add(.connected(pipe, isBad ? 111 : 0), at: now + 2 * latency)
    }

    /// The engine's end of a channel's connection is closed.
    func leave(_ index: Int) {
        guard let pipe = pipes[index] else { return }
        pipes[index] = nil
        pipe.isLeft = true
        events.add(.leftSeen(pipe), at: max(pipe.lastUp, now + pipe.latency))
    }

    /// Carries out what is due. Returns whether the engine's machine has news.
    func handle(_ event: NetworkEvent) -> Bool {
        switch event {
        case .connected(let pipe, let error): return connected(pipe, error)
        case .toVenue(let pipe, let bytes):
            if pipe.isDead { return false }
            pipe.inFlight -= bytes.count
            arrive(pipe, bytes)
            return !pipe.isLeft
        case .toEngine(let pipe, let bytes):
            if pipe.isDead || pipe.isLeft { return false }
            pipe.inbox.append(contentsOf: bytes)
            return true
        case .leftSeen(let pipe):
            guard !pipe.isDead, !pipe.isEnded, let id = pipe.venue else { return false }
            pipe.isEnded = true
            venue.disconnect(id, now: wall)
            afterVenue()
            return false
        case .endSeen(let pipe, let reason):
            if pipe.isLeft { return false }
            pipe.endSeen = true
            pipe.endReason = reason
            return true
        case .fault:
            strike()
            planFault()
            return true
        }
    }

    private func connected(_ pipe: Pipe, _ error: Int32) -> Bool {
        let channel = engine.channels[pipe.channel]
        guard !pipe.isLeft, channel.pointee.generation == pipe.generation else { return false }
        if error != 0 {
            pipes[pipe.channel] = nil
            apus_channel_closed(channel, UInt8(APUS_CLOSED_CONNECT), error)
            return true
        }
        counts.connections += 1
        let id = venue.connect(now: wall)
        pipe.venue = id
        pipesByVenue[id.value] = pipe
        afterVenue()
        apus_channel_opened(channel, now)
        return true
    }

    // MARK: Bytes

    func sendUp(_ pipe: Pipe, _ bytes: [UInt8]) {
        pipe.inFlight += bytes.count
        counts.bytes += bytes.count
        for piece in cut(bytes) {
            pipe.lastUp = max(pipe.lastUp, now + delay(pipe))
            events.add(.toVenue(pipe, piece), at: pipe.lastUp)
        }
    }

    private func sendDown(_ pipe: Pipe, _ bytes: [UInt8]) {
        counts.bytes += bytes.count
        if pipe.isLeft || pipe.isDead { return }
        for piece in cut(bytes) {
            pipe.lastDown = max(pipe.lastDown, now + delay(pipe))
            events.add(.toEngine(pipe, piece), at: pipe.lastDown)
        }
    }

    private func delay(_ pipe: Pipe) -> UInt64 {
        var delay = pipe.latency + network.below(pipe.latency / 2 + 1)
        if faultsOn && network.once(in: character.stallOnce) { delay += network.between(200 * millisecond, 3 * second) }
        return delay
    }

    /// Usually whole; else in up to four pieces, at any byte.
    private func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        guard bytes.count > 1, network.once(in: character.cutOnce) else { return [bytes] }
        var pieces: [[UInt8]] = []
        var start = 0
        for _ in 0..<network.below(4) where bytes.count - start > 1 {
            let end = start + 1 + network.below(bytes.count - start - 1)
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        pieces.append(Array(bytes[start...]))
        return pieces
    }

    private func arrive(_ pipe: Pipe, _ bytes: [UInt8]) {
        guard !pipe.isEnded, let id = pipe.venue else { return }
        if pipe.isVenuePaused {
            pipe.waiting.append(bytes)
            return
        }
        venue.receive(id, bytes, now: wall)
        afterVenue()
    }

    /// Carries out what the venue wants.
    func afterVenue() {
        noteVenue()
        for output in venue.takeOutputs() {
            guard let pipe = pipesByVenue[output.connection.value] else {
                takeStray(output)
                continue
            }
            switch output.action {
            case .bytes(let bytes): if let kept = pass(bytes) { sendDown(pipe, kept) }
            case .close: end(pipe, UInt8(APUS_CLOSED_PEER))
            case .abort: end(pipe, UInt8(APUS_CLOSED_IO))
            case .pauseReading: pipe.isVenuePaused = true
            case .resumeReading: resume(pipe)
            }
        }
    }

    private func end(_ pipe: Pipe, _ reason: UInt8) {
        pipe.isEnded = true
        if let id = pipe.venue { pipesByVenue[id.value] = nil }
        if !pipe.isDead { events.add(.endSeen(pipe, reason), at: max(pipe.lastDown, now + pipe.latency)) }
    }

    private func resume(_ pipe: Pipe) {
        pipe.isVenuePaused = false
        for bytes in pipe.waiting {
            pipe.lastUp = max(pipe.lastUp, now)
            pipe.inFlight += bytes.count
            events.add(.toVenue(pipe, bytes), at: pipe.lastUp)
        }
        pipe.waiting = []
    }

    // MARK: Faults

    func planFault() {
        guard faultsOn, character.faultPause > 0 else { return }
        events.add(.fault, at: now + network.between(character.faultPause / 5, character.faultPause * 9 / 5))
    }

    private func strike() {
        guard faultsOn else { return }
        counts.networkFaults += 1
        let open = pipes.compactMap { $0 }.filter { $0.venue != nil }
        let pipe = open.isEmpty ? nil : open[network.below(open.count)]
        switch network.below(10) {
        case 0: if let pipe { reset(pipe, losesFlight: true) }
        case 1: if let pipe { reset(pipe, losesFlight: false) }
        case 2: pipe?.isDead = true
        case 3, 4: if let pipe { stall(pipe) }
        case 5: enginePausedUntil = now + network.between(50 * millisecond, 1500 * millisecond)
        case 6: agentPausedUntil = now + network.between(50 * millisecond, 2 * second)
        case 8: disk.fullUntil = now + network.between(500 * millisecond, 4 * second)
        case 7:
            refusesUntil = now + network.between(500 * millisecond, 3 * second)
            for pipe in open { reset(pipe, losesFlight: network.once(in: 2)) }
        default: strikeVenue()
        }
    }

    /// Cuts a connection; what is on its way arrives or does not.
    private func reset(_ pipe: Pipe, losesFlight: Bool) {
        events.add(.endSeen(pipe, UInt8(APUS_CLOSED_IO)), at: max(losesFlight ? 0 : pipe.lastDown, now + pipe.latency))
        if !losesFlight {
            events.add(.leftSeen(pipe), at: max(pipe.lastUp, now + pipe.latency))
            return
        }
        pipe.isDead = true
        guard !pipe.isEnded, let id = pipe.venue else { return }
        pipe.isEnded = true
        pipesByVenue[id.value] = nil
        venue.disconnect(id, now: wall)
        afterVenue()
    }

    /// Nothing passes for a while in one direction; an order may arrive long after it was given up.
    private func stall(_ pipe: Pipe) {
        let until = now + network.between(500 * millisecond, 7 * second)
        if network.once(in: 2) {
            pipe.lastUp = max(pipe.lastUp, until)
        } else {
            pipe.lastDown = max(pipe.lastDown, until)
        }
    }
}
