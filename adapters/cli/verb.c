/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The log would mix with what people read, so only warnings reach standard error here; what a verb has to
 * say it says in its own words.
 */
#include "adapters/cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/guard.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

int verb_fail(int code, const char *format, ...)
{
	va_list list;
	fputs("dienstweg: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	return code;
}

int verb_config(const char *path, bool demo, struct config_adapter *ret,
	const struct config_adapter **owner)
{
	char why[CONFIG_ERROR_SIZE] = "";
	if (!path)
		return verb_fail(VERB_USAGE, "--config FILE is missing: the party's configuration");
	log_init("dienstweg-party", LOG_WARN, 2);
	if (crypto_init() != 0)
		return verb_fail(VERB_FAILED, "this machine has no working cryptography library");
	int r = config_adapter_read(path, owner, why, sizeof(why));
	if (r == 0)
		r = guard_adapter(*owner, demo, why, sizeof(why));
	if (r)
		return verb_fail(r > 0 ? VERB_NEGATIVE : VERB_FAILED, "%s",
			why[0] ? why : strerrordesc_np(-r));
	*ret = **owner;
	return 0;
}

int verb_number(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	if (text_parse_u64(BYTES_STR(text), ret) == 0 && *ret <= max)
		return 0;
	return verb_fail(VERB_USAGE, "--%s %s: a number up to %llu is wanted", option, text,
		(unsigned long long)max);
}

int verb_hex(const char *option, const char *text, uint8_t *buf, size_t len)
{
	if (text_unhex(text, buf, len) == 0)
		return 0;
	return verb_fail(
		VERB_USAGE, "--%s %s: %zu lower-case hex digits are wanted", option, text, 2 * len);
}

int verb_document(const char *path, const char *remedy, uint8_t **ret, size_t *ret_len)
{
	int r = file_read(path, CONTENT_BYTES_MAX, ret, ret_len);
	if (r > 0)
		return verb_fail(VERB_FAILED, "%s: larger than 256 KiB%s", path, remedy);
	return r ? verb_fail(VERB_FAILED, "%s: %s", path, strerrordesc_np(-r)) : 0;
}
