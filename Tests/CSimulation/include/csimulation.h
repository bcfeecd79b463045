/* What simulations do to whole trees, without the cost of unoptimised Swift. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Bytes on disk of everything below `path` and of itself, as `du` counts; -1 with errno. */
int64_t csimulation_disk_usage(const char *path);
/* Copies the tree `from` to `to`, which must not exist: what a killed process leaves, with blocks
   that are set aside but not written. -1 with errno. */
int csimulation_copy_tree(const char *from, const char *to);
/* Says of all files below `path` that were written by this machine's clock, and not by a simulated
   one, which runs years before it, that they were written at `seconds`. -1 with errno. */
int csimulation_set_times(const char *path, int64_t seconds);
/* Flips a bit at `offset` of a file, or cuts it off there. -1 with errno. */
int csimulation_damage(const char *path, int64_t offset, int cuts);
/* Where `text` begins in `bytes`, or -1. */
int64_t csimulation_find(const void *bytes, size_t count, const char *text);
/* Whether two pieces of memory are the same. */
int csimulation_is_same(const void *left, const void *right, size_t count);
