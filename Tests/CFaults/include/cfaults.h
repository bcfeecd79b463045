#pragma once
#include <stddef.h>
#include <stdint.h>

/// File system calls of one thread, shown to a test before and after they are made.
///
/// The functions of libc that Store, Index and SQLite use are defined anew in the test executable.
/// On a thread without a hook they go straight to the kernel.

enum cfaults_call {
    CFAULTS_OPEN,
    CFAULTS_CLOSE,
    CFAULTS_PREAD,
    CFAULTS_PWRITE,
    CFAULTS_TRUNCATE,
    CFAULTS_ALLOCATE,
    CFAULTS_FSYNC,
    CFAULTS_FDATASYNC,
    CFAULTS_RENAME,
    CFAULTS_UNLINK,
    CFAULTS_MKDIR,
    CFAULTS_FLOCK,
    CFAULTS_STAT,
};

/// One call; `path` and `to_path` are as they were given, null where the call has none.
struct cfaults_operation {
    enum cfaults_call call;
    int fd;
    const char *path;
    int flags;
    int to_fd;
    const char *to_path;
    const void *bytes;
    /// May be lowered before a read or write, which then really is that short.
    size_t count;
    int64_t offset;
    /// What the kernel said; only in `after`.
    long result;
};

typedef int (*cfaults_before)(void *context, struct cfaults_operation *operation);
typedef void (*cfaults_after)(void *context, const struct cfaults_operation *operation);

/// Shows all calls of this thread to `before`, whose answer other than 0 is the errno they fail
/// with, and those that succeeded to `after`.
void cfaults_hook(cfaults_before before, cfaults_after after, void *context);

/// Ends that.
void cfaults_unhook(void);
