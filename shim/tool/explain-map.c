/* SPDX-License-Identifier: Apache-2.0 */
/* The map as a table, for people and for tests. */
#include "shim/tool/explain.h"

static void put_runtimes(unsigned set)
{
	for (unsigned i = 0; i < MAP_N_RUNTIMES; i++)
		printf("%s%s", i ? "," : "", set & 1u << i ? map_runtimes[i] : "-");
}

void explain_map(void)
{
	say("field\tread in config.json by\tflag\tnote");
	for (size_t i = 0; i < map_n_fields; i++) {
		const struct map_field *f = &map_fields[i];
		const char *command = map_command(f);

		printf("field\t%s\t", f->path);
		put_runtimes(f->readers);
		if (f->form == MAP_WORDS)
			printf("\texec WORDS\t");
		else if (f->flag)
			printf("\t%s --%s\t", command, f->flag);
		else
			printf("\t-\t");
		printf("%s\n", f->note ? f->note : "-");
	}
	say("flag\tcommand\tof\tnote");
	for (size_t i = 0; i < map_n_flags; i++) {
		const struct map_flag *f = &map_flags[i];

		printf("flag\t%s\t--%s\t", *f->command ? f->command : "-", f->name);
		put_runtimes(f->runtimes);
		printf("\t%s\n", f->note ? f->note : "-");
	}
}
