/// A bounded map that forgets what was used longest ago; not thread-safe.
struct RecencyCache<Key: Hashable, Value> {
    private struct Node {
        let key: Key
        var value: Value
        var cost: Int
        var newer: Int
        var older: Int
    }

    private static var none: Int { -1 }

    let costMax: Int
    private(set) var cost = 0
    private var nodes: [Node?] = []
    private var free: [Int] = []
    private var places: [Key: Int] = [:]
    private var newest = -1
    private var oldest = -1

    init(costMax: Int) {
        self.costMax = costMax
    }

    var count: Int { places.count }

    /// The value for `key`, which thereby becomes the most recent.
    mutating func use(_ key: Key) -> Value? {
        guard let place = places[key], let node = nodes[place] else { return nil }
        if place != newest {
            unlink(place)
            linkNewest(place)
        }
        return node.value
    }

    /// The value for `key`, without counting as use.
    func peek(_ key: Key) -> Value? {
        places[key].flatMap { nodes[$0]?.value }
    }

    /// Adds or replaces; a value dearer than the whole bound is not kept.
    mutating func insert(_ value: Value, for key: Key, cost: Int = 1) {
        remove(key)
        guard cost <= costMax else { return }
        while self.cost > costMax - cost, let node = nodes[oldest] { remove(node.key) }
        let node = Node(key: key, value: value, cost: cost, newer: Self.none, older: Self.none)
        let place = free.popLast() ?? nodes.count
        if place == nodes.count { nodes.append(node) } else { nodes[place] = node }
        places[key] = place
        self.cost += cost
        linkNewest(place)
    }

    mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key), let node = nodes[place] else { return }
        unlink(place)
        cost -= node.cost
        nodes[place] = nil
        free.append(place)
    }

    private mutating func linkNewest(_ place: Int) {
        nodes[place]?.older = newest
        nodes[place]?.newer = Self.none
        if newest != Self.none { nodes[newest]?.newer = place }
        newest = place
        if oldest == Self.none { oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        guard let node = nodes[place] else { return }
        if node.newer == Self.none {
            newest = node.older
        } else {
            nodes[node.newer]?.older = node.older
        }
        if node.older == Self.none {
            oldest = node.newer
        } else {
            nodes[node.older]?.newer = node.newer
        }
    }
}
