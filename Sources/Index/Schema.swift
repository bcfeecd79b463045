/// The tables and how their layout is numbered.
///
/// Keys are raw hashes (32 bytes: SHA-256, 64: SHA-512) in tables without row ids: a third of the
/// size and twice the speed of textual keys (prototypes §6).
enum Schema {
    /// Written to `user_version`; counts up with every change of the layout.
    static let version = Int64(steps.count)

    /// The first version whose pins the names journal tells, too.
    static let pinsToldSince: Int64 = 3

    /// "Cist", so that `file` and other tools tell the database apart.
    static let applicationID: Int64 = 0x4369_7374

    static let pageBytes: Int64 = 4096

    /// What each version added to the one before; all of them make an empty database one of this
    /// version.
    static let steps = [tables, scrubAndPins, endsOfPins, hostedContent, upstreamReferrers]

    /// The first version's.
    ///
    /// `root` is 1 for what no stored manifest names as its child: whole images and orphan blobs.
    /// Only a root's `last_used` is kept up to date; it speaks for everything below it, so that the
    /// next victim is the first row of `blob_by_use`.
    ///
    /// `pending` names files that may exist without a row in `blob`: about to be published
    /// (`doomed` 0) or already given up but not yet unlinked (`doomed` 1). After a crash exactly
    /// those have to be looked at before space is given out again.
    private static let tables = """
        CREATE TABLE blob(
            digest BLOB PRIMARY KEY,
            size INTEGER NOT NULL,
            disk INTEGER NOT NULL,
            last_used INTEGER NOT NULL,
            root INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX blob_by_use ON blob(last_used, digest) WHERE root = 1;

        CREATE TABLE manifest(
            digest BLOB PRIMARY KEY,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            artifact_type TEXT,
            subject BLOB,
            annotations TEXT
        ) WITHOUT ROWID;
        CREATE INDEX manifest_by_subject ON manifest(subject) WHERE subject IS NOT NULL;

        CREATE TABLE child(
            manifest BLOB NOT NULL,
            child BLOB NOT NULL,
            position INTEGER NOT NULL,
            size INTEGER NOT NULL,
            media_type TEXT NOT NULL,
            PRIMARY KEY(manifest, child)
        ) WITHOUT ROWID;
        CREATE INDEX child_by_child ON child(child, manifest);

        CREATE TABLE repository(
            id INTEGER PRIMARY KEY,
            repository TEXT NOT NULL,
            name TEXT NOT NULL,
            UNIQUE(repository, name)
        );
        CREATE TABLE link(
            digest BLOB NOT NULL,
            repository INTEGER NOT NULL,
            PRIMARY KEY(digest, repository)
        ) WITHOUT ROWID;
        CREATE TABLE tag(
            repository INTEGER NOT NULL,
            tag TEXT NOT NULL,
            digest BLOB NOT NULL,
            checked_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            PRIMARY KEY(repository, tag)
        ) WITHOUT ROWID;
        CREATE INDEX tag_by_digest ON tag(digest);
        CREATE TABLE located(
            collection TEXT NOT NULL,
            name TEXT NOT NULL,
            member TEXT NOT NULL,
            PRIMARY KEY(collection, name)
        ) WITHOUT ROWID;

        CREATE TABLE pending(
            digest BLOB PRIMARY KEY,
            disk INTEGER NOT NULL,
            doomed INTEGER NOT NULL
        ) WITHOUT ROWID;
        """

    /// What version 2 added: when each file was verified last, in wall seconds, and which names are
    /// pinned, as GLOB patterns of repository, name and tag or as digests.
    private static let scrubAndPins = """
        ALTER TABLE blob ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX blob_by_verified ON blob(verified_at, digest);
        CREATE TABLE pin(
            repository TEXT NOT NULL,
            name TEXT NOT NULL,
            reference TEXT NOT NULL,
            digest BLOB,
            PRIMARY KEY(repository, name, reference)
        ) WITHOUT ROWID;
        """

    /// When each pin ends, in wall seconds, and what it is for.
    private static let endsOfPins = """
        ALTER TABLE pin ADD COLUMN until INTEGER NOT NULL DEFAULT \(PinRow.endless);
        ALTER TABLE pin ADD COLUMN note TEXT NOT NULL DEFAULT '';
        """

    /// What version 4 added: what is hosted and therefore never evicted, since when, and uploads
    /// that are under way.
    ///
    /// `held` is 1 for a blob that is hosted anywhere; triggers see to it, so that no statement can
    /// forget it.
    private static let hostedContent = """
        CREATE TABLE hosted(
            repository INTEGER NOT NULL,
            digest BLOB NOT NULL,
            linked_at INTEGER NOT NULL,
            PRIMARY KEY(repository, digest)
        ) WITHOUT ROWID;
        CREATE INDEX hosted_by_digest ON hosted(digest);
        CREATE TABLE upload(
            id BLOB PRIMARY KEY,
            repository TEXT NOT NULL,
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            algorithm INTEGER NOT NULL,
            started_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        ALTER TABLE blob ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX blob_held ON blob(disk) WHERE held = 1;
        DROP INDEX blob_by_use;
        CREATE INDEX blob_by_use ON blob(held, last_used, digest) WHERE root = 1;
        CREATE TRIGGER hosted_begins AFTER INSERT ON hosted BEGIN
            UPDATE blob SET held = 1 WHERE digest = NEW.digest;
        END;
        CREATE TRIGGER hosted_ends AFTER DELETE ON hosted BEGIN
            UPDATE blob SET held = EXISTS(SELECT 1 FROM hosted WHERE digest = OLD.digest)
            WHERE digest = OLD.digest;
        END;
        CREATE TRIGGER hosted_blob AFTER INSERT ON blob
        WHEN EXISTS(SELECT 1 FROM hosted WHERE digest = NEW.digest) BEGIN
            UPDATE blob SET held = 1 WHERE digest = NEW.digest;
        END;
        """

    /// What version 5 added: what upstreams said refers to what, to be told when they are gone.
    private static let upstreamReferrers = """
        CREATE TABLE upstream_referrers(
            id INTEGER PRIMARY KEY,
            repository INTEGER NOT NULL,
            subject BLOB NOT NULL,
            list BLOB NOT NULL,
            size INTEGER NOT NULL,
            asked_at INTEGER NOT NULL,
            UNIQUE(repository, subject)
        );
        CREATE INDEX upstream_referrers_by_age ON upstream_referrers(asked_at, id, size);
        """

    /// Makes the tables in an empty database, true then; brings those of an earlier version up to
    /// this one, and leaves one of this version alone.
    static func prepare(_ connection: Connection) throws(IndexError) -> Bool {
        let found = try connection.integer("PRAGMA user_version")
        if found == version { return false }
        guard (0..<version).contains(found) else {
            throw IndexError.newerSchema(found: found, known: version)
        }
        if found == 0, try connection.integer("SELECT count(*) FROM sqlite_schema") != 0 {
            throw IndexError.corrupt("tables of no known version")
        }
        try connection.transaction { connection throws(IndexError) in
            for step in steps[Int(found)...] { try connection.execute(step) }
            try connection.execute("PRAGMA application_id = \(applicationID)")
            try connection.execute("PRAGMA user_version = \(version)")
        }
        return found == 0
    }
}
