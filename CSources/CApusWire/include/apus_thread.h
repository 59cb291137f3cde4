// A thread for an agent: with a name, a processor of its own where wanted, and no signals.
#ifndef APUS_THREAD_H
#define APUS_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// Starts a thread that runs body(argument). `name` is cut to 15 characters; cpu -1: any processor. Signals are blocked in it:
// they belong to the threads of the program. Any thread. Returns 0; -EINVAL when the processor does not exist or is forbidden
// to this process; or another negative errno. The caller joins the thread.
int apus_thread_start(pthread_t* thread, const char* name, int32_t cpu, void* (*body)(void*), void* argument);

// Keeps the calling thread, and every thread that it will make, off these processors: a thread that a message wakes, such as a
// venue's in the same process, would otherwise be let in front of the one that spins there. A number below 0 counts for nothing.
// Returns 0, or a negative errno; -EINVAL when no other processor is left, and then nothing has changed.
int apus_thread_avoid(const int32_t* cpus, size_t count);

#endif
