#include "ctoml.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <new>
#include <string>
#include <string_view>
#include <vector>

// Parts of one dotted key. With the bound on nested values this bounds the depth of any document
// to a few hundred tables; toml++ frees them recursively.
static constexpr unsigned key_parts_max = 16;

struct ctoml_document {
    toml::table root;
    std::vector<ctoml_node> nodes;
    std::string error;
    ctoml_region error_region{};
};

namespace {

ctoml_region region_of(const toml::source_region &source) {
    return {source.begin.line, source.begin.column, source.end.line, source.end.column};
}

ctoml_text text_of(std::string_view text) { return {text.data(), text.size()}; }

bool is_bare(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
        || c == '-' || c == '"' || c == '\'';
}

/// Finds a dotted key of too many parts before toml++ builds a table for each of them.
///
/// Counts dots that follow a key character, blanks aside; any other character ends the key. Text in
/// strings counts too: seventeen bare words joined by dots and blanks are no option's value.
bool has_long_key(std::string_view text, ctoml_region &place) {
    uint32_t line = 1, column = 0;
    unsigned parts = 0;
    bool after_key = false, comment = false, line_empty = true;
    for (char c : text) {
        if ((c & 0xC0) != 0x80) column++;
        if (c == '\n') {
            line++, column = 0, parts = 0;
            after_key = comment = false, line_empty = true;
            continue;
        }
        if (comment || c == ' ' || c == '\t') continue;
        if (line_empty && c == '#') comment = true;
        line_empty = false;
        if (c == '.' && after_key) {
            if (++parts >= key_parts_max) {
                place = {line, column, line, column + 1};
                return true;
            }
            after_key = false;
        } else if (is_bare(c)) {
            after_key = true;
        } else {
            parts = 0, after_key = false;
        }
    }
    return false;
}

void flatten(ctoml_document &document, size_t index, const toml::node &node) {
    auto &nodes = document.nodes;
    nodes[index].region = region_of(node.source());
    nodes[index].kind = ctoml_other;
    if (auto *table = node.as_table()) {
        const size_t first = nodes.size();
        nodes.resize(first + table->size());
        nodes[index].kind = ctoml_table;
        nodes[index].first_child = first;
        nodes[index].child_count = table->size();
        size_t child = first;
        for (auto &&[key, value] : *table) {
            nodes[child].key = text_of(key.str());
            nodes[child].key_region = region_of(key.source());
            flatten(document, child++, value);
        }
    } else if (auto *array = node.as_array()) {
        const size_t first = nodes.size();
        nodes.resize(first + array->size());
        nodes[index].kind = ctoml_array;
        nodes[index].first_child = first;
        nodes[index].child_count = array->size();
        size_t child = first;
        for (auto &&value : *array) flatten(document, child++, value);
    } else if (auto *string = node.as_string()) {
        nodes[index].kind = ctoml_string;
        nodes[index].string = text_of(string->get());
    } else if (auto *integer = node.as_integer()) {
        nodes[index].kind = ctoml_integer;
        nodes[index].integer = integer->get();
    } else if (auto *floating = node.as_floating_point()) {
        nodes[index].kind = ctoml_float;
        nodes[index].floating = floating->get();
    } else if (auto *boolean = node.as_boolean()) {
        nodes[index].kind = ctoml_boolean;
        nodes[index].boolean = boolean->get();
    }
}

void parse(ctoml_document &document, std::string_view text) {
    if (has_long_key(text, document.error_region)) {
        document.error = "a key of more than 16 parts";
        return;
    }
    auto result = toml::parse(text);
    if (!result) {
        document.error = std::string(result.error().description());
        if (document.error.empty()) document.error = "not TOML";
        document.error_region = region_of(result.error().source());
        return;
    }
    document.root = std::move(result).table();
    document.nodes.resize(1);
    flatten(document, 0, document.root);
}

}  // namespace

ctoml_document *ctoml_parse(const char *bytes, size_t length) {
    ctoml_document *document = nullptr;
    try {
        document = new ctoml_document();
        parse(*document, std::string_view(bytes, length));
        return document;
    } catch (...) {  // bad_alloc, and whatever the standard library may throw below toml++
        delete document;
        return nullptr;
    }
}

void ctoml_free(ctoml_document *document) { delete document; }

ctoml_text ctoml_error(const ctoml_document *document) { return text_of(document->error); }

ctoml_region ctoml_error_region(const ctoml_document *document) { return document->error_region; }

ctoml_node ctoml_node_at(const ctoml_document *document, size_t index) {
    return index < document->nodes.size() ? document->nodes[index] : ctoml_node{};
}
