/// What `scripts/sanitize` means for bounds of time and memory.
package enum Sanitizer {
    /// Whether tests and daemon are built with a sanitizer.
    package static let isOn = environment("CISTERN_SANITIZER") != nil

    /// How many times as long things may take, and how many times as much memory; 1 without a
    /// sanitizer, with which programs take about 10 times the time and 5 times the memory.
    package static let factor = isOn ? 10 : 1
}
