/// Statements about hosted repositories and uploads, and about lists of upstreams.
extension Query {
    /// While the bytes of a tagged manifest, or of a part of an index, are missing nobody knows
    /// what it needs: until they are pushed again, found by a rebuild, or it is deleted, nothing of
    /// its name is let go.
    private static let nameIsWhole = """
        NOT EXISTS(
            SELECT 1 FROM hosted d WHERE d.repository = ?1
            AND NOT EXISTS(SELECT 1 FROM blob WHERE digest = d.digest)
            AND (EXISTS(SELECT 1 FROM tag WHERE digest = d.digest AND repository = ?1)
                OR EXISTS(
                    SELECT 1 FROM child WHERE child = d.digest
                    AND (media_type LIKE '%manifest%' OR media_type LIKE '%index%'))))
        """

    var hostedSQL: String {
        switch self {
        case .hostedNames:
            """
            SELECT name FROM repository r WHERE repository = ?1 AND name > ?2
            AND EXISTS(SELECT 1 FROM hosted WHERE repository = r.id) ORDER BY name LIMIT ?3
            """
        case .ownsName:
            """
            SELECT 1 FROM hosted WHERE repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2) LIMIT 1
            """
        case .hostedDisk:
            """
            SELECT total(b.disk) FROM blob b WHERE b.digest IN (
                SELECT h.digest FROM hosted h JOIN repository r ON r.id = h.repository
                WHERE r.repository = ?1)
            """
        case .heldDisk: "SELECT total(disk) FROM blob WHERE held = 1"
        case .insertHosted:
            """
            INSERT INTO hosted(repository, digest, linked_at) VALUES(?1, ?2, ?3)
            ON CONFLICT(repository, digest) DO UPDATE SET linked_at = excluded.linked_at
            """
        case .deleteHosted: "DELETE FROM hosted WHERE repository = ?1 AND digest = ?2"
        case .deleteLink: "DELETE FROM link WHERE digest = ?2 AND repository = ?1"
        case .tagsTo: "SELECT tag FROM tag WHERE digest = ?2 AND repository = ?1"
        case .boundTag: "SELECT digest FROM tag WHERE repository = ?1 AND tag = ?2"
        case .tagsByAge:
            """
            SELECT tag, digest, created_at FROM tag WHERE repository = ?1
            ORDER BY created_at DESC, tag
            """
        case .isPart:
            """
            SELECT 1 FROM child c JOIN hosted p ON p.repository = ?1 AND p.digest = c.manifest
            WHERE c.child = ?2 LIMIT 1
            """
        case .isHosted:
            """
            SELECT 1 FROM hosted h JOIN blob b ON b.digest = h.digest
            WHERE h.repository = ?1 AND h.digest = ?2
            """
        case .pushTag:
            // Its age counts from the last push, whatever it was of.
            """
            INSERT INTO tag(repository, tag, digest, checked_at, created_at)
            VALUES(?1, ?2, ?3, ?4, ?4)
            ON CONFLICT(repository, tag) DO UPDATE SET
                digest = excluded.digest, checked_at = excluded.checked_at,
                created_at = excluded.created_at
            """
        case .untagged:
            // Neither tagged, nor part of an index, nor about a manifest that is still there.
            """
            SELECT h.digest FROM hosted h JOIN manifest m ON m.digest = h.digest
            WHERE h.repository = ?1 AND h.linked_at < ?2
            AND NOT EXISTS(SELECT 1 FROM tag WHERE digest = h.digest AND repository = ?1)
            AND NOT EXISTS(
                SELECT 1 FROM child c JOIN hosted p ON p.repository = ?1 AND p.digest = c.manifest
                WHERE c.child = h.digest)
            AND NOT EXISTS(SELECT 1 FROM hosted WHERE repository = ?1 AND digest = m.subject)
            AND \(Self.nameIsWhole)
            LIMIT ?3
            """
        case .place: "SELECT repository, name FROM repository WHERE id = ?1"
        case .hostedRepositories:
            "SELECT DISTINCT repository FROM hosted WHERE repository > ?1 ORDER BY 1 LIMIT 1"
        case .unreferenced:
            // What no manifest of the same name needs: its lease is since it was linked.
            """
            SELECT h.digest FROM hosted h WHERE h.repository = ?1 AND h.linked_at < ?2
            AND NOT EXISTS(SELECT 1 FROM manifest WHERE digest = h.digest)
            AND NOT EXISTS(
                SELECT 1 FROM child c
                JOIN hosted p ON p.repository = h.repository AND p.digest = c.manifest
                WHERE c.child = h.digest)
            AND \(Self.nameIsWhole)
            LIMIT ?3
            """
        case .keepReferrers:
            """
            INSERT INTO upstream_referrers(repository, subject, list, size, asked_at)
            VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(repository, subject) DO UPDATE
            SET list = excluded.list, size = excluded.size, asked_at = excluded.asked_at
            """
        case .keptReferrers:
            """
            SELECT list FROM upstream_referrers WHERE subject = ?3 AND repository =
                (SELECT id FROM repository WHERE repository = ?1 AND name = ?2)
            """
        case .dropOldReferrers:
            """
            DELETE FROM upstream_referrers WHERE id IN (SELECT id FROM (
                SELECT id, sum(size) OVER (ORDER BY asked_at DESC, id DESC) AS total
                FROM upstream_referrers) WHERE total > ?1)
            """
        case .keptReferrersTotal: "SELECT total(size) FROM upstream_referrers"
        case .knownNames:
            """
            SELECT name FROM repository r WHERE repository = ?1 AND name > ?2
            AND EXISTS(SELECT 1 FROM tag WHERE repository = r.id) ORDER BY name LIMIT ?3
            """
        case .upload:
            "SELECT repository, name, user, algorithm, started_at FROM upload WHERE id = ?1"
        case .uploads: "SELECT id FROM upload"
        case .insertUpload:
            """
            INSERT INTO upload(id, repository, name, user, algorithm, started_at)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6)
            """
        default: "DELETE FROM upload WHERE id = ?1"
        }
    }
}
