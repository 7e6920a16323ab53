/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The jobcenter's adapter: its case system takes case folders and its clerks answer with files, so the
 * folder connector is all of it but the forms.
 */
#include "adapters/jobcenter/map.h"
#include "adapters/connectors/folder.h"
#include "adapters/sdk/adapter.h"

static const char *const main_files[] = {"status.json", "decision.json", NULL};
static const struct folder_agency jobcenter = {
	.main_files = main_files, .read = jobcenter_map_read, .write = jobcenter_map_write};

static int jobcenter_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	return folder_open_agency(adapter, config, &jobcenter, ret_context);
}

int main(int argc, char **argv)
{
	static const struct dw_adapter_ops jobcenter_ops = {
		.name = "dienstweg-jobcenter",
		.check = folder_check_agency,
		.open = jobcenter_open,
		.from_agency = folder_from_agency,
		.submitted = folder_submitted,
		.to_agency = folder_to_agency,
		.report = folder_report,
		.watch_fd = folder_watch_descriptor,
		.close = folder_close,
	};
	return dw_adapter_main(argc, argv, &jobcenter_ops);
}
