// What the control side needs of the system beside sockets for the venue: who is at the other end of a local socket, a process of
// its own session, and waiting by the monotonic clock.
#ifndef APUS_PROCESS_H
#define APUS_PROCESS_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// The user of the process at the other end of a connected Unix socket, as the kernel knows it. Any thread. Returns 0 or a negative
// errno.
int apus_peer_user(int socket, uid_t* user);

// Waits for the semaphore at most `timeout_ns`, by the monotonic clock: a wall clock that is set changes nothing. Any thread.
// Returns 0, or -ETIMEDOUT.
int apus_semaphore_wait(sem_t* semaphore, uint64_t timeout_ns);

// Starts this program once more, as the leader of a session of its own: no key and no hang-up of this terminal reaches it. It
// gets `arguments` (a NULL-terminated array, whose first is the program's name), this environment, `input` as its standard input,
// /dev/null as its standard output, our standard error, and no other descriptor. Any thread; the caller keeps `input` and waits
// for `pid` in the end. Returns 0 or a negative errno.
int apus_spawn_self(pid_t* pid, char* const arguments[], int input);

#endif
