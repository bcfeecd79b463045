/// Keys in the order of their last use, without any link to what they stand for.
///
/// Not thread-safe; every operation takes constant time.
struct RecencyList<Key: Hashable> {
    private struct Node {
        let key: Key
        /// Towards more recently used; -1 at the newest.
        var newer: Int
        /// Towards less recently used; -1 at the oldest.
        var older: Int
    }

    private var nodes: [Node?] = []
    private var free: [Int] = []
    private var places: [Key: Int] = [:]
    private var newest = -1
    private var oldestPlace = -1

    init() {}

    var count: Int { places.count }

    /// The least recently used key.
    var oldest: Key? { oldestPlace < 0 ? nil : nodes[oldestPlace]?.key }

    /// Makes `key` the most recently used, adding it if needed.
    mutating func touch(_ key: Key) {
        if let place = places[key] {
            if place == newest { return }
            unlink(place)
            link(place)
            return
        }
        let node = Node(key: key, newer: -1, older: -1)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            nodes[place] = node
        } else {
            place = nodes.count
            nodes.append(node)
        }
        places[key] = place
        link(place)
    }

    /// Takes `key` out; false if it was not in.
    @discardableResult
    mutating func remove(_ key: Key) -> Bool {
        guard let place = places.removeValue(forKey: key) else { return false }
        unlink(place)
        nodes[place] = nil
        free.append(place)
        return true
    }

    private mutating func link(_ place: Int) {
        nodes[place]?.older = newest
        nodes[place]?.newer = -1
        if newest >= 0 { nodes[newest]?.newer = place } else { oldestPlace = place }
        newest = place
    }

    private mutating func unlink(_ place: Int) {
        guard let node = nodes[place] else { return }
        if node.newer >= 0 { nodes[node.newer]?.older = node.older } else { newest = node.older }
        if node.older >= 0 {
            nodes[node.older]?.newer = node.newer
        } else {
            oldestPlace = node.newer
        }
    }
}
