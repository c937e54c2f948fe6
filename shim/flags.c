/* SPDX-License-Identifier: Apache-2.0 */
/* The command line; see flags.h. One table says what there is. */
#include "shim/flags.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "shim/util.h"

struct flag {
	const char *name;
	bool is_bool;
	size_t offset;
	const char *help;
};

#define BOOL(name, field, help) { name, true, offsetof(struct flags, field), help }
#define TEXT(name, field, help) { name, false, offsetof(struct flags, field), help }

static const struct flag table[] = {
	TEXT("address", address, "gRPC address of containerd"),
	TEXT("bundle", bundle, "bundle of the container (delete)"),
	BOOL("debug", debug, "log debug lines too"),
	TEXT("debug-socket", debug_socket, "accepted for containerd 2; unused"),
	TEXT("id", id, "id of the task"),
	BOOL("info", info, "print what the runtime can do, as protobuf"),
	TEXT("namespace", ns, "namespace of the task"),
	TEXT("publish-binary", publish_binary, "accepted for containerd 1; unused"),
	TEXT("socket", socket, "serve on this path"),
	BOOL("v", version, "print the version"),
	BOOL("version", version, "print the version"),
};

static void usage(const char *program)
{
	fprintf(stderr, "Usage of %s: [flags] start|delete\n", program);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		fprintf(stderr, "  -%s%s\n    \t%s\n", table[i].name,
			table[i].is_bool ? "" : " string", table[i].help);
}

static const struct flag *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strlen(table[i].name) == len && !memcmp(table[i].name, name, len))
			return &table[i];
	return NULL;
}

/* The words that Go's strconv.ParseBool takes. */
static int parse_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(s, yes[i]) == 0) {
			*out = true;
			return 0;
		}
		if (strcmp(s, no[i]) == 0) {
			*out = false;
			return 0;
		}
	}
	return -1;
}

static void *field(struct flags *f, const struct flag *flag)
{
	return (char *)f + flag->offset;
}

int flags_parse(struct flags *f, int argc, char *const argv[])
{
	const char *program = argc > 0 ? argv[0] : "containerd-shim-brass-v2";
	int i;

	*f = (struct flags){ 0 };
	for (size_t k = 0; k < ARRAY_SIZE(table); k++)
		if (!table[k].is_bool)
			*(const char **)field(f, &table[k]) = "";
	for (i = 1; i < argc; i++) {
		const char *word = argv[i], *name = word + 1, *value;
		const struct flag *flag;
		size_t len;

		if (word[0] != '-' || word[1] == 0)
			break;
		if (word[1] == '-' && word[2] == 0) {
			i++;
			break;
		}
		if (*name == '-')
			name++;
		len = strcspn(name, "=");
		value = name[len] ? name + len + 1 : NULL;
		if (len == 0 || *name == '-') {
			fprintf(stderr, "bad flag syntax: %s\n", word);
			goto wrong;
		}
		flag = find(name, len);
		if (!flag && !value && (!strcmp(name, "h") || !strcmp(name, "help"))) {
			usage(program);
			return 1;
		}
		if (!flag) {
			fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)len, name);
			goto wrong;
		}
		if (flag->is_bool) {
			if (parse_bool(value ? value : "true", field(f, flag)) < 0) {
				fprintf(stderr, "invalid boolean value \"%s\" for -%s\n", value,
					flag->name);
				goto wrong;
			}
			continue;
		}
		if (!value && ++i < argc)
			value = argv[i];
		if (!value) {
			fprintf(stderr, "flag needs an argument: -%s\n", flag->name);
			goto wrong;
		}
		*(const char **)field(f, flag) = value;
	}
	f->action = i < argc ? argv[i] : "";
	return 0;
wrong:
	usage(program);
	return -1;
}
