/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kills a process at its n-th step, for n = 1, 2, 3 and so on. The process is
 * traced: each entry into and each return from a system call is a step; after
 * that, a number of instructions is single-stepped. So the tests reach every
 * state that other processes can see, without relying on chance. Threads that
 * the process starts stay stopped, which makes the steps reproducible.
 */
#ifndef TESTS_UNIT_STEPS_H
#define TESTS_UNIT_STEPS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child runs @before without stops, then @walked step by step. */
struct steps {
	void (*before)(void *);
	void (*walked)(void *);
	void *arg;
};

enum steps_end {
	STEPS_KILLED,
	STEPS_DONE,
	STEPS_FAILED
};

/*
 * ThreadSanitizer's pthread_create() waits until the new thread has begun, so a thread
 * that stays stopped would stop its process for ever: threads run there, untraced.
 */
#ifdef __SANITIZE_THREAD__
#define STEPS_THREADS 0
#else
#define STEPS_THREADS PTRACE_O_TRACECLONE
#endif

static uint64_t steps_random_state = 88172645463325252u;

static inline uint64_t steps_random(void)
{
	steps_random_state ^= steps_random_state << 13;
	steps_random_state ^= steps_random_state >> 7;
	return steps_random_state ^= steps_random_state << 17;
}

/*
 * Wait for process @pid. Its threads stay in their first stop. Reap them too:
 * the process cannot end before them.
 */
static inline bool steps_wait(pid_t pid, int *status)
{
	pid_t who;

	do
		who = waitpid(-1, status, __WALL);
	while (who > 0 && who != pid);
	return who == pid;
}

static inline void steps_reap(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (steps_wait(pid, &status) && WIFSTOPPED(status))
		;
}

/* One more step of @kind; false when the process has ended. */
static inline bool steps_one(pid_t pid, int kind, int *status)
{
	int signal = 0;

	for (;;) {
		if (ptrace(kind, pid, NULL, (void *)(intptr_t)signal) < 0 ||
		    !steps_wait(pid, status) || !WIFSTOPPED(*status))
			return false;
		signal = WSTOPSIG(*status);
		if (*status >> 16) /* an event, such as a new thread */
			signal = 0;
		else if (signal == SIGTRAP || signal == (SIGTRAP | 0x80))
			return true;
	}
}

static inline void steps_child(const struct steps *s)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(90);
	if (s->before)
		s->before(s->arg);
	raise(SIGSTOP); /* the parent walks the steps from here */
	s->walked(s->arg);
	_exit(0);
}

/*
 * Kill a process at its @n-th step and @more instructions later. STEPS_DONE if
 * the process ended before.
 */
static inline enum steps_end steps_kill(const struct steps *s, unsigned n,
					unsigned more)
{
	int status = 0;
	bool alive = true;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		steps_child(s);
	if (!steps_wait(pid, &status) || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGSTOP) {
		printf("# a child did not reach its start: %#x\n", status);
		return STEPS_FAILED;
	}
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	       (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | STEPS_THREADS |
				   PTRACE_O_EXITKILL));
	while (alive && n--)
		alive = steps_one(pid, PTRACE_SYSCALL, &status);
	while (alive && more--)
		alive = steps_one(pid, PTRACE_SINGLESTEP, &status);
	if (alive) {
		steps_reap(pid);
		return STEPS_KILLED;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STEPS_DONE;
	printf("# a walked child failed: status %#x\n", status);
	return STEPS_FAILED;
}

#endif
