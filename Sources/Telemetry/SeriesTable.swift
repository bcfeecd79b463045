import Synchronization

/// The members of one metric family by their label values, never more than a fixed number.
///
/// Label values come from the configuration and from closed sets (RES-7). Should a bug let a
/// request choose one, the surplus is counted together under `other` instead of growing.
struct SeriesTable<Member: Sendable>: ~Copyable, Sendable {
    /// Most combinations of label values of one family.
    static var membersMax: Int { 1024 }

    let labels: [String]
    private let make: @Sendable () -> Member
    private let members = Mutex<[[String]: Member]>([:])

    /// A table; without labels its only member exists at once, so that it is shown as zero.
    init(labels: [String], make: @escaping @Sendable () -> Member) {
        self.labels = labels
        self.make = make
        if labels.isEmpty { _ = self[[]] }
    }

    /// The member of these label values, made if it is new.
    subscript(values: [String]) -> Member {
        precondition(values.count == labels.count, "every label of a metric needs a value")
        return members.withLock { members in
            if let member = members[values] { return member }
            let isFull = members.count >= SeriesTable.membersMax
            let key = isFull ? labels.map { _ in "other" } : values
            if let member = members[key] { return member }
            let member = make()
            members[key] = member
            return member
        }
    }

    func remove(_ values: [String]) {
        members.withLock { _ = $0.removeValue(forKey: values) }
    }

    /// All members in the order of their label values.
    func sorted() -> [(labels: [String], member: Member)] {
        let all = members.withLock { members in members.map { (labels: $0.key, member: $0.value) } }
        return all.sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
    }
}
