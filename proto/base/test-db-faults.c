/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the promises are for: a process killed in the middle, a map or a disk that is full, a disk that
 * breaks. Other processes are children; the full disk is a small tmpfs in a mount namespace of the
 * child's own, and where that is not permitted the case says so. The broken disk is two system calls
 * that this program puts before the C library's.
 */
#include "proto/base/db.h"

#include "proto/base/file.h"
#include "test/kit/check.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, NOT_PERMITTED = 77 };

/* The error that the next writes of meta pages (the first two), or syncs, give; 0 for none. */
static int meta_write_error, sync_error;

ssize_t broken_pwrite(int fd, const void *buf, size_t len, off_t offset) __asm__("pwrite");
ssize_t broken_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	if (meta_write_error && offset < 2 * 4096) {
		errno = meta_write_error;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, buf, len, offset);
}

int broken_fdatasync(int fd) __asm__("fdatasync");
int broken_fdatasync(int fd)
{
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static const char *folder(void)
{
	static char path[PATH_MAX];
	static int number;
	snprintf(path, sizeof(path), "%s/%d", check_tmpdir(), number++);
	CHECK_INT(mkdir(path, 0700), 0);
	return path;
}

static struct db_env *open_env(const char *dir, uint64_t map_bytes, bool read_only)
{
	struct db_options options = {
		.map_bytes = map_bytes, .tables_max = 2, .readers_max = 8, .read_only = read_only};
	struct db_env *env = NULL;
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	return env;
}

static struct db_txn *begin(struct db_env *env, bool write, db_table_id *table)
{
	struct db_txn *txn = NULL;
	CHECK_INT(db_begin(env, write, &txn), 0);
	CHECK_INT(db_table_open(txn, "rows", table), 0);
	return txn;
}

/* Puts @count rows of 1000 bytes from @first on; the first code that is not 0, or the commit's. */
static int put_rows(struct db_env *env, uint64_t first, uint64_t count)
{
	static const uint8_t value[1000];
	db_table_id table;
	struct db_txn *txn = begin(env, true, &table);
	for (uint64_t i = first; i < first + count; i++) {
		uint8_t key[8];
		be64_put(key, i);
		int r = db_put(txn, table, BYTES(key, 8), BYTES(value, sizeof(value)));
		if (r != 0) {
			db_abort(txn);
			return r;
		}
	}
	return db_commit(txn);
}

static uint64_t count_rows(struct db_env *env)
{
	db_table_id table;
	uint64_t count = 0;
	struct db_txn *txn = begin(env, false, &table);
	CHECK_INT(db_count(txn, table, &count), 0);
	db_abort(txn);
	return count;
}

/* Runs @run in a child; its exit code, or minus the signal that ended it. */
static int in_child(int (*run)(const char *), const char *dir)
{
	int status;
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(run(dir));
	CHECK_INT(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int commit_then_die_writing(const char *dir)
{
	struct db_env *env = open_env(dir, 16 * MIB, false);
	CHECK_INT(put_rows(env, 0, 300), 0);
	db_table_id table;
	struct db_txn *txn = begin(env, true, &table);
	for (uint8_t i = 0; i < 100; i++)
		CHECK_INT(db_put(txn, table, BYTES(&i, 1), BYTES(&i, 1)), 0);
	kill(getpid(), SIGKILL);
	return 0;
}

static void a_killed_writer_leaves_its_commits(void)
{
	const char *dir = folder();
	CHECK_INT(in_child(commit_then_die_writing, dir), -SIGKILL);
	struct db_env *env = open_env(dir, 16 * MIB, false);
	CHECK_INT(count_rows(env), 300);
	CHECK_INT(put_rows(env, 300, 10), 0); /* the writer lock was not lost with it */
	CHECK_INT(count_rows(env), 310);
	db_env_close(env);
}

static int die_reading(const char *dir)
{
	struct db_env *env = open_env(dir, 0, true);
	db_table_id table;
	begin(env, false, &table);
	kill(getpid(), SIGKILL);
	return 0;
}

static int count_as_auditor(const char *dir)
{
	struct db_env *env = open_env(dir, 0, true);
	struct db_usage usage;
	CHECK_INT(count_rows(env), 50);
	CHECK_INT(db_env_usage(env, &usage), 0);
	CHECK_INT(usage.map_bytes, 16 * MIB); /* the writer's */
	struct db_txn *txn = NULL;
	CHECK_INT(db_begin(env, true, &txn), -EACCES);
	db_env_close(env);
	return 0;
}

static void other_processes_read_and_may_die(void)
{
	const char *dir = folder();
	struct db_env *env = open_env(dir, 16 * MIB, false);
	CHECK_INT(put_rows(env, 0, 50), 0);
	CHECK_INT(in_child(count_as_auditor, dir), 0);
	CHECK_INT(in_child(die_reading, dir), -SIGKILL);
	CHECK_INT(db_env_reap_readers(env), 1);
	CHECK_INT(db_env_reap_readers(env), 0);
	db_env_close(env);
}

static void a_full_map_spoils_only_its_transaction(void)
{
	const char *dir = folder();
	struct db_env *env = open_env(dir, MIB, false);
	uint64_t rows = 0;
	int r;
	while ((r = put_rows(env, rows, 50)) == 0)
		rows += 50;
	CHECK_INT(r, DB_FULL);
	CHECK(rows > 300);
	CHECK_INT(count_rows(env), rows);

	/* Whoever goes on after DB_FULL and even commits changes nothing. */
	db_table_id table;
	static const uint8_t large[MIB];
	struct db_txn *txn = begin(env, true, &table);
	CHECK_INT(db_put(txn, table, BYTES_STR("a"), BYTES(large, sizeof(large))), DB_FULL);
	CHECK_INT(db_put(txn, table, BYTES_STR("b"), BYTES_STR("small")), DB_FULL);
	CHECK_INT(db_commit(txn), DB_FULL);
	CHECK_INT(count_rows(env), rows);

	/* Deleting makes room again, also after reopening. */
	txn = begin(env, true, &table);
	for (uint64_t i = 0; i < rows / 2; i++) {
		uint8_t key[8];
		be64_put(key, i);
		CHECK_INT(db_delete(txn, table, BYTES(key, 8)), 0);
	}
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
	env = open_env(dir, MIB, false);
	CHECK_INT(put_rows(env, rows, 1), 0); /* what was freed can be used two commits later */
	CHECK_INT(put_rows(env, rows, 100), 0);
	CHECK_INT(count_rows(env), rows - rows / 2 + 100);
	db_env_close(env);
}

/* A file that may not grow: new pages lie behind its end, so the write is refused outright. */
static int write_against_a_limit(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;
	CHECK_INT(path_join(path, sizeof(path), dir, "data.mdb"), 0);
	struct db_env *env = open_env(dir, 64 * MIB, false);
	CHECK_INT(put_rows(env, 0, 400), 0);
	CHECK_INT(stat(path, &st), 0);
	struct rlimit limit = {.rlim_cur = (rlim_t)st.st_size, .rlim_max = RLIM_INFINITY};
	signal(SIGXFSZ, SIG_IGN);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_INT(put_rows(env, 400, 100), DB_FULL);
	CHECK_INT(count_rows(env), 400);
	limit.rlim_cur = RLIM_INFINITY;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_INT(put_rows(env, 400, 100), 0);
	CHECK_INT(count_rows(env), 500);
	db_env_close(env);
	return 0;
}

static void a_file_that_may_not_grow_is_full(void)
{
	CHECK_INT(in_child(write_against_a_limit, folder()), 0);
}

/* Batches larger than what is left: the write is cut short, which LMDB calls an input/output error. */
static int fill_up_a_disk(const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700") < 0)
		return NOT_PERMITTED;
	struct db_env *env = open_env(dir, 64 * MIB, false);
	uint64_t rows = 0;
	int r;
	while ((r = put_rows(env, rows, 200)) == 0)
		rows += 200;
	CHECK_INT(r, DB_FULL);
	CHECK(rows >= 1000);
	CHECK_INT(count_rows(env), rows);
	CHECK_INT(put_rows(env, rows, 200), DB_FULL);

	/* Space comes back: everything goes on where it was. */
	CHECK_INT(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	CHECK_INT(put_rows(env, rows, 200), 0);
	CHECK_INT(count_rows(env), rows + 200);
	db_env_close(env);
	return 0;
}

static void a_full_disk_is_full(void)
{
	int code = in_child(fill_up_a_disk, folder());
	if (code == NOT_PERMITTED)
		printf("# skipped: no mount namespaces for this user\n");
	else
		CHECK_INT(code, 0);
}

static void a_failed_sync_is_a_failure(void)
{
	struct db_env *env = open_env(folder(), 16 * MIB, false);
	CHECK_INT(put_rows(env, 0, 100), 0);
	sync_error = EIO;
	CHECK_INT(put_rows(env, 100, 100), -EIO); /* the disk has room: this is no short write */
	sync_error = 0;
	CHECK_INT(count_rows(env), 100);
	db_env_close(env);
}

/* Whatever its errno, a meta page that may be half written is not "full": the environment is closed. */
static void a_failed_meta_page_is_a_failure(void)
{
	static const int errors[] = {ENOSPC, EIO, EDQUOT};
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const char *dir = folder();
		struct db_env *env = open_env(dir, 16 * MIB, false);
		struct db_txn *txn = NULL;
		CHECK_INT(put_rows(env, 0, 100), 0);
		meta_write_error = errors[i];
		CHECK_INT(put_rows(env, 100, 100), -EIO);
		meta_write_error = 0;
		CHECK_INT(db_begin(env, true, &txn), -EIO);
		CHECK_INT(db_begin(env, false, &txn), -EIO);
		db_env_close(env);
		env = open_env(dir, 16 * MIB, false);
		CHECK_INT(count_rows(env), 100);
		CHECK_INT(put_rows(env, 100, 100), 0);
		db_env_close(env);
	}
}

static int forget_a_cursor(const char *dir)
{
	struct db_env *env = open_env(dir, MIB, false);
	db_table_id table;
	struct db_cursor *cursor;
	struct db_txn *txn = begin(env, true, &table);
	CHECK_INT(db_cursor_open(txn, table, &cursor), 0);
	fclose(stderr);
	return db_commit(txn);
}

/* It would be freed twice later; so the transaction's end asserts that there is none. */
static void a_forgotten_cursor_is_caught(void)
{
	CHECK_INT(in_child(forget_a_cursor, folder()), -SIGABRT);
}

CHECK_MAIN(CHECK_CASE(a_killed_writer_leaves_its_commits),
	CHECK_CASE(other_processes_read_and_may_die),
	CHECK_CASE(a_full_map_spoils_only_its_transaction),
	CHECK_CASE(a_file_that_may_not_grow_is_full), CHECK_CASE(a_full_disk_is_full),
	CHECK_CASE(a_failed_sync_is_a_failure), CHECK_CASE(a_failed_meta_page_is_a_failure),
	CHECK_CASE(a_forgotten_cursor_is_caught))
