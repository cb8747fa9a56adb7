// A disk that hangs: preloaded into a daemon, it lets nothing become durable while there is a file
// where HUNG names one.
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...);

static int durable(long number, int file) {
    const char *hung = getenv("HUNG");
    while (hung && access(hung, F_OK) == 0) {
        sleep(1);
    }
    return (int)syscall(number, file);
}

int fsync(int file) { return durable(SYS_fsync, file); }

int fdatasync(int file) { return durable(SYS_fdatasync, file); }
