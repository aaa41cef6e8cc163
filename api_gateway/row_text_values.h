// Numbers and times as text: each function writes at `to`, where there is room for LONGEST_VALUE
// bytes, and returns where the text ends.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using Wide = __int128;
constexpr int64_t DAY_US = 86'400'000'000;
// From 0001-01-01 to 9999-12-31; what is beyond, the engine writes.
constexpr int64_t FIRST_DAY = -719'162, LAST_DAY = 2'932'896;
struct Beyond {};
// No value but a text or a binary is longer, its quotes included.
constexpr size_t LONGEST_VALUE = 64;

char* copy(char* to, const char* from, size_t length) {
    std::memcpy(to, from, length);
    return to + length;
}

template <typename Number>
char* digits(char* to, Number value) { return std::to_chars(to, to + LONGEST_VALUE, value).ptr; }

struct Pairs {
    char text[200] = {};
    constexpr Pairs() {
        for (int number = 0; number < 100; ++number) {
            text[2 * number] = static_cast<char>('0' + number / 10);
            text[2 * number + 1] = static_cast<char>('0' + number % 10);
        }
    }
};
constexpr Pairs PAIRS;

char* two(char* to, unsigned value) { return copy(to, PAIRS.text + 2 * value, 2); }

char* six(char* to, unsigned value) {
    return two(two(two(to, value / 10'000), value / 100 % 100), value % 100);
}

char* padded(char* to, uint64_t value, int width) {
    for (int place = width - 1; place >= 0; --place, value /= 10)
        to[place] = static_cast<char>('0' + value % 10);
    return to + width;
}

char* wide(char* to, unsigned __int128 value) {
    constexpr uint64_t PART = 1'000'000'000'000'000'000;
    if (value < PART) return digits(to, static_cast<uint64_t>(value));
    to = wide(to, value / PART);
    return padded(to, static_cast<uint64_t>(value % PART), 18);
}

char* decimal(char* to, Wide value, int scale) {
    unsigned __int128 size = value;
    if (value < 0) { *to++ = '-'; size = -size; }
    char text[LONGEST_VALUE];
    int length = static_cast<int>(wide(text, size) - text);
    if (length <= scale) {
        *to++ = '0';
    } else {
        to = copy(to, text, static_cast<size_t>(length - scale));
    }
    if (!scale) return to;
    *to++ = '.';
    for (int zeros = scale - length; zeros > 0; --zeros) *to++ = '0';
    int rest = length < scale ? length : scale;
    return copy(to, text + length - rest, static_cast<size_t>(rest));
}

// A number of few decimals, or null when it is none. Not two texts of up to 15 digits stand for the
// same number: that which reads back as it is the shortest.
char* few_decimals(char* to, double value) {
    constexpr double SCALE = 1e6, MOST = 1e9;
    if (!(value < MOST)) return nullptr;
    const auto scaled = static_cast<uint64_t>(value * SCALE + 0.5);
    if (static_cast<double>(scaled) / SCALE != value || (scaled < 100 && scaled)) return nullptr;
    to = digits(to, scaled / 1'000'000);
    *to++ = '.';
    to = six(to, static_cast<unsigned>(scaled % 1'000'000));
    while (to[-1] == '0' && to[-2] != '.') --to;
    return to;
}

// The fewest digits that read back as the same number: with an exponent, of two digits at least,
// below 0.0001 and from 1e16 on.
char* real(char* to, double value) {
    if (std::signbit(value)) { *to++ = '-'; value = -value; }
    if (char* end = few_decimals(to, value)) return end;
    // Of all formats the library writes this one soonest: d.ddde-dd.
    char text[LONGEST_VALUE];
    const char* end =
        std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    const char* mark = end - 4;
    if (*mark != 'e') --mark;
    int exponent = 0;
    for (const char* digit = mark + 2; digit < end; ++digit) exponent = exponent * 10 + *digit - '0';
    if (mark[1] == '-') exponent = -exponent;
    if (exponent < -4 || exponent >= 16) return copy(to, text, static_cast<size_t>(end - text));
    const char* rest = text + 2;
    const int length = mark > rest ? static_cast<int>(mark - rest) : 0;
    if (exponent < 0) to = copy(to, "0.000", static_cast<size_t>(1 - exponent));
    *to++ = text[0];
    if (exponent < 0) return copy(to, rest, static_cast<size_t>(length));
    for (int place = 0; place < exponent; ++place) *to++ = place < length ? rest[place] : '0';
    *to++ = '.';
    if (length <= exponent) { *to++ = '0'; return to; }
    return copy(to, rest + exponent, static_cast<size_t>(length - exponent));
}

// After "Euclidean affine functions and their application to calendar algorithms" (Cassio Neri and
// Lorenz Schneider, 2022), figure 12: years begin in March, and no step divides by a variable.
char* date(char* to, int64_t day) {
    if (day < FIRST_DAY || day > LAST_DAY) throw Beyond();
    const uint32_t quarters = 4 * static_cast<uint32_t>(day + 719'468) + 3;
    const uint64_t years = uint64_t{2'939'745} * (quarters % 146'097 | 3);
    const uint32_t of_year = static_cast<uint32_t>(years) / 2'939'745 / 4;
    const uint32_t months = 2'141 * of_year + 197'913;
    const bool next_year = of_year >= 306;
    const uint32_t year =
        100 * (quarters / 146'097) + static_cast<uint32_t>(years >> 32) + next_year;
    to = two(two(to, year / 100), year % 100);
    *to++ = '-';
    to = two(to, (months >> 16) - 12 * next_year);
    *to++ = '-';
    return two(to, (months & 0xFFFF) / 2'141 + 1);
}

char* clock(char* to, int64_t microseconds) {
    const auto seconds = static_cast<uint32_t>(microseconds / 1'000'000);
    const auto fraction = static_cast<uint32_t>(microseconds % 1'000'000);
    to = two(to, seconds / 3600);
    *to++ = ':';
    to = two(to, seconds / 60 % 60);
    *to++ = ':';
    to = two(to, seconds % 60);
    if (!fraction) return to;
    *to++ = '.';
    to = six(to, fraction);
    while (to[-1] == '0') --to;
    return to;
}

char* timestamp(char* to, int64_t microseconds) {
    int64_t day = microseconds / DAY_US, rest = microseconds % DAY_US;
    if (rest < 0) { rest += DAY_US; --day; }
    to = date(to, day);
    *to++ = 'T';
    return clock(to, rest);
}

}  // namespace
