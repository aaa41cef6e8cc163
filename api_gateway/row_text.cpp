// Rows of Arrow columns as the text of CSV or JSON: the compiled half of row_text.py, which says what
// a call takes. No Python in here: a call holds no lock of the interpreter.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "row_text_values.h"

namespace {

// In the order of row_text._KINDS.
enum Kind : int32_t {
    INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, WIDE_INTEGER, DOUBLE, DECIMAL,
    BOOLEAN, DATE, TIME, TIMESTAMP, MOMENT, TEXT, BINARY,
};

constexpr int64_t SAFE_INTEGER = (int64_t{1} << 53) - 1;
// As row_text._BLOCK.
constexpr int64_t BLOCK = 16;

// As row_text._Column has it.
struct Column {
    int32_t kind, scale, quoted, missing_length;   // at most a block
    int64_t offset;                // of the first row in each buffer
    const uint8_t* valid;          // a bit a row, or null when no value is missing
    const uint8_t* values;
    const int32_t* ends;           // of TEXT and BINARY, or
    const int64_t* long_ends;
    const char* before;            // what stands before the value
    int64_t before_length;
    const char* missing;           // what stands for a missing one
};

enum Outcome : int32_t { WRITTEN, BEYOND, NO_MEMORY };

// Memory for text, which grows.
class Page {
public:
    explicit Page(int64_t room) { grow(static_cast<size_t>(room)); }
    ~Page() { std::free(begin_); }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    char* begin() const { return begin_; }
    char* give() { return std::exchange(begin_, nullptr); }

