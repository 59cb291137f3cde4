/// The forms of a new package's name: as folder and executable, as Swift type, and as the strategy's name.
package struct StrategyName: Equatable, Sendable {
    /// As the user wrote it: folder, package, executable.
    package let package: String
    /// `MeanReversion` for `mean-reversion`.
    package let type: String
    /// `mean-reversion` for `MeanReversion`.
    package let strategy: String

    /// Throws when the name cannot be all three.
    package init(_ text: String) throws(CommandFailure) {
        let words = Self.words(text)
        guard let first = text.unicodeScalars.first, isLetter(first), text.unicodeScalars.allSatisfy(isNamePart) else {
            throw CommandFailure(
                ExitStatus.usage, "\"\(text)\" cannot name a package: use letters, digits and hyphens, a letter first")
        }
        package = text
        type = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        strategy = words.map { $0.lowercased() }.joined(separator: "-")
        let taken = ["swift", "foundation", "testing", "strategy", "glibc"]
        if type.lowercased().hasPrefix("apus") || taken.contains(type.lowercased()) {
            throw CommandFailure(ExitStatus.usage, "\"\(text)\" is taken by a module; choose another name")
        }
    }

    // Cuts at hyphens and underscores, and before an upper-case letter that follows another kind.
    private static func words(_ text: String) -> [String] {
        var words = [""]
        var previous: Character?
        for character in text {
            if character == "-" || character == "_" {
                words.append("")
            } else {
                if character.isUppercase, let previous, !previous.isUppercase { words.append("") }
                words[words.count - 1].append(character)
            }
            previous = character
        }
        return words.filter { !$0.isEmpty }
    }
}

private func isLetter(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }

private func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
    isLetter(scalar) || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_"
}
