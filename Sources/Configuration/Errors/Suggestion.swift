/// Finds what was meant by a word that is not known.
enum Suggestion {
    /// The candidate nearest to `word`: equal but for case and hyphens, or a slip or two away.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let word = folded(word)
        if let same = candidates.first(where: { folded($0) == word }) { return same }
        let farthest = max(1, word.count / 3)
        let ranked = candidates.map { (distance(word, folded($0)), $0) }
        guard let best = ranked.min(by: { $0.0 < $1.0 }), best.0 <= farthest else { return nil }
        return best.1
    }

    /// Case and the sign between words do not tell words apart.
    static func folded(_ word: String) -> String {
        String(word.lowercased().filter { $0 != "-" && $0 != "_" && $0 != "." })
    }

    /// The Damerau-Levenshtein distance (optimal string alignment), of the first 64 characters.
    static func distance(_ first: String, _ second: String) -> Int {
        let first = Array(first.prefix(64))
        let second = Array(second.prefix(64))
        guard !first.isEmpty, !second.isEmpty else { return max(first.count, second.count) }
        var beforeLast = [Int](repeating: 0, count: second.count + 1)
        var last = Array(0...second.count)
        for row in 1...first.count {
            var current = [row] + [Int](repeating: 0, count: second.count)
            for column in 1...second.count {
                let cost = first[row - 1] == second[column - 1] ? 0 : 1
                var best = min(
                    last[column] + 1, current[column - 1] + 1, last[column - 1] + cost)
                if row > 1, column > 1, first[row - 1] == second[column - 2],
                    first[row - 2] == second[column - 1]
                {
                    best = min(best, beforeLast[column - 2] + 1)
                }
                current[column] = best
            }
            beforeLast = last
            last = current
        }
        return last[second.count]
    }
}
