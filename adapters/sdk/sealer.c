/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The connector asks for the same message in turn after turn, as it does while the outbox is full; so there
 * is nothing to call back. What it no longer asks for gives way to the next one that it does ask for.
 */
#include "adapters/sdk/sealer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sdk/rows.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum { STEP_BYTES = 4 << 20, WRITE_BACK_BYTES = 1 << 20, WHY_SIZE = 256 };

enum job_state { JOB_NONE, JOB_WORKING, JOB_DONE, JOB_FAILED };

struct job {
	enum job_state state;
	uint8_t key[BY_KEY_MAX];
	size_t key_len;
	size_t count, at;
	int files[DW_ATTACHMENTS_MAX];
	char names[DW_ATTACHMENTS_MAX][ATTACHMENT_NAME_MAX];
	char types[DW_ATTACHMENTS_MAX][ATTACHMENT_TYPE_MAX];
	struct sealed_attachment sealed[DW_ATTACHMENTS_MAX];
	struct attachment_seal *work; /* of number @at */
	int out;
	uint64_t read; /* of that file */
	int error;     /* JOB_FAILED: DW_INVALID, DW_FULL */
	char why[WHY_SIZE];
};

struct sealer {
	struct spool *spool;
	void (*progress)(void *context, const struct dw_progress *progress);
	void *context;
	struct job job;
	uint8_t buf[ATTACHMENT_PLAIN];
};

int sealer_new(struct spool *spool,
	void (*progress)(void *context, const struct dw_progress *progress), void *context,
	struct sealer **ret)
{
	struct sealer *sealer = calloc(1, sizeof(*sealer));
	if (!sealer)
		return -ENOMEM;
	sealer->spool = spool;
	sealer->progress = progress;
	sealer->context = context;
	sealer->job.out = -1;
	*ret = sealer;
	return 0;
}

/* Everything open is closed, and keys are wiped. */
static void job_close(struct job *job)
{
	for (size_t i = 0; i < job->count; i++)
		fd_close_at(&job->files[i]);
	fd_close_at(&job->out);
	attachment_seal_free(steal(&job->work));
}

void sealer_done(struct sealer *sealer, bool keep)
{
	struct job *job = &sealer->job;
	if (job->state == JOB_NONE)
		return;
	job_close(job);
	for (size_t i = 0; i < job->at && !keep; i++)
		spool_drop(sealer->spool, SPOOL_OUT, job->sealed[i].digest, job->sealed[i].size);
	secret_wipe(job, sizeof(*job));
	job->out = -1;
}

void sealer_free(struct sealer *sealer)
{
	if (!sealer)
		return;
	sealer_done(sealer, false);
	secret_wipe(sealer->buf, sizeof(sealer->buf));
	free(sealer);
}

static int job_fail(struct job *job, int verdict, const char *what, const char *why)
{
	job_close(job);
	job->state = JOB_FAILED;
	job->error = verdict;
	snprintf(job->why, sizeof(job->why), "attachments: %s: %s", what, why);
	return 0;
}

/* ---- beginning ---- */

static int file_open(struct job *job, size_t index, const struct dw_attachment *attachment)
{
	struct stat st;
	struct sealed_attachment *sealed = &job->sealed[index];
	if (!attachment_name_ok(attachment->name))
		return job_fail(job, DW_INVALID, attachment->path,
			"its name has to be a file name of 1 to 200 bytes of UTF-8, without "
			"folders");
	if (attachment->content_type.len < 1 || attachment->content_type.len > ATTACHMENT_TYPE_MAX)
		return job_fail(
			job, DW_INVALID, attachment->path, "its media type has 1 to 127 bytes");
	job->files[index] = open(attachment->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (job->files[index] < 0 || fstat(job->files[index], &st) != 0)
		return job_fail(job, DW_INVALID, attachment->path, strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode))
		return job_fail(job, DW_INVALID, attachment->path, "is no regular file");
	if (attachment_sealed_size((uint64_t)st.st_size) > ATTACHMENT_BYTES_MAX)
		return job_fail(job, DW_INVALID, attachment->path,
			"is larger than 2,113,929,216 bytes: send it in parts");
	memcpy(job->names[index], attachment->name.data, attachment->name.len);
	memcpy(job->types[index], attachment->content_type.data, attachment->content_type.len);
	sealed->key.name = BYTES(job->names[index], attachment->name.len);
	sealed->key.content_type = BYTES(job->types[index], attachment->content_type.len);
	sealed->key.size = (uint64_t)st.st_size;
	sealed->size = attachment_sealed_size(sealed->key.size);
	return 0;
}

static int job_begin(struct sealer *sealer, const struct dw_message *message, struct bytes key)
{
	struct job *job = &sealer->job;
	uint64_t bytes = 0;
	sealer_done(sealer, false);
	job->state = JOB_WORKING;
	memcpy(job->key, key.data, key.len);
	job->key_len = key.len;
	job->count = message->attachments_count;
	for (size_t i = 0; i < job->count; i++)
		job->files[i] = -1;
	for (size_t i = 0; i < job->count && job->state == JOB_WORKING; i++) {
		file_open(job, i, &message->attachments[i]);
		bytes += job->sealed[i].size;
	}
	if (job->state == JOB_WORKING && !spool_has_room(sealer->spool, bytes))
		job_fail(job, DW_FULL, "attachments.bytes",
			"as much is waiting to be sent as may be; try again later");
	return 0;
}

