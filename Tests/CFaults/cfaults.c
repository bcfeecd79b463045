#define _GNU_SOURCE
// The plain names are wanted, not what 64-bit file offsets would make of them.
#undef _FILE_OFFSET_BITS
#include "cfaults.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local cfaults_before before_hook;
static _Thread_local cfaults_after after_hook;
static _Thread_local void *hook_context;

void cfaults_hook(cfaults_before before, cfaults_after after, void *context) {
    before_hook = before;
    after_hook = after;
    hook_context = context;
}

void cfaults_unhook(void) {
    before_hook = NULL;
    after_hook = NULL;
    hook_context = NULL;
}

// 0 to go on; -1 with errno set if the call is to fail.
static int enter(struct cfaults_operation *operation) {
    if (!before_hook) return 0;
    int saved = errno;
    int error = before_hook(hook_context, operation);
    errno = error ? error : saved;
    return error ? -1 : 0;
}

static long leave(struct cfaults_operation *operation, long result) {
    if (!after_hook || result < 0) return result;
    int saved = errno;
    operation->result = result;
    after_hook(hook_context, operation);
    errno = saved;
    return result;
}

static int open_file(int directory, const char *path, int flags, mode_t mode) {
    struct cfaults_operation operation = {
        .call = CFAULTS_OPEN, .fd = directory, .path = path, .flags = flags};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_openat, directory, path, flags, mode));
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(directory, path, flags, mode);
}

int close(int fd) {
    struct cfaults_operation operation = {.call = CFAULTS_CLOSE, .fd = fd};
    // Nothing is injected: whatever it says, the descriptor is gone.
    return (int)leave(&operation, syscall(SYS_close, fd));
}

static ssize_t read_at(int fd, void *bytes, size_t count, int64_t offset) {
    struct cfaults_operation operation = {
        .call = CFAULTS_PREAD, .fd = fd, .count = count, .offset = offset};
    if (enter(&operation)) return -1;
    return leave(&operation, syscall(SYS_pread64, fd, bytes, operation.count, offset));
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
    return read_at(fd, bytes, count, offset);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    return read_at(fd, bytes, count, offset);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, int64_t offset) {
    struct cfaults_operation operation = {
        .call = CFAULTS_PWRITE, .fd = fd, .bytes = bytes, .count = count, .offset = offset};
    if (enter(&operation)) return -1;
    return leave(&operation, syscall(SYS_pwrite64, fd, bytes, operation.count, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return write_at(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return write_at(fd, bytes, count, offset);
}

static int truncate_file(int fd, int64_t length) {
    struct cfaults_operation operation = {.call = CFAULTS_TRUNCATE, .fd = fd, .offset = length};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_ftruncate, fd, length));
}

int ftruncate(int fd, off_t length) { return truncate_file(fd, length); }

int ftruncate64(int fd, off64_t length) { return truncate_file(fd, length); }

static int allocate(int fd, int mode, int64_t offset, int64_t length) {
    struct cfaults_operation operation = {
        .call = CFAULTS_ALLOCATE, .fd = fd, .flags = mode, .offset = offset, .count = length};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_fallocate, fd, mode, offset, length));
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return allocate(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    return allocate(fd, mode, offset, length);
}

int fsync(int fd) {
    struct cfaults_operation operation = {.call = CFAULTS_FSYNC, .fd = fd};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
    struct cfaults_operation operation = {.call = CFAULTS_FDATASYNC, .fd = fd};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_fdatasync, fd));
}

int renameat2(int from, const char *path, int to, const char *to_path, unsigned flags) {
    struct cfaults_operation operation = {
        .call = CFAULTS_RENAME, .fd = from, .path = path, .to_fd = to, .to_path = to_path};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_renameat2, from, path, to, to_path, flags));
}

int renameat(int from, const char *path, int to, const char *to_path) {
    return renameat2(from, path, to, to_path, 0);
}

int rename(const char *path, const char *to_path) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, to_path, 0);
}

int unlinkat(int directory, const char *path, int flags) {
    struct cfaults_operation operation = {
        .call = CFAULTS_UNLINK, .fd = directory, .path = path, .flags = flags};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_unlinkat, directory, path, flags));
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int mkdirat(int directory, const char *path, mode_t mode) {
    struct cfaults_operation operation = {.call = CFAULTS_MKDIR, .fd = directory, .path = path};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_mkdirat, directory, path, mode));
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int flock(int fd, int how) {
    struct cfaults_operation operation = {.call = CFAULTS_FLOCK, .fd = fd, .flags = how};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_flock, fd, how));
}

int fstat(int fd, struct stat *status) {
    struct cfaults_operation operation = {.call = CFAULTS_STAT, .fd = fd};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH));
}

int fstatat(int directory, const char *path, struct stat *status, int flags) {
    struct cfaults_operation operation = {
        .call = CFAULTS_STAT, .fd = directory, .path = path, .flags = flags};
    if (enter(&operation)) return -1;
    return (int)leave(&operation, syscall(SYS_newfstatat, directory, path, status, flags));
}
