/// A timer of a loop; created by `EventLoop.timer`, used on that loop only.
package final class LoopTimer {
    let deadline: Instant
    private(set) var fire: (() -> Void)?

    init(deadline: Instant, fire: @escaping () -> Void) {
        self.deadline = deadline
        self.fire = fire
    }

    /// Whether the timer will still fire.
    package var isPending: Bool { fire != nil }

    /// Makes sure the timer never fires; what it captured is released at once.
    package func cancel() {
        fire = nil
    }

    func fireOnce() {
        guard let fire else { return }
        self.fire = nil
        fire()
    }
}

/// Timers by deadline, then by age: a binary heap that drops cancelled ones lazily.
struct TimerQueue {
    private var heap: [(timer: LoopTimer, order: UInt64)] = []
    private var nextOrder: UInt64 = 0
    private var sizeAfterSweep = 64

    mutating func add(_ timer: LoopTimer) {
        sweepIfCrowded()
        heap.append((timer, nextOrder))
        nextOrder &+= 1
        siftUp(heap.count - 1)
    }

    /// Deadline of the earliest timer that is not cancelled.
    mutating func nextDeadline() -> Instant? {
        dropCancelled()
        return heap.first?.timer.deadline
    }

    /// Takes the earliest timer if it is due at `now`.
    mutating func popDue(at now: Instant) -> LoopTimer? {
        dropCancelled()
        guard let first = heap.first, first.timer.deadline <= now else { return nil }
        removeFirst()
        return first.timer
    }

    private mutating func dropCancelled() {
        while let first = heap.first, !first.timer.isPending { removeFirst() }
    }

    /// Cancelled timers never make up more than about half of a large heap.
    private mutating func sweepIfCrowded() {
        guard heap.count > sizeAfterSweep &* 2 else { return }
        heap.removeAll { !$0.timer.isPending }
        heap.sort { Self.precedes($0, $1) }
        sizeAfterSweep = max(64, heap.count)
    }

    private static func precedes(
        _ left: (timer: LoopTimer, order: UInt64), _ right: (timer: LoopTimer, order: UInt64)
    ) -> Bool {
        left.timer.deadline == right.timer.deadline
            ? left.order < right.order : left.timer.deadline < right.timer.deadline
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown()
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.precedes(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if Self.precedes(heap[child], heap[smallest]) { smallest = child }
            }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
