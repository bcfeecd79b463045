import Synchronization

/// What is to be done, handed out in order to whoever has time.
final class WorkQueue<Element: Sendable>: Sendable {
    private let elements: [Element]
    private let position = Atomic(0)

    init(_ elements: [Element]) {
        self.elements = elements
    }

    /// The next one and its number; nil when there is none left.
    func next() -> (Int, Element)? {
        let number = position.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < elements.count ? (number, elements[number]) : nil
    }
}
