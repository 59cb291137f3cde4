import CCounts
import Glibc

// Exact numbers of operations, and what they cost in counts that do not depend on the machine's mood. .ci/counts runs this under
// callgrind and strace and holds the counts against Benchmarks/Counts/thresholds.json.
//
//   apus-counts instructions [NAME=ROUNDS...]   each operation in sections that callgrind collects; ROUNDS are spent with each
//                                               operation of NAME besides, to try its gate
//   apus-counts allocations MESSAGES [dearer]   allocations while so many messages are received and decided on; `dearer` makes one
//   apus-counts wire plain|tls spin|park FOLDER MESSAGES BURST [dearer]
//                                               takes a live stream, between two marks in its trace; `dearer` makes three system calls
//                                               for each message; FOLDER holds certificate.pem and key.pem for 127.0.0.1
let usage = """
    usage: apus-counts instructions [NAME=ROUNDS...]
           apus-counts allocations MESSAGES [dearer]
           apus-counts wire plain|tls spin|park FOLDER MESSAGES BURST [dearer]

    """

func fail(_ text: String, _ code: Int32 = 1) -> Never {
    say("apus-counts: \(text)\n")
    exit(code)
}

func say(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

func number(_ text: String) -> UInt64 {
    guard let value = UInt64(text), value > 0 else { fail("\"\(text)\" is not a number above 0", 64) }
    return value
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch (arguments.first, arguments.count) {
case ("instructions", _):
    try countInstructions(arguments.dropFirst())
case ("allocations", 2...3):
    try countAllocations(number(arguments[1]), isDearer: arguments.last == "dearer")
case ("wire", 6...7):
    try countSystemCalls(Array(arguments.dropFirst()))
default:
    say(usage)
    exit(64)
}
