/* Linux interfaces that `import Glibc` lacks or imports unusably. */
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/epoll.h>


int clinux_epoll_create(void);
int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data);
/* Two ends of a pipe, close-on-exec. */
int clinux_pipe(int *ends);
/* The columns of the terminal behind a descriptor; 0 if there is none. */
int clinux_terminal_columns(int fd);
int clinux_eventfd(void);
int clinux_accept4(int fd, struct sockaddr *address, socklen_t *length);
/* Reads one byte at `offset` only if its page is in memory: 1, 0 at the end, -1 with errno. */
ssize_t clinux_probe_resident(int fd, int64_t offset);
/* Opens `path` below `directory` without ever waiting for a disk (RESOLVE_CACHED), read-only, no
   symbolic link followed. -1 with EAGAIN: the look-up would have blocked. */
int clinux_open_cached(int directory, const char *path);
int clinux_rename_noreplace(int from_directory, const char *from, int to_directory, const char *to);
int clinux_fallocate(int fd, int mode, int64_t offset, int64_t length);
int clinux_set_dumpable(int dumpable);
void clinux_set_thread_name(const char *name);
int clinux_signalfd(const int *signals, int count);
/* The next signal of a signalfd, or -1 with errno. */
int clinux_read_signal(int fd);
int clinux_fcntl_getfl(int fd);
int clinux_fcntl_setfl(int fd, int flags);
int clinux_set_cloexec(int fd);
int clinux_flock(int fd, int operation);
/* Reads only what is in memory already; -1 with EAGAIN if nothing is. */
ssize_t clinux_read_resident(int fd, void *buffer, size_t count, int64_t offset);
/* Bytes sent or queued that the peer has not acknowledged; -1 with errno. */
int clinux_unacknowledged(int fd);
/* Makes close() reset the connection instead of ending it in order. */
int clinux_reset_on_close(int fd);
int64_t clinux_descriptor_limit(void);
