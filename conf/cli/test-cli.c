/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The program as people use it: keys, a registry from its source to two signatures, questions to it, and
 * what it says when something is wrong. Each case begins with fresh files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/note/policy.h"
#include "test/kit/check.h"

enum { OUTPUT_SIZE = 1 << 17, WORDS_MAX = 32 };

/* ---- running it ---- */

static const char *env(const char *name)
{
	const char *value = getenv(name);
	if (!value)
		CHECK_FAIL("%s is not set; run this through meson test", name);
	return value;
}

static void run_child(char **words, int out)
{
	if (dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(check_tmpdir()) < 0)
		_exit(126);
	execv(words[0], words);
	_exit(127);
}

/* Cuts a line into words, in place. */
static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;
	while (*line && count < WORDS_MAX) {
		size_t len = strcspn(line, " ");
		if (len)
			words[count++] = line;
		line += len;
		if (*line)
			*line++ = 0;
	}
	return count;
}

/* Runs the program with the words of a line. Return: exit code; what it printed is in @output. */
static int run(char *output, const char *line)
{
	char copy[4096], path[512], *words[WORDS_MAX + 2];
	snprintf(copy, sizeof(copy), "%s", line);
	words[0] = (char *)(uintptr_t)env("DIENSTWEG_PROGRAM");
	words[1 + split(copy, words + 1)] = NULL;
	snprintf(path, sizeof(path), "%s/output", check_tmpdir());
	_cleanup_(fd_close) int out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(out >= 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		run_child(words, out);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		CHECK_INT(errno, EINTR);
	ssize_t n = pread(out, output, OUTPUT_SIZE - 1, 0);
	CHECK(n >= 0);
	output[n] = 0;
	if (!WIFEXITED(status))
		CHECK_FAIL("\"%s\" ended by a signal: %s", line, output);
	return WEXITSTATUS(status);
}

/* Runs a printf'd line, and wants an exit code and words in what is printed. */
static void __attribute__((format(printf, 3, 4)))
says(int code, const char *words, const char *format, ...)
{
	char output[OUTPUT_SIZE], line[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	int got = run(output, line);
	if (got != code || !strstr(output, words))
		CHECK_FAIL("\"%s\": exit %d, expected %d with \"%s\"; it said: %s", line, got, code,
			words, output);
}

/* ---- files ---- */

struct path {
	char text[600];
};

static struct path path_of(const char *name)
{
	struct path path;
	snprintf(path.text, sizeof(path.text), "%s/%s", check_tmpdir(), name);
	return path;
}
#define in_tmp(name) path_of(name).text

static void copy_source(const char *name)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char from[512], to[64];
	size_t len = 0;
	snprintf(from, sizeof(from), "%s/conf/registry/%s", env("DIENSTWEG_SOURCE_ROOT"), name);
	CHECK_INT(file_read(from, 1 << 20, &data, &len), 0);
	snprintf(to, sizeof(to), "source/%s", name);
	CHECK_INT(file_replace(in_tmp(to), BYTES(data, len), 0644), 0);
}

static void change_byte(const char *name, size_t from_end)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	CHECK_INT(file_read(in_tmp(name), 1 << 20, &data, &len), 0);
	CHECK(len > from_end);
	data[len - from_end] ^= 1;
	CHECK_INT(file_replace(in_tmp(name), BYTES(data, len), 0644), 0);
}

