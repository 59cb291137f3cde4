/// An integer of `10^-decimals` units as a decimal text.
package func decimalText(_ units: Int64, decimals: Int) -> String {
    guard decimals > 0 else { return "\(units)" }
    let digits = "\(units.magnitude)"
    let whole = digits.dropLast(decimals)
    let fraction = digits.suffix(decimals)
    let zeros = String(repeating: "0", count: decimals - fraction.count)
    return (units < 0 ? "-" : "") + (whole.isEmpty ? "0" : whole) + "." + zeros + fraction
}

/// Nanoseconds in the unit that a person reads at a glance: `850 ns`, `12.4 µs`, `3.1 ms`, `2.0 s`.
package func durationText(_ nanoseconds: UInt64) -> String {
    for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")] as [(UInt64, String)]
    where nanoseconds >= unit {
        let tenths = nanoseconds / (unit / 10)
        return tenths >= 1000 ? "\(tenths / 10) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
    }
    return "\(nanoseconds) ns"
}

/// A count with commas between its thousands.
package func countText(_ count: UInt64) -> String {
    let digits = Array("\(count)")
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}

/// Seconds as `hh:mm:ss`, with days before them when there are any.
package func clockText(seconds: UInt64) -> String {
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let days = seconds / 86_400
    let time = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    return days > 0 ? "\(days)d \(time)" : time
}
