/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/export-tiles.h"
#include "broker/audit/export.h"

/* An export under way; between the export*.c files. */
struct exporter {
	struct audit *audit;
	const struct audit_export_options *options;
	struct audit_report *report;
	struct audit_export_result *result;
	char *reterr;
	size_t reterr_size;
	int dir_fd;
	struct bytes note; /* the checkpoint to be written */
	struct checkpoint checkpoint;
	struct journal_pruned pruned;
	struct checkpoint before; /* of the folder; size 0: none */
	struct arena *arena;      /* of the whole run */
	struct export_tiles tiles;
	uint8_t bundle[EXPORT_BUNDLE_MAX];
	size_t bundle_width;
	struct merkle_edge edge;
};

/* A sentence for a verdict. */
int exporter_refuse(struct exporter *exporter, int verdict, const char *format, ...) _printf_(3, 4);

/* Each: 0, EXPORT_REFUSED, EXPORT_DAMAGED, negative errno. */

/* The policy that fits the checkpoint: log keys of the registry in force, the auditor's witnesses. */
int export_policy(struct exporter *exporter);

/* Proofs, originals and decisions of the range that was asked for. */
int export_disclose(struct exporter *exporter);
