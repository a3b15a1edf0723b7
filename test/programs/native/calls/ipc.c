// System V messages, semaphores and segments; POSIX message queues.
#include "calls.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static int object;
static void remove_queue(void) { msgctl(object, IPC_RMID, NULL); }
static void remove_set(void) { semctl(object, 0, IPC_RMID); }
static int queue(void) {
  object = (int)TRY(CALL(msgget, IPC_PRIVATE, IPC_CREAT | 0600));
  atexit(remove_queue);
  return object;
}
static int set_of(int count) {
  object = (int)TRY(CALL(semget, IPC_PRIVATE, count, IPC_CREAT | 0600));
  atexit(remove_set);
  return object;
}
struct message {
  long type;
  char text[100];
};

SITUATION(message_sent_and_received) {
  int q = queue();
  struct message m = {3, "first"}, got;
  OK(CALL(msgsnd, q, &m, 6L, 0));
  EXPECT(CALL(msgrcv, q, &got, 100L, 0L, 0) == 6 && got.type == 3 && strcmp(got.text, "first") == 0);
  FAILS(CALL(msgrcv, q, &got, 100L, 0L, IPC_NOWAIT), ENOMSG);
}
SITUATION(messages_by_type) {
  int q = queue();
  struct message m = {1, "one"}, n = {2, "two, longer"}, got;
  OK(msgsnd(q, &m, 4, 0));
  OK(msgsnd(q, &n, 12, 0));
  FAILS(msgrcv(q, &got, 5, 2, 0), E2BIG);
  EXPECT(msgrcv(q, &got, 5, 2, MSG_NOERROR) == 5 && got.text[4] == ' ');
  EXPECT(msgrcv(q, &got, 100, -5, 0) == 4 && got.type == 1);
}
SITUATION(message_copied) {
  int q = queue();
  struct message m = {1, "stays"}, got;
  OK(msgsnd(q, &m, 6, 0));
  ASK(msgrcv(q, &got, 100, 0, 040000 /* MSG_COPY */ | IPC_NOWAIT));
  EXPECT(msgrcv(q, &got, 100, 0, 0) == 6);
}
SITUATION(message_waited_for) {
  int q = queue();
  struct message got;
  pid_t child = CHILD({
    struct message m = {7, "late"};
    nap(2000);
    if (msgsnd(q, &m, 5, 0) != 0) _exit(1);
    _exit(0);
  });
  EXPECT(msgrcv(q, &got, 100, 7, 0) == 5 && end_of(child) == 0);
}
SITUATION(full_queue_waited_for) {
  int q = queue(), sent = 0;
  struct message m = {1, "filling"}, got;
  while (msgsnd(q, &m, 100, IPC_NOWAIT) == 0) ++sent;
  EXPECT(errno == EAGAIN && sent > 10);
  pid_t child = CHILD({
    nap(2000);
    _exit(msgrcv(q, &got, 100, 0, 0) == 100 ? 0 : 1);
  });
  OK(msgsnd(q, &m, 100, 0));
  EXPECT(end_of(child) == 0);
}
SITUATION(queue_asked) {
  int q = queue();
  struct msqid_ds ds;
  struct msginfo info;
  OK(CALL(msgctl, q, IPC_STAT, &ds));
  ds.msg_qbytes = 4096;
  OK(CALL(msgctl, q, IPC_SET, &ds));
  OK(CALL(msgctl, 0, IPC_INFO, &info));
  OK(CALL(msgctl, 0, MSG_INFO, &info));
  ASK(CALL(msgctl, 0, MSG_STAT, &ds));
  ASK(CALL(msgctl, 0, 13 /* MSG_STAT_ANY */, &ds));
}
SITUATION(queue_removed_under_a_reader) {
  int q = queue();
  struct message got;
  pid_t child = CHILD({
    nap(1000);
    msgctl(q, IPC_RMID, NULL);
    _exit(0);
  });
  FAILS(msgrcv(q, &got, 100, 0, 0), EIDRM);
  EXPECT(end_of(child) == 0);
}
SITUATION(semaphores_up_and_down) {
  int s = set_of(3);
  struct sembuf up[2] = {{0, 2, 0}, {2, 1, 0}}, down = {0, -1, 0}, zero = {1, 0, 0}, no = {2, -5, IPC_NOWAIT};
  OK(CALL(semop, s, up, 2L));
  OK(CALL(semop, s, &down, 1L));
  OK(CALL(semop, s, &zero, 1L));
  FAILS(CALL(semop, s, &no, 1L), EAGAIN);
  EXPECT(CALL(semctl, s, 0, GETVAL) == 1);
}
SITUATION(semaphore_waited_for) {
  int s = set_of(1);
  struct sembuf down = {0, -1, 0};
  pid_t child = CHILD({
    struct sembuf up = {0, 1, 0};
    nap(2000);
    _exit(semop(s, &up, 1) == 0 ? 0 : 1);
  });
  OK(semop(s, &down, 1));
  EXPECT(semctl(s, 0, GETPID) > 0 && end_of(child) == 0);
}
SITUATION(semaphore_with_time_limit) {
  int s = set_of(1);
  struct sembuf down = {0, -1, 0};
  struct timespec soon = {0, 3000000};
  FAILS(CALL(semtimedop, s, &down, 1L, &soon), EAGAIN);
}
SITUATION(all_semaphores) {
  int s = set_of(20);
  unsigned short values[20], got[21];
  for (int i = 0; i < 20; ++i) values[i] = (unsigned short)(i * 3);
  OK(CALL(semctl, s, 0, SETALL, values));
  memset(got, 0xff, sizeof got);
  OK(CALL(semctl, s, 0, GETALL, got));
  EXPECT(got[19] == 57 && got[20] == 0xffff);
}
SITUATION(set_asked) {
  int s = set_of(2);
  struct semid_ds ds;
  struct seminfo info;
  OK(CALL(semctl, s, 0, IPC_STAT, &ds));
  EXPECT(ds.sem_nsems == 2);
  OK(CALL(semctl, s, 0, IPC_SET, &ds));
  OK(CALL(semctl, s, 1, SETVAL, 9L));
  EXPECT(CALL(semctl, s, 1, GETVAL) == 9 && CALL(semctl, s, 1, GETNCNT) == 0 && CALL(semctl, s, 1, GETZCNT) == 0);
  OK(CALL(semctl, 0, 0, IPC_INFO, &info));
  OK(CALL(semctl, 0, 0, SEM_INFO, &info));
  ASK(CALL(semctl, 0, 0, SEM_STAT, &ds));
}
SITUATION(undone_at_the_end) {
  int s = set_of(1);
  OK(semctl(s, 0, SETVAL, 5));
  EXPECT(end_of(CHILD({
           struct sembuf down = {0, -3, SEM_UNDO};
           semop(s, &down, 1);
           _exit(0);
         })) == 0);
  EXPECT(semctl(s, 0, GETVAL) == 5);
}
SITUATION(semaphore_interrupted) {
  int s = set_of(1);
  struct sembuf down = {0, -1, 0};
  struct sigaction a = {.sa_handler = (void (*)(int))abs};
  sigaction(SIGALRM, &a, NULL);
  ualarm(2000, 0);
  FAILS(semop(s, &down, 1), EINTR);
}
SITUATION(segments_asked) {
  int id = (int)TRY(CALL(shmget, IPC_PRIVATE, 10000L, IPC_CREAT | 0600));
  struct shmid_ds ds;
  OK(CALL(shmctl, id, IPC_STAT, &ds));
  EXPECT(ds.shm_segsz == 10000);
  OK(CALL(shmctl, id, IPC_SET, &ds));
  OK(CALL(shmctl, 0, IPC_INFO, noise));
  OK(CALL(shmctl, 0, SHM_INFO, noise));
  ASK(CALL(shmctl, 0, SHM_STAT, &ds));
  ASK(CALL(shmctl, id, SHM_LOCK, NULL));
  ASK(CALL(shmctl, id, SHM_UNLOCK, NULL));
  OK(CALL(shmctl, id, IPC_RMID, NULL));
}
SITUATION(segment_attached) {
  int id = (int)TRY(CALL(shmget, IPC_PRIVATE, 10000L, IPC_CREAT | 0600));
  char *p = (char *)TRY(CALL(shmat, id, NULL, 0));
  OK(shmctl(id, IPC_RMID, NULL));
  strcpy(p + 5000, "kept");
  OK(CALL(shmctl, id, IPC_STAT, noise));
  EXPECT(strcmp(p + 5000, "kept") == 0);
  OK(CALL(shmdt, p));
  FAILS(CALL(shmdt, noise), EINVAL);
}
SITUATION(segment_attached_twice) {
  int id = (int)TRY(CALL(shmget, IPC_PRIVATE, 10000L, IPC_CREAT | 0600));
  char *p = (char *)TRY(CALL(shmat, id, NULL, 0));
  char *q = (char *)TRY(CALL(shmat, id, NULL, SHM_RDONLY));
  OK(CALL(shmctl, id, IPC_RMID, NULL));
  for (int i = 0; i < 20; ++i) {
    p[i * 400] = (char)(i + 1);
    EXPECT(q[i * 400] == i + 1);
    CALL(getppid);
  }
  OK(CALL(shmdt, p));
  EXPECT(q[400] == 2);
  OK(CALL(shmdt, q));
}
SITUATION(missing_objects) {
  FAILS(CALL(msgget, 0x7ff12345, 0), ENOENT);
  FAILS(CALL(semget, 0x7ff12345, 1, 0), ENOENT);
  FAILS(CALL(shmget, 0x7ff12345, 1L, 0), ENOENT);
  EXPECT(CALL(msgctl, 0x7fffffff, IPC_STAT, noise) == -1 && CALL(semctl, 0x7fffffff, 0, IPC_STAT, noise) == -1);
}

