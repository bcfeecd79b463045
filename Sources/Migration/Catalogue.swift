package import OCI

/// Lists what there is to copy.
protocol Catalogue: Sendable {
    /// Finds all images; what cannot be listed, or has no valid name, goes to `failed`.
    func list(_ found: Findings) async throws(CopyFailure)
}

/// The images that a listing has found: bounded, whatever a registry says.
actor Findings {
    static let imagesMax = 1_000_000

    private(set) var items: [ImageItem] = []
    private(set) var failures: [(name: String, failure: CopyFailure)] = []
    private let scoreboard: Scoreboard

    init(_ scoreboard: Scoreboard) {
        self.scoreboard = scoreboard
    }

    func add(_ new: [ImageItem]) throws(CopyFailure) {
        guard items.count + new.count <= Self.imagesMax else {
            throw CopyFailure(
                .source, "", .bound("it lists more than \(Self.imagesMax) images"))
        }
        items += new
        scoreboard.listing("\(items.count) images so far")
    }

    func failed(_ name: String, _ failure: CopyFailure) throws(CopyFailure) {
        guard failures.count < Self.imagesMax else {
            throw CopyFailure(.source, "", .bound("too much of it cannot be listed"))
        }
        failures.append((name, failure))
    }
}

/// Which names of the source are meant.
package struct NameFilter: Sendable {
    package var including: [NamePattern] = []
    package var excluding: [NamePattern] = []

    package init() {}

    func takes(_ name: RepositoryName) -> Bool {
        (including.isEmpty || including.contains { $0.matches(name) })
            && !excluding.contains { $0.matches(name) }
    }
}
