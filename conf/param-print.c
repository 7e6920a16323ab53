/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The table, told to people: as a configuration to start from, and as the section of config(5). A test
 * compares the manual page with this, so the two cannot drift apart.
 */
#include "conf/param.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_number(enum param_type type)
{
	return type == PARAM_COUNT || type == PARAM_PERCENT || type == PARAM_BYTES ||
	       type == PARAM_PAGES || type == PARAM_TIME;
}

/* "4 KiB to 64 TiB", "one of: folder none", "list of names". */
static void kind_text(const struct param *row, char *buf, size_t size)
{
	static const char *const kinds[] = {[PARAM_NAME] = "name",
		[PARAM_PATH] = "path",
		[PARAM_ENDPOINT] = "endpoint",
		[PARAM_LISTEN] = "endpoint",
		[PARAM_LOG_LEVEL] = "level",
		[PARAM_SETTINGS] = "list of name and value"};
	char min[32], max[32];
	if (is_number(row->type)) {
		param_unit(row->type, row->min, min, sizeof(min));
		param_unit(row->type, row->max, max, sizeof(max));
		snprintf(buf, size, "%s to %s", min, max);
	} else if (row->type == PARAM_CHOICE) {
		snprintf(buf, size, "one of: %s", row->choices);
	} else {
		snprintf(buf, size, "%s%s%s", row->list ? "list of " : "", kinds[row->type],
			row->list ? "s" : "");
	}
}

static void default_text(const struct param *row, char *buf, size_t size)
{
	if (row->fallback)
		snprintf(buf, size, "default %s", row->fallback);
	else
		snprintf(buf, size, "%s", row->optional ? "optional" : "required");
}

/* Prints "section:" when a row begins one. Return: the row's name inside its section. */
static const char *enter_section(FILE *out, const struct param *row, const struct param *before)
{
	const char *dot = strchr(row->name, '.');
	if (!dot)
		return row->name;
	size_t len = (size_t)(dot - row->name) + 1;
	if (!before || strncmp(before->name, row->name, len) != 0)
		fprintf(out, "\n%.*s:\n", (int)len - 1, row->name);
	return dot + 1;
}

static void print_yaml_row(FILE *out, const struct param *row, const struct param *before)
{
	char kind[160], fallback[80];
	const char *name = enter_section(out, row, before);
	const char *indent = name == row->name ? "" : "  ";
	kind_text(row, kind, sizeof(kind));
	default_text(row, fallback, sizeof(fallback));
	fprintf(out, "%s# %s (%s; %s)\n", indent, row->doc, kind, fallback);
	if (row->fallback)
		fprintf(out, "%s#%s: %s\n", indent, name, row->fallback);
	else
		fprintf(out, "%s#%s:\n", indent, name);
}

static void print_scdoc_row(FILE *out, const struct param *row)
{
	char kind[160], fallback[80];
	kind_text(row, kind, sizeof(kind));
	default_text(row, fallback, sizeof(fallback));
	/* scdoc takes _ inside words as it is, and * as bold: only the latter needs care. */
	fprintf(out, "*%s*\n\t", row->name);
	for (const char *p = row->doc; *p; p++)
		fprintf(out, *p == '*' || *p == '_' ? "\\%c" : "%c", *p);
	fprintf(out, "++\n");
	fprintf(out, "_%s_; %s.\n\n", kind, fallback);
}

int param_print(const struct param_table *table, enum config_form form, int fd)
{
	int copy = dup(fd);
	if (copy < 0)
		return -errno;
	FILE *out = fdopen(copy, "w");
	if (!out) {
		int r = -errno;
		close(copy);
		return r;
	}
	if (form == CONFIG_FORM_YAML)
		fprintf(out, "# %s configuration: every parameter with its default.\n",
			table->title);
	for (size_t i = 0; i < table->count; i++)
		if (form == CONFIG_FORM_YAML)
			print_yaml_row(out, &table->rows[i], i ? &table->rows[i - 1] : NULL);
		else
			print_scdoc_row(out, &table->rows[i]);
	int failed = ferror(out);
	return fclose(out) || failed ? -EIO : 0;
}

int config_print(enum config_kind kind, enum config_form form, int fd)
{
	return param_print(kind == CONFIG_BROKER ? &param_broker : &param_adapter, form, fd);
}
