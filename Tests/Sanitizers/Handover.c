// Tells ThreadSanitizer what Swift's libraries hand over from thread to thread.
//
// These libraries are not built with the sanitizer. Most of what they hand over they announce
// themselves; here is what they do not. `scripts/sanitize thread` links this file into every program
// it builds: its functions stand before the libraries', do the same by calling them, and announce
// the hand-over. Whether they still do is tried with `Planted.swift` at the beginning of every run.
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define SWIFT_ASYNC __attribute__((swiftasynccall))
#define SELF __attribute__((swift_context)) void *

void __tsan_acquire(void *address);
void __tsan_release(void *address);

// `Mutex` of Synchronization. The uncontended way is inlined into our code as atomic instructions,
// which the sanitizer sees; the contended one waits and takes the lock in the kernel.

#define HANDLE "$s15Synchronization12_MutexHandleV"
#define LOCK HANDLE "9_lockSlowyys6UInt32VF"
#define TRY_LOCK HANDLE "12_tryLockSlowSbyF"
#define UNLOCK HANDLE "11_unlockSlowyyF"

SWIFT void lock_slowly(uint32_t thread, SELF self) __asm__(LOCK);
SWIFT bool try_lock_slowly(SELF self) __asm__(TRY_LOCK);
SWIFT void unlock_slowly(SELF self) __asm__(UNLOCK);

static SWIFT void (*real_lock)(uint32_t, SELF);
static SWIFT bool (*real_try_lock)(SELF);
static SWIFT void (*real_unlock)(SELF);

SWIFT void lock_slowly(uint32_t thread, SELF self) {
    real_lock(thread, self);
    __tsan_acquire(self);
}

SWIFT bool try_lock_slowly(SELF self) {
    bool taken = real_try_lock(self);
    if (taken) __tsan_acquire(self);
    return taken;
}

SWIFT void unlock_slowly(SELF self) {
    __tsan_release(self);
    real_unlock(self);
}

// Continuations. Who resumes announces it by the task's address, and so does a task that is queued
// because of it; but not a task that finds, when it comes to wait, that it was resumed before.
// A lock, which the sanitizer does not see, keeps that from changing while it is looked at.

struct continuation {
    void *parent, *resume_parent;
    uintptr_t flags;
    _Atomic(uintptr_t) state; // 0 pending, 1 awaited, 2 resumed
};

void *swift_task_getCurrent(void) __attribute__((swiftcall));
SWIFT_ASYNC void swift_continuation_await(struct continuation *continuation);
SWIFT void swift_continuation_resume(void *task);
SWIFT void swift_continuation_throwingResume(void *task);
SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error);

static SWIFT_ASYNC void (*real_await)(struct continuation *);
static SWIFT void (*real_resume)(void *);
static SWIFT void (*real_throwing_resume)(void *);
static SWIFT void (*real_error_resume)(void *, void *);

static atomic_flag *hold(void *task) {
    static atomic_flag locks[256];
    atomic_flag *lock = &locks[((uintptr_t)task >> 6) % 256];
    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire)) sched_yield();
    return lock;
}

static void let_go(atomic_flag *lock) {
    atomic_flag_clear_explicit(lock, memory_order_release);
}

SWIFT_ASYNC void swift_continuation_await(struct continuation *continuation) {
    void *task = swift_task_getCurrent();
    atomic_flag *lock = hold(task);
    if (atomic_load(&continuation->state) != 2) {
        real_await(continuation); // Suspends the task, since nobody can resume it meanwhile.
        let_go(lock);
        return;
    }
    let_go(lock);
    __tsan_acquire(task);
    __attribute__((musttail)) return real_await(continuation); // Goes on with the task.
}

SWIFT void swift_continuation_resume(void *task) {
    atomic_flag *lock = hold(task);
    real_resume(task);
    let_go(lock);
}

SWIFT void swift_continuation_throwingResume(void *task) {
    atomic_flag *lock = hold(task);
    real_throwing_resume(task);
    let_go(lock);
}

SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error) {
    atomic_flag *lock = hold(task);
    real_error_resume(task, error);
    let_go(lock);
}

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort(); // Another release of Swift: the names above have to follow it.
    return function;
}

__attribute__((constructor)) static void find(void) {
    real_lock = next(LOCK);
    real_try_lock = next(TRY_LOCK);
    real_unlock = next(UNLOCK);
    real_await = next("swift_continuation_await");
    real_resume = next("swift_continuation_resume");
    real_throwing_resume = next("swift_continuation_throwingResume");
    real_error_resume = next("swift_continuation_throwingResumeWithError");
}
