/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass ps", "inspect" and "call" on shims that live, hang, are stopped and are
 * dead. The tool and the shims share the namespaces of the test, so ps sees no
 * others.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/tool.h"

static void nothing(void **st)
{
	(void)st;
	has(TOOL("ps"), 0, "SHIM", "CONTAINER");
	has(TOOL("ps", "--json"), 0, "\"shims\": [],", "\"stale_sockets\": []");
	has(TOOL("inspect", "c1"), 2, "no shim on this node serves a container \"c1\"");
	has(TOOL("call", "c1", "State"), 2,
	    "no shim on this node serves a container \"c1\"");
	has(TOOL("call", "/nowhere/x", "State"), 2,
	    "/nowhere/x: no such file or directory");
}

static void living(void **st)
{
	const Task__StateResponse *s;

	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exec sleep 1000");
	start("c1", "e1");
	s = state("c1", NULL);
	has(TOOL("ps"), 0,
	    text("\n%7d  %-9s  %-9s  running   %7u      1  ", e2e.server, NS, "c1",
		 s->pid));
	has(TOOL("ps", "--json"), 0, text("\"shim\": %d", e2e.server), "\"id\": \"c1\"",
	    "\"state\": \"running\"", text("\"pid\": %u", s->pid), "\"execs\": 1",
	    "\"error\": null", "\"private_dirty_kb\": ", "\"calls\": 0",
	    text("\"socket\": \"%s\"", e2e.path));
	has(TOOL("ps", "-n", "another", "--json"), 0, "\"shims\": []");
	assert_string_equal(TOOL("ps", "--quiet")->out, "c1\n");
	has(TOOL("inspect", "c1", "--compact"), 0, text("\"socket\":\"%s\"", e2e.path),
	    text("\"namespace\":\"%s\"", NS), "\"n_execs\":1,\"n_live_execs\":1",
	    "\"id\":\"e1\",\"state\":\"running\"", text("\"runtime\":\"%s\"", e2e.fake),
	    "\"truncated\":false", "\"fds\":");
	/* The same by the number of the shim, and by its socket. */
	has(TOOL("inspect", text("%d", e2e.server)), 0, "\"id\": \"e1\"");
	has(TOOL("inspect", text("unix://%s", e2e.path)), 0, "\"id\": \"e1\"");
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	delete_task("c1", "e1");
	end_c1();
}

/* Which shim serves a container says any of the files that shims and containerd write. */
static void joined(void **st)
{
	struct bundle *b1 = shim_for("c1", "true"), *b2 = bundle("c2", "exec sleep 1000");
	struct bundle *b3 = bundle("c3", "true");
	char *json = text("{\"version\":3,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}",
			  e2e.path);

	(void)st;
	create(b2);
	unlink(text("%s/address", b2->dir));
	has(TOOL("inspect", "c2"), 0, "\"id\": \"c2\"");
	has(TOOL("call", "c2", "State"), 0, "CREATED");
	/* As of a shim that is not ours. */
	unlink(text("%s/address", b1->dir));
	has(TOOL("inspect", "c3"), 2, "no shim on this node serves a container \"c3\"");
	write_file(text("%s/bootstrap.json", b3->dir), json, strlen(json));
	has(TOOL("inspect", "c3"), 0, text("\"socket\": \"%s\"", e2e.path));
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	delete_task("c2", NULL);
	shutdown_shim();
}

