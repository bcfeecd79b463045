/// A promise of a parser that an input broke.
package struct FuzzFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Throws unless a promise holds for the input at hand.
func demand(
    _ condition: @autoclosure () -> Bool, _ promise: @autoclosure () -> String
) throws(FuzzFailure) {
    guard condition() else { throw FuzzFailure(description: promise()) }
}
