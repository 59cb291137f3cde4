// swift-tools-version: 6.1
// A package of its own, so that users of the library never build it. It compiles the engine's targets from this repository
// (CSources and Engine are links to their folders) with the settings of a release, and without what the measurements do not
// need: of ApusLive the part that asks a venue over async-http-client is left out.
import PackageDescription

let cSettings: [CSetting] = [.define("_GNU_SOURCE")]

let package = Package(
    name: "apus-benchmarks",
    dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
    targets: [
        // The engine.
        .target(name: "CApusRing", path: "CSources/CApusRing", cSettings: cSettings),
        .target(
            name: "CApusProtocol", dependencies: ["CApusRing"], path: "CSources/CApusProtocol",
            cSettings: cSettings, linkerSettings: [.linkedLibrary("crypto"), .linkedLibrary("secp256k1")]),
        .target(
            name: "CApusWire", dependencies: ["CApusProtocol", "CApusRing"], path: "CSources/CApusWire",
            cSettings: cSettings,
            linkerSettings: [.linkedLibrary("uv"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "CApusFloor", dependencies: ["CApusRing"], path: "CSources/CApusFloor", cSettings: cSettings),
        .systemLibrary(
            name: "CZlib", path: "CSources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Apus", dependencies: ["CApusRing"], path: "Engine/Apus"),
        .target(name: "ApusEngine", dependencies: ["Apus", "CApusRing"], path: "Engine/ApusEngine"),
        .target(
            name: "ApusReplay", dependencies: ["ApusEngine", "CApusProtocol", "CZlib"], path: "Engine/ApusReplay"),
        .target(
            name: "ApusLive", dependencies: ["ApusEngine", "CApusWire", "CApusProtocol"], path: "Engine/ApusLive",
            exclude: [
                "VenueMetadata+Fetch.swift", "Account/AccountClients.swift", "Account/AccountTransport.swift",
                "Account/BinanceAccountClient.swift", "Account/DerivAccountClient.swift",
                "Account/PolymarketAccountClient.swift", "Account/PolymarketRequests.swift", "Deriv/DerivSocket.swift",
                "VenueMetadata+Deriv.swift",
            ]),

        // What sends to it.
        .executableTarget(
            name: "bench-venue", path: "Sources/BenchVenue", cSettings: cSettings,
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

        // The measurements.
        .target(
            name: "CBench", dependencies: ["CApusProtocol", "CApusRing"], path: "Sources/CBench", cSettings: cSettings),
        .executableTarget(
            name: "apus-bench",
            dependencies: [
                "Apus", "ApusEngine", "ApusReplay", "ApusLive", "CApusWire", "CApusProtocol", "CApusRing", "CApusFloor",
                "CBench",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/ApusBench"),

        .testTarget(name: "ApusBenchTests", dependencies: ["apus-bench"], path: "Tests/ApusBenchTests"),

        // What is counted instead of timed: .ci/counts.
        .target(
            name: "CCounts", dependencies: ["CApusWire", "CApusProtocol", "CApusRing"], path: "Sources/CCounts",
            cSettings: cSettings, linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .executableTarget(
            name: "apus-counts", dependencies: ["Apus", "ApusEngine", "CApusRing", "CCounts"],
            path: "Sources/ApusCounts"),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
