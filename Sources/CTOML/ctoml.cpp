#include "ctoml.h"

// toml++ 3.3 asserts, and with NDEBUG lets the optimiser assume, that a table header such as `[=`
// begins with a key; right after it, it reports the same as an error. So neither assert nor assume.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)

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

/// Refuses, before toml++ sees it, what toml++ 3.3 cannot bear.
///
/// - A dotted key of many parts makes as many nested tables, which are freed recursively.
/// - A letter beyond ASCII outside of strings and comments, or behind a line's end in a multi-line
///   string, reaches a switch over white space that calls it unreachable: undefined behaviour, and
///   the optimiser believes it.
///
/// A quote opens a string only where a key or value may begin; elsewhere the parser stops at it, so
/// what follows need not be understood, only be free of letters beyond ASCII up to the line's end.
class Inspection {
  public:
    explicit Inspection(std::string_view text) : text_(text) {}

    /// What is wrong, or nullptr; `place` is set then.
    const char *run(ctoml_region &place) {
        const char *wrong = nullptr;
        while (at_ < text_.size() && !(wrong = step())) {}
        if (wrong) place = {line_, column_, line_, column_ + 1};
        return wrong;
    }

  private:
    const char *step() {
        const char c = text_[at_];
        if ((c & 0x80) != 0) return beyond_ascii;
        if (c == '\n') parts_ = 0, may_open_ = true, after_key_ = false;
        if (c == '#') return skip_comment(), nullptr;
        if ((c == '"' || c == '\'') && may_open_) return skip_string(c);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return advance(), nullptr;
        if (c == '.' && after_key_) {
            if (++parts_ >= key_parts_max) return "a key of more than 16 parts";
            after_key_ = false, may_open_ = true;
        } else if (is_bare(c)) {
            after_key_ = true, may_open_ = false;
        } else {
            parts_ = 0, after_key_ = false;
            may_open_ = c == '=' || c == '[' || c == ',' || c == '{';
        }
        return advance(), nullptr;
    }

    static bool is_bare(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
            || c == '_' || c == '-';
    }

    void advance() {
        const char c = text_[at_++];
        if (c == '\n') line_++, column_ = 1;
        else if ((c & 0xC0) != 0x80) column_++;
    }

    void skip_comment() {
        while (at_ < text_.size() && text_[at_] != '\n') advance();
    }

    bool follows(char quote, size_t count) const {
        for (size_t i = 0; i < count; i++)
            if (at_ + i >= text_.size() || text_[at_ + i] != quote) return false;
        return true;
    }

    const char *skip_string(char quote) {
        const bool is_multi_line = follows(quote, 3);
        for (int i = 0; i < (is_multi_line ? 3 : 1); i++) advance();
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\n' && !is_multi_line) break;  // an error, which the parser will report
            if ((c & 0x80) != 0 && is_multi_line) return beyond_ascii;
            if (c == '\\' && quote == '"') {
                advance();
                const bool is_escape = at_ < text_.size() && (text_[at_] & 0x80) == 0;
                if (is_escape && text_[at_] != '\n') advance();
            } else if (!is_multi_line && c == quote) {
                advance();
                break;
            } else if (is_multi_line && follows(quote, 3)) {
                // Up to two quotes may stand before the three that close it.
                while (at_ < text_.size() && text_[at_] == quote) advance();
                break;
            } else {
                advance();
            }
        }
        after_key_ = true, may_open_ = false;
        return nullptr;
    }

    static constexpr const char *beyond_ascii = "letters beyond ASCII stand in plain quotes";

    std::string_view text_;
    size_t at_ = 0;
    uint32_t line_ = 1, column_ = 1;
    unsigned parts_ = 0;
    bool after_key_ = false, may_open_ = true;
};

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
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    if (const char *wrong = Inspection(text).run(document.error_region)) {
        document.error = wrong;
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
