// Where counting begins and ends.
#ifndef COUNTS_SECTION_H
#define COUNTS_SECTION_H

#include <stdint.h>

// Performs `operations` operations; a body keeps its place in its context, so that the next call goes on there.
typedef void (*counts_body)(void* context, uint64_t operations);

// The function that callgrind collects in and dumps after (--toggle-collect, --dump-after): the body, and then `spent` rounds of
// nothing, three instructions each, by which a gate is tried.
void counts_section(counts_body body, void* context, uint64_t operations, uint64_t spent);

// A system call that does nothing and shows in a trace: write(-1, text, length).
void counts_mark(const char* text);

#endif
