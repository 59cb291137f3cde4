#include "counts_section.h"

#include <string.h>
#include <unistd.h>

__attribute__((noinline)) void counts_section(counts_body body, void* context, uint64_t operations, uint64_t spent) {
    body(context, operations);
    for (; spent > 0; spent--)
        __asm__ volatile("nop");
}

void counts_mark(const char* text) {
    // It fails, as it must.
    if (write(-1, text, strlen(text)) >= 0) __builtin_trap();
}