static char queue_name[40];
static void unlink_queue(void) { mq_unlink(queue_name); }
static mqd_t posix_queue(int flags) {
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 64};
  snprintf(queue_name, sizeof queue_name, "/chronofork-%d", (int)getpid());
  mqd_t q = mq_open(queue_name, O_RDWR | O_CREAT | flags, 0600, &a);
  NEEDS(q >= 0, "no POSIX message queues");
  atexit(unlink_queue);
  return q;
}
SITUATION(posix_messages) {
  mqd_t q = posix_queue(0);
  unsigned priority = 0;
  OK(mq_send(q, "low", 3, 1));
  OK(mq_send(q, "higher", 6, 9));
  EXPECT(mq_receive(q, noise, 64, &priority) == 6 && priority == 9 && memcmp(noise, "higher", 6) == 0);
  FAILS(mq_receive(q, noise, 10, &priority), EMSGSIZE);
}
SITUATION(posix_queue_asked) {
  mqd_t q = posix_queue(0);
  struct mq_attr a, old;
  OK(mq_getattr(q, &a));
  EXPECT(a.mq_maxmsg == 4);
  a.mq_flags = O_NONBLOCK;
  OK(mq_setattr(q, &a, &old));
  FAILS(mq_receive(q, noise, 64, NULL), EAGAIN);
}
SITUATION(posix_time_limits) {
  mqd_t q = posix_queue(0);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 3000000;
  if (soon.tv_nsec > 999999999) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  FAILS(mq_timedreceive(q, noise, 64, NULL, &soon), ETIMEDOUT);
  for (int i = 0; i < 4; ++i) OK(mq_send(q, "x", 1, 0));
  FAILS(mq_timedsend(q, "x", 1, 0, &soon), ETIMEDOUT);
}
SITUATION(posix_message_waited_for) {
  mqd_t q = posix_queue(0);
  pid_t child = CHILD({
    nap(2000);
    _exit(mq_send(q, "late", 4, 3) == 0 ? 0 : 1);
  });
  EXPECT(mq_receive(q, noise, 64, NULL) == 4 && end_of(child) == 0);
}
static volatile int told;
static void on_message(int signal, siginfo_t *info, void *context) { told = info->si_code == SI_MESGQ ? info->si_value.sival_int : -1; }
SITUATION(posix_notification) {
  mqd_t q = posix_queue(0);
  struct sigaction a = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
  sigaction(SIGUSR1, &a, NULL);
  OK(mq_notify(q, &e));
  OK(mq_send(q, "x", 1, 0));
  while (!told) nap(300);
  EXPECT(told == 77);
  OK(CALL(mq_unlink, queue_name + 1));
  queue_name[0] = 0;
}
