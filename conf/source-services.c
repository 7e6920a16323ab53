/* SPDX-License-Identifier: EUPL-1.2 */

/* services.yaml: what is exchanged, how it is kept secret, how long it is kept. */
#include "conf/source-compile.h"

#include <errno.h>
#include <string.h>

#include "conf/param.h"
#include "proto/registry/content.h"

static void init_service(void *message)
{
	dienstweg__service__init(message);
}

/* A word out of two; the first when it is absent. */
static int choose(const struct source *source, const char *field, const char *word,
	const char *first, const char *second, int *ret)
{
	*ret = word && strcmp(word, second) == 0;
	if (!word || *ret || strcmp(word, first) == 0)
		return 0;
	return source_fail(source, SOURCE_SERVICES, field,
		"\"%.40s\" is not possible; write %s or %s", word, first, second);
}

static int find_class(
	const struct source *source, const char *field, const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < source->content.n_classes; i++)
		if (bytes_equal(BYTES_PB(source->content.classes[i]->name), BYTES_STR(name))) {
			*ret = source->content.classes[i]->number;
			return 0;
		}
	return source_fail(source, SOURCE_SERVICES, field,
		"%.80s is no retention class; use a name from `classes` in bus.yaml", name);
}

static int compile_types(const struct source *source, const struct yaml_service *from, size_t n,
	Dienstweg__Service *service)
{
	size_t count = from->message_types.count;
	service->message_types = arena_zalloc(
		source->arena, (count + 1) * sizeof(ProtobufCBinaryData));
	if (!service->message_types)
		return -ENOMEM;
	service->n_message_types = count;
	for (size_t i = 0; i < count; i++) {
		const char *type = from->message_types.items[i];
		service->message_types[i] = source_text(type);
		if (!content_code_ok(BYTES_STR(type)))
			return source_fail(source, SOURCE_SERVICES,
				FIELD("services[%zu].message_types[%zu]", n, i + 1),
				"must be 1 to 127 printable characters without spaces");
	}
	return 0;
}

/* Without a word of its own, its sender is warned when a quarter of the time is left. */
static int compile_overdue(const struct source *source, const struct yaml_service *from, size_t n,
	Dienstweg__Service *service)
{
	enum { WARN_SHARE = 4 };
	static const struct param times = {
		.type = PARAM_TIME, .min = 1000, .max = UINT64_C(366) * 86400000};
	static const struct param warnings = {
		.type = PARAM_TIME, .min = 0, .max = UINT64_C(366) * 86400000};
	struct param_context context = {.file = source->files[SOURCE_SERVICES],
		.error = source->error,
		.arena = source->arena};
	if (!from->overdue && !from->warn)
		return 0;
	if (!from->overdue)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].warn", n),
			"is so long before the service's time is over: say when with overdue, or "
			"leave "
			"it out");
	int r = param_value(&context, &times, FIELD("services[%zu].overdue", n), from->overdue,
		&service->overdue_ms);
	if (r == 0 && !from->warn)
		service->due_soon_ms = service->overdue_ms / WARN_SHARE;
	if (r || !from->warn)
		return r;
	r = param_value(&context, &warnings, FIELD("services[%zu].warn", n), from->warn,
		&service->due_soon_ms);
	if (r == 0 && service->due_soon_ms >= service->overdue_ms)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].warn", n),
			"must be shorter than overdue, or 0 s for no warning");
	return r;
}

static int compile_times(const struct source *source, const struct yaml_service *from, size_t n,
	Dienstweg__Service *service)
{
	uint64_t attempts = 0;
	int r = source_number(source, SOURCE_SERVICES, FIELD("services[%zu].attempts", n),
		from->attempts, 1, REGISTRY_ATTEMPTS_MAX, &attempts);
	service->attempts_max = (uint32_t)attempts;
	return r ? r : compile_overdue(source, from, n, service);
}

