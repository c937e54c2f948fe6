/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a containerd reads of a configuration by the version that this says: the
 * CRI plugin has had three names. From services/server/config (1.x),
 * cmd/containerd/server (2.x) and plugins/cri/runtime of containerd:
 *
 * 1.x: the last version that any file says is that of all.
 * 2.0 to 2.2: the same, but one below 2 becomes 3 with its file's plugins renamed
 *   (cri to OF_1), and only of version 2 the settings of OF_1 are taken over.
 * From 2.3 on each file is converted by its own version.
 */
#include <string.h>

#include "shim/tool/doctor-config.h"
#include "shim/util.h"

#define OF_1 CRI_OF_1
#define OF_2 CRI_OF_2

static bool is_2_0_to_2(const struct doctor *d)
{
	return d->major == 2 && d->minor < 3;
}

/* Of all the files together, for a containerd that knows but one; @last: which says it. */
static int64_t version_of_all(const struct config *c, const struct config_file **last)
{
	int64_t version = 1;

	*last = &c->files[0];
	for (size_t i = 0; i < c->n_files; i++) {
		int64_t said = c->files[i].version;

		if (is_2_0_to_2(c->doctor) && said < 2)
			said = 3;
		if (!said)
			continue;
		version = said;
		*last = &c->files[i];
	}
	return version;
}

int64_t config_version(const struct config *c)
{
	const struct config_file *last;
	int64_t own = c->files[c->at].version;

	if (c->doctor->major == 1)
		return version_of_all(c, &last);
	return own ? own : 1;
}

const char *config_cri_name(const struct config *c)
{
	return config_version(c) < 2 ? "cri" : OF_1;
}

bool config_reads(const struct config *c, const char *plugin)
{
	const struct doctor *d = c->doctor;
	const struct config_file *last;
	int64_t version = config_version(c);
	bool takes_over = version < 4;

	if (is_2_0_to_2(d))
		takes_over = version_of_all(c, &last) == 2;
	if (strcmp(plugin, "cri") == 0)
		return version < 2 && (d->major == 1 || takes_over);
	if (strcmp(plugin, OF_1) == 0)
		return d->major == 1 ? version >= 2 : takes_over;
	if (strcmp(plugin, OF_2) == 0)
		return d->major != 1;
	return true;
}

/* The highest that it starts with; 0: not known, or any. */
static int64_t highest(const struct doctor *d)
{
	if (d->major == 1 && ((d->minor == 6 && d->patch >= 32) ||
			      (d->minor == 7 && d->patch >= 17) || d->minor > 7))
		return 2;
	return is_2_0_to_2(d) ? 3 : 0;
}

/* 2.3 refuses an import that is newer than the file that imports it. */
static void judge_imports(const struct config *c)
{
	int64_t root = 0;

	if (c->doctor->major != 2 || c->doctor->minor != 3)
		return;
	for (size_t i = 0; i < c->n_files; i++) {
		int64_t said = c->files[i].version;

		if (!root)
			root = said;
		if (said > root)
			doctor_say(c->doctor, FINDING_ERROR, "config",
				   "give all the same version",
				   "%s: version %lld, and those before it have %lld: "
				   "containerd 2.3 does not start with it",
				   c->files[i].path, (long long)said, (long long)root);
	}
}

void config_judge_versions(const struct config *c)
{
	const struct config_file *last;
	int64_t version = version_of_all(c, &last), most = highest(c->doctor);

	if (most && version > most)
		doctor_say(
			c->doctor, FINDING_ERROR, "config",
			most == 2 ? "version = 2" : "version = 3",
			"%s: version %lld, and containerd %d.%d starts with %lld at most",
			last->path, (long long)version, c->doctor->major,
			c->doctor->minor, (long long)most);
	judge_imports(c);
}

void config_judge_plugin(struct config *c, const char *plugin, bool listed)
{
	const struct doctor *d = c->doctor;
	long long version = config_version(c);
	size_t dots = 0;

	for (const char *s = plugin; *s; s++)
		dots += *s == '.';
	if (c->odd_plugin || version < 2 || dots >= (d->major == 1 ? 3 : 1) ||
	    (d->major != 1 && !listed))
		return;
	c->odd_plugin = true;
	doctor_say(
		c->doctor, FINDING_ERROR, "config",
		strcmp(plugin, "cri") == 0 ? "\"" OF_1 "\"" : "",
		"%s: the plugin \"%s\" by a name of version 1: containerd does not start "
		"with it in version %lld",
		c->files[c->at].path, plugin, version);
}

void config_say_unread(struct config *c, const struct runtime_entry *e)
{
	struct doctor *d = c->doctor;
	const struct config_file *file = &c->files[e->file], *last;
	_cleanup_free_ char *when = NULL, *which = NULL;

	version_of_all(c, &last);
	if (is_2_0_to_2(d) && file->version == 2 && strcmp(e->unread, OF_1) == 0)
		when = str_printf(
			"unless the last of its files has version 2, as %s has not",
			last->path);
	else if (!file->version)
		when = str_printf("in a file that says no version, which is 1");
	else
		when = str_printf("in version %lld", (long long)file->version);
	which = d->major ? str_printf(" %d.%d", d->major, d->minor) : NULL;
	doctor_say(d, FINDING_ERROR, "config",
		   d->major == 0   ? "see contrib/containerd/config.toml"
		   : d->major == 1 ? "version = 2, and in it [plugins.\"" OF_1
				     "\".containerd.runtimes]"
				   : "version = 3, and in it [plugins.\"" OF_2
				     "\".containerd.runtimes]",
		   "%s: runtime \"%s\" is not read: containerd%s takes no notice of "
		   "[plugins.\"%s\"] %s",
		   file->path, e->name, which ? which : "", e->unread, when ? when : "");
}
