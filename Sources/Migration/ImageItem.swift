import OCI

/// One image to be copied: what it is called on either side.
struct ImageItem: Sendable {
    let source: RemoteRegistry
    let name: RepositoryName
    let reference: Reference
    let target: RepositoryName
    let targetReference: Reference
    /// Whether all tags of the name are copied.
    var isOfWholeName = false
    /// Which one it is of this run's.
    var number = 0

    /// As reports name it.
    var label: String {
        switch targetReference {
        case .tag(let tag): "\(target):\(tag)"
        case .digest(let digest): "\(target)@\(digest)"
        }
    }
}