    // `to`, where so many bytes may be written: moved, perhaps, with all that was written before it.
    char* room(char* to, size_t count) {
        if (static_cast<size_t>(end_ - to) >= count) return to;
        const auto written = static_cast<size_t>(to - begin_);
        grow(written + std::max(written, count));
        return begin_ + written;
    }

private:
    void grow(size_t room) {
        auto* moved = static_cast<char*>(std::realloc(begin_, room));
        if (!moved) throw std::bad_alloc();
        begin_ = moved;
        end_ = moved + room;
    }
    char *begin_ = nullptr, *end_ = nullptr;
};

// A copy in whole blocks, one at least, of what is followed by a block, to where there is room for
// one more.
char* copy_blocks(char* to, const char* from, int64_t length) {
    std::memcpy(to, from, BLOCK);
    for (int64_t place = BLOCK; place < length; place += BLOCK)
        std::memcpy(to + place, from + place, BLOCK);
    return to + length;
}

struct Piece { const char* begin; size_t length; };

Piece piece(const Column& column, int64_t row) {
    int64_t first = column.ends ? column.ends[row] : column.long_ends[row];
    int64_t last = column.ends ? column.ends[row + 1] : column.long_ends[row + 1];
    return {reinterpret_cast<const char*>(column.values) + first, static_cast<size_t>(last - first)};
}

// How a format writes what may hold its own marks. `LONGEST` bytes at most become of one byte.
struct Csv {
    static constexpr size_t LONGEST = 2;
    static constexpr bool QUOTES_NUMBERS = false;
    static bool is_mark(unsigned char byte) { return byte == '"'; }
    static char* escaped(char* to, unsigned char) { return copy(to, "\"\"", 2); }
};

struct Json {
    static constexpr size_t LONGEST = 6;
    static constexpr bool QUOTES_NUMBERS = true;
    static bool is_mark(unsigned char byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }
    static char* escaped(char* to, unsigned char byte) {
        constexpr char SHORT[] = "btn?fr";
        *to++ = '\\';
        if (byte == '"' || byte == '\\') { *to++ = static_cast<char>(byte); return to; }
        if (byte >= 8 && byte <= 13 && byte != 11) { *to++ = SHORT[byte - 8]; return to; }
        to = copy(to, "u00", 3);
        *to++ = static_cast<char>('0' + byte / 16);
        *to++ = "0123456789ABCDEF"[byte % 16];
        return to;
    }
};

bool begins_formula(Piece text) {
    // As value_text.FORMULA_STARTS.
    return text.length && std::memchr("=+-@\t\r", *text.begin, 6);
}

template <typename Format>
char* text(char* to, Piece from, bool harmless) {
    *to++ = '"';
    if (harmless && begins_formula(from)) *to++ = '\'';
    unsigned marked = 0;
    for (size_t place = 0; place < from.length; ++place) {
        to[place] = from.begin[place];
        marked |= Format::is_mark(static_cast<unsigned char>(from.begin[place]));
    }
    if (!marked) {
        to += from.length;
    } else {
        for (size_t place = 0; place < from.length; ++place) {
            const auto byte = static_cast<unsigned char>(from.begin[place]);
            if (Format::is_mark(byte)) to = Format::escaped(to, byte);
            else *to++ = from.begin[place];
        }
    }
    *to++ = '"';
    return to;
}

char* binary(char* to, Piece from) {
    *to++ = '"';
    for (size_t place = 0; place < from.length; ++place) {
        const auto byte = static_cast<unsigned char>(from.begin[place]);
        *to++ = "0123456789ABCDEF"[byte / 16];
        *to++ = "0123456789ABCDEF"[byte % 16];
    }
    *to++ = '"';
    return to;
}

template <typename Value>
Value at(const Column& column, int64_t row) {
    return reinterpret_cast<const Value*>(column.values)[row];
}

template <typename Format, typename Write>
char* quoted(char* to, bool quotes, Write write) {
    quotes = quotes && Format::QUOTES_NUMBERS;
    if (quotes) *to++ = '"';
    to = write(to);
    if (quotes) *to++ = '"';
    return to;
}

template <typename Format, typename Number>
char* large(char* to, Number value) {
    bool safe = value <= static_cast<Number>(SAFE_INTEGER);
    if constexpr (static_cast<Number>(-1) < 0) safe = safe && value >= -SAFE_INTEGER;
    return quoted<Format>(to, !safe, [=](char* begin) {
        if constexpr (sizeof value == sizeof(Wide)) return decimal(begin, value, 0);
        else return digits(begin, value);
    });
}

template <typename Format>
char* any_real(char* to, double value) {
    return quoted<Format>(to, !std::isfinite(value), [=](char* begin) {
        if (std::isfinite(value)) return real(begin, value);
        if (std::isnan(value)) return copy(begin, "NaN", 3);
        return value > 0 ? copy(begin, "Infinity", 8) : copy(begin, "-Infinity", 9);
    });
}

// A value but a text or a binary; `row` counts from the start of the column's buffers.
template <typename Format>
char* value(char* to, const Column& column, int64_t row) {
    switch (column.kind) {
    case INT8: return digits(to, static_cast<int>(at<int8_t>(column, row)));
    case INT16: return digits(to, at<int16_t>(column, row));
    case INT32: return digits(to, at<int32_t>(column, row));
    case INT64: return large<Format>(to, at<int64_t>(column, row));
    case UINT8: return digits(to, static_cast<int>(at<uint8_t>(column, row)));
    case UINT16: return digits(to, at<uint16_t>(column, row));
    case UINT32: return digits(to, at<uint32_t>(column, row));
    case UINT64: return large<Format>(to, at<uint64_t>(column, row));
    case WIDE_INTEGER: return large<Format>(to, at<Wide>(column, row));
    case DOUBLE: return any_real<Format>(to, at<double>(column, row));
    case DECIMAL: return quoted<Format>(to, column.quoted, [&](char* begin) {
        return decimal(begin, at<Wide>(column, row), column.scale);
    });
    case BOOLEAN:
        return column.values[row / 8] >> (row % 8) & 1 ? copy(to, "true", 4) : copy(to, "false", 5);
    case DATE: return quoted<Format>(to, true, [&](char* begin) {
        return date(begin, at<int32_t>(column, row));
    });
    case TIME:
        *to++ = '"';
        to = clock(to, at<int64_t>(column, row));
        *to++ = '"';
        return to;
    case TIMESTAMP: return quoted<Format>(to, true, [&](char* begin) {
        return timestamp(begin, at<int64_t>(column, row));
    });
    case MOMENT: return quoted<Format>(to, true, [&](char* begin) {
        char* end = timestamp(begin, at<int64_t>(column, row));
        *end = 'Z';
        return end + 1;
    });
    default: throw Beyond();
    }
}

struct Rows {
    const Column* columns;
    int64_t column_count, row_count;
    const char* after;             // each row
    int64_t after_length;
    int64_t harmless;              // as `safe` of value_text.csv_cell
};

// The most a row takes, less what its texts and binaries do.
size_t row_bytes(const Rows& rows) {
    size_t bytes = static_cast<size_t>(rows.after_length + BLOCK);
    for (int64_t place = 0; place < rows.column_count; ++place)
        bytes += static_cast<size_t>(rows.columns[place].before_length + BLOCK) + LONGEST_VALUE;
    return bytes;
}

template <typename Format>
void write(Page& page, const Rows& rows, int64_t* ends) {
    const size_t others = row_bytes(rows);
    char* to = page.begin();
    ends[0] = 0;
    for (int64_t number = 0; number < rows.row_count; ++number) {
        to = page.room(to, others);
        for (int64_t place = 0; place < rows.column_count; ++place) {
            const Column& column = rows.columns[place];
            const int64_t row = column.offset + number;
            to = copy_blocks(to, column.before, column.before_length);
            if (column.valid && !(column.valid[row / 8] >> (row % 8) & 1)) {
                to = copy_blocks(to, column.missing, column.missing_length);
            } else if (column.kind < TEXT) {
                to = value<Format>(to, column, row);
            } else {
                const Piece from = piece(column, row);
                to = page.room(to, others + Format::LONGEST * from.length);
                to = column.kind == TEXT ? text<Format>(to, from, rows.harmless) : binary(to, from);
            }
        }
        to = copy_blocks(to, rows.after, rows.after_length);
        ends[number + 1] = to - page.begin();
    }
}

}  // namespace

// Write `row_count` rows into a new buffer, *written, which `free_rows` takes back; `likely` bytes
// are expected. `ends` has room for one number more than there are rows. Nothing is made unless the
// outcome is WRITTEN.
extern "C" int32_t write_rows(const Rows* rows, int32_t json, int64_t likely, char** written,
                              int64_t* ends) {
    try {
        Page page(likely);
        (json ? write<Json> : write<Csv>)(page, *rows, ends);
        *written = page.give();
        return WRITTEN;
    } catch (const Beyond&) {
        return BEYOND;
    } catch (const std::bad_alloc&) {
        return NO_MEMORY;
    }
}

// The layout of Column and Rows; built from other sources, this is none of theirs.
extern "C" int32_t row_text_layout() { return 1; }

extern "C" void free_rows(char* written) { std::free(written); }
