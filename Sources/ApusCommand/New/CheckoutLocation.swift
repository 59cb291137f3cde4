/// Where the sources of Apus lie, so that a new package can depend on them by path.
package enum CheckoutLocation {
    /// The folder from which this program was built, as the compiler saw it.
    package static func built(from file: String = #filePath) -> String {
        file.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    }

    /// The checkout to depend on: the one that was named, else the one this program was built from.
    package static func find(named: String?) throws(CommandFailure) -> String {
        let candidate = named ?? built()
        guard let path = Files.resolved(candidate), isCheckout(path) else {
            let reason =
                named == nil
                ? "the sources this program was built from are not at \(candidate) any more"
                : "\(candidate) is not a checkout of apus"
            throw CommandFailure(ExitStatus.unavailable, "\(reason); name the checkout with --apus PATH")
        }
        return path
    }

    private static func isCheckout(_ path: String) -> Bool {
        guard let manifest = try? Files.text(path + "/Package.swift") else { return false }
        return manifest.contains("name: \"apus\"") && Files.exists(path + "/Sources/ApusCommand")
    }
}
