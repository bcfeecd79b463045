extension ValueKind where Value == Int64 {
    /// An amount of bytes with a unit, at least 1.
    static var size: ValueKind<Int64> { size(to: .max) }

    /// An amount of bytes with a unit, from 1 to `most`.
    static func size(to most: Int64) -> ValueKind<Int64> {
        ValueKind(expected: SizeText.expected, shape: .string) { node, key, problems in
            guard
                case .bytes(let count)? = SizeText.read(
                    node, key, allowing: .bytesOnly, &problems)
            else { return nil }
            guard count <= most else {
                problems.error(
                    "bad-value", "\(key) is at most \(most >> 20)MiB", at: node.place,
                    help: "\(key) = \"\(most >> 20)MiB\"")
                return nil
            }
            return count
        }
    }
}

extension ValueKind where Value == SizeLimit {
    /// An amount of bytes with a unit, or a share of the file system.
    static var sizeOrPercent: ValueKind<SizeLimit> {
        ValueKind(expected: SizeText.expectedOrPercent, shape: .string) { node, key, problems in
            SizeText.read(node, key, allowing: .percent, &problems)
        }
    }
}

extension ValueKind where Value == Duration {
    /// A span of time with a unit, within bounds.
    static func duration(
        from least: Duration = .zero, to most: Duration = .forever
    ) -> ValueKind<Duration> {
        let expected = "a duration such as \"30s\""
        return ValueKind(expected: expected, shape: .string) { node, key, problems in
            DurationText.read(node, key, least, most, &problems)
        }
    }
}
