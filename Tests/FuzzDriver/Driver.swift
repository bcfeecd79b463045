import FuzzBodies
import Glibc

/// libFuzzer's entry: one input for the parser that `CISTERN_FUZZ_TARGET` names.
///
/// Built only by `scripts/fuzz`, with `-sanitize=fuzzer,address`; a broken promise is a crash.
private let target: FuzzTarget = {
    let name = getenv("CISTERN_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        print("CISTERN_FUZZ_TARGET must be one of", FuzzTarget.allCases.map(\.rawValue))
        exit(64)
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(FuzzFailure) {
        try target.run(Array(UnsafeBufferPointer(start: data, count: count)))
    } catch {
        fatalError("promise broken: \(error)")
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The package manager calls the program's entry by this name; libFuzzer's own `main` stays out.
@_cdecl("fuzz_main")
func fuzzMain(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
    _ = target
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments, { fuzzOne($0, $1) })
}
