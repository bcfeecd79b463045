// swift-tools-version: 6.2
import PackageDescription

/// Settings every Swift target shares: language mode 6, strict imports, warnings as errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A module of the daemon, in the order of `ARCHITECTURE.md`'s import table.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "cistern",
    products: [.executable(name: "cistern", targets: ["cistern"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        // System libraries and the smallest shims over what Swift cannot import.
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CCurlShims", dependencies: ["CCurl"]),
        .target(name: "CTOML"),

        // The daemon, bottom up.
        module("Linux", ["CLinux"]),
        module("Reactor", ["CLinux", "Linux"]),
        module("HTTP", []),
        module("OCI", []),
        module("TLS", ["COpenSSL"]),
        module("Telemetry", ["Linux"]),
        module("Index", ["CSQLite", "OCI", "Linux", "Reactor"]),
        module("Store", ["COpenSSL", "OCI", "Index", "Linux", "Reactor", "Telemetry"]),
        module(
            "Upstream",
            ["CCurl", "CCurlShims", "OCI", "HTTP", "Linux", "Reactor", "Telemetry"]),
        module("Registry", ["OCI", "Index", "Store", "Upstream", "Linux", "Reactor", "Telemetry"]),
        module("Server", ["HTTP", "Linux", "Reactor", "Telemetry", "TLS"]),
        module("Access", ["CCrypt", "COpenSSL", "Linux", "OCI", "Reactor"]),
        module(
            "API",
            ["Access", "HTTP", "OCI", "Registry", "Server", "Store", "Reactor", "Telemetry"]),
        module("Migration", ["CLinux", "HTTP", "Linux", "OCI", "Reactor", "Store", "Upstream"]),
        module("Configuration", ["Access", "CTOML", "Linux", "OCI", "TLS"]),
        module(
            "Daemon",
            [
                "Access", "API", "Configuration", "HTTP", "Index", "Linux", "OCI", "Reactor",
                "Registry", "Server", "Store", "TLS", "Telemetry", "Upstream",
            ]),
        .executableTarget(
            name: "cistern",
            dependencies: [
                "Access", "CLinux", "Configuration", "Daemon", "Linux", "Migration", "OCI",
                "Telemetry",
                "Upstream", argumentParser,
            ],
            swiftSettings: settings),

        // Measures the daemon's modules one by one; never shipped, see benchmarks/micro/run.
        .executableTarget(
            name: "micro",
            dependencies: [
                "API", "Configuration", "HTTP", "Index", "Linux", "OCI", "Reactor", "Registry",
                "Store", "Telemetry", "Upstream", argumentParser,
            ],
            path: "benchmarks/micro/Sources", swiftSettings: settings),

        // Tests: the fakes and scripted upstreams, one target per module, then the whole.
        .target(
            name: "TestSupport",
            dependencies: ["COpenSSL", "OCI", "Linux", "Reactor", "Upstream"],
            path: "Tests/TestSupport", swiftSettings: settings),
        .target(name: "CFaults", path: "Tests/CFaults"),
        .target(name: "CCurlWatch", dependencies: ["CCurl"], path: "Tests/CCurlWatch"),
        .target(
            name: "FuzzBodies", dependencies: ["API", "Configuration", "HTTP", "OCI", "Upstream"],
            path: "Tests/FuzzBodies", swiftSettings: settings),
        tests("FuzzTests", ["FuzzBodies", "TestSupport"], exclude: ["Corpus"]),
        tests("LinuxTests", ["Linux", "TestSupport"]),
        tests("ReactorTests", ["Linux", "Reactor", "TestSupport"]),
        tests("HTTPTests", ["HTTP", "TestSupport"], exclude: ["Corpus"]),
        tests("OCITests", ["OCI", "TestSupport"]),
        tests("TelemetryTests", ["Telemetry", "TestSupport"]),
        tests("IndexTests", ["Index", "OCI", "Linux", "Reactor", "TestSupport"]),
        tests("StoreTests", ["Store", "Index", "OCI", "Linux", "Reactor", "TestSupport"]),
        tests(
            "PowerCutTests",
            ["CFaults", "Store", "Index", "OCI", "Linux", "Reactor", "TestSupport"]
        ),
        tests(
            "UpstreamTests",
            [
                "CCurlWatch", "Upstream", "OCI", "HTTP", "Linux", "Reactor", "Telemetry",
                "TestSupport",
            ]),
        tests(
            "ServerTests",
            ["Server", "COpenSSL", "HTTP", "Linux", "Reactor", "TLS", "Telemetry", "TestSupport"]),
        tests("AccessTests", ["Access", "Linux", "Reactor", "TestSupport"]),
        tests(
            "ConfigurationTests",
            ["Access", "Configuration", "Linux", "OCI", "TLS", "TestSupport"]),
        tests(
            "MigrationTests",
            ["Migration", "Linux", "OCI", "Reactor", "Upstream", "TestSupport"]),
        tests("DaemonTests", ["Daemon", "Linux", "TestSupport"]),
        .target(name: "CSimulation", path: "Tests/CSimulation"),
        tests(
            "SimulationTests",
            [
                "API", "CFaults", "CSimulation", "HTTP", "Server", "Registry", "Store", "Index",
                "Upstream", "OCI", "Linux", "Reactor", "Telemetry", "TestSupport",
            ]),
        tests("EndToEndTests", ["TestSupport"]),
        tests("TidyTests", ["TestSupport"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11,
    cxxLanguageStandard: .cxx17
)

// libFuzzer brings its own `main` and needs every object instrumented, so its program exists only
// when `scripts/fuzz` asks for it.
if Context.environment["CISTERN_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzBodies"], path: "Tests/FuzzDriver",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}
