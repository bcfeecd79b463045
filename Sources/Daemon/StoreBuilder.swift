import Configuration
import Glibc
import Index
import Linux
import Reactor
import Store
import Telemetry

/// Opens the index and the store that a configuration names.
enum StoreBuilder {
    static func limits(_ cache: CacheConfiguration) -> StoreLimits {
        StoreLimits(maxSize: size(cache.maxSize), minFree: size(cache.minFree))
    }

    private static func size(_ limit: SizeLimit) -> StoreLimits.Size {
        switch limit {
        case .bytes(let bytes): .bytes(bytes)
        case .percent(let percent): .fraction(Double(percent) / 100)
        }
    }

    /// Opens both; a store in use elsewhere is worth trying again later (DUR-8).
    static func open(
        _ cache: CacheConfiguration, workers: WorkerPool, fileThreads: WorkerPool, loop: EventLoop,
        logger: Logger, metrics: DaemonMetrics
    ) throws(DaemonError) -> BlobStore {
        do throws(StoreError) {
            let indexThread: WorkerPool
            do throws(Errno) {
                indexThread = try WorkerPool(threads: 1, name: "index")
            } catch {
                throw StoreError.io(error)
            }
            return try BlobStore.open(
                root: cache.path, limits: limits(cache), workers: workers,
                fileThreads: fileThreads, indexThread: indexThread, clock: .system, loop: loop
            ) { event in
                report(event, logger, metrics)
            }
        } catch .locked(let path) {
            throw DaemonError(
                .tryLater, "another instance uses the store \(path)",
                fix: "stop it, or give this one another cache.path")
        } catch {
            throw DaemonError(
                .unavailable, "cannot open the store \(cache.path): \(error)",
                fix: "check that the directory can be written by this user, or set cache.path")
        }
    }

    private static func report(  // flat switch
        _ event: StoreEvent, _ logger: Logger, _ metrics: DaemonMetrics
    ) {
        switch event {
        case .indexSetAside(let name):
            logger.log(
                .error, "the index was damaged and set aside; it is rebuilt from the files",
                ["file": .string(name)])
        case .indexDamaged:
            logger.log(.error, "the index is damaged; a restart rebuilds it from the files")
        case .permissionsFixed:
            logger.log(.warn, "the store was open to others; its mode is now 0700")
        case .sweptPartial(let files):
            logger.log(.info, "swept partial files", ["files": .integer(Int64(files))])
        case .keptPartial(let files, let bytes):
            logger.log(
                .info, "kept partial files; the next fetch goes on with them",
                ["files": .integer(Int64(files)), "bytes": .integer(bytes)])
        case .evicted(let objects, let bytes, let idleSeconds):
            metrics.store.evicted(objects, bytes, .size, idleSeconds: idleSeconds)
            logger.log(
                .info, "evicted",
                [
                    "objects": .integer(Int64(objects)), "bytes": .integer(bytes),
                    "idle": .string("\(idleSeconds)s"),
                ])
        case .damaged(let digest, let damage):
            if let cause = DamageCause(rawValue: damage.rawValue) { metrics.store.damaged(cause) }
            logger.log(
                .error, "a stored file is missing or damaged; what was pulled is fetched again",
                ["digest": .string("\(digest)"), "cause": .string(damage.rawValue)])
        case .mismatch: break  // Logged by the fetch, which knows whose bytes they were.
        case .adopted(let digest):
            logger.log(.info, "adopted", ["digest": .string("\(digest)")])
        case .removedStray(let name):
            logger.log(.info, "removed an unknown file", ["file": .string(name)])
        case .failed(let error):
            logger.log(.error, "store", ["error": .string("\(error)")])
        }
    }
}
