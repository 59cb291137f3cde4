// swift-tools-version: 6.1
import PackageDescription

let cSettings: [CSetting] = [.define("_GNU_SOURCE")]

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["apus"]),
        .library(name: "Apus", targets: ["Apus"]),
        .library(name: "ApusCommand", targets: ["ApusCommand"]),
        .library(name: "ApusSamples", targets: ["ApusSamples"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // The hot path, in C.
        .target(name: "CApusRing", path: "CSources/CApusRing", cSettings: cSettings),
        .target(
            name: "CApusProtocol", dependencies: ["CApusRing"], path: "CSources/CApusProtocol",
            cSettings: cSettings, linkerSettings: [.linkedLibrary("crypto"), .linkedLibrary("secp256k1")]),
        .target(
            name: "CApusWire", dependencies: ["CApusProtocol", "CApusRing"], path: "CSources/CApusWire",
            cSettings: cSettings,
            linkerSettings: [.linkedLibrary("uv"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(
            name: "CApusFloor", dependencies: ["CApusRing"], path: "CSources/CApusFloor", cSettings: cSettings),
        .systemLibrary(
            name: "CZlib", path: "CSources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CSecp256k1", path: "CSources/CSecp256k1", pkgConfig: "libsecp256k1",
            providers: [.apt(["libsecp256k1-dev"])]),

        // What a strategy author imports, and what runs it.
        .target(name: "Apus", dependencies: ["CApusRing"]),
        .target(name: "ApusSamples", dependencies: ["Apus"]),
        .target(name: "ApusEngine", dependencies: ["Apus", "CApusRing"]),
        .target(name: "ApusReplay", dependencies: ["ApusEngine", "CApusProtocol", "CZlib"]),
        .target(
            name: "ApusHistory",
            dependencies: ["Apus", "ApusEngine", "CApusRing", .product(name: "GRDB", package: "GRDB.swift")]),
        .target(
            name: "ApusLive",
            dependencies: [
                "ApusEngine", "CApusWire", "CApusProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),

        // A venue to trade against without an account.
        .target(
            name: "ApusVenue", dependencies: ["CSecp256k1", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "ApusVenueServer",
            dependencies: [
                "ApusVenue",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),

        // The command line: composition only.
        .target(
            name: "ApusCommand",
            dependencies: [
                "Apus", "ApusEngine", "ApusHistory", "ApusLive", "ApusReplay", "ApusVenue", "ApusVenueServer",
                "CApusFloor",
                "CApusProtocol", "CApusRing",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "apus", dependencies: ["ApusCommand", "ApusSamples"], linkerSettings: [.linkedLibrary("jemalloc")]),

        .testTarget(name: "CApusRingTests", dependencies: ["CApusRing"]),
        .testTarget(name: "CApusFloorTests", dependencies: ["CApusFloor", "CApusRing"]),
        .testTarget(
            name: "CApusProtocolTests",
            dependencies: ["CApusProtocol", "CApusRing", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "WirePeer", dependencies: ["CApusProtocol", "CApusRing"], path: "Tests/WirePeer",
            cSettings: cSettings, linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .testTarget(
            name: "CApusWireTests", dependencies: ["CApusWire", "CApusProtocol", "CApusRing", "WirePeer"]),
        .executableTarget(
            name: "ApusAutobahn", dependencies: ["CApusWire", "CApusProtocol", "CApusRing"],
            path: "Tests/Autobahn/Client", cSettings: cSettings),
        .executableTarget(
            name: "ApusSoak", dependencies: ["ApusCommand", "Apus"], path: "Tests/Soak",
            linkerSettings: [.linkedLibrary("jemalloc")]),
        .testTarget(name: "ApusTests", dependencies: ["Apus", "CApusRing"]),
        .testTarget(name: "ApusEngineTests", dependencies: ["ApusEngine", "ApusSamples", "Apus", "CApusRing"]),
        .testTarget(
            name: "ApusReplayTests", dependencies: ["ApusReplay", "ApusEngine", "ApusSamples", "CApusProtocol"]),
        .testTarget(
            name: "ApusVenueTests",
            dependencies: [
                "ApusVenue", "ApusVenueServer", "CSecp256k1",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        // A program whose strategy ends badly, for the tests of what happens then.
        .executableTarget(name: "ApusCrash", dependencies: ["Apus", "ApusCommand"], path: "Tests/Crash"),
        .testTarget(
            name: "ApusCommandTests",
            dependencies: [
                "ApusCommand", "ApusCrash", "ApusEngine", "ApusLive", "ApusSamples", "ApusVenue", "ApusVenueServer",
                "CApusProtocol", "CApusRing",
            ]),
        .testTarget(name: "ApusHistoryTests", dependencies: ["ApusHistory", "ApusEngine", "Apus", "CApusRing"]),
        .testTarget(name: "TidyTests"),
        .target(
            name: "CStress", dependencies: ["CApusRing"], path: "Tests/Stress/CStress", cSettings: cSettings),
        .testTarget(name: "StressTests", dependencies: ["CStress"], path: "Tests/Stress/StressTests"),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Apus", "ApusEngine", "ApusLive", "ApusVenue", "CApusProtocol", "CApusRing"],
            path: "Tests/Simulation"),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
