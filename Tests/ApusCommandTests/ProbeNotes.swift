import Foundation

/// A static probe as the notes of an ELF file tell it.
struct ProbeNote: Equatable {
    var provider: String
    var name: String
    /// What each argument is and where it lies, such as `8@%rax`.
    var arguments: [String]
    /// The instruction at its place.
    var instruction: [UInt8]

    /// The bytes of each argument.
    var sizes: [Int] { arguments.compactMap { Int($0.prefix { $0 != "@" }) } }
}

/// Reads the section `.note.stapsdt` of a 64-bit ELF file.
struct ProbeNotes {
    private struct Section {
        var name: Int
        var address: UInt64
        var offset: Int
        var size: Int
    }

    private let bytes: Data
    private let sections: [Section]
    private let names: Int

    init(_ path: String) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        func number(_ at: Int, _ size: Int) -> UInt64 { Self.number(bytes, at, size) }
        let table = Int(number(0x28, 8))
        let entry = Int(number(0x3A, 2))
        let sections = (0..<Int(number(0x3C, 2))).map { index in
            let at = table + index * entry
            return Section(
                name: Int(number(at, 4)), address: number(at + 0x10, 8), offset: Int(number(at + 0x18, 8)),
                size: Int(number(at + 0x20, 8)))
        }
        self.bytes = bytes
        self.sections = sections
        names = sections[Int(number(0x3E, 2))].offset
    }

    private static func number(_ bytes: Data, _ at: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * $1) }
    }

    private func text(_ at: Int) -> String {
        String(decoding: bytes[at...].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Every note of a probe.
    func probes() -> [ProbeNote] {
        guard let section = sections.first(where: { text(names + $0.name) == ".note.stapsdt" }) else { return [] }
        var found: [ProbeNote] = []
        var at = section.offset
        while at + 12 <= section.offset + section.size {
            let nameSize = Int(Self.number(bytes, at, 4))
            let size = Int(Self.number(bytes, at + 4, 4))
            let description = at + 12 + (nameSize + 3) & ~3
            found.append(probe(description))
            at = description + (size + 3) & ~3
        }
        return found
    }

    // Three addresses (place, base, semaphore) and three texts.
    private func probe(_ at: Int) -> ProbeNote {
        let provider = text(at + 24)
        let name = text(at + 25 + provider.utf8.count)
        let arguments = text(at + 26 + provider.utf8.count + name.utf8.count)
        return ProbeNote(
            provider: provider, name: name, arguments: arguments.split(separator: " ").map(String.init),
            instruction: instruction(Self.number(bytes, at, 8)))
    }

    private func instruction(_ address: UInt64) -> [UInt8] {
        let home = sections.first { $0.address != 0 && $0.address <= address && address < $0.address + UInt64($0.size) }
        guard let home else { return [] }
        let at = home.offset + Int(address - home.address)
        return Array(bytes[at..<at + 4])
    }
}
