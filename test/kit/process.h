/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Real processes under test: start, watch their logs, kill, wait. Nothing sleeps: files are watched with
 * inotify, processes with pidfds, always with a deadline. Every process still running when the test
 * program ends is killed (by its pid) and the tail of its log is shown when the test failed.
 */
enum { KIT_PROCESSES_MAX = 32, KIT_ARGS_MAX = 32 };

struct process {
	pid_t pid; /* 0: not running */
	int pidfd;
	char log[512]; /* file with its standard output and error */
	char name[64];
};

/**
 * process_start() - start a program
 * @process: filled
 * @log:     file that gets its output, appended
 * @argv:    NULL-terminated; argv[0] is a path
 *
 * Fails the test when it cannot be started.
 */
void process_start(struct process *process, const char *log, const char *const *argv);

/**
 * process_wait() - wait until it ends
 * @process:    started
 * @timeout_ms: deadline; passing it fails the test
 * Return: exit code, or 128 + signal.
 */
int process_wait(struct process *process, int timeout_ms);

/**
 * process_end() - send a signal and wait until it ended
 * @process: started; not running is fine
 * @signal:  SIGTERM, SIGKILL...
 * Return: as process_wait(); -1 when it was not running.
 */
int process_end(struct process *process, int signal);
bool process_running(const struct process *process);

/**
 * process_run() - run a program to its end and keep what it printed
 * @argv:       NULL-terminated
 * @ret_output: standard output and error, malloc'd, NUL-terminated; may be NULL
 * @timeout_ms: deadline
 * Return: exit code.
 */
int process_run(const char *const *argv, char **ret_output, int timeout_ms);

/**
 * wait_for_line() - wait until a log holds a text (searching from an offset)
 * @log:        file, may not exist yet
 * @text:       what to find
 * @from:       offset to start at; 0 for the whole file
 * @timeout_ms: deadline
 * Return: offset just after the text, or -1 when time ran out.
 */
long wait_for_line(const char *log, const char *text, long from, int timeout_ms);

/* The file's size now, 0 when absent: where to search from for what comes next. */
long file_size(const char *path);

/**
 * wait_for_files() - wait until a folder holds at least so many names ending in a suffix
 * @dir:        folder, may not exist yet (its parent must)
 * @suffix:     e.g. ".json"; "" counts all but dot files
 * @count:      how many
 * @timeout_ms: deadline
 * Return: how many there are now.
 */
size_t wait_for_files(const char *dir, const char *suffix, size_t count, int timeout_ms);

/* A TCP port on 127.0.0.1 for a program under test to listen on, now and whenever it starts again: nobody else gets it
   as long as this process lives. */
int port_take(void);

/* Path of a program of this build, from $DIENSTWEG_BUILD or the build folder meson named. */
const char *program_path(const char *relative, char *buf, size_t size);

/* Milliseconds of a monotonic clock. */
long long now_ms(void);
