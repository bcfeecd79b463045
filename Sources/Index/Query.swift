/// Every statement of the index, prepared once per connection.
enum Query: Int, CaseIterable {
    // Reads
    case blob, manifest, isLinked, isPublic, tag, tags, expectedSize, referrers, children, located
    case shard, pending, totals, manifestCount, newestUse, newestRoot, links
    case leastVerified, pins, pinnedDigests, pinnedDisk
    // Blobs
    case insertBlob, deleteBlob, attachChild, makeRoot, use, useRoot
    case rootsAbove, freshestRootAbove, blobState, oldestRoots, imageDisk
    // Manifests
    case insertManifest, deleteManifest, insertChild, deleteChildren, storedChildren, parents
    // Names
    case insertRepository, repository, insertLink, deleteLinks
    case bindTag, renewTag, deleteTag, deleteTagsTo, insertLocated, deleteLocated
    // Pending files
    case insertPending, deletePending
    // Names journal
    case restoreTag, dropLooseTags, linksAfter, manifestsAfter, tagsAfter
    // Scrub and pins
    case noteVerified, insertPin, deletePin, deleteEndedPins
    // Hosted content
    case hostedNames, ownsName, hostedDisk, insertHosted, deleteHosted, deleteLink, tagsTo
    case unreferenced, hostedRepositories, heldDisk, boundTag, place, tagsByAge, isPart
    case isHosted, untagged, pushTag
    // Lists of upstreams
    case keepReferrers, keptReferrers, dropOldReferrers, keptReferrersTotal, knownNames
    // Uploads
    case upload, uploads, insertUpload, deleteUpload

    /// How many ancestors of one object are looked at: beyond that many images share it.
    static let ancestorsMax = 1024

    /// Whether something may be shown no more afterwards, or something else in its place.
    var changesShown: Bool {
        switch self {
        case .deleteLinks, .deleteLink, .bindTag, .pushTag, .restoreTag, .deleteTag, .deleteTagsTo,
            .dropLooseTags:
            true
        default: false
        }
    }

    var sql: String {
        switch self {
        case .blob, .manifest, .isLinked, .isPublic, .tag, .tags, .expectedSize, .referrers,
            .children, .located, .shard, .pending, .totals, .manifestCount, .newestUse,
            .newestRoot, .links, .leastVerified, .pins, .pinnedDigests, .pinnedDisk:
            readSQL
        case .insertBlob, .deleteBlob, .attachChild, .makeRoot, .use, .useRoot, .rootsAbove,
            .freshestRootAbove, .blobState, .oldestRoots, .imageDisk:
            blobSQL
        default: nameSQL
        }
    }

    private var readSQL: String {
        switch self {
        case .blob: "SELECT size, disk, last_used, root FROM blob WHERE digest = ?1"
        case .manifest:
            """
            SELECT media_type, size, artifact_type, subject, annotations
            FROM manifest WHERE digest = ?1
            """
        case .isLinked:
            """
            SELECT 1 FROM link WHERE digest = ?3 AND repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            """
        case .isPublic:
            """
            SELECT NOT EXISTS(SELECT 1 FROM link WHERE digest = ?1) OR EXISTS(
                SELECT 1 FROM link l JOIN repository r ON r.id = l.repository
                WHERE l.digest = ?1 AND
                    (instr(r.repository, ?2) = 0 OR instr(r.repository, ?3) > 0))
            """
        case .tag:
            """
            SELECT digest, checked_at, created_at FROM tag WHERE tag = ?3 AND repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            """
        case .tags:
            """
            SELECT tag FROM tag WHERE repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            AND tag > ?3 ORDER BY tag LIMIT ?4
            """
        case .expectedSize:
            """
            SELECT c.size FROM child c JOIN link l ON l.digest = c.manifest AND l.repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            WHERE c.child = ?3 LIMIT 1
            """
        case .referrers:
            """
            SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations
            FROM manifest m JOIN link l ON l.digest = m.digest AND l.repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            WHERE m.subject = ?3 AND (?4 IS NULL OR ifnull(m.artifact_type, '') = ?4)
            AND (length(m.digest), m.digest) > (length(?5), ?5)
            ORDER BY length(m.digest), m.digest LIMIT ?6
            """
        case .children:
            """
            SELECT child, size, media_type FROM child WHERE manifest = ?1 ORDER BY position
            """
        case .located: "SELECT member FROM located WHERE collection = ?1 AND name = ?2"
        case .shard: "SELECT digest FROM blob WHERE digest >= ?1 AND digest < ?2"
        case .pending: "SELECT digest, disk, doomed FROM pending"
        case .totals: "SELECT count(*), total(size), total(disk) FROM blob"
        case .manifestCount: "SELECT count(*) FROM manifest"
        case .newestRoot:
            """
            SELECT digest FROM (
                SELECT * FROM (SELECT digest, last_used FROM blob WHERE root = 1 AND held = 0
                    ORDER BY last_used DESC, digest DESC LIMIT 1)
                UNION ALL
                SELECT * FROM (SELECT digest, last_used FROM blob WHERE root = 1 AND held = 1
                    ORDER BY last_used DESC, digest DESC LIMIT 1))
            ORDER BY last_used DESC LIMIT 1
            """
        case .leastVerified:
            "SELECT digest FROM blob WHERE verified_at < ?1 ORDER BY verified_at, digest LIMIT ?2"
        case .pins: "SELECT repository, name, reference, until, note FROM pin WHERE until > ?1"
        case .pinnedDigests: Self.pinned + "SELECT d FROM pinned"
        case .pinnedDisk:
            Self.pinned + """
                , down(d) AS (
                    SELECT d FROM pinned UNION
                    SELECT c.child FROM child c JOIN down ON c.manifest = down.d
                )
                SELECT total(b.disk) FROM down JOIN blob b ON b.digest = down.d
                """
        case .links:
            """
            SELECT r.repository, r.name FROM link l JOIN repository r ON r.id = l.repository
            WHERE l.digest = ?1 ORDER BY r.id LIMIT ?2
            """
        default:
            """
            SELECT max(used) FROM (
                SELECT max(last_used) AS used FROM blob WHERE root = 1 AND held = 0 UNION ALL
                SELECT max(last_used) FROM blob WHERE root = 1 AND held = 1)
            """
        }
    }

