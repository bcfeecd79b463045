import ArgumentParser

/// The command `cistern`.
@main
struct Cistern: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Pull-through registry cache.")
}