/* Enquiries need both figures, and nothing else may have them. */
static int compile_enquiry(const struct source *source, const struct yaml_service *from, size_t n,
	Dienstweg__Service *service)
{
	static const struct param within = {
		.type = PARAM_TIME, .min = 1000, .max = REGISTRY_ANSWER_S_MAX * UINT64_C(1000)};
	struct param_context context = {.file = source->files[SOURCE_SERVICES],
		.error = source->error,
		.arena = source->arena};
	uint64_t within_ms = 0, pending = 0;
	int enquiry = 0;
	int r = choose(source, FIELD("services[%zu].pattern", n), from->pattern, "free", "enquiry",
		&enquiry);
	if (r == 0 && !enquiry && (from->answer_within || from->pending))
		return source_fail(source, SOURCE_SERVICES,
			from->pending ? FIELD("services[%zu].pending", n)
				      : FIELD("services[%zu].answer_within", n),
			"answer_within and pending are for enquiries: write pattern: enquiry, or "
			"leave them out");
	if (r || !enquiry)
		return r;
	if (!from->answer_within || !from->pending)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].pattern", n),
			"an enquiry needs answer_within (e.g. 30 s) and pending (e.g. 16)");
	r = param_value(&context, &within, FIELD("services[%zu].answer_within", n),
		from->answer_within, &within_ms);
	if (r == 0 && within_ms % 1000 != 0)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].answer_within", n),
			"must be whole seconds");
	if (r == 0)
		r = source_number(source, SOURCE_SERVICES, FIELD("services[%zu].pending", n),
			from->pending, 1, REGISTRY_PENDING_MAX, &pending);
	service->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	service->answer_s = (uint32_t)(within_ms / 1000);
	service->pending_max = (uint32_t)pending;
	return r;
}

static int check_name(const struct source *source, const struct yaml_service *from, size_t n)
{
	struct source_field field = source_field("services[%zu].name", n);
	int r = source_name(source, SOURCE_SERVICES, field.path, from->name);
	for (size_t i = 0; r == 0 && i < n - 1; i++)
		if (bytes_equal(BYTES_PB(source->content.services[i]->name), BYTES_STR(from->name)))
			return source_fail(source, SOURCE_SERVICES, field.path,
				"%s is given twice; keep one", from->name);
	return r;
}

static int compile_service(struct source *source, const struct yaml_service *from, size_t n)
{
	Dienstweg__Service *service = source->content.services[n - 1];
	int readable = 0, event = 0;
	int r = check_name(source, from, n);
	service->name = source_text(from->name);
	service->title = source_text(from->title);
	service->dvdv_prefix = source_text(from->dvdv_prefix);
	if (r == 0)
		r = source_title(
			source, SOURCE_SERVICES, FIELD("services[%zu].title", n), from->title);
	if (r == 0)
		r = choose(source, FIELD("services[%zu].confidentiality", n), from->confidentiality,
			"end-to-end", "broker-readable", &readable);
	if (r == 0)
		r = choose(source, FIELD("services[%zu].event", n), from->event, "false", "true",
			&event);
	if (r == 0)
		r = find_class(source, FIELD("services[%zu].retention", n), from->retention,
			&service->retention);
	if (r == 0)
		r = compile_times(source, from, n, service);
	if (r == 0)
		r = compile_enquiry(source, from, n, service);
	service->confidentiality = (Dienstweg__Confidentiality)readable;
	service->event = event;
	if (r == 0 && from->schema)
		r = source_schema(source, from->schema, n, service);
	return r ? r : compile_types(source, from, n, service);
}

int source_services(struct source *source)
{
	const struct yaml_services *list = source->data[SOURCE_SERVICES];
	if (!list || list->services_count == 0)
		return source_fail(source, SOURCE_SERVICES, "services",
			"missing; list the services of the bus");
	int r = source_list(source, list->services_count, sizeof(Dienstweg__Service), init_service,
		&source->content.services);
	for (size_t i = 0; r == 0 && i < list->services_count; i++)
		r = compile_service(source, &list->services[i], i + 1);
	source->content.n_services = list->services_count;
	return r;
}
