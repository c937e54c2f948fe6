/* SPDX-License-Identifier: Apache-2.0 */
/* Children with a deadline; see command.h. */
#include "shim/command.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/limits.h"
#include "shim/util.h"
#include "spec/spec.h"

static void finish(struct command *c)
{
	timer_disarm(&c->deadline);
	reaper_birth_end(c->reaper, &c->birth);
}

static void on_child(struct child *child)
{
	struct command *c = container_of(child, struct command, child);

	timer_disarm(&c->deadline);
	/* The sweep that this allows comes from the loop, after done() has watched the newborn. */
	reaper_birth_end(c->reaper, &c->birth);
	c->done(c);
}

/* Gives back the memory of all but @n bytes of a file in memory: its first, or its last. */
static void keep_only(int fd, off_t n, bool last)
{
	struct stat st;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > n)
		(void)fallocate(fd, mode, last ? 0 : n, st.st_size - n);
}

/* The deadline in parts, so that no more of the output is kept than anybody reads. */
static void arm(struct command *c)
{
	uint64_t part = loop_now() + LIMIT_OUTPUT_MS * LOOP_MSEC;

	timer_arm(c->reaper->loop, &c->deadline, part < c->until ? part : c->until);
}

static void allow(struct command *c, unsigned ms)
{
	c->until = loop_now() + ms * LOOP_MSEC;
	arm(c);
}

static void on_deadline(struct timer *t)
{
	struct command *c = container_of(t, struct command, deadline);

	if (loop_now() < c->until) {
		keep_only(c->out_fd, LIMIT_PS, false);
		keep_only(c->log_fd, SPEC_MAX_LOG, true);
		arm(c);
		return;
	}
	/* Who was stopped for a while finds both at once. */
	if (child_has_ended(&c->child))
		return;
	if (!c->timed_out && !c->killed) {
		c->timed_out = true;
		child_signal(&c->child, SIGKILL);
		allow(c, LIMIT_KILL_MS);
		return;
	}
	c->lost = true;
	child_forget(&c->child);
	on_child(&c->child);
}

void command_init(struct command *c, struct reaper *r, void (*done)(struct command *))
{
	*c = (struct command){
		.reaper = r, .child = CHILD_INIT, .out_fd = -1, .log_fd = -1, .done = done,
	};
	timer_init(&c->deadline, on_deadline);
}

/* @pid is a child that was made just now. */
static void watch_it(struct command *c, const char *what, pid_t pid, unsigned timeout_ms)
{
	int r = child_watch(c->reaper, &c->child, pid, on_child);

	assert(r == 0);
	(void)r;
	c->what = what;
	c->birth.pid = pid;
	c->timed_out = c->killed = c->lost = false;
	c->timeout_ms = timeout_ms;
	allow(c, timeout_ms);
}

int command_exec(struct command *c, const char *what, const struct spawn *s, bool birth,
		 unsigned timeout_ms)
{
	pid_t pid;
	int r;

	c->call = false;
	if (birth)
		reaper_birth_begin(c->reaper, &c->birth);
	r = spawn_exec(s, &pid);
	if (r == 0)
		watch_it(c, what, pid, timeout_ms);
	else
		reaper_birth_end(c->reaper, &c->birth);
	return r;
}

int command_call(struct command *c, const char *what, int (*fn)(void *arg), void *arg,
		 unsigned timeout_ms)
{
	pid_t pid;
	int r;

	closep(&c->out_fd);
	c->out_fd = memfd_open("output");
	if (c->out_fd < 0)
		return c->out_fd;
	c->call = true;
	r = spawn_call(fn, arg, c->out_fd, &pid);
	if (r == 0)
		watch_it(c, what, pid, timeout_ms);
	return r;
}

void command_shorten(struct command *c, unsigned timeout_ms)
{
	if (!command_is_running(c) || c->timed_out || c->killed || c->timeout_ms <= timeout_ms)
		return;
	c->timeout_ms = timeout_ms;
	allow(c, timeout_ms);
}

void command_kill(struct command *c)
{
	/* Once is enough: whoever asks again must not put off that it is given up. */
	if (!command_is_running(c) || c->timed_out || c->killed)
		return;
	c->killed = true;
	child_signal(&c->child, SIGKILL);
	allow(c, LIMIT_KILL_MS);
}

void command_release(struct command *c)
{
	if (command_is_running(c)) {
		child_signal(&c->child, SIGKILL);
		child_forget(&c->child);
	}
	finish(c);
	closep(&c->out_fd);
	closep(&c->log_fd);
}

bool command_is_running(const struct command *c)
{
	return child_is_watched(&c->child);
}

bool command_succeeded(const struct command *c)
{
	return !c->timed_out && !c->killed && !c->lost && c->child.status == 0;
}

void command_describe(const struct command *c, struct err *e)
{
	char output[1024], signal[64];
	size_t n = 0;

	/* Small, as Go writes it. */
	snprintf(signal, sizeof(signal), "%s", strsignal(c->child.signal));
	signal[0] = (char)tolower((unsigned char)signal[0]);

	if (c->timed_out)
		err_set(e, TTRPC_UNKNOWN, "%s did not end within %g s and was %s",
			c->what, c->timeout_ms / 1000.0, c->lost ? "given up" : "killed");
	else if (c->killed)
		err_set(e, TTRPC_UNKNOWN, "%s was killed because its caller had left",
			c->what);
	else if (c->child.signal)
		err_set(e, TTRPC_UNKNOWN, "%s did not terminate successfully: signal: %s",
			c->what, signal);
	else
		err_set(e, TTRPC_UNKNOWN, "%s did not terminate successfully: exit status %d",
			c->what, c->child.status);
	if (c->out_fd >= 0)
		n = memfd_read(c->out_fd, output, sizeof(output));
	while (n > 0 && (output[n - 1] == '\n' || output[n - 1] == ' '))
		output[--n] = 0;
	/* A function of ours that says what is wrong has said all. */
	if (n > 0 && c->call && !c->timed_out && !c->killed && !c->child.signal) {
		err_set(e, TTRPC_UNKNOWN, "%s", output);
		return;
	}
	if (n > 0)
		snprintf(e->text + strlen(e->text), sizeof(e->text) - strlen(e->text), ": %s",
			 output);
}
