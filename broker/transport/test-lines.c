/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The lines themselves are looked at: they are what an operator gets.
 */
#include "broker/transport/lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/kit/check.h"

static const uint64_t second_ns = UINT64_C(1000000000);

/* Where the log goes to, and what it has. */
struct paper {
	char path[4096];
	int fd;
};

static void paper_open(struct paper *paper)
{
	CHECK_INT(path_join(paper->path, sizeof(paper->path), check_subdir(), "log"), 0);
	paper->fd = open(paper->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	CHECK(paper->fd >= 0);
	log_init("test", LOG_INFO, paper->fd);
}

/* How often it says so. */
static size_t said(const struct paper *paper, const char *text)
{
	_cleanup_(heap_free) uint8_t *log = NULL;
	size_t len, count = 0;
	CHECK_INT(file_read(paper->path, 1 << 20, &log, &len), 0);
	for (const char *at = (const char *)log; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

static void so_many_a_minute_and_the_rest_in_one(void)
{
	struct paper paper;
	struct lines *lines;
	uint64_t now = 1000 * second_ns;
	size_t written = 0;
	paper_open(&paper);
	CHECK_INT(lines_new(&lines), 0);
	for (size_t i = 0; i < 500; i++)
		written += lines_may(lines, "city", now + i * 1000);
	CHECK_INT(written, LINES_A_MINUTE);
	CHECK(lines_may(lines, "ministry", now)); /* others have their own */
	lines_tick(lines, now + 30 * second_ns);
	CHECK_INT(said(&paper, "left out"), 0);
	lines_tick(lines, now + 70 * second_ns);
	CHECK_INT(said(&paper, "left out"), 1);
	CHECK_INT(said(&paper, "\"city\""), 1);
	CHECK_INT(said(&paper, "480"), 1);
	lines_tick(lines, now + 90 * second_ns);
	CHECK_INT(said(&paper, "left out"), 1);
	CHECK(lines_may(lines, "city", now + 90 * second_ns));
	lines_free(lines);
	log_init("test", LOG_INFO, STDERR_FILENO);
}

/* More parties than there are places: nobody is silenced by that, and no count is lost. */
static void a_crowd_is_bounded(void)
{
	enum { CROWD = 3 * LINES_PARTIES_MAX };
	struct paper paper;
	struct lines *lines;
	char party[64];
	uint64_t now = 1000 * second_ns;
	paper_open(&paper);
	CHECK_INT(lines_new(&lines), 0);
	for (size_t i = 0; i <= LINES_A_MINUTE + 6; i++)
		(void)lines_may(lines, "city", now);
	for (size_t i = 0; i < CROWD; i++) {
		snprintf(party, sizeof(party), "party-%zu", i);
		CHECK(lines_may(lines, party, now + 1 + i));
	}
	lines_tick(lines, now + 70 * second_ns);
	CHECK_INT(said(&paper, "left out"), 1);
	CHECK_INT(said(&paper, "\"lines\":7"), 1);
	lines_free(lines);
	log_init("test", LOG_INFO, STDERR_FILENO);
}

CHECK_MAIN(CHECK_CASE(so_many_a_minute_and_the_rest_in_one), CHECK_CASE(a_crowd_is_bounded))
