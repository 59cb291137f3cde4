import Foundation
import Glibc

/// Another program, run on a processor of its own.
struct Program {
    let path: String
    init(_ path: String) { self.path = path }

    /// Runs it to its end and gives back what it printed on standard output.
    ///
    /// - Throws: `BenchmarkError` with its last words when it ends with another code than 0.
    func output(_ arguments: [String], cpu: Int32? = nil) throws -> String {
        let process = Process()
        let out = Pipe(), errors = Pipe()
        configure(process, arguments, cpu)
        process.standardOutput = out
        process.standardError = errors
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("\(path) ended with \(process.terminationStatus): \(words.suffix(300))")
        }
        return text
    }

    /// Starts it and leaves it running. Whoever starts it ends it.
    func start(_ arguments: [String], cpu: Int32? = nil, output: Pipe? = nil) throws -> Process {
        let process = Process()
        configure(process, arguments, cpu)
        if let output { process.standardOutput = output }
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func configure(_ process: Process, _ arguments: [String], _ cpu: Int32?) {
        if let cpu {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
            process.arguments = ["-c", "\(cpu)", path] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
        }
        process.standardInput = FileHandle.nullDevice
    }
}

/// The number behind `label` in a program's output: `med 6.31` gives 6.31 for "med". nil when it is not there.
func number(after label: String, in text: some StringProtocol) -> Double? {
    guard let place = text.range(of: label) else { return nil }
    let rest = text[place.upperBound...].drop { $0 == " " || $0 == ":" || $0 == "=" }
    return Double(rest.prefix { $0.isNumber || $0 == "." || $0 == "-" || $0 == "e" })
}
