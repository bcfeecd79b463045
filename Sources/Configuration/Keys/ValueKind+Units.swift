extension ValueKind where Value == Int64 {
    /// An amount of bytes with a unit, at least 1.
    static var size: ValueKind<Int64> {
        ValueKind(expected: SizeText.expected, shape: .string) { node, key, problems in
            SizeText.read(node, key, allowing: .bytesOnly, &problems).flatMap { limit in
                if case .bytes(let count) = limit { count } else { nil }
            }
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
