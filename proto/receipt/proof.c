/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Evidence outlives the program that wrote it, so it is kept in a form that others define and read
 * (c2sp.org/tlog-proof): text, self-contained, the checkpoint in it unchanged. What only we know, the parts
 * of the stub, travels in its "extra" line, which the form leaves to the application.
 */
#include "proto/receipt/receipt.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

static char *put_text(char *p, const char *text)
{
	return mempcpy(p, text, strlen(text));
}

/* base64 writes a NUL, which the next part overwrites. */
static char *put_base64(char *p, struct bytes data)
{
	text_base64(data, p);
	return p + TEXT_BASE64_SIZE(data.len) - 1;
}

int receipt_tlog_proof(struct bytes checkpoint_note, uint64_t sequence,
	const struct merkle_hash *path, size_t steps, struct bytes extra, struct arena *arena,
	struct bytes *ret)
{
	char index[sizeof("index 18446744073709551615\n")];
	snprintf(index, sizeof(index), "index %" PRIu64 "\n", sequence);
	size_t most = strlen("c2sp.org/tlog-proof@v1\n") + strlen("extra \n") +
		      TEXT_BASE64_SIZE(extra.len) + strlen(index) +
		      steps * TEXT_BASE64_SIZE(HASH_SIZE) + strlen("\n") + checkpoint_note.len + 1;
	char *buf = arena_alloc(arena, most), *p = buf;
	if (!buf)
		return -ENOMEM;

	p = put_text(p, "c2sp.org/tlog-proof@v1\n");
	if (extra.len > 0) {
		p = put_text(p, "extra ");
		p = put_base64(p, extra);
		p = put_text(p, "\n");
	}
	p = put_text(p, index);
	for (size_t i = 0; i < steps; i++) {
		p = put_base64(p, BYTES(path[i].bytes, HASH_SIZE));
		p = put_text(p, "\n");
	}
	p = put_text(p, "\n");
	if (checkpoint_note.len > 0)
		p = mempcpy(p, checkpoint_note.data, checkpoint_note.len);
	assert((size_t)(p - buf) <= most);
	*ret = BYTES(buf, p - buf);
	return 0;
}
