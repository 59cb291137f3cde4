/// One thing about the machine that matters for latency, or for running at all.
package struct Finding: Equatable, Sendable {
    package enum Status: String, Sendable {
        /// As it should be.
        case ok
        /// It runs, but it costs latency.
        case warn
        /// It cannot run like this.
        case bad
    }

    package let name: String
    package let value: String
    package let status: Status
    /// Why it costs latency or makes running impossible; empty when all is well.
    package let why: String
    /// How to mend it; empty when all is well or nothing can be done here.
    package let mend: String

    package init(_ name: String, _ value: String, _ status: Status = .ok, why: String = "", mend: String = "") {
        self.name = name
        self.value = value
        self.status = status
        self.why = why
        self.mend = mend
    }

    package var json: JSONText {
        .object([
            ("name", .string(name)), ("value", .string(value)), ("status", .string(status.rawValue)),
            ("why", .string(why)), ("mend", .string(mend)),
        ])
    }
}
