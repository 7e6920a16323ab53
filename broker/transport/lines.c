/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A disk that is full of log lines stops a broker as surely as one that is full of messages, and every session that
 * opens and ends is a line. A party's place in the table is near where its name's hash points; where all places are
 * taken, the one whose minute began first gives way, and what it left out is told then.
 */
#include "broker/transport/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/base/log.h"

enum { NEAR = 8 };
static const uint64_t minute_ns = UINT64_C(60000000000);

struct teller {
	char party[64]; /* empty: nobody's place */
	uint64_t since_ns;
	uint32_t written;
	uint64_t left_out;
};

struct lines {
	uint64_t told_ns;
	struct teller all[LINES_PARTIES_MAX];
};

int lines_new(struct lines **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void lines_free(struct lines *lines)
{
	free(lines);
}

static void left_out_tell(struct teller *teller)
{
	if (teller->left_out > 0)
		log_warn("transport", "further lines about this party were left out",
			F_STR("party", teller->party), F_U64("lines", teller->left_out));
	teller->left_out = 0;
}

static struct teller *teller_find(struct lines *lines, const char *party)
{
	uint32_t hash = bytes_hash(BYTES_STR(party));
	struct teller *found = NULL;
	for (uint32_t i = 0; i < NEAR; i++) {
		struct teller *teller = &lines->all[(hash + i) % LINES_PARTIES_MAX];
		if (strcmp(teller->party, party) == 0)
			return teller;
		if (!found || teller->since_ns < found->since_ns)
			found = teller;
	}
	left_out_tell(found);
	*found = (struct teller){0};
	snprintf(found->party, sizeof(found->party), "%s", party);
	return found;
}

bool lines_may(struct lines *lines, const char *party, uint64_t now_ns)
{
	struct teller *teller = teller_find(lines, party);
	if (teller->written == 0 || now_ns - teller->since_ns >= minute_ns) {
		left_out_tell(teller);
		teller->since_ns = now_ns;
		teller->written = 0;
	}
	if (teller->written >= LINES_A_MINUTE) {
		teller->left_out++;
		return false;
	}
	teller->written++;
	return true;
}

void lines_tick(struct lines *lines, uint64_t now_ns)
{
	if (now_ns - lines->told_ns < minute_ns / 6)
		return;
	lines->told_ns = now_ns;
	for (size_t i = 0; i < LINES_PARTIES_MAX; i++) {
		if (now_ns - lines->all[i].since_ns >= minute_ns)
			left_out_tell(&lines->all[i]);
	}
}
