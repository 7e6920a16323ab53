/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapters/sdk/adapter.h"
#include "proto/base/bytes.h"

/* What is printed: plain words for people, or one JSON object a line. Standard output. */
struct output {
	bool json;
	/* of the progress that was shown last */
	int stage;
	unsigned int percent;
};

/**
 * output_progress() - how an attachment gets on: a line that is written over, on a terminal only
 * @output:   what was shown last
 * @progress: bytes
 */
void output_progress(struct output *output, const struct dw_progress *progress);

/* An event of a message of ours: it is in the outbox; what became of it. */
void output_queued(const struct output *output, const struct dw_submitted *ids);
void output_report(const struct output *output, const struct dw_report *report);

/**
 * output_delivery() - a message that arrived
 * @output:   how
 * @delivery: it
 * @verdict:  what was answered
 * @files:    where its body is, and behind it its attachments; NULL: nowhere
 */
void output_delivery(const struct output *output, const struct dw_delivery *delivery,
	const struct dw_verdict *verdict, const char (*files)[PATH_MAX]);

/**
 * output_answer() - the answer to an enquiry, or why there is none, as a JSON object
 * @output: how
 * @answer: what was told
 * @file:   where the answer was written; NULL: it stands in the object
 * @why:    no answer: in words
 */
void output_answer(const struct output *output, const struct dw_answer *answer, const char *file,
	const char *why);

/* One that came once more, because it was asked for. */
void output_replayed(
	const struct output *output, const struct dw_delivery *delivery, const char *file);

/**
 * output_describe() - the same as the text of a JSON file beside the body
 * @delivery: it
 * Return: malloc'd text, or NULL without memory.
 */
char *output_describe(const struct dw_delivery *delivery);
