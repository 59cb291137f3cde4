import ArgumentParser

/// The options that every command with a configuration has.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Configuration file, YAML or JSON.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Set one key, such as engine.idle=spin; may be repeated.", valueName: "key=value"))
    var assignments: [String] = []

    /// Reads and merges file, environment and command line.
    func load() throws -> ConfigurationStore {
        var file: (path: String, text: String)?
        if let config { file = (config, try Files.text(config)) }
        return try ConfigurationStore(file: file, environment: Environment.all(), assignments: assignments)
    }
}