/* Keys and the source, once; the cases make their own registries from them. */
static void prepare(void)
{
	static const char *const names[] = {
		"bus.yaml", "parties.yaml", "services.yaml", "agreements.yaml"};
	static const char *const parties[] = {"city.wuppertal", "youthoffice.wuppertal",
		"businessportal.wuppertal", "waterworks.wuppertal", "jobcenter.wuppertal",
		"ministry.mkffi", "cooperative.bergisch", "rs-p-05120000", "sg-p-05122000"};
	CHECK_INT(dir_make(in_tmp("source"), 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		copy_source(names[i]);
	if (access(in_tmp("keys"), F_OK) == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(parties); i++)
		says(0, "for the registrar", "keygen party %s --out keys", parties[i]);
	says(0, "for the registrar", "keygen bus wuppertal.demo --out keys");
	for (int i = 1; i <= 3; i++)
		says(0, "every policy", "keygen root root%d.wuppertal.demo --out keys", i);
	says(0, "",
		"registry policy keys/root1.wuppertal.demo.keys keys/root2.wuppertal.demo.keys "
		"keys/root3.wuppertal.demo.keys --out policy");
}

/* Roots and witnesses, and how many. */
static void policies_with_witnesses(void)
{
	static const char roots[] = "keys/root1.wuppertal.demo.keys keys/root2.wuppertal.demo.keys "
				    "keys/root3.wuppertal.demo.keys";
	struct policy policy;
	char why[512];
	prepare();
	for (int i = 1; i <= 3; i++)
		says(0, "every policy", "keygen witness w%d --out witnesses", i);
	says(0, "",
		"registry policy %s --witness witnesses/w1.witness.keys --witness "
		"witnesses/w2.witness.keys --witness witnesses/w3.witness.keys --quorum 2 --out "
		"witnessed",
		roots);
	CHECK_INT(policy_read(in_tmp("witnessed"), &policy, why, sizeof(why)), 0);
	CHECK_INT(policy.roots_count, 3);
	CHECK_INT(policy.witnesses_count, 3);
	CHECK_INT(policy.witness_quorum, 2);
	CHECK_STR(policy.witnesses[1].name, "w2");
	says(2, "go together", "registry policy %s --quorum 2", roots);
	says(2, "from 1 to that",
		"registry policy %s --witness witnesses/w1.witness.keys --quorum 2", roots);
	says(1, "the same witness",
		"registry policy %s --witness witnesses/w1.witness.keys --witness "
		"witnesses/w1.witness.keys --quorum 1",
		roots);
	says(1, "holds no witness key",
		"registry policy %s --witness keys/root1.wuppertal.demo.keys --quorum 1", roots);
}

#define BUILD   "registry build --source source --keys keys "
#define SIGN(n) "--sign keys/root" #n ".wuppertal.demo.secret "

/* ---- cases ---- */

static void help_and_usage(void)
{
	static const char *const verbs[] = {"", "keygen", "registry", "registry build",
		"registry sign", "registry policy", "registry check", "registry show", "config"};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		says(0, "usage: dienstweg", "%s --help", verbs[i]);
	says(2, "usage: dienstweg", "registry");
	says(2, "no such verb: fax", "fax");
	says(2, "no such verb: fax", "registry fax");
	says(2, "unknown option --sauce", "registry build --sauce x");
	says(2, "--out needs a value", "keygen party x --out");
	says(2, "--out is given twice", "keygen party x --out a --out b");
	says(2, "unexpected word y", "registry build y");
	says(2, "--json takes no value", "registry show f --json=1");
	says(2, "either --first or --previous", BUILD "--out x");
	says(2, "either --first or --previous", BUILD "--out x --first --previous y");
	says(2, "needs a registry file", "registry check x");
	says(0, "dienstweg ", "--version");
}

static void keygen(void)
{
	struct stat st;
	says(0, "k/a.secret", "keygen party a --out k");
	CHECK_INT(stat(in_tmp("k/a.secret"), &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	says(3, "nothing was overwritten", "keygen party a --out k");
	says(0, "k/master.key", "keygen master master --out k");
	CHECK_INT(stat(in_tmp("k/master.key"), &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK_INT(st.st_size, 32);
	says(3, "nothing was overwritten", "keygen master master --out k");
	says(2, "is no name", "keygen party A --out k");
	says(2, "is no name", "keygen party ../a --out k");
	says(2, "none of party, bus, root, witness, master", "keygen city a --out k");
	says(2, "needs party", "keygen party --out k");
	says(0, "k/a.witness.secret", "keygen witness a --out k");
	CHECK_INT(file_replace(in_tmp("plain"), BYTES_STR("x"), 0600), 0);
	says(3, "plain", "keygen party b --out plain");
}

static void from_source_to_two_signatures(void)
{
	prepare();
	says(0, "version 1 of wuppertal.demo, 9 parties, 13 services, 7 agreements",
		BUILD "--first --out r1");
	says(1, "signed by 0 of the pinned 3 roots", "registry check r1 --policy policy");
	says(0, "Signed by 0 of 3 roots; not verified", "registry show r1");
	says(0, "1 of 3 roots; one more is needed",
		"registry sign --in r1 --key keys/root2.wuppertal.demo.secret");
	says(0, "1 of 3 roots; one more is needed",
		"registry sign --in r1 --key keys/root2.wuppertal.demo.secret");
	says(1, "signed by 1 of the pinned 3", "registry check r1 --policy policy");
	says(1, "not good yet: version 1 of wuppertal.demo", "registry check r1 --policy policy");
	says(0, "goes to youthoffice.wuppertal",
		"registry show r1 --from city.wuppertal --service uvg.application --region 05124");
	says(0, "2 of 3 roots",
		"registry sign --in r1 --key keys/root3.wuppertal.demo.secret --out signed1");
	says(0, "good: version 1 of wuppertal.demo, signed by root2.wuppertal.demo, root3",
		"registry check signed1 --policy policy --strict");
	says(0, "verified by the policy", "registry show signed1 --policy policy");
	says(3, "holds no root key", "registry sign --in r1 --key keys/city.wuppertal.secret");
	says(3, "nowhere", "registry sign --in r1 --key nowhere");
	says(3, "nowhere", "registry sign --in nowhere --key keys/root1.wuppertal.demo.secret");
}

static void who_would_receive(void)
{
	prepare();
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out r");
	says(0, "goes to youthoffice.wuppertal",
		"registry show r --from city.wuppertal --service uvg.application --region "
		"051240000000");
	says(0, "under agreement wuppertal.city-jobcenter, § 6a SGB II",
		"registry show r --from city.wuppertal --service alg2.application --to "
		"jobcenter.wuppertal");
	says(1,
		"no: agreement-not-yet-valid (agreement): agreement wuppertal.city-jobcenter "
		"begins on "
		"2021-07-01",
		"registry show r --from city.wuppertal --service alg2.application --region 05124 "
		"--at "
		"2021-06-30");
	says(1, "no: region-not-covered (region)",
		"registry show r --from city.wuppertal --service alg2.application --region 09");
	says(1, "no: no-agreement (agreement)",
		"registry show r --from jobcenter.wuppertal --service alg2.application --region "
		"05124");
	says(1, "no: unknown-service (service)",
		"registry show r --from city.wuppertal --service fax --region 05124");
	says(1, "\"code\": \"unknown-party\"",
		"registry show r --from nobody --service alg2.status --to city.wuppertal --json");
	says(0, "\"recipients\": [\n    \"jobcenter.wuppertal\"",
		"registry show r --from city.wuppertal --service alg2.application --region 05124 "
		"--json");
	says(0, "\"first_day\": \"2021-07-01\"", "registry show r --json");
	says(2, "depends on --from", "registry show r --service alg2.status");
	says(2, "not both", "registry show r --from a --service b --region 05 --to c");
	says(2, "no day of the calendar", "registry show r --from a --service b --at tomorrow");
}

static void versions_follow_each_other(void)
{
	prepare();
	says(0, "version 1", BUILD SIGN(1) SIGN(2) "--first --out v1");
	says(0, "version 2", BUILD SIGN(1) SIGN(3) "--previous v1 --out v2");
	says(0, "version 3", BUILD SIGN(1) SIGN(3) "--previous v2 --out v3");
	says(1, "v2 is a signed registry, version 2: name another file",
		BUILD "--previous v1 --out v2");
	says(0, "good", "registry check v2 --policy policy --previous v1");
	says(1, "it is older", "registry check v1 --policy policy --previous v2");
	says(1, "does not build on the one in force",
		"registry check v3 --policy policy --previous v1");
	says(0, "", BUILD SIGN(1) "--previous v1 --out half");
	says(1, "signed by 1 of", BUILD "--previous half --out r4");
	says(1, "not good yet: version 2", "registry check half --policy policy --previous v1");
	says(1, "it is older", "registry check half --policy policy --previous v3");
	says(3, "nowhere", BUILD "--previous nowhere --out r4");
}

static void tampered_files(void)
{
	prepare();
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out good");
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out bad");
	change_byte("bad", 40); /* of the content, at the end */
	says(1, "content differs from what was signed", "registry check bad --policy policy");
	says(1, "content differs from what was signed", "registry show bad");
	says(1, "content differs", "registry sign --in bad --key keys/root3.wuppertal.demo.secret");
	CHECK_INT(file_replace(in_tmp("junk"), BYTES_STR("no registry at all"), 0644), 0);
	says(1, "take a file made by dienstweg registry build", "registry show junk");
	says(3, "No such file", "registry check nowhere --policy policy");
	says(3, "policy", "registry check good --policy nowhere-policy");
	/* roots of another bus */
	for (int i = 1; i <= 3; i++)
		says(0, "", "keygen root root%d.other --out other-%d", i, getpid());
	says(0, "",
		"registry policy other-%d/root1.other.keys other-%d/root2.other.keys "
		"other-%d/root3.other.keys --out other-policy",
		getpid(), getpid(), getpid());
	says(1, "signed by 0 of the pinned", "registry check good --policy other-policy");
}

static void policies(void)
{
	prepare();
	says(0, "root root1.wuppertal.demo+",
		"registry policy keys/root1.wuppertal.demo.keys keys/root2.wuppertal.demo.keys "
		"keys/root3.wuppertal.demo.keys");
	says(2, "exactly three files", "registry policy keys/root1.wuppertal.demo.keys");
	says(1, "the same root",
		"registry policy keys/root1.wuppertal.demo.keys keys/root2.wuppertal.demo.keys "
		"keys/root1.wuppertal.demo.keys");
	says(1, "holds no root key",
		"registry policy keys/root1.wuppertal.demo.keys keys/root2.wuppertal.demo.keys "
		"keys/city.wuppertal.keys");
}

static void mistakes_in_the_source(void)
{
	prepare();
	CHECK_INT(
		file_replace(in_tmp("source/agreements.yaml"),
			BYTES_STR("agreements:\n  - id: a\n    first_day: 2021-07-01\n    flows:\n"
				  "      - services: [alg2.application]\n        from: [nobody]\n"
				  "        to: city.wuppertal\n"),
			0644),
		0);
	says(1, "source/agreements.yaml:6: agreements[1].flows[1].from[1]: nobody is no party",
		BUILD "--first --out x");
	CHECK(access(in_tmp("x"), F_OK) != 0);
	says(3, "absent/bus.yaml: No such file",
		"registry build --source absent --keys keys --first --out x");
	prepare();
	says(1, "its public keys are missing",
		"registry build --source source --keys source --first --out x");
}

/* Legal and doubtful: two parties for one region, a party and a service that nothing uses. */
static void doubts(void)
{
	prepare();
	CHECK_INT(file_replace(in_tmp("source/agreements.yaml"),
			  BYTES_STR("agreements:\n"
				    "  - id: a\n    first_day: 2021-07-01\n    flows:\n"
				    "      - {services: [alg2.application], from: "
				    "[city.wuppertal], to: "
				    "jobcenter.wuppertal, regions: ['05124']}\n"
				    "  - id: b\n    first_day: 2021-07-01\n    flows:\n"
				    "      - {services: [alg2.application], from: "
				    "[city.wuppertal], to: "
				    "ministry.mkffi, regions: ['05124']}\n"
				    "  - id: c\n    first_day: 2020-01-01\n    last_day: "
				    "2020-12-31\n    flows:\n"
				    "      - {services: [alg2.status], from: [city.wuppertal], to: "
				    "ministry.mkffi}\n"),
			  0644),
		0);
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out doubtful");
	says(0, "goes to both jobcenter.wuppertal (a) and ministry.mkffi (b)",
		"registry check doubtful --policy policy");
	says(1, "agreement c ended with 2020-12-31",
		"registry check doubtful --policy policy --strict");
	says(0, "no agreement names party youthoffice.wuppertal",
		"registry check doubtful --policy policy");
	says(0, "lets anybody send service uvg.application",
		"registry check doubtful --policy policy");
	says(1, "no: ambiguous (region)",
		"registry show doubtful --from city.wuppertal --service alg2.application --region "
		"05124");
}

/* The keys of a line of the first kind of an owner's file, as people copy them. */
static void shown_id(const char *file, const char *use, size_t nth, char id[9])
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char start[32];
	size_t len = 0;
	CHECK_INT(file_read(in_tmp(file), 1 << 20, &data, &len), 0);
	data[len - 1] = '\0';
	snprintf(start, sizeof(start), "\n%s ", use);
	const char *at = (const char *)data;
	do {
		at = strstr(at, start);
		if (!at)
			CHECK_FAIL("%s has no %s key number %zu", file, use, nth);
		at += strlen(start);
	} while (nth-- > 0);
	snprintf(id, 9, "%.8s", at);
}

static void parties(const char *city, const char *jobcenter)
{
	char text[2000];
	snprintf(text, sizeof(text),
		"parties:\n  - name: city.wuppertal\n%s"
		"  - name: youthoffice.wuppertal\n    operated_by: city.wuppertal\n"
		"  - name: businessportal.wuppertal\n    operated_by: city.wuppertal\n"
		"  - name: waterworks.wuppertal\n    operated_by: city.wuppertal\n"
		"  - name: jobcenter.wuppertal\n%s  - name: ministry.mkffi\n"
		"  - name: cooperative.bergisch\n"
		"  - name: rs-p-05120000\n    operated_by: cooperative.bergisch\n"
		"  - name: sg-p-05122000\n    operated_by: cooperative.bergisch\n",
		city, jobcenter);
	CHECK_INT(file_replace(in_tmp("source/parties.yaml"), BYTES_STR(text), 0644), 0);
}

#define CHECK_AFTER(new, old) "registry check " new " --policy policy --previous " old

/* From k3, in which the old key is retired, to k5. */
static void keys_are_doubted(const char *old)
{
	char words[400];
	/* Suspicion, with the key still active; then a key that comes back; one that vanishes. */
	snprintf(words, sizeof(words),
		"    keys:\n      - {file: city.wuppertal, id: %s, state: active, suspect_from: "
		"7}\n"
		"      - {file: city.wuppertal}\n",
		old);
	parties(words, "");
	says(0, "", BUILD SIGN(1) SIGN(2) "--previous k3 --out k4");
	says(1, "under suspicion from entry 7 on", CHECK_AFTER("k4", "k3 --strict"));
	says(0, "counts again", CHECK_AFTER("k4", "k3"));
	snprintf(words, sizeof(words), "sign %s (suspect from entry 7)", old);
	says(0, words, "registry show k4");
	snprintf(words, sizeof(words), "sign %s (retired)", old);
	says(0, words, "registry show k3");
	says(0, "under suspicion and still active", CHECK_AFTER("k4", "k3"));
	parties("    keys: [{file: city.wuppertal, use: seal}, {file: city.wuppertal, use: "
		"transport},"
		" {file: city.wuppertal, use: sign}]\n",
		"");
	says(0, "", BUILD SIGN(1) SIGN(2) "--previous k4 --out k5");
	says(0, "clears sign key", CHECK_AFTER("k5", "k4"));
}

/* A party exchanges its sign key in the usual steps, and then makes every mistake. */
static void keys_are_exchanged(void)
{
	char old[9], new[9], seal[9], transport[9], words[400];
	prepare();
	parties("", "");
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out k1");
	says(2, "no such key to exchange", "keygen bus wuppertal.demo --out keys --add sign");
	says(2, "no such key to exchange", "keygen party city.wuppertal --out keys --add log");
	says(2, "two steps", "keygen party city.wuppertal --out keys --add sign --remove 00");
	says(2, "one key for its life", "keygen root root1.wuppertal.demo --out keys --add root");
	says(3, "nobody.secret", "keygen party nobody --out keys --add sign");
	says(0, "ministry.mkffi.witness", "keygen witness ministry.mkffi --out keys");
	says(0, "ministry.mkffi.witness.secret: a further witness key",
		"keygen witness ministry.mkffi --out keys --add witness");
	shown_id("keys/ministry.mkffi.witness.keys", "witness", 0, old);
	says(0, "its public half stays", "keygen witness ministry.mkffi --out keys --remove %s",
		old);
	shown_id("keys/city.wuppertal.keys", "sign", 0, old);
	says(1, "the only sign key", "keygen party city.wuppertal --out keys --remove %s", old);
	says(0, "a further sign key", "keygen party city.wuppertal --out keys --add sign");
	shown_id("keys/city.wuppertal.keys", "sign", 1, new);
	says(0, "", BUILD SIGN(1) SIGN(2) "--previous k1 --out k2");
	snprintf(words, sizeof(words), "adds sign key %s", new);
	says(0, words, CHECK_AFTER("k2", "k1 --strict"));

	snprintf(words, sizeof(words),
		"    keys:\n      - {file: city.wuppertal, id: %s, state: retired}\n"
		"      - {file: city.wuppertal}\n",
		old);
	parties(words, "");
	says(0, "", BUILD SIGN(1) SIGN(2) "--previous k2 --out k3");
	snprintf(words, sizeof(words), "retires sign key %s", old);
	says(0, words, CHECK_AFTER("k3", "k2 --strict"));
	says(0, "its public half stays", "keygen party city.wuppertal --out keys --remove %s", old);
	says(1, "no keys of this file", "keygen party city.wuppertal --out keys --remove %s", old);
	says(0, "\"state\": \"retired\"", "registry show k3 --json");

	keys_are_doubted(old);
	shown_id("keys/jobcenter.wuppertal.keys", "transport", 0, transport);
	shown_id("keys/jobcenter.wuppertal.keys", "seal", 0, seal);
	says(0, "", "keygen party jobcenter.wuppertal --out keys --add transport");
	snprintf(words, sizeof(words),
		"    keys:\n      - {file: jobcenter.wuppertal, id: %s, state: retired}\n"
		"      - {file: jobcenter.wuppertal}\n",
		transport);
	parties("", words);
	says(0, "", BUILD SIGN(1) SIGN(2) "--previous k5 --out k6");
	says(1, "its adapter may not get in", CHECK_AFTER("k6", "k5 --strict"));
	parties("", "    keys: [{file: jobcenter.wuppertal, id: xyz}]\n");
	says(1, "parties[5].keys[1].id: \"xyz\" is no key id", BUILD "--first --out x");
	parties("", "    keys: [{file: jobcenter.wuppertal, id: '00000000'}]\n");
	says(1, "has no such key; remove the entry, its `use` or its `id`", BUILD "--first --out x");
}

/* The roots leave one after the other; the policy of the first three still leads to the last version. */
static void roots_are_exchanged(void)
{
	prepare();
	says(0, "", BUILD SIGN(1) SIGN(2) "--first --out g1");
	for (int i = 4; i <= 6; i++) {
		char text[2000], sign[200], folder[40], old[8], new[8];
		snprintf(folder, sizeof(folder), "keys-%d", getpid());
		int n = snprintf(text, sizeof(text),
			"bus: wuppertal.demo\nstale_after: 400 days\nclasses:\n"
			"  - {number: 1, name: standard, content_days: 21, record_days: 730}\n"
			"  - {number: 2, name: benefits, content_days: 42, record_days: 3650}\n"
			"  - {number: 3, name: figures, content_days: 365, record_days: 3650}\n"
			"roots:\n");
		says(0, "every policy", "keygen root root%d.wuppertal.demo --out keys-%d", i,
			getpid());
		snprintf(sign, sizeof(sign), "keys-%d/root%d.wuppertal.demo.keys", getpid(), i);
		_cleanup_(heap_free) uint8_t *data = NULL;
		size_t len = 0;
		CHECK_INT(file_read(in_tmp(sign), 1 << 16, &data, &len), 0);
		snprintf(sign, sizeof(sign), "keys/root%d.wuppertal.demo.keys", i);
		CHECK_INT(file_replace(in_tmp(sign), BYTES(data, len), 0644), 0);
		for (int k = 1; k <= i; k++)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
				"  - {name: root%d.wuppertal.demo, keys: [{file: "
				"root%d.wuppertal.demo, state: %s}]}\n",
				k, k, k <= i - 3 ? "retired" : "active");
		CHECK_INT(file_replace(in_tmp("source/bus.yaml"), BYTES_STR(text), 0644), 0);
		snprintf(old, sizeof(old), "g%d", i - 3);
		snprintf(new, sizeof(new), "g%d", i - 2);
		says(0, "", BUILD "--previous %s --out %s", old, new);
		for (int k = i - 2; k < i; k++)
			says(0, "", "registry sign --in %s --key %s/root%d.wuppertal.demo.secret",
				new, k <= 3 ? "keys" : folder, k);
		says(0, "retires root key", "registry check %s --policy policy %s --previous g1",
			new,
			i == 4   ? ""
			: i == 5 ? "--previous g2"
				 : "--previous g2 --previous g3");
	}
	says(1, "signed by 0 of the pinned", "registry check g4 --policy policy");
	says(1, "signed by 0 of the pinned", "registry check g4 --policy policy --previous g3");
	says(1, "does not build on the one",
		"registry check g4 --policy policy --previous g1 --previous g2");
}

static void example_configurations(void)
{
	const char *root = env("DIENSTWEG_SOURCE_ROOT");
	says(0, "good", "config check broker %s/conf/example/broker.yaml", root);
	says(0, "good", "config check adapter %s/conf/example/city.yaml", root);
	says(0, "good", "config check adapter %s/conf/example/jobcenter.yaml", root);
	says(1, "city.yaml:", "config check broker %s/conf/example/city.yaml", root);
	says(3, "No such file", "config check broker nowhere");
	says(0, "#map_size: 64 GiB", "config print broker");
	says(0, "#settle: 200 ms", "config print adapter");
	says(2, "neither broker nor adapter", "config print printer");
}

/* The manual's section is what the table prints. */
static void the_manual_is_the_table(void)
{
	char printed[OUTPUT_SIZE];
	static const char *const kinds[] = {"broker", "adapter"};
	_cleanup_(heap_free) uint8_t *page = NULL;
	char path[512], line[64];
	size_t len = 0;
	snprintf(path, sizeof(path), "%s/conf/config.5.scd", env("DIENSTWEG_SOURCE_ROOT"));
	CHECK_INT(file_read(path, 1 << 20, &page, &len), 0);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		snprintf(line, sizeof(line), "config print %s --man", kinds[i]);
		CHECK_INT(run(printed, line), 0);
		CHECK(strlen(printed) > 1000);
		if (!strstr((const char *)page, printed))
			CHECK_FAIL(
				"%s lacks what \"dienstweg %s\" prints; put it there", path, line);
	}
}

/* Verbs of other rooms are programs beside this one; alone in a folder, it says which one is missing. */
static void neighbours(void)
{
	_cleanup_(heap_free) uint8_t *program = NULL;
	char path[600];
	size_t len = 0;
	CHECK_INT(dir_make(in_tmp("alone/a/b"), 0700), 0);
	snprintf(path, sizeof(path), "%s", in_tmp("alone/a/b/dienstweg"));
	CHECK_INT(file_read(env("DIENSTWEG_PROGRAM"), 256 << 20, &program, &len), 0);
	CHECK_INT(file_replace(path, BYTES(program, len), 0700), 0);
	CHECK_INT(setenv("DIENSTWEG_PROGRAM", path, 1), 0);
	says(3, "dienstweg-admin is not installed beside this program", "status");
	says(3, "dienstweg-party is not installed beside this program", "send");
	static const char script[] = "#!/bin/sh\necho \"it got $@\"\nexit 1\n";
	CHECK_INT(file_replace(in_tmp("alone/a/b/dienstweg-admin"), BYTES_STR(script), 0700), 0);
	says(1, "it got queue list --json", "queue list --json");
	CHECK_INT(dir_make(in_tmp("alone/adapters"), 0700), 0);
	CHECK_INT(
		file_replace(in_tmp("alone/adapters/dienstweg-party"), BYTES_STR(script), 0700), 0);
	says(1, "it got receive x", "receive x");
}

CHECK_MAIN(CHECK_CASE(help_and_usage), CHECK_CASE(keygen), CHECK_CASE(from_source_to_two_signatures),
	CHECK_CASE(who_would_receive), CHECK_CASE(versions_follow_each_other),
	CHECK_CASE(tampered_files), CHECK_CASE(policies), CHECK_CASE(policies_with_witnesses),
	CHECK_CASE(mistakes_in_the_source), CHECK_CASE(doubts), CHECK_CASE(keys_are_exchanged),
	CHECK_CASE(roots_are_exchanged), CHECK_CASE(example_configurations),
	CHECK_CASE(the_manual_is_the_table), CHECK_CASE(neighbours))
