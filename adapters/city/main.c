/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The city's adapter: its portal and its own offices exchange files, so the folder connector is all of
 * it but the forms.
 */
#include "adapters/city/map.h"
#include "adapters/connectors/folder.h"
#include "adapters/sdk/adapter.h"

static const char *const main_files[] = {"application.json", "status.json", "decision.json", NULL};
static const struct folder_agency city = {
	.main_files = main_files, .read = city_map_read, .write = city_map_write};

static int city_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	return folder_open_agency(adapter, config, &city, ret_context);
}

int main(int argc, char **argv)
{
	static const struct dw_adapter_ops city_ops = {
		.name = "dienstweg-city",
		.check = folder_check_agency,
		.open = city_open,
		.from_agency = folder_from_agency,
		.submitted = folder_submitted,
		.to_agency = folder_to_agency,
		.report = folder_report,
		.watch_fd = folder_watch_descriptor,
		.close = folder_close,
	};
	return dw_adapter_main(argc, argv, &city_ops);
}
