/// The proxies of a configuration that names no repository.
enum DefaultRepositories {
    static let registries = [
        "docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "gcr.io", "mcr.microsoft.com",
    ]

    /// Adds them where `[repositories]` is absent or empty.
    static func add(to root: inout TOMLTable) {
        if let present = root["repositories"] {
            guard let table = present.value.table, table.entries.isEmpty else { return }
        }
        var table = TOMLTable()
        for registry in registries {
            var proxy = TOMLTable()
            proxy.append(
                TOMLTable.Entry(key: "type", value: TOMLNode(content: .string("proxy"))))
            table.append(TOMLTable.Entry(key: registry, value: TOMLNode(content: .table(proxy))))
        }
        root.set(TOMLTable.Entry(key: "repositories", value: TOMLNode(content: .table(table))))
    }
}