    private var blobSQL: String {
        switch self {
        case .insertBlob:
            """
            INSERT INTO blob(digest, size, disk, last_used, root, verified_at)
            VALUES(?1, ?2, ?3, ?4,
                NOT EXISTS(SELECT 1 FROM child WHERE child = ?1), ?4 / 1000000)
            ON CONFLICT(digest) DO UPDATE SET size = excluded.size, disk = excluded.disk,
                verified_at = excluded.verified_at
            """
        case .deleteBlob: "DELETE FROM blob WHERE digest = ?1"
        case .attachChild: "UPDATE blob SET root = 0 WHERE digest = ?1 AND root = 1"
        case .makeRoot:
            """
            UPDATE blob SET root = 1, last_used = max(last_used, ?2) WHERE digest = ?1
            AND root = 0 AND NOT EXISTS(SELECT 1 FROM child WHERE child = ?1)
            """
        case .use: "UPDATE blob SET last_used = ?2 WHERE digest = ?1 AND last_used < ?2"
        case .useRoot:
            "UPDATE blob SET last_used = ?2 WHERE digest = ?1 AND last_used < ?2 AND root = 1"
        case .rootsAbove:
            Self.ancestors + """
                SELECT b.digest FROM up JOIN blob b ON b.digest = up.d WHERE b.root = 1
                """
        case .freshestRootAbove:
            Self.ancestors + """
                SELECT b.digest FROM up JOIN blob b ON b.digest = up.d WHERE b.root = 1
                ORDER BY b.last_used DESC LIMIT 1
                """
        case .imageDisk:
            Self.ancestors + """
                , down(d) AS (
                    SELECT up.d FROM up JOIN blob b ON b.digest = up.d WHERE b.root = 1
                    UNION SELECT c.child FROM child c JOIN down ON c.manifest = down.d
                )
                SELECT total(b.disk) FROM down JOIN blob b ON b.digest = down.d
                """
        case .blobState:
            """
            SELECT size, disk, EXISTS(SELECT 1 FROM manifest WHERE digest = ?1)
            FROM blob WHERE digest = ?1
            """
        default:
            """
            SELECT digest, last_used FROM blob
            WHERE root = 1 AND held = 0 AND (last_used, digest) > (?1, ?2)
            ORDER BY last_used, digest LIMIT ?3
            """
        }
    }

    /// What is pinned at `?1`.
    ///
    /// A repository's key begins with its name, followed by `@`.
    private static let pinned = """
        WITH RECURSIVE pinned(d) AS (
            SELECT digest FROM pin WHERE digest IS NOT NULL AND until > ?1 UNION
            SELECT t.digest FROM pin p
            JOIN repository r ON r.name GLOB p.name
                AND (r.repository = p.repository OR r.repository GLOB p.repository || '@*')
            JOIN tag t ON t.repository = r.id AND t.tag GLOB p.reference
            WHERE p.until > ?1
        )

        """

    private static let ancestors = """
        WITH RECURSIVE up(d) AS (
            VALUES(?1) UNION SELECT c.manifest FROM child c JOIN up ON c.child = up.d
            LIMIT \(ancestorsMax)
        )

        """

