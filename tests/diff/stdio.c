/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a process go: FIFOs, files, loggers, nothing, nonsense. */
#include "tests/diff/diff.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void whole_life(struct box *b)
{
	boot(b);
	if (do_create(b)) {
		do_state("c1", NULL);
		do_start("c1", NULL);
		do_wait("c1", NULL);
		do_delete("c1", NULL);
	}
}

static void fifos(void)
{
	struct box b = { .id = "c1", .command = "cat; echo end >&2" };
	int fd;

	b.io = io_with_stdin("c1");
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	if (write(fd, "one\n", 4) != 4)
		fail_at(HERE, "write");
	wait_output(b.io.out, "one\n");
	close(fd);
	/* The shim keeps stdin open for the next client, until CloseIO. */
	fd = io_writer(b.io.in);
	if (write(fd, "two\n", 4) != 4)
		fail_at(HERE, "write");
	wait_output(b.io.out, "two\n");
	do_close_io("c1", NULL);
	if (write(fd, "three\n", 6) != 6)
		fail_at(HERE, "write");
	wait_output(b.io.out, "three\n");
	do_state("c1", NULL);
	close(fd);
	do_wait("c1", NULL);
	say_output(b.io.out, true);
	say_output(b.io.err, true);
	do_close_io("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void large_output(void)
{
	struct box b = { .id = "c1", .command = "seq 200000; seq 1000 >&2" };

	b.io = io_of("c1");
	whole_life(&b);
	say_output(b.io.out, true);
	say_output(b.io.err, true);
	finish();
}

static void nothing(void)
{
	struct box b = { .id = "c1",
			 .command = "readlink /proc/self/fd/0 | grep -q null; exit 5" };

	whole_life(&b);
	finish();
}

static void nothing_and_writes(void)
{
	struct box b = { .id = "c1", .command = "echo x && exit 5; exit 6" };

	whole_life(&b);
	finish();
}

static void one_fifo_for_both(void)
{
	struct box b = { .id = "c1", .command = "echo out; echo err >&2" };

	b.io = io_of("c1");
	b.io.err = b.io.out;
	whole_life(&b);
	/* In which order they come is chance. */
	wait_output(b.io.out, "out\n");
	wait_output(b.io.out, "err\n");
	finish();
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines sorted: in which order stdout and stderr come is chance. */
static void say_file(const char *path)
{
	char *data = read_file(path, NULL), *lines[16], *save = NULL, *l,
	     *out = text("%s", "");
	struct stat st = { 0 };
	size_t n = 0;

	stat(path, &st);
	for (l = data ? strtok_r(data, "\n", &save) : NULL; l && n < 16;
	     l = strtok_r(NULL, "\n", &save))
		lines[n++] = l;
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++)
		out = text("%s%s|", out, lines[i]);
	say(text("file %s", path), "mode %o %s", st.st_mode,
	    data ? out : "cannot be read");
}

static void plain_files(void)
{
	struct box b = { .id = "c1", .command = "echo out; echo err >&2" };

	b.io.out = in_dir("out.txt");
	b.io.err = in_dir("err.txt");
	write_file(b.io.out, "old\n", 4);
	write_file(b.io.err, "old\n", 4);
	whole_life(&b);
	say_file(b.io.out);
	say_file(b.io.err);
	finish();
}

static void file_scheme(void)
{
	struct box b = { .id = "c1", .command = "echo out; echo err >&2" };

	b.io.out = b.io.err = text("file://%s", in_dir("a/b/log.txt"));
	whole_life(&b);
	say_file(in_dir("a/b/log.txt"));
	finish();
}

static void file_scheme_there(void)
{
	struct box b = { .id = "c1", .command = "echo out; echo err >&2" };

	b.io.out = b.io.err = text("file://%s", in_dir("log.txt"));
	write_file(in_dir("log.txt"), "old\n", 4);
	whole_life(&b);
	say_file(in_dir("log.txt"));
	finish();
}

static const char logger_script[] =
	"#!/bin/busybox sh\n"
	"{ echo \"$@\"; echo $CONTAINER_ID $CONTAINER_NAMESPACE; } "
	">/run/e2e/logger-args\n"
	"busybox readlink /proc/self/fd/0 >>/run/e2e/logger-args\n"
	"exec 5>&-\n"
	"busybox cat <&4 >/run/e2e/logger-err &\n"
	"busybox cat <&3 >/run/e2e/logger-out\n"
	"wait\n"
	"echo end >>/run/e2e/logger-args\n";

static char *logger(const char *script, const char *query)
{
	char *path = in_dir("logger");

	write_file(path, script, strlen(script));
	chmod(path, 0755);
	return text("binary://%s%s", path, query);
}

/* The logger has written something: a signal that comes now finds it at work. */
static bool logged(const char *name)
{
	struct stat st;

	return stat(in_dir(name), &st) == 0 && st.st_size > 0;
}

static void wait_logger(void)
{
	until_within(HANGS, logged("logger-out") && logged("logger-err"));
}

static void say_logger(void)
{
	say_file(in_dir("logger-args"));
	say_file(in_dir("logger-out"));
	say_file(in_dir("logger-err"));
}

static void binary_scheme(void)
{
	struct box b = { .id = "c1", .command = "echo out; echo err >&2" };

	b.io.out = b.io.err = logger(logger_script, "?id=value");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	wait_logger();
	do_delete("c1", NULL);
	say_logger();
	finish();
}

static void binary_scheme_exec(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = { 0 };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	io.out = io.err = logger(logger_script, "?k");
	do_exec("c1", "e1", "echo out; echo err >&2", &io);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	wait_logger();
	do_delete("c1", "e1");
	say_logger();
	do_end("c1", NULL);
	finish();
}

static void binary_missing(void)
{
	struct box b = { .id = "c1", .command = "echo out" };

	b.io.out = b.io.err = "binary:///no/such/logger";
	whole_life(&b);
	finish();
}

/* A logger that dies at once: ready, as far as binary:// goes. */
static void binary_dies(void)
{
	struct box b = { .id = "c1",
			 .command = "while [ ! -e /tmp/told/dying ]; do sleep 0.01; done; "
				    "exit 3" };
	const char *told = in_dir("told");

	mkdir(told, 0755);
	b.mounts = text("{\"destination\":\"/tmp/told\",\"type\":\"bind\","
			"\"source\":\"%s\",\"options\":[\"bind\"]}",
			told);
	b.io.out = b.io.err =
		logger(text("#!/bin/busybox sh\n: >%s/dying\nexit 1\n", told), "");
	whole_life(&b);
	finish();
}

static void bad_names(const char *out, const char *err)
{
	struct box b = { .id = "c1",
			 .command = "echo x",
			 .io = { .out = out, .err = err } };

	whole_life(&b);
	finish();
}

static void unknown_scheme(void)
{
	bad_names("gopher://x/y", "gopher://x/y");
}

static void bad_url(void)
{
	bad_names("%zz://x", "%zz://x");
}

static void missing_paths(void)
{
	bad_names("/run/e2e/none-out", "/run/e2e/none-err");
}

static void fifo_scheme(void)
{
	bad_names("fifo:///run/e2e/none-out", "fifo:///run/e2e/none-err");
}

static void missing_stdin(void)
{
	struct box b = { .id = "c1", .command = "cat" };

	b.io = io_of("c1");
	b.io.in = "/run/e2e/none-in";
	whole_life(&b);
	finish();
}

static void exec_bad_names(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio bad = { .out = "gopher://x/y", .err = "gopher://x/y" };
	struct stdio missing = { .out = "/run/e2e/none-out", .err = "/run/e2e/none-err" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "echo x", &bad);
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_exec("c1", "e2", "echo x", &missing);
	do_start("c1", "e2");
	do_kill("c1", "e2", SIGKILL, false);
	do_delete("c1", "e2");
	do_end("c1", NULL);
	finish();
}

static void only_stdout(void)
{
	struct box b = { .id = "c1", .command = "echo out; exit 2" };

	b.io.out = make_fifo("only");
	reader_open(b.io.out);
	whole_life(&b);
	finish();
}

static void terminal_and_file(void)
{
	struct box b = { .id = "c1", .command = "echo out", .terminal = true };

	b.io.out = text("file://%s", in_dir("log.txt"));
	whole_life(&b);
	say_file(in_dir("log.txt"));
	finish();
}

static void terminal_and_logger(void)
{
	struct box b = { .id = "c1", .command = "echo out; exit 3", .terminal = true };

	b.io.out = logger(logger_script, "?id=value");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	until_within(HANGS, logged("logger-out"));
	do_delete("c1", NULL);
	say_file(in_dir("logger-out"));
	finish();
}

/* The client goes away and comes back: nothing is lost, nothing stops. */
static void client_comes_back(void)
{
	struct box b = { .id = "c1",
			 .command = "echo one; read x; echo two; read x; echo three" };
	struct reader *again;
	int fd;

	b.io = io_with_stdin("c1");
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	wait_output(b.io.out, "one\n");
	reader_close(reader_of(b.io.out));
	again = reader_open(b.io.out);
	if (write(fd, "\n", 1) != 1)
		fail_at(HERE, "write");
	until_within(HANGS, again->data && strstr(again->data, "two\n"));
	if (write(fd, "\n", 1) != 1)
		fail_at(HERE, "write");
	do_wait("c1", NULL);
	until_within(HANGS, again->eof);
	say("what the second client got", "%s", again->data);
	close(fd);
	do_delete("c1", NULL);
	finish();
}

const struct scenario stdio_scenarios[] = {
	{ "stdio-fifos", fifos },
	{ "stdio-large", large_output },
	{ "stdio-null", nothing },
	{ "stdio-null-written", nothing_and_writes },
	{ "stdio-one-fifo", one_fifo_for_both },
	{ "stdio-plain-files", plain_files },
	{ "stdio-file", file_scheme },
	{ "stdio-file-there", file_scheme_there },
	{ "stdio-binary", binary_scheme },
	{ "stdio-binary-exec", binary_scheme_exec },
	{ "stdio-binary-missing", binary_missing },
	{ "stdio-binary-dies", binary_dies },
	{ "stdio-unknown-scheme", unknown_scheme },
	{ "stdio-bad-url", bad_url },
	{ "stdio-missing-paths", missing_paths },
	{ "stdio-fifo-scheme", fifo_scheme },
	{ "stdio-missing-stdin", missing_stdin },
	{ "stdio-exec-bad-names", exec_bad_names },
	{ "stdio-only-stdout", only_stdout },
	{ "stdio-terminal-file", terminal_and_file },
	{ "stdio-terminal-logger", terminal_and_logger },
	{ "stdio-client-comes-back", client_comes_back },
	{ NULL, NULL },
};
