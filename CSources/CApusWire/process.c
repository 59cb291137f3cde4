#include "apus_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int apus_peer_user(int socket, uid_t* user) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return -errno;
    *user = credentials.uid;
    return 0;
}

int apus_semaphore_wait(sem_t* semaphore, uint64_t timeout_ns) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t nanoseconds = (uint64_t)end.tv_nsec + timeout_ns % 1000000000;
    end.tv_sec += (time_t)(timeout_ns / 1000000000 + nanoseconds / 1000000000);
    end.tv_nsec = (long)(nanoseconds % 1000000000);
    while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &end) != 0) {
        if (errno != EINTR) return -errno;
    }
    return 0;
}

// The child must not inherit what our threads block or ignore, or it could never be ended.
static int add_attributes(posix_spawnattr_t* attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int result = posix_spawnattr_setsigmask(attributes, &none);
    if (result == 0) result = posix_spawnattr_setsigdefault(attributes, &all);
    if (result == 0) {
        result = posix_spawnattr_setflags(attributes,
                                          (short)(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    }
    return result;
}

static int add_files(posix_spawn_file_actions_t* files, int input) {
    int result = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);
    if (result == 0) {
        result = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    return result;
}

int apus_spawn_self(pid_t* pid, char* const arguments[], int input) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    int result = posix_spawnattr_init(&attributes);
    if (result != 0) return -result;
    result = posix_spawn_file_actions_init(&files);
    if (result == 0) {
        result = add_attributes(&attributes);
        if (result == 0) result = add_files(&files, input);
        if (result == 0) result = posix_spawn(pid, "/proc/self/exe", &files, &attributes, arguments, environ);
        posix_spawn_file_actions_destroy(&files);
    }
    posix_spawnattr_destroy(&attributes);
    return -result;
}
