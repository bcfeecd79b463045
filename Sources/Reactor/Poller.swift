import CLinux
import Glibc
import Linux

/// What a descriptor is watched for, and what was seen on it.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let read = Interest(rawValue: EPOLLIN.rawValue)
    package static let write = Interest(rawValue: EPOLLOUT.rawValue)
    /// The peer ended its direction.
    package static let peerClosed = Interest(rawValue: EPOLLRDHUP.rawValue)
    /// Both directions are gone; always reported.
    package static let hangUp = Interest(rawValue: EPOLLHUP.rawValue)
    /// An error is pending; always reported.
    package static let error = Interest(rawValue: EPOLLERR.rawValue)
    /// Reported once per change instead of as long as it holds.
    package static let edge = Interest(rawValue: 1 << 31)
    /// Of several loops that watch one listening socket only some are woken; never with `update`.
    package static let exclusive = Interest(rawValue: 1 << 28)
}

/// The epoll set of a loop, with protection against events of descriptors closed meanwhile.
///
/// epoll's user data holds a slot and its generation; an event whose generation has passed belongs
/// to a registration that is gone, even if the descriptor number is in use again, and is dropped.
final class Poller {
    private struct Slot {
        var generation: UInt32 = 0
        var fd: Int32 = -1
        var handler: ((Interest) -> Void)?
    }

    /// Events taken per turn.
    static let batchMax = 256

    private let epoll: FileDescriptor
    private let wakeUp: FileDescriptor
    private var slots: [Slot] = []
    private var free: [Int] = []
    private let events: UnsafeMutablePointer<epoll_event>
    /// Events found and not dispatched.
    private var count = 0
    private static let wakeUpData = UInt64.max

    init() throws(Errno) {
        let epoll = clinux_epoll_create()
        if epoll < 0 { throw Errno.last("epoll_create1") }
        self.epoll = FileDescriptor(owning: epoll)
        let wakeUp = clinux_eventfd()
        if wakeUp < 0 { throw Errno.last("eventfd") }
        self.wakeUp = FileDescriptor(owning: wakeUp)
        events = .allocate(capacity: Self.batchMax)
        try Self.control(epoll, EPOLL_CTL_ADD, wakeUp, EPOLLIN.rawValue, Self.wakeUpData)
    }

    deinit {
        events.deallocate()
    }

    /// Descriptor that other threads write to in order to end a wait.
    var wakeUpDescriptor: Int32 { wakeUp.raw }

    func add(
        _ fd: Int32, _ interest: Interest, _ handler: @escaping (Interest) -> Void
    ) throws(Errno) -> Registration {
        if free.isEmpty {
            slots.append(Slot())
            free.append(slots.count - 1)
        }
        let index = free.removeLast()
        slots[index].fd = fd
        slots[index].handler = handler
        let registration = Registration(slot: index, generation: slots[index].generation)
        do throws(Errno) {
            try Self.add(epoll.raw, fd, interest.rawValue, registration.data)
        } catch {
            release(index)
            throw error
        }
        return registration
    }

    private static func add(
        _ epoll: Int32, _ fd: Int32, _ events: UInt32, _ data: UInt64
    ) throws(Errno) {
        do throws(Errno) {
            try control(epoll, EPOLL_CTL_ADD, fd, events, data)
        } catch {
            // What could not be taken out of the set before is nobody's any more. Not modified:
            // that is refused where `exclusive` is or was wanted.
            guard error.code == EEXIST else { throw error }
            try control(epoll, EPOLL_CTL_DEL, fd, 0, 0)
            try control(epoll, EPOLL_CTL_ADD, fd, events, data)
        }
    }

    func update(_ registration: Registration, _ interest: Interest) throws(Errno) {
        guard slots[registration.slot].generation == registration.generation else { return }
        let fd = slots[registration.slot].fd
        try Self.control(epoll.raw, EPOLL_CTL_MOD, fd, interest.rawValue, registration.data)
    }

    /// Ends a registration; the descriptor may be closed already, which epoll noticed itself.
    func remove(_ registration: Registration) {
        guard slots[registration.slot].generation == registration.generation else { return }
        let fd = slots[registration.slot].fd
        _ = clinux_epoll_ctl(epoll.raw, EPOLL_CTL_DEL, fd, 0, 0)
        release(registration.slot)
    }

    private func release(_ index: Int) {
        slots[index].generation &+= 1
        slots[index].fd = -1
        slots[index].handler = nil
        free.append(index)
    }

    /// Waits at most `timeout` milliseconds (-1: for ever); whether there is something to dispatch.
    func wait(timeout: Int32) -> Bool {
        let found = epoll_wait(epoll.raw, events, Int32(Self.batchMax), timeout)
        count = max(0, Int(found))
        return count > 0
    }

    /// Whether the last wait has found something, and all of it is room for what is to be sent.
    var hasOnlyRoom: Bool {
        count > 0 && (0..<count).allSatisfy { events[$0].events & EPOLLIN.rawValue == 0 }
    }

    /// Calls the handlers of what the last wait has found.
    func dispatch() {
        var position = 0
        while position < count {
            dispatch(events[position])
            position += 1
        }
        count = 0
    }

    private func dispatch(_ event: epoll_event) {
        if event.data.u64 == Self.wakeUpData {
            var value: UInt64 = 0
            _ = Glibc.read(wakeUp.raw, &value, 8)
            return
        }
        let registration = Registration(data: event.data.u64)
        let slot = slots[registration.slot]
        guard slot.generation == registration.generation, let handler = slot.handler else { return }
        handler(Interest(rawValue: event.events))
    }

    private static func control(
        _ epoll: Int32, _ operation: Int32, _ fd: Int32, _ events: UInt32, _ data: UInt64
    ) throws(Errno) {
        if clinux_epoll_ctl(epoll, operation, fd, events, data) < 0 {
            throw Errno.last("epoll_ctl")
        }
    }
}

/// A slot of the poller at one generation.
struct Registration: Equatable {
    let slot: Int
    let generation: UInt32

    init(slot: Int, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    init(data: UInt64) {
        slot = Int(data & 0xffff_ffff)
        generation = UInt32(truncatingIfNeeded: data >> 32)
    }

    var data: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}
