// Sockets of all families, and the messages that go through them.
#include "calls.h"

#include <arpa/inet.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static int pair_of(int type, int ends[2]) { return socketpair(AF_UNIX, type, 0, ends); }
static struct sockaddr_in loopback;
static socklen_t loopback_size = sizeof loopback;

static int listening(void) {
  int fd = (int)CALL(socket, AF_INET, SOCK_STREAM, 0);
  OK(fd);
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  OK(CALL(bind, fd, &loopback, sizeof loopback));
  OK(CALL(listen, fd, 5));
  OK(CALL(getsockname, fd, &loopback, &loopback_size));
  return fd;
}
static int connected(int *server) {
  int l = listening(), c = socket(AF_INET, SOCK_STREAM, 0);
  OK(CALL(connect, c, &loopback, sizeof loopback));
  *server = accept(l, NULL, NULL);
  OK(*server);
  return c;
}
static int datagrams(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  OK(fd);
  loopback.sin_port = 0;
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  OK(bind(fd, (struct sockaddr *)&loopback, sizeof loopback));
  OK(getsockname(fd, (struct sockaddr *)&loopback, &loopback_size));
  return fd;
}

SITUATION(pair_of_streams) {
  int s[2];
  OK(CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, s));
  EXPECT(CALL(sendto, s[0], "hello", 5L, 0, NULL, 0) == 5 && CALL(recvfrom, s[1], noise, 100L, 0, NULL, NULL) == 5);
  OK(CALL(shutdown, s[0], SHUT_WR));
  EXPECT(recv(s[1], noise, 100, 0) == 0);
}
SITUATION(peeked_and_truncated) {
  int s[2];
  OK(pair_of(SOCK_DGRAM, s));
  EXPECT(send(s[0], "0123456789", 10, 0) == 10);
  EXPECT(recv(s[1], noise, 4, MSG_PEEK) == 4 && recv(s[1], noise, 4, MSG_TRUNC | MSG_PEEK) == 10 && recv(s[1], noise, 4, MSG_TRUNC) == 10);
  FAILS(recv(s[1], noise, 4, MSG_DONTWAIT), EAGAIN);
}
SITUATION(packets) {
  int s[2];
  OK(pair_of(SOCK_SEQPACKET, s));
  EXPECT(send(s[0], "one", 3, 0) == 3 && send(s[0], "three", 5, 0) == 5);
  EXPECT(recv(s[1], noise, 100, 0) == 3 && recv(s[1], noise, 100, 0) == 5);
}
SITUATION(named_unix_server) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"}, who;
  socklen_t size = sizeof who;
  int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  OK(bind(l, (struct sockaddr *)&a, sizeof a));
  OK(listen(l, 1));
  OK(connect(c, (struct sockaddr *)&a, sizeof a));
  int s = (int)CALL(accept4, l, &who, &size, SOCK_NONBLOCK);
  OK(s);
  EXPECT(size == 2);
  size = sizeof who;
  OK(CALL(getpeername, c, &who, &size));
  EXPECT(strcmp(who.sun_path, "socket") == 0);
  FAILS(recv(s, noise, 1, 0), EAGAIN);
}
SITUATION(abstract_name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX}, who;
  socklen_t size = sizeof who;
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  OK(bind(d, (struct sockaddr *)&a, sizeof(sa_family_t)));  // the kernel chooses
  OK(getsockname(d, (struct sockaddr *)&who, &size));
  EXPECT(size == 8 && who.sun_path[0] == 0);
  int e = socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT(sendto(e, "hi", 2, 0, (struct sockaddr *)&who, size) == 2 && recv(d, noise, 10, 0) == 2);
}
SITUATION(tcp_accepted) {
  struct sockaddr_in who;
  socklen_t size = sizeof who;
  int l = listening(), c = socket(AF_INET, SOCK_STREAM, 0);
  OK(connect(c, (struct sockaddr *)&loopback, sizeof loopback));
  int s = (int)CALL(accept, l, &who, &size);
  EXPECT(s >= 0 && size == sizeof who && who.sin_family == AF_INET);
  EXPECT(write(c, "request", 7) == 7 && read(s, noise, 100) == 7);
  size = 3;  // less room than the address needs
  OK(CALL(getsockname, s, &who, &size));
  EXPECT(size == sizeof who);
}
SITUATION(tcp_with_a_child) {
  int l = listening();
  pid_t child = CHILD({
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (struct sockaddr *)&loopback, sizeof loopback) != 0) _exit(1);
    for (int i = 0; i < 40; ++i)
      if (write(c, other_noise, 5000) != 5000) _exit(2);
  });
  int s = accept(l, NULL, NULL);
  long total = 0;
  for (long n; (n = read(s, noise, sizeof noise)) > 0;) total += n;
  EXPECT(total == 200000 && end_of(child) == 0);
}
SITUATION(tcp_refused_and_in_progress) {
  int l = listening(), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int error = 1;
  socklen_t size = sizeof error;
  EXPECT(connect(c, (struct sockaddr *)&loopback, sizeof loopback) == 0 || errno == EINPROGRESS);
  struct pollfd p = {c, POLLOUT, 0};
  EXPECT(poll(&p, 1, 1000) == 1);
  OK(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &size));
  EXPECT(error == 0);
  close(l), close(c);
  c = socket(AF_INET, SOCK_STREAM, 0);
  FAILS(connect(c, (struct sockaddr *)&loopback, sizeof loopback), ECONNREFUSED);
}
SITUATION(urgent_data) {
  int s, c = connected(&s), mark = 0;
  EXPECT(send(c, "ab!", 3, MSG_OOB) == 3);
  nap(500);
  EXPECT(recv(s, noise, 10, MSG_OOB) == 1 && noise[0] == '!');
  OK(ioctl(s, 0x8905 /* SIOCATMARK */, &mark));
}
SITUATION(datagrams_by_name) {
  int fd = datagrams();
  struct sockaddr_in who;
  socklen_t size = sizeof who;
  EXPECT(CALL(sendto, fd, "datagram", 8L, 0, &loopback, sizeof loopback) == 8);
  EXPECT(CALL(recvfrom, fd, noise, 100L, 0, &who, &size) == 8 && who.sin_port == loopback.sin_port);
}
SITUATION(message_in_pieces) {
  int fd = datagrams();
  struct sockaddr_in who;
  struct iovec v[3] = {{"abc", 3}, {"", 0}, {"defg", 4}}, w[2] = {{noise, 2}, {noise + 10, 100}};
  struct msghdr out = {&loopback, sizeof loopback, v, 3, NULL, 0, 0}, in = {&who, sizeof who, w, 2, noise + 200, 100, 0};
  EXPECT(CALL(sendmsg, fd, &out, 0) == 7 && CALL(recvmsg, fd, &in, 0) == 7);
  EXPECT(memcmp(noise + 10, "cdefg", 5) == 0 && in.msg_controllen == 0 && in.msg_namelen == sizeof who);
}
SITUATION(message_truncated) {
  int s[2];
  OK(pair_of(SOCK_DGRAM, s));
  struct iovec w = {noise, 3};
  struct msghdr in = {NULL, 0, &w, 1, NULL, 0, 0};
  EXPECT(send(s[0], "0123456", 7, 0) == 7 && recvmsg(s[1], &in, 0) == 3 && (in.msg_flags & MSG_TRUNC));
}
SITUATION(descriptors_passed) {
  int s[2], fds[3] = {file_of("f", 9), 0, 1};
  union { char bytes[CMSG_SPACE(sizeof fds)]; struct cmsghdr h; } control;
  struct iovec v = {"x", 1}, w = {noise, 10};
  struct msghdr m = {NULL, 0, &v, 1, control.bytes, sizeof control, 0};
  OK(pair_of(SOCK_STREAM, s));
  memset(&control, 0, sizeof control);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof fds);
  memcpy(CMSG_DATA(c), fds, sizeof fds);
  EXPECT(sendmsg(s[0], &m, 0) == 1);
  memset(&control, 0, sizeof control);
  struct msghdr in = {NULL, 0, &w, 1, control.bytes, sizeof control, 0};
  EXPECT(recvmsg(s[1], &in, MSG_CMSG_CLOEXEC) == 1 && in.msg_controllen == sizeof control);
  int got[3];
  memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&in)), sizeof got);
  EXPECT(got[0] > fds[0] && read(got[0], noise, 100) == 9);
}
SITUATION(descriptors_passed_into_too_little_room) {
  int s[2], fds[2] = {0, 1};
  union { char bytes[CMSG_SPACE(sizeof fds)]; struct cmsghdr h; } control;
  struct iovec v = {"x", 1}, w = {noise, 10};
  struct msghdr m = {NULL, 0, &v, 1, control.bytes, sizeof control, 0};
  OK(pair_of(SOCK_STREAM, s));
  memset(&control, 0, sizeof control);
  control.h.cmsg_level = SOL_SOCKET, control.h.cmsg_type = SCM_RIGHTS, control.h.cmsg_len = CMSG_LEN(sizeof fds);
  memcpy(CMSG_DATA(&control.h), fds, sizeof fds);
  EXPECT(sendmsg(s[0], &m, 0) == 1);
  struct msghdr in = {NULL, 0, &w, 1, control.bytes, CMSG_LEN(4), 0};
  EXPECT(recvmsg(s[1], &in, 0) == 1 && (in.msg_flags & MSG_CTRUNC));
}
SITUATION(credentials_passed) {
  int s[2], on = 1;
  char control[200];
  struct iovec w = {noise, 10};
  struct msghdr in = {NULL, 0, &w, 1, control, sizeof control, 0};
  struct ucred peer;
  socklen_t size = sizeof peer;
  OK(pair_of(SOCK_STREAM, s));
  OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  EXPECT(write(s[0], "x", 1) == 1 && recvmsg(s[1], &in, 0) == 1 && CMSG_FIRSTHDR(&in)->cmsg_type == SCM_CREDENTIALS);
  OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &size));
  EXPECT(peer.pid == getpid());
}
SITUATION(time_stamps_passed) {
  int fd = datagrams(), on = 1;
  char control[200];
  struct iovec w = {noise, 10};
  struct msghdr in = {NULL, 0, &w, 1, control, sizeof control, 0};
  OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
  OK(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on));
  EXPECT(sendto(fd, "x", 1, 0, (struct sockaddr *)&loopback, sizeof loopback) == 1);
  EXPECT(recvmsg(fd, &in, 0) == 1 && in.msg_controllen > 40);
}
SITUATION(many_messages_at_once) {
  int fd = datagrams();
  struct iovec v[4], w[5][2];
  struct mmsghdr out[4], in[5];
  char control[5][64];
  memset(out, 0, sizeof out), memset(in, 0, sizeof in);
  for (int i = 0; i < 4; ++i) {
    v[i].iov_base = other_noise + i, v[i].iov_len = (size_t)(10 + i);
    out[i].msg_hdr.msg_iov = v + i, out[i].msg_hdr.msg_iovlen = 1;
    out[i].msg_hdr.msg_name = &loopback, out[i].msg_hdr.msg_namelen = sizeof loopback;
  }
  EXPECT(CALL(sendmmsg, fd, out, 4, 0) == 4 && out[3].msg_len == 13);
  for (int i = 0; i < 5; ++i) {
    w[i][0].iov_base = noise + 100 * i, w[i][0].iov_len = 5, w[i][1].iov_base = noise + 100 * i + 50, w[i][1].iov_len = 50;
    in[i].msg_hdr.msg_iov = w[i], in[i].msg_hdr.msg_iovlen = 2;
    in[i].msg_hdr.msg_control = control[i], in[i].msg_hdr.msg_controllen = 64;
  }
  struct timespec patience = {0, 2000000};
  EXPECT(CALL(recvmmsg, fd, in, 5, MSG_DONTWAIT, &patience) == 4 && in[2].msg_len == 12);
}
SITUATION(options_of_sockets) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, value = 0;
  socklen_t size = sizeof value;
  struct linger linger = {1, 3};
  struct timeval patience = {1, 0};
  OK(CALL(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
  OK(CALL(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &size));
  EXPECT(value == SOCK_STREAM);
  for (int option = 1; option < 80; ++option) {
    size = 200;
    ASK(getsockopt(fd, SOL_SOCKET, option, noise, &size));
  }
  size = 2;
  OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, noise, &size));
}
SITUATION(options_of_protocols) {
  int s, c = connected(&s);
  socklen_t size;
  for (int option = 1; option < 45; ++option) {
    size = 300;
    if (option != 35) ASK(getsockopt(c, IPPROTO_TCP, option, noise, &size));
    size = 300;
    ASK(getsockopt(c, IPPROTO_IP, option, noise, &size));
  }
  struct tcp_info info;
  size = sizeof info;
  OK(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &size));
  EXPECT(info.tcpi_state == TCP_ESTABLISHED);
}
SITUATION(zero_copy_receive_refused) {
  int s, c = connected(&s);
  static uint64_t words[8];
  socklen_t size = sizeof words;
  memset(words, 0, sizeof words);
  EXPECT(write(s, other_noise, 5000) == 5000);
  nap(300);
  ASK(getsockopt(c, IPPROTO_TCP, 35 /* TCP_ZEROCOPY_RECEIVE */, words, &size));
  ASK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, c, 0));
  EXPECT(read(c, noise, 5000) > 0);
}
SITUATION(zero_copy_send) {
  int s, c = connected(&s), on = 1;
  char control[200];
  struct msghdr m = {NULL, 0, NULL, 0, control, sizeof control, 0};
  NEEDS(setsockopt(c, SOL_SOCKET, 60 /* SO_ZEROCOPY */, &on, sizeof on) == 0, "no SO_ZEROCOPY");
  EXPECT(send(c, other_noise, 3000, 0x4000000 /* MSG_ZEROCOPY */) == 3000);
  nap(500);
  ASK(recvmsg(c, &m, MSG_ERRQUEUE));
  EXPECT(read(s, noise, 5000) == 3000);
}
SITUATION(error_queue) {
  int fd = datagrams(), on = 1;
  char control[300];
  struct sockaddr_in who;
  struct iovec w = {noise, 50};
  struct msghdr m = {&who, sizeof who, &w, 1, control, sizeof control, 0};
  loopback.sin_port = 0;
  int closed = datagrams();
  struct sockaddr_in nobody = loopback;
  close(closed);
  OK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
  EXPECT(sendto(fd, "x", 1, 0, (struct sockaddr *)&nobody, sizeof nobody) == 1);
  nap(300);
  long n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
  EXPECT(n == 1 || errno == EAGAIN);
}
SITUATION(filter_attached_and_read) {
  int s[2];
  struct sock_filter code[2] = {{0x28, 0, 0, 0}, {6, 0, 0, 0xffff}}, got[8];
  struct sock_fprog program = {2, code};
  socklen_t count = 8;
  OK(pair_of(SOCK_DGRAM, s));
  OK(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
  OK(getsockopt(s[1], SOL_SOCKET, SO_GET_FILTER, got, &count));
  EXPECT(got[1].code == 6);
}
SITUATION(ipv6) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, who;
  socklen_t size = sizeof a;
  NEEDS(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "no IPv6");
  OK(getsockname(fd, (struct sockaddr *)&a, &size));
  OK(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on));
  char control[200];
  struct iovec w = {noise, 10};
  struct msghdr m = {&who, sizeof who, &w, 1, control, sizeof control, 0};
  EXPECT(sendto(fd, "six", 3, 0, (struct sockaddr *)&a, sizeof a) == 3 && recvmsg(fd, &m, 0) == 3 && m.msg_controllen > 0);
  for (int option = 1; option < 80; ++option) {
    size = 200;
    ASK(getsockopt(fd, IPPROTO_IPV6, option, noise, &size));
  }
}
SITUATION(routes_by_netlink) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct { struct nlmsghdr h; struct rtgenmsg g; } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  struct sockaddr_nl who;
  struct iovec w = {noise, sizeof noise};
  struct msghdr m = {&who, sizeof who, &w, 1, NULL, 0, 0};
  NEEDS(fd >= 0, "no netlink");
  EXPECT(send(fd, &ask, sizeof ask, 0) == sizeof ask);
  long n = recvmsg(fd, &m, MSG_PEEK | MSG_TRUNC);
  EXPECT(n > 0 && recvmsg(fd, &m, 0) > 0 && who.nl_family == AF_NETLINK);
}
SITUATION(raw_packets) {
  int fd = (int)TRY(CALL(socket, AF_PACKET, SOCK_RAW, htons(3)));
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(3), .sll_ifindex = (int)if_nametoindex("lo")}, who;
  socklen_t size = sizeof who;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  int d = datagrams();
  EXPECT(sendto(d, "raw?", 4, 0, (struct sockaddr *)&loopback, sizeof loopback) == 4);
  EXPECT(recvfrom(fd, noise, sizeof noise, 0, (struct sockaddr *)&who, &size) > 40 && size >= 18);
  struct { unsigned packets, drops; } statistics;
  size = sizeof statistics;
  OK(getsockopt(fd, 263, 6 /* PACKET_STATISTICS */, &statistics, &size));
}
SITUATION(raw_internet) {
  int fd = (int)TRY(CALL(socket, AF_INET, SOCK_RAW, IPPROTO_ICMP));
  struct { unsigned char type, code; unsigned short sum, id, number; } echo = {8, 0, 0xfff7 - 0x0102, 0x0102, 0};
  echo.sum = 0xf5fd - 0;
  loopback.sin_family = AF_INET, loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASK(sendto(fd, &echo, sizeof echo, 0, (struct sockaddr *)&loopback, sizeof loopback));
  ASK(recv(fd, noise, 1000, MSG_DONTWAIT));
}
SITUATION(ciphers_of_the_kernel) {
  int fd = socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0);
  NEEDS(fd >= 0, "no AF_ALG");
  struct sockaddr_alg a = {.salg_family = 38, .salg_type = "hash", .salg_name = "sha1"};
  NEEDS(bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "no sha1 in the kernel");
  int op = accept(fd, NULL, NULL);
  EXPECT(op >= 0 && write(op, "abc", 3) == 3 && read(op, noise, 20) == 20 && (unsigned char)noise[0] == 0xa9);
}
SITUATION(virtual_machine_sockets) {
  int fd = socket(40 /* AF_VSOCK */, SOCK_STREAM, 0);
  NEEDS(fd >= 0, "no AF_VSOCK");
  socklen_t size = 200;
  ASK(getsockname(fd, (struct sockaddr *)noise, &size));
}
SITUATION(families_that_are_missing) {
  for (int family = 0; family < 50; ++family) {
    int fd = (int)ASK(CALL(socket, family, SOCK_DGRAM, 0));
    if (fd >= 0) close(fd);
  }
}
SITUATION(sent_from_a_file) {
  int s, c = connected(&s), file = file_of("f", 20000);
  EXPECT(CALL(sendfile, c, file, NULL, 20000L) == 20000);
  long total = 0;
  while (total < 20000) total += read(s, noise, 5000);
  EXPECT(total == 20000);
}
SITUATION(spliced_through) {
  int s, c = connected(&s), p[2];
  OK(pipe(p));
  EXPECT(write(c, "spliced", 7) == 7);
  EXPECT(CALL(splice, s, NULL, p[1], NULL, 100L, 0) == 7 && read(p[0], noise, 100) == 7);
}
SITUATION(time_limit_on_receiving) {
  int s[2];
  struct timeval patience = {0, 3000};
  OK(pair_of(SOCK_STREAM, s));
  OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
  FAILS(recv(s[0], noise, 10, 0), EAGAIN);
}
SITUATION(waits_for_all) {
  int s[2];
  OK(pair_of(SOCK_STREAM, s));
  pid_t child = CHILD(for (int i = 0; i < 5; ++i) {
    nap(500);
    if (write(s[0], other_noise, 100) != 100) _exit(1);
  });
  EXPECT(recv(s[1], noise, 500, MSG_WAITALL) == 500 && end_of(child) == 0);
}
SITUATION(connected_datagrams_answered) {
  int a = datagrams(), b = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in who;
  socklen_t size = sizeof who;
  OK(connect(b, (struct sockaddr *)&loopback, sizeof loopback));
  EXPECT(write(b, "ask", 3) == 3 && recvfrom(a, noise, 10, 0, (struct sockaddr *)&who, &size) == 3);
  EXPECT(sendto(a, "answer", 6, 0, (struct sockaddr *)&who, size) == 6 && read(b, noise, 10) == 6);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(b, &none, sizeof none));
}
SITUATION(segments_at_once) {
  int fd = datagrams(), size = 100;
  NEEDS(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof size) == 0, "no UDP_SEGMENT");
  EXPECT(sendto(fd, other_noise, 250, 0, (struct sockaddr *)&loopback, sizeof loopback) == 250);
  EXPECT(recv(fd, noise, 1000, 0) == 100);
}
SITUATION(bad_sockets) {
  int fd = file_of("f", 1);
  socklen_t size = 10;
  FAILS(CALL(getsockname, fd, noise, &size), ENOTSOCK);
  FAILS(CALL(accept, 99, NULL, NULL), EBADF);
  FAILS(CALL(recvmsg, fd, (void *)8, 0), ENOTSOCK);
  int s[2];
  OK(pair_of(SOCK_STREAM, s));
  FAILS(CALL(recvmsg, s[0], (void *)8, 0), EFAULT);
  FAILS(CALL(getsockopt, s[0], SOL_SOCKET, SO_TYPE, noise, (void *)8), EFAULT);
  FAILS(CALL(getpeername, socket(AF_INET, SOCK_STREAM, 0), noise, &size), ENOTCONN);
  FAILS(CALL(socketpair, AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
}
