#define _GNU_SOURCE
#include "csimulation.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static int64_t usage_below(int directory) {
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return -1;
    DIR *entries = fdopendir(copy);
    if (!entries) return -1;
    int64_t sum = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat status;
        if (is_dots(entry->d_name)) continue;
        /* What vanishes meanwhile takes nothing. */
        if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
        sum += (int64_t)status.st_blocks * 512;
        if (!S_ISDIR(status.st_mode)) continue;
        int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (child < 0) continue;
        sum += usage_below(child);
        close(child);
    }
    closedir(entries);
    return sum;
}

int64_t csimulation_disk_usage(const char *path) {
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return -1;
    struct stat status;
    int64_t sum = fstat(root, &status) < 0 ? 0 : (int64_t)status.st_blocks * 512;
    sum += usage_below(root);
    close(root);
    return sum;
}

static int copy_file(int from_directory, int to_directory, const char *name) {
    static _Thread_local char buffer[64 << 10];
    int from = openat(from_directory, name, O_RDONLY | O_CLOEXEC);
    if (from < 0) return -1;
    struct stat status;
    fstat(from, &status);
    int to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode);
    if (to < 0) {
        close(from);
        return -1;
    }
    int64_t blocks = (int64_t)status.st_blocks * 512;
    if (blocks > status.st_size) (void)fallocate(to, FALLOC_FL_KEEP_SIZE, 0, blocks);
    ssize_t count;
    while ((count = read(from, buffer, sizeof buffer)) > 0) {
        if (write(to, buffer, (size_t)count) != count) {
            count = -1;
            break;
        }
    }
    struct timespec times[2] = {status.st_mtim, status.st_mtim};
    futimens(to, times);
    close(from);
    close(to);
    return count < 0 ? -1 : 0;
}

static int copy_below(int from, int to) {
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return -1;
    DIR *entries = fdopendir(copy);
    if (!entries) return -1;
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        struct stat status;
        if (is_dots(entry->d_name)) continue;
        if (fstatat(from, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISREG(status.st_mode)) {
            result = copy_file(from, to, entry->d_name);
        } else if (S_ISDIR(status.st_mode)) {
            result = mkdirat(to, entry->d_name, status.st_mode);
            int below_from = openat(from, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            int below_to = openat(to, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (result == 0) {
                result = below_from < 0 || below_to < 0 ? -1 : copy_below(below_from, below_to);
            }
            if (below_from >= 0) close(below_from);
            if (below_to >= 0) close(below_to);
        }
    }
    closedir(entries);
    return result;
}

int csimulation_copy_tree(const char *from, const char *to) {
    if (mkdir(to, 0700) < 0) return -1;
    int from_root = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to_root = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = from_root < 0 || to_root < 0 ? -1 : copy_below(from_root, to_root);
    int error = errno;
    if (from_root >= 0) close(from_root);
    if (to_root >= 0) close(to_root);
    errno = error;
    return result;
}

static int set_times_below(int directory, int64_t seconds) {
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return -1;
    DIR *entries = fdopendir(copy);
    if (!entries) return -1;
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat status;
        if (is_dots(entry->d_name)) continue;
        if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISDIR(status.st_mode)) {
            int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (child < 0) continue;
            set_times_below(child, seconds);
            close(child);
        } else if (status.st_mtime > seconds) {
            struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
            utimensat(directory, entry->d_name, times, AT_SYMLINK_NOFOLLOW);
        }
    }
    closedir(entries);
    return 0;
}

int csimulation_set_times(const char *path, int64_t seconds) {
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return -1;
    int result = set_times_below(root, seconds);
    close(root);
    return result;
}

int csimulation_damage(const char *path, int64_t offset, int cuts) {
    if (cuts) return truncate(path, offset);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return -1;
    char byte = 0;
    int result = pread(file, &byte, 1, offset) == 1 ? 0 : -1;
    byte ^= 0x40;
    if (result == 0 && pwrite(file, &byte, 1, offset) != 1) result = -1;
    close(file);
    return result;
}

int64_t csimulation_find(const void *bytes, size_t count, const char *text) {
    const char *found = count == 0 ? NULL : memmem(bytes, count, text, strlen(text));
    return found ? found - (const char *)bytes : -1;
}

int csimulation_is_same(const void *left, const void *right, size_t count) {
    return count == 0 || memcmp(left, right, count) == 0;
}
