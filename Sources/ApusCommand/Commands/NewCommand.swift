import ArgumentParser

struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Make a package of one strategy that builds against this one.")

    @Argument(help: "A name such as MeanReversion: letters and digits, a letter first.")
    var name: String

    func run() throws {}
}
