// A network as some machines have it: preloaded into a daemon, it has no IPv6 where NO_IPV6 is set,
// gives IPv6 sockets IPv6 alone where ONLY_IPV6 is (net.ipv6.bindv6only), and knows names of its own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int socket(int family, int type, int protocol) {
    if (family == AF_INET6 && getenv("NO_IPV6")) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int made = (int)syscall(SYS_socket, family, type, protocol);
    if (made >= 0 && family == AF_INET6 && getenv("ONLY_IPV6")) {
        int on = 1;
        setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    return made;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(name, "none.example") == 0) {
        return EAI_NONAME;
    }
    if (strcmp(name, "elsewhere.example") == 0) {
        return real("192.0.2.1", service, hints, found);
    }
    if (strcmp(name, "several.example") == 0) {
        const char *addresses[] = {"127.0.0.1", "127.0.0.2", "192.0.2.1"};
        for (int i = 0; i < 3; i++) {
            int error = real(addresses[i], service, hints, found);
            if (error) {
                return error;
            }
            while (*found) {
                found = &(*found)->ai_next;
            }
        }
        return 0;
    }
    if (strcmp(name, "slow.example") == 0) {
        const char *line = "looking slow.example up\n";
        write(2, line, strlen(line));
        for (;;) {
            sleep(60);
        }
    }
    return real(name, service, hints, found);
}
