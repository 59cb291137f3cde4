/// Lets `burst` through at once and so many in the long run, in whole nanoseconds. It keeps one number, the time
/// at which the bucket would be full again (generic cell rate algorithm; ITU-T I.371).
struct TokenBucket {
    private var pause: UInt64
    private var tolerance: UInt64
    private var full: UInt64 = 0

    /// Zero of either lets nothing through.
    init(perSecond: Int, burst: Int) { self.init(count: perSecond, in: 1_000_000_000, burst: burst) }

    /// As many as a minute's at once. `share` of `whole` is this bucket's part.
    init(perMinute: Int, share: Int = 1, of whole: Int = 1) {
        let (time, overflow) = UInt64(60_000_000_000).multipliedReportingOverflow(by: UInt64(whole))
        self.init(
            count: perMinute * share, in: overflow ? .max : time,
            burst: perMinute == 0 ? 0 : max(perMinute * share / whole, 1))
    }

    private init(count: Int, in time: UInt64, burst: Int) {
        let isOpen = count > 0 && burst > 0
        pause = isOpen ? max(time / UInt64(count), 1) : 0
        tolerance = isOpen ? pause.multipliedReportingOverflow(by: UInt64(burst - 1)).partialValue : 0
        if !isOpen { full = .max }
    }

    /// Whether a token is there.
    @inline(__always)
    func allows(_ now: UInt64) -> Bool { full <= now || full - now <= tolerance && full != .max }

    /// Takes the token that is there.
    @inline(__always)
    mutating func take(_ now: UInt64) { full = max(full, now) + pause }

    /// When the next token will be there; `.max`: never.
    func next(_ now: UInt64) -> UInt64 { allows(now) ? now : (full == .max ? .max : full - tolerance) }

    /// Tokens that are there.
    func available(_ now: UInt64) -> UInt64 {
        guard allows(now), pause > 0 else { return 0 }
        return (tolerance - (full > now ? full - now : 0)) / pause + 1
    }

    /// The same use, by tighter rules.
    mutating func tighten(to new: TokenBucket) {
        (pause, tolerance) = (new.pause, new.tolerance)
        full = max(full, new.full)
    }
}
