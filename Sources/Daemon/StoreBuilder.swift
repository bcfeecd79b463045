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
        _ cache: CacheConfiguration, workers: WorkerPool, clock: LoopClock, logger: Logger,
        metrics: DaemonMetrics
    ) async throws(DaemonError) -> BlobStore {
        do throws(StoreError) {
            return try await BlobStore.open(
                root: cache.path, limits: limits(cache), workers: workers, clock: clock
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
}
