// A C view of a TOML document parsed by toml++, with the place of every key and value.
//
// No C++ exception leaves this interface. Input is taken from memory; nesting is bounded, so that
// neither parsing nor freeing a hostile document can exhaust the stack.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a node holds; `ctoml_other` is a date or time, which no option takes.
typedef enum {
    ctoml_table,
    ctoml_array,
    ctoml_string,
    ctoml_integer,
    ctoml_float,
    ctoml_boolean,
    ctoml_other,
} ctoml_kind;

// A stretch of text: lines and columns count from 1, columns in code points, the end is exclusive.
typedef struct {
    uint32_t line, column, end_line, end_column;
} ctoml_region;

// A byte string that lives as long as its document; not terminated by NUL.
typedef struct {
    const char *_Nullable bytes;
    size_t length;
} ctoml_text;

// One value of the document. Its children, if any, are the `child_count` nodes from `first_child`.
typedef struct {
    ctoml_kind kind;
    ctoml_text key;
    ctoml_region key_region;
    ctoml_region region;
    size_t first_child, child_count;
    ctoml_text string;
    int64_t integer;
    double floating;
    bool boolean;
} ctoml_node;

typedef struct ctoml_document ctoml_document;

// Parses `length` bytes; NULL only when memory is short.
ctoml_document *_Nullable ctoml_parse(const char *_Nonnull bytes, size_t length);
void ctoml_free(ctoml_document *_Nullable document);

// What is wrong with the document's syntax; `length` is 0 when nothing is.
ctoml_text ctoml_error(const ctoml_document *_Nonnull document);
ctoml_region ctoml_error_region(const ctoml_document *_Nonnull document);

// The node of that number; 0 is the root table, which exists when there is no error.
ctoml_node ctoml_node_at(const ctoml_document *_Nonnull document, size_t index);

#ifdef __cplusplus
}
#endif
