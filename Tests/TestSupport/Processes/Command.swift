import Glibc

/// Runs other programs to their end and keeps what they say.
package enum Command {
    /// What a program said and how it ended.
    package struct Output: Sendable, CustomStringConvertible {
        package let command: String
        /// The exit code; 128 and the signal's number if it was killed.
        package let code: Int32
        package let stdout: String
        package let stderr: String

        package var description: String { "\(command)\n=> \(code)\n\(stdout)\n\(stderr)" }
    }

    /// Runs a program found on the path, and kills it with all its children after `limit`.
    package static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        within limit: Duration = .seconds(120)
    ) throws -> Output {
        let directory = try TemporaryDirectory()
        let path = try requireTool(program)
        let (stdout, stderr) = (directory.file("stdout"), directory.file("stderr"))
        let child = try ChildProcess(
            [path] + arguments, environment: environment, stdout: stdout, stderr: stderr)
        let line = ([program] + arguments).joined(separator: " ")
        guard let ending = child.wait(within: limit) else {
            child.terminate()
            throw TestFailure("\(line) did not end in \(limit): \(try Files.text(stderr))")
        }
        let code: Int32 =
            switch ending {
            case .exited(let code): code
            case .killed(let signal): 128 + signal
            }
        return Output(
            command: line, code: code, stdout: try Files.text(stdout),
            stderr: try Files.text(stderr))
    }

    /// Runs a program and throws, with all it said, unless it ends with 0.
    @discardableResult
    package static func succeed(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        within limit: Duration = .seconds(120)
    ) throws -> Output {
        let output = try run(program, arguments, environment: environment, within: limit)
        guard output.code == 0 else { throw TestFailure("failed: \(output)") }
        return output
    }
}

/// The full path of a program that `scripts/setup --tests` installs.
package func requireTool(_ name: String) throws -> String {
    if name.hasPrefix("/") { return name }
    let path = environment("PATH") ?? ""
    for directory in path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"] {
        let candidate = "\(directory)/\(name)"
        if access(candidate, X_OK) == 0 { return candidate }
    }
    throw TestFailure("`\(name)` is not installed: run scripts/setup --tests")
}
