import ArgumentParser

struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a package of one strategy that builds against this one.",
        discussion: """
            The package holds a strategy in one file, a test, and an executable with the whole command line in it. It depends
            on the apus checkout by path. Nothing that is there is overwritten.
            """)

    @Argument(help: "A name such as MeanReversion or mean-reversion: folder, package and executable.")
    var name: String

    @Option(help: ArgumentHelp("The package's folder; default: NAME in the current one.", valueName: "folder"))
    var path: String?

    @Option(help: ArgumentHelp("The apus checkout; default: the one this program was built from.", valueName: "folder"))
    var apus: String?

    @Flag(help: "Print JSON: {path, strategy, files}.")
    var json = false

    func run() throws {
        let template = PackageTemplate(name: try StrategyName(name), apus: try CheckoutLocation.find(named: apus))
        let folder = path ?? name
        if Files.exists(folder) {
            throw CommandFailure(ExitStatus.usage, "\(folder) is there already; nothing was changed")
        }
        try write(template, to: folder)
        if json {
            let files = template.files.map { JSONText.string($0.path) }
            let place = Files.resolved(folder) ?? folder
            let object: [(String, JSONText)] = [
                ("path", .string(place)), ("strategy", .string(template.name.strategy)), ("files", .array(files)),
            ]
            Output.line(JSONText.object(object).description)
        } else {
            let listing = template.files.map { "  \(folder)/\($0.path)" }.joined(separator: "\n")
            Output.line("made\n\(listing)\nnext:\n  cd \(folder) && swift run \(name) run")
        }
    }

    private func write(_ template: PackageTemplate, to folder: String) throws {
        try Files.makeFolder(folder, mustBeNew: true)
        for file in template.files {
            var parent = folder
            for part in file.path.split(separator: "/").dropLast() {
                parent += "/\(part)"
                try Files.makeFolder(parent, mustBeNew: false)
            }
            try Files.create("\(folder)/\(file.path)", file.text)
        }
    }
}
