import OCI
import Reactor
import Store
import Telemetry
import Upstream

/// Going on with what an earlier run of the daemon began to fetch.
extension BlobFetch {
    /// Goes on with what an earlier run left: the upstream is asked for the rest first, so that
    /// clients have their headers at once, then what is here is hashed while they read it.
    ///
    /// Nil, and nothing shown, if that does not fit what the upstream has.
    func goOn(from offset: Int64) async throws(RegistryError) -> End? {
        guard let response = try await source.askRest(name, digest, from: offset) else {
            return nil
        }
        let size = try source.expectedSize(response, name, digest)
        if let size, size <= offset {
            response.body.cancel()
            return nil
        }
        parent = response.cacheStatus
        let writer: BlobWriter
        do throws(StoreError) {
            writer = try await source.content.store.writer(
                for: digest, size: size, continues: true)
        } catch {
            response.body.cancel()
            return unkept(error)
        }
        guard writer.leftover == offset else {
            // Gone since, for want of room.
            response.body.cancel()
            await writer.abandon()
            return nil
        }
        source.content.logger.log(
            .info, "fetch goes on",
            [
                "repo": .string(source.proxy), "digest": .string("\(digest)"),
                "from": .integer(offset),
            ])
        writer.expect(source.content.shown(digest))
        if size ?? offset > ProxyPolicy.verifiedFirstBytesMax {
            opened.fulfil(.success(.file(writer.file, size: size)))
        }
        let skip = response.status == 200 ? offset : 0
        return await receive(response, into: writer, size: size, skip: skip)
    }
}
