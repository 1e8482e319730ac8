/* An SMTP server that takes every message and forgets it: the fastest thing to send into.
 *
 *     cc -O2 -o sink sink.c && ./sink [PORT]
 *
 * It speaks ESMTP with PIPELINING (RFC 5321, RFC 2920) to any number of connections in one thread,
 * answers each group at once, and on SIGTERM prints how many messages it took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 4096, BUFFER = 1 << 18, ANSWERS = 1 << 14 };

struct client {
    int fd, in_content, line_len, answers_len, closing;
    int tail;            /* how much of CRLF.CRLF the content has just matched */
    char line[1024], answers[ANSWERS];
};

static struct client *clients[CONNECTIONS];
static long taken;
static volatile sig_atomic_t stopped;

static void stop(int number) { (void)number; stopped = 1; }

static void answer(struct client *c, const char *words) {
    int length = strlen(words);
    if (c->answers_len + length < ANSWERS) {
        memcpy(c->answers + c->answers_len, words, length);
        c->answers_len += length;
    }
}

static void obey(struct client *c) {
    if (!strncasecmp(c->line, "EHLO", 4)) answer(c, "250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n");
    else if (!strncasecmp(c->line, "DATA", 4)) { answer(c, "354 go on\r\n"); c->in_content = 1; c->tail = 2; }
    else if (!strncasecmp(c->line, "QUIT", 4)) { answer(c, "221 bye\r\n"); c->closing = 1; }
    else answer(c, "250 ok\r\n");
}

/* The content's end is CRLF "." CRLF; between line ends nothing needs to be looked at. */
static const char *content(struct client *c, const char *at, const char *end) {
    static const char mark[] = "\r\n.\r\n";
    while (at < end) {
        if (c->tail == 0) {
            at = memmem(at, end - at, "\r\n.", 3) ? memmem(at, end - at, "\r\n.", 3) : end - (end - at > 2 ? 2 : 0);
            if (at == end) return end;
        }
        while (at < end) {
            if (*at == mark[c->tail]) { c->tail++; at++; }
            else if (c->tail) { c->tail = *at == '\r'; at++; if (!c->tail) break; }
            else { at++; break; }
            if (c->tail == 5) { taken++; c->in_content = 0; c->tail = 0; answer(c, "250 taken\r\n"); return at; }
        }
    }
    return at;
}

static void hear(struct client *c, const char *at, const char *end) {
    while (at < end) {
        if (c->in_content) { at = content(c, at, end); continue; }
        char letter = *at++;
        if (letter == '\n') { c->line[c->line_len] = 0; c->line_len = 0; obey(c); }
        else if (c->line_len < (int)sizeof c->line - 1) c->line[c->line_len++] = letter;
    }
}

static int say(struct client *c) {
    int written = send(c->fd, c->answers, c->answers_len, MSG_NOSIGNAL);
    c->answers_len = 0;
    return written >= 0 && !c->closing;
}

static void leave(struct client *c) { clients[c->fd] = NULL; close(c->fd); free(c); }

int main(int count, char **words) {
    static char buffer[BUFFER];
    int one = 1, poll = epoll_create1(0), door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(count > 1 ? words[1] : "0")),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (void *)&here, size) || listen(door, 512)) { perror("sink"); return 1; }
    getsockname(door, (void *)&here, &size);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    signal(SIGTERM, stop);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    while (!stopped) {
        int ready = epoll_wait(poll, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == door) {
                int new = accept4(door, NULL, NULL, SOCK_NONBLOCK);
                if (new < 0 || new >= CONNECTIONS) { if (new >= 0) close(new); continue; }
                setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                struct client *c = clients[new] = calloc(1, sizeof *c);
                c->fd = new;
                answer(c, "220 sink ESMTP\r\n");
                if (!say(c)) { leave(c); continue; }
                event.data.fd = new;
                epoll_ctl(poll, EPOLL_CTL_ADD, new, &event);
                continue;
            }
            struct client *c = clients[fd];
            int length = c ? recv(fd, buffer, BUFFER, 0) : 0;
            if (c && (length == 0 || (length < 0 && errno != EAGAIN))) { leave(c); continue; }
            if (length > 0) hear(c, buffer, buffer + length);
            if (c && c->answers_len && !say(c)) leave(c);
        }
    }
    printf("%ld\n", taken);
    return 0;
}
