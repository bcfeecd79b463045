import API

/// What a path asks for.
struct RouteBenchmark: Benchmark {
    static let name = "route"
    static let operation = "the path of a manifest, cut into name and reference"

    private let path: String

    init(_ scratch: Scratch) throws {
        path = try Samples.path()
    }

    func run() throws -> Int {
        guard let route = Route(path: path), case .manifest(let reference) = route.resource else {
            throw Unexpected("no manifest")
        }
        return route.name.utf8.count + reference.utf8.count
    }
}