    private var nameSQL: String {
        switch self {
        case .insertManifest:
            """
            INSERT INTO manifest(digest, media_type, size, artifact_type, subject, annotations)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(digest) DO NOTHING
            """
        case .deleteManifest: "DELETE FROM manifest WHERE digest = ?1"
        case .insertChild:
            """
            INSERT OR IGNORE INTO child(manifest, child, position, size, media_type)
            VALUES(?1, ?2, ?3, ?4, ?5)
            """
        case .deleteChildren: "DELETE FROM child WHERE manifest = ?1"
        case .storedChildren:
            """
            SELECT c.child, b.disk,
                ifnull(b.held, EXISTS(SELECT 1 FROM hosted WHERE digest = c.child))
            FROM child c LEFT JOIN blob b ON b.digest = c.child WHERE c.manifest = ?1
            """
        case .parents: "SELECT manifest FROM child WHERE child = ?1"
        case .insertRepository:
            "INSERT OR IGNORE INTO repository(repository, name) VALUES(?1, ?2)"
        case .repository: "SELECT id FROM repository WHERE repository = ?1 AND name = ?2"
        case .insertLink: "INSERT OR IGNORE INTO link(digest, repository) VALUES(?1, ?2)"
        case .deleteLinks: "DELETE FROM link WHERE digest = ?1"
        case .bindTag:
            """
            INSERT INTO tag(repository, tag, digest, checked_at, created_at)
            SELECT ?1, ?2, ?3, ?4, ?4 WHERE EXISTS(SELECT 1 FROM manifest WHERE digest = ?3)
            ON CONFLICT(repository, tag) DO UPDATE SET
                created_at = CASE digest WHEN excluded.digest
                    THEN created_at ELSE excluded.created_at END,
                digest = excluded.digest, checked_at = excluded.checked_at
            """
        case .renewTag: "UPDATE tag SET checked_at = ?3 WHERE repository = ?1 AND tag = ?2"
        case .deleteTag: "DELETE FROM tag WHERE repository = ?1 AND tag = ?2"
        case .deleteTagsTo: "DELETE FROM tag WHERE digest = ?1"
        case .insertLocated:
            """
            INSERT INTO located(collection, name, member) VALUES(?1, ?2, ?3)
            ON CONFLICT(collection, name) DO UPDATE SET member = excluded.member
            """
        case .deleteLocated: "DELETE FROM located WHERE collection = ?1 AND name = ?2"
        case .insertPending:
            """
            INSERT INTO pending(digest, disk, doomed) VALUES(?1, ?2, ?3)
            ON CONFLICT(digest) DO UPDATE SET disk = excluded.disk, doomed = excluded.doomed
            """
        case .restoreTag:
            """
            INSERT OR IGNORE INTO tag(repository, tag, digest, checked_at, created_at)
            VALUES(?1, ?2, ?3, ?4, ?4)
            """
        case .dropLooseTags:
            "DELETE FROM tag WHERE NOT EXISTS(SELECT 1 FROM manifest WHERE digest = tag.digest)"
        case .linksAfter:
            """
            SELECT r.repository, r.name, l.digest, l.repository
            FROM link l CROSS JOIN repository r ON r.id = l.repository
            WHERE (l.digest, l.repository) > (?1, ?2) ORDER BY l.digest, l.repository
            """
        case .manifestsAfter:
            "SELECT digest, media_type FROM manifest WHERE digest > ?1 ORDER BY digest"
        case .tagsAfter:
            """
            SELECT r.repository, r.name, t.tag, t.digest, t.checked_at, t.repository
            FROM tag t CROSS JOIN repository r ON r.id = t.repository
            WHERE (t.repository, t.tag) > (?1, ?2) ORDER BY t.repository, t.tag
            """
        case .hostedNames, .ownsName, .hostedDisk, .insertHosted, .deleteHosted, .deleteLink,
            .tagsTo, .unreferenced, .hostedRepositories, .heldDisk, .boundTag, .place, .tagsByAge,
            .isPart, .isHosted, .untagged, .pushTag, .upload,
            .uploads, .insertUpload, .deleteUpload, .keepReferrers, .keptReferrers,
            .dropOldReferrers, .keptReferrersTotal, .knownNames:
            hostedSQL
        case .noteVerified: "UPDATE blob SET verified_at = ?2 WHERE digest = ?1"
        case .insertPin:
            """
            INSERT OR REPLACE INTO pin(repository, name, reference, digest, until, note)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6)
            """
        case .deleteEndedPins: "DELETE FROM pin WHERE until <= ?1"
        case .deletePin:
            "DELETE FROM pin WHERE repository = ?1 AND name = ?2 AND reference = ?3"
        default: "DELETE FROM pending WHERE digest = ?1"
        }
    }
}