int sealer_take(struct sealer *sealer, const struct dw_message *message,
	const struct sealed_attachment **ret, char *reterr, size_t size)
{
	struct job *job = &sealer->job;
	uint8_t buf[BY_KEY_MAX];
	struct bytes key = by_key_key(message->sender, message->key, buf);
	bool ours = bytes_equal(key, BYTES(job->key, job->key_len));
	if (message->attachments_count > DW_ATTACHMENTS_MAX) {
		snprintf(reterr, size, "attachments: at most %d in a message", DW_ATTACHMENTS_MAX);
		return DW_INVALID;
	}
	if (!ours && job->state == JOB_WORKING) {
		snprintf(reterr, size, "attachments: another message's are being sealed; try again");
		return DW_FULL;
	}
	if (!ours || job->count != message->attachments_count)
		job_begin(sealer, message, key);
	if (job->state == JOB_FAILED) {
		int r = job->error;
		snprintf(reterr, size, "%s", job->why);
		sealer_done(sealer, false);
		return r;
	}
	snprintf(reterr, size, "attachments: being sealed; submit the message again");
	*ret = job->sealed;
	return job->state == JOB_DONE ? 0 : DW_SEALING;
}

/* ---- working ---- */

static int write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);
		if (n < 0)
			return -errno;
		data = BYTES(data.data + n, data.len - (size_t)n);
	}
	return 0;
}

static int out_open(struct sealer *sealer)
{
	char path[PATH_MAX];
	struct job *job = &sealer->job;
	int r = spool_path(sealer->spool, SPOOL_OUT, NULL, 0, path);
	if (r == 0)
		r = attachment_seal_new(job->sealed[job->at].key.size, &job->work);
	if (r)
		return r;
	job->read = 0;
	job->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return job->out < 0 ? -errno : 0;
}

/* These two: 0, 1 when the file is not as long as it was, negative errno. */
static int piece_seal(struct sealer *sealer)
{
	struct job *job = &sealer->job;
	size_t wanted = attachment_seal_wants(job->work), len = 0;
	while (len < wanted) {
		ssize_t n = pread(job->files[job->at], sealer->buf + len, wanted - len,
			(off_t)(job->read + len));
		if (n <= 0)
			return n == 0 ? 1 : -errno;
		len += (size_t)n;
	}
	job->read += len;
	return write_all(job->out, attachment_seal_piece(job->work, BYTES(sealer->buf, len)));
}

static int out_finish(struct sealer *sealer)
{
	struct job *job = &sealer->job;
	struct sealed_attachment *sealed = &job->sealed[job->at];
	struct stat st;
	if (fstat(job->files[job->at], &st) != 0 || (uint64_t)st.st_size != sealed->key.size)
		return 1;
	attachment_seal_finish(job->work, sealed->key.key, sealed->digest);
	int r = fsync(job->out) != 0 ? -errno
				     : spool_keep(sealer->spool, sealed->digest, sealed->size);
	if (r)
		return r;
	fd_close_at(&job->out);
	fd_close_at(&job->files[job->at]);
	attachment_seal_free(steal(&job->work));
	if (++job->at == job->count)
		job->state = JOB_DONE;
	return 0;
}

static int some_seal(struct sealer *sealer)
{
	struct job *job = &sealer->job;
	int r = job->work ? 0 : out_open(sealer);
	off_t before = r == 0 ? lseek(job->out, 0, SEEK_CUR) : 0;
	for (size_t done = 0; r == 0 && done < STEP_BYTES && !attachment_seal_done(job->work);
		done += ATTACHMENT_PLAIN)
		r = piece_seal(sealer);
	if (r)
		return r;
	if (sealer->progress)
		sealer->progress(sealer->context,
			&(struct dw_progress){DW_SEALED, job->read, job->sealed[job->at].key.size});
	if (attachment_seal_done(job->work))
		return out_finish(sealer);
	/* The last sync shall not have to write everything, nor the store's wait for flushes of ours. */
	off_t now = lseek(job->out, 0, SEEK_CUR);
	return now < 0 ? -errno
		       : file_write_back(
				 job->out, (uint64_t)before, (uint64_t)now, WRITE_BACK_BYTES);
}

int sealer_step(struct sealer *sealer)
{
	struct job *job = &sealer->job;
	if (job->state != JOB_WORKING)
		return 0;
	int r = some_seal(sealer);
	if (r == 1)
		return job_fail(job, DW_INVALID, "a file", "changed its length while it was read");
	if (r == -ENOSPC || r == -EDQUOT) {
		log_error("attachments", "no room for sealed attachments: make some on the disk",
			F_ERR(r));
		return job_fail(job, DW_FULL, "no room on the disk", "try again later");
	}
	return r;
}

bool sealer_is_busy(const struct sealer *sealer)
{
	return sealer->job.state == JOB_WORKING;
}