/* What was moved is counted, and what waits is told. */
static void streams(void **st)
{
	struct bundle *b = shim_for("c1", "echo 0123456789; exec sleep 1000");
	struct stdio io = { .out = make_fifo("out") };
	struct reader *out = reader_open(io.out);
	struct answer *waiting;

	(void)st;
	create_io(b, &io);
	start("c1", NULL);
	until(out->len == 11);
	waiting = ask_wait("c1", NULL);
	state("c1", NULL); /* so that the shim has seen the Wait */
	has(TOOL("inspect", "-c", "c1"), 0,
	    text("\"stdout\":{\"path\":\"%s\",\"ended\":false", io.out),
	    "\"moved_bytes\":11,\"lost_bytes\":0", "\"waiters\":1");
	has(TOOL("ps", "--json"), 0, "\"calls\": 1");
	ok(ask_kill("c1", NULL, SIGKILL, true));
	ok(waiting);
	has(TOOL("inspect", "c1"), 0, "\"state\": \"stopped\"", "\"status\": 137");
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A Create that hangs does not keep the tool waiting, and can be seen. */
static void hanging(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *hanging;

	(void)st;
	script("create", text("touch %s\nwait_for %s\n", in_dir("hangs"), in_dir("go")));
	hanging = ask_create(b, NULL);
	until(exists(in_dir("hangs")));
	has(TOOL("inspect", "-c", "c1"), 0, "\"ready\":false",
	    "\"ops\":[{\"call\":\"Create\",\"begun\":true,\"command\":\"",
	    "\"time_left_ms\":");
	has(TOOL("ps", "--json"), 0, "\"state\": \"creating\"", "\"ops\": 1",
	    "\"calls\": 1");
	write_file(in_dir("go"), "", 0);
	ok(hanging);
	end_c1();
}

static void events_wait(void **st)
{
	(void)st;
	sink_set(SINK_SILENT);
	run_c1("exec sleep 1000");
	has(TOOL("ps", "--json"), 0, "\"events\": 2");
	has(TOOL("inspect", "c1"), 0, "\"queued\": 2", "\"under_way\": true");
	sink_close();
	sink_open();
	sink_set(SINK_TAKE);
	end_c1();
}

/* A shim that is stopped: said so, in time, with what can be known all the same. */
static void stopped(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	kill(e2e.server, SIGSTOP);
	has(TOOL("ps", "-t", "300"), 1,
	    text("\n%7d  %-9s  %-9s  ?", e2e.server, NS, "c1"),
	    text("shim %d (c1) does not answer: DeadlineExceeded: no answer within 300 ms",
		 e2e.server));
	has(TOOL("ps", "--json", "-t", "300"), 1, "\"error\": \"DeadlineExceeded",
	    "\"id\": \"c1\"", "\"state\": \"?\"", "\"calls\": null");
	has(TOOL("inspect", "-t", "300", "c1"), 2,
	    "c1: DeadlineExceeded: no answer within 300 ms");
	has(TOOL("call", "-t", "300", "c1", "Connect"), 1, "Connect: DeadlineExceeded");
	kill(e2e.server, SIGCONT);
	has(TOOL("ps"), 0, "running");
	end_c1();
}

/* Its socket is there still, and nobody behind it. */
static void dead(void **st)
{
	(void)st;
	shim_for("c1", "exec sleep 1000");
	ttrpc_client_close(&e2e.client);
	kill(e2e.server, SIGKILL);
	shim_ended();
	e2e.server = 0;
	has(TOOL("ps"), 1, text("dead socket: %s\n", e2e.path));
	has(TOOL("ps", "--json"), 1, text("\"stale_sockets\": [\n    \"%s\"", e2e.path));
	has(TOOL("ps", "--sockets", "/run"), 0, "SHIM");
	has(TOOL("inspect", e2e.path), 2, text("%s: connection refused", e2e.path));
	has(TOOL("call", e2e.path, "Connect"), 2,
	    text("%s: connection refused", e2e.path));
	unlink(e2e.path);
}

/* A whole life by hand. */
static void by_hand(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	has(TOOL("call", "c1", "Create",
		 text("{\"bundle\": \"%s\", \"options\": {\"binary_name\": \"%s\", \"root\": \"%s\"}}",
		      b->dir, e2e.fake, e2e.root)),
	    0, "\"pid\": ");
	has(TOOL("call", "c1", "State"), 0, "\"status\": \"CREATED\"",
	    "\"exited_at\": \"0001-01-01T00:00:00Z\"");
	has(TOOL("call", "c1", "containerd.task.v3.Task/Start", "{}"), 0, "\"pid\": ");
	has(TOOL("call", "c1", "Exec",
		 "{\"exec_id\": \"e1\", \"spec\": {\"args\": [\"sleep\", \"1000\"], \"cwd\": \"/\", "
		 "\"env\": [\"PATH=/usr/bin:/bin\"]}}"),
	    0, "{}");
	has(TOOL("call", e2e.path, "Start", "{\"id\": \"c1\", \"exec_id\": \"e1\"}"), 0,
	    "\"pid\": ");
	has(TOOL("call", "-c", "c1", "Pids"), 0, "{\"pid\":",
	    ",\"info\":{\"@type\":\"containerd.runc.v1.ProcessDetails\",\"exec_id\":\"e1\"}}");
	has(TOOL("call", "c1", "Kill", "{\"execId\": \"e1\", \"signal\": 15}"), 0, "{}");
	has(TOOL("call", "c1", "Wait", "{\"exec_id\": \"e1\"}"), 0,
	    "\"exit_status\": 143", "\"exited_at\": \"20");
	has(TOOL("call", "c1", "Delete", "{\"exec_id\": \"e1\"}"), 0,
	    "\"exit_status\": 143");
	has(TOOL("call", "--timeout", "100", "c1", "Wait"), 1,
	    "brass call: Wait: DeadlineExceeded: no answer within 100 ms");
	has(TOOL("call", "c1", "State", "{\"exec_id\": \"e1\"}"), 1,
	    "brass call: State: NotFound: process does not exist e1: not found");
	has(TOOL("call", "-c", "c1", "Stats"), e2e.cgroup[0] ? 0 : 1,
	    e2e.cgroup[0] ? "{\"stats\":{\"@type\":\"io.containerd.cgroups.v"
			  : "brass call: Stats: ");
	end_c1();
}

static void misused(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	has(TOOL("call", "c1", "Stat"), 2, "there is no method \"Stat\"");
	has(TOOL("call", "c1", "x.Y/State"), 2, "there is no service \"x.Y\"");
	has(TOOL("call", "c1"), 2, "a socket or container and a method are needed",
	    "--help");
	has(TOOL("call", "c1", "Kill", "{\"signal\": \"x\"}"), 2,
	    "request:1:12: signal: \"x\" is no whole number");
	has(TOOL("call", "-n", "another", "c1", "State"), 2,
	    "\"c1\" in namespace another");
	has(TOOL("call", "--nonsense"), 2, "brass call: unrecognized option '--nonsense'",
	    "--help");
	has(TOOL("ps", "--timeout", "0"), 2, "--timeout 0");
	has(TOOL("nonsense"), 2, "brass: there is no subcommand \"nonsense\"");
	has(TOOL("--nonsense"), 2, "brass: there is no option \"--nonsense\"");
	has(TOOL("--version"), 0, "brass ");
	end_c1();
}

static void fits_a_screen(const struct run *r, const char *name)
{
	size_t lines = 0, longest = 0, column = 0;

	for (const char *c = r->out; *c; c++) {
		lines += *c == '\n';
		column = *c == '\n' ? 0 : column + 1;
		longest = column > longest ? column : longest;
	}
	if (lines > 24 || longest > 80)
		fail_at(HERE, "brass %s --help: %zu lines, the longest of %zu", name,
			lines, longest);
}

/* Every subcommand has a help, on stdout, that fits. */
static void help(void **st)
{
	struct run *list = TOOL("--help"), *r;
	char name[32];

	(void)st;
	has(list, 0, "Usage: brass ", "\n  ps ");
	fits_a_screen(list, "");
	for (const char *s = list->out; (s = strstr(s, "\n  ")); s++) {
		assert_int_equal(sscanf(s, " %31s", name), 1);
		r = TOOL(name, "--help");
		has(r, 0, "Usage: brass ");
		assert_string_equal(r->err, "");
		fits_a_screen(r, name);
	}
}

static long anonymous_kb(void)
{
	return strtol(proc_status(e2e.server, "RssAnon"), NULL, 10);
}

/* Being looked at costs a shim nothing that stays: an answer has some 2 kB. */
static void leaves_nothing(void **st)
{
	long before = 0;
	int fds;

	(void)st;
	run_c1("exec sleep 1000");
	fds = count_fds(e2e.server);
	for (int i = 0; i < 40; i++) {
		TOOL("inspect", "c1");
		until(count_fds(e2e.server) == fds);
		if (i == 2)
			before = anonymous_kb();
	}
	if (e2e.slow == 1) /* a sanitizer keeps what was freed */
		assert_in_range(anonymous_kb(), 1, before + 16);
	end_c1();
}

E2E_GROUP(E2E(nothing), E2E(living), E2E(joined), E2E(streams), E2E(hanging),
	  E2E(events_wait), E2E(stopped), E2E(dead), E2E(by_hand), E2E(misused), E2E(help),
	  E2E(leaves_nothing))
