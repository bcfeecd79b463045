/// Checks that groups have members that exist, and end.
struct GroupsCheck {
    /// Groups within groups; nobody needs more, and a walk stays short.
    private static let depthMax = 8

    let repositories: [RepositoryConfiguration]
    let declared: [String]
    let table: TOMLTable

    func note(_ problems: inout Problems) {
        for repository in repositories {
            guard let group = repository.group else { continue }
            noteMembers(of: repository.name, group, &problems)
            notePushTo(of: repository.name, group, &problems)
        }
        noteCycles(&problems)
    }

    /// What is pushed to a group has to be found in it.
    private func notePushTo(
        of name: String, _ group: GroupConfiguration, _ problems: inout Problems
    ) {
        guard let target = group.pushTo else { return }
        let place = table[name]?.value.table?[GroupKeys.pushTo.name]?.value.place
        let hosted = repositories.filter { $0.hosted != nil }.map(\.name)
        if declared.contains(target), !hosted.contains(target) {
            problems.error(
                "conflict", "push_to of `\(name)` names `\(target)`, which is not hosted",
                at: place,
                help: "only a repository with type = \"hosted\" can be pushed to")
        } else if !declared.contains(target) {
            let near = Suggestion.nearest(to: target, among: hosted)
            problems.error(
                "unknown-member",
                "push_to of `\(name)` names `\(Quoted.of(target))`, which is no repository",
                at: place, label: near.map { "did you mean `\($0)`?" })
        } else if !isFound(target, in: group, depth: 0) {
            problems.error(
                "conflict", "push_to of `\(name)` names `\(target)`, which is no member of it",
                at: place, help: "what is pushed could not be pulled: add it to members")
        }
    }

    /// Whether a repository is a member of a group, or of a group within it.
    private func isFound(_ name: String, in group: GroupConfiguration, depth: Int) -> Bool {
        guard depth <= Self.depthMax else { return false }
        return group.members.contains { member in
            if member == name { return true }
            let inner = repositories.first { $0.name == member }?.group
            return inner.map { isFound(name, in: $0, depth: depth + 1) } ?? false
        }
    }

    private func noteMembers(
        of name: String, _ group: GroupConfiguration, _ problems: inout Problems
    ) {
        var seen: Set<String> = []
        for (index, member) in group.members.enumerated() {
            let place = place(of: name, member: index)
            if !seen.insert(member).inserted {
                problems.error(
                    "duplicate", "group `\(name)` names `\(Quoted.of(member))` twice", at: place)
            } else if passesLoginsOn(member) {
                problems.error(
                    "conflict",
                    "group `\(name)` names `\(Quoted.of(member))`, which passes logins on",
                    at: place,
                    help: "a login belongs to one registry: let clients name that one")
            } else if !declared.contains(member) {
                let near =
                    repositories.first { $0.proxy?.registry == member }?.name
                    ?? Suggestion.nearest(to: member, among: declared)
                problems.error(
                    "unknown-member",
                    "group `\(name)` names `\(Quoted.of(member))`, which is no repository",
                    at: place, label: near.map { "did you mean `\($0)`?" })
            }
        }
    }

    private func passesLoginsOn(_ name: String) -> Bool {
        repositories.contains { $0.name == name && $0.proxy?.authentication == .passthrough }
    }

    /// Notes each cycle once, at the group of it that comes first in the file.
    private func noteCycles(_ problems: inout Problems) {
        var done: Set<String> = []
        for repository in repositories where repository.group != nil {
            var path: [String] = []
            walk(repository.name, &path, &done, &problems)
        }
    }

    private func walk(
        _ name: String, _ path: inout [String], _ done: inout Set<String>,
        _ problems: inout Problems
    ) {
        if let start = path.firstIndex(of: name) {
            let cycle = (path[start...] + [name]).map { "`\($0)`" }.joined(separator: " contains ")
            problems.error("cycle", "group \(cycle)", at: placeOfMembers(of: path[start]))
            return
        }
        guard !done.contains(name),
            let group = repositories.first(where: { $0.name == name })?.group
        else { return }
        guard path.count < Self.depthMax else {
            problems.error(
                "cycle", "groups are nested more than \(Self.depthMax) deep",
                at: placeOfMembers(of: path[0]))
            return
        }
        path.append(name)
        for member in group.members { walk(member, &path, &done, &problems) }
        path.removeLast()
        done.insert(name)
    }

    private func placeOfMembers(of group: String) -> Place? {
        table[group]?.value.table?["members"]?.value.place
    }

    private func place(of group: String, member index: Int) -> Place? {
        guard case .array(let nodes)? = table[group]?.value.table?["members"]?.value.content,
            nodes.indices.contains(index)
        else { return placeOfMembers(of: group) }
        return nodes[index].place
    }
}
