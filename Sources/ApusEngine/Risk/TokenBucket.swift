/// Lets `burst` through at once and `perSecond` in the long run, in whole nanoseconds. It keeps one number, the time
/// at which the bucket would be full again (generic cell rate algorithm; ITU-T I.371).
struct TokenBucket {
    private let pause: UInt64
    private let tolerance: UInt64
    private var full: UInt64 = 0

    /// Zero of either lets nothing through.
    init(perSecond: Int, burst: Int) {
        pause = perSecond > 0 ? max(1_000_000_000 / UInt64(perSecond), 1) : 0
        tolerance = burst > 0 ? pause * UInt64(burst - 1) : 0
        if perSecond <= 0 || burst <= 0 { full = .max }
    }

    /// Whether a token is there.
    func allows(_ now: UInt64) -> Bool { full <= now || full - now <= tolerance && full != .max }

    /// Takes the token that is there.
    mutating func take(_ now: UInt64) { full = max(full, now) + pause }
}
