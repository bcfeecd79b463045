/// Binds one member per case of a closed label set, so that all of them are shown from the start.
func boundByCase<Label, Member>(
    _ make: (String) -> Member
) -> [Label: Member]
where Label: CaseIterable & Hashable & RawRepresentable, Label.RawValue == String {
    Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, make($0.rawValue)) })
}

extension CaseIterable where Self: Equatable {
    /// The place of a case among all cases.
    var index: Int {
        Self.allCases.enumerated().first { $0.element == self }?.offset ?? 0
    }
}
