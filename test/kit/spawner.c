/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The spawner takes one packet per order and answers with one. It ends when the test does, and its lives with it.
 */
#include "test/kit/spawner.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/check.h"

struct spawner {
	pid_t pid;
	int orders;
};

struct order {
	int signal; /* 0: begin a life */
	char word[SPAWNER_WORD_MAX + 1];
};

static pid_t fork_mortal(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	return 0;
}

static void spawner_main(int orders, void (*life)(void *context, const char *word), void *context)
{
	struct order order;
	pid_t living = 0;

	while (recv(orders, &order, sizeof(order), 0) == sizeof(order)) {
		int status = 0;
		if (order.signal == 0) {
			CHECK(living == 0);
			living = fork_mortal();
			if (living == 0) {
				close(orders);
				life(context, order.word);
				_exit(0);
			}
		} else {
			CHECK(living != 0);
			kill(living, order.signal);
			CHECK(waitpid(living, &status, 0) == living);
			living = 0;
		}
		CHECK(send(orders, &status, sizeof(status), 0) == sizeof(status));
	}
	_exit(0);
}

struct spawner *spawner_new(void (*life)(void *context, const char *word), void *context)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));
	int ends[2];

	CHECK(spawner);
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fflush(NULL);
	spawner->pid = fork_mortal();
	if (spawner->pid == 0) {
		close(ends[0]);
		spawner_main(ends[1], life, context);
	}
	close(ends[1]);
	spawner->orders = ends[0];
	return spawner;
}

static int carried_out(struct spawner *spawner, const struct order *order)
{
	int status;

	CHECK(send(spawner->orders, order, sizeof(*order), MSG_NOSIGNAL) == sizeof(*order));
	CHECK(recv(spawner->orders, &status, sizeof(status), 0) == sizeof(status));
	return status;
}

void spawner_start(struct spawner *spawner, const char *word)
{
	struct order order = {0};

	CHECK(strlen(word) <= SPAWNER_WORD_MAX);
	snprintf(order.word, sizeof(order.word), "%s", word);
	carried_out(spawner, &order);
}

int spawner_end(struct spawner *spawner, int signal)
{
	return carried_out(spawner, &(struct order){.signal = signal});
}

void spawner_free(struct spawner *spawner)
{
	if (!spawner)
		return;
	close(spawner->orders);
	CHECK(waitpid(spawner->pid, NULL, 0) == spawner->pid);
	free(spawner);
}
