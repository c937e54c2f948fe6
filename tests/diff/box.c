/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles for real containers: the root file system, config.json, FIFOs. Starts
 * no process but what it needs to make them.
 */
#include "tests/diff/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/internal.h"

const char *cgroup_name(void)
{
	static char name[64];
	struct timespec now;

	if (!name[0]) {
		clock_gettime(CLOCK_REALTIME, &now); /* our pid is 1, on both sides */
		snprintf(name, sizeof(name), "/brass-diff-%lld-%09ld",
			 (long long)now.tv_sec, now.tv_nsec);
	}
	return name;
}

void make_rootfs(void)
{
	static const char *const dirs[] = { "bin", "proc", "dev",     "tmp",
					    "sys", "etc",  "etc/dir", "mnt" };
	static const char *const links[] = {
		"sh",	  "sleep",  "cat",    "echo",	  "head",  "seq",  "stty",
		"true",	  "kill",   "id",     "yes",	  "tr",	   "sync", "ls",
		"setsid", "printf", "wc",     "readlink", "touch", "dd",   "trap",
		"test",	  "nohup",  "usleep", "stat"
	};
	const char *busybox = ROOTFS "/bin/busybox";
	size_t len;
	char *data = read_file("/bin/busybox", &len);

	if (!data)
		fail_at(HERE, "/bin/busybox: %s", strerror(errno));
	mkdir("/run/diff", 0755);
	mkdir(ROOTFS, 0755);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdir(text(ROOTFS "/%s", dirs[i]), 0755);
	write_file(busybox, data, len);
	chmod(busybox, 0755);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink("busybox", text(ROOTFS "/bin/%s", links[i])) < 0)
			fail_at(HERE, "symlink: %s", strerror(errno));
	write_file(ROOTFS "/etc/passwd", "root:x:0:0::/:/bin/sh\n", 22);
	write_file(ROOTFS "/etc/plain", "#!/nowhere\n", 11);
}

char *in_bundle(const char *id, const char *name)
{
	return text("%s/state/" NS "/%s/%s", DIR_OF_TEST, id, name);
}

static const char mounts[] =
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\","
	"\"mode=0620\"]},"
	"{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}";

static const char caps[] = "\"CAP_KILL\",\"CAP_SYS_ADMIN\",\"CAP_DAC_OVERRIDE\"";

static char *config(const struct box *b)
{
	const char *args = b->args;

	if (!args)
		args = text("[\"/bin/sh\",\"-c\",\"%s\"]", b->command);
	return text(
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,%s,"
		"\"args\":%s,\"env\":[\"PATH=/bin\",\"TERM=xterm\"],\"cwd\":\"%s\","
		"\"capabilities\":{\"bounding\":[%s],\"effective\":[%s],"
		"\"permitted\":[%s]},\"noNewPrivileges\":true},"
		"\"root\":{\"path\":\"%s\",\"readonly\":%s},\"hostname\":\"diff\","
		"\"annotations\":{%s},\"mounts\":[%s%s%s],\"linux\":{"
		"\"cgroupsPath\":\"%s/%s\",\"resources\":{\"devices\":"
		"[{\"allow\":false,\"access\":\"rwm\"}],\"memory\":{\"limit\":67108864}},"
		"\"namespaces\":[%s{\"type\":\"ipc\"},{\"type\":\"uts\"},"
		"{\"type\":\"mount\"}]}}",
		b->terminal ? "true" : "false",
		b->user ? b->user : "\"user\":{\"uid\":0,\"gid\":0}", args,
		b->cwd ? b->cwd : "/", caps, caps, caps, b->root ? b->root : ROOTFS,
		b->root ? "false" : "true", b->annotations ? b->annotations : "", mounts,
		b->mounts ? "," : "", b->mounts ? b->mounts : "", cgroup_name(), b->id,
		b->host_pid ? "" : "{\"type\":\"pid\"},");
}

void box_make(const struct box *b)
{
	char *json = config(b);

	mkdir(in_dir("state"), 0711);
	mkdir(in_dir("state/" NS), 0711);
	if (mkdir(in_bundle(b->id, ""), 0700) < 0 ||
	    mkdir(in_bundle(b->id, "rootfs"), 0711) < 0 ||
	    mkfifo(in_bundle(b->id, "log"), 0700) < 0)
		fail_at(HERE, "bundle %s: %s", b->id, strerror(errno));
	reader_open_log(in_bundle(b->id, "log"));
	write_file(in_bundle(b->id, "config.json"), json, strlen(json));
}

/* ------------------------------------------------------------------- FIFOs */

struct stdio io_of(const char *id)
{
	struct stdio io = { .out = make_fifo(text("%s-out", id)),
			    .err = make_fifo(text("%s-err", id)) };

	reader_open(io.out);
	reader_open(io.err);
	return io;
}

struct stdio io_with_stdin(const char *id)
{
	struct stdio io = io_of(id);

	io.in = make_fifo(text("%s-in", id));
	return io;
}

int io_writer(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), w;

	/* Both ends at first, since nobody may be reading yet. */
	w = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || w < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	close(fd);
	return w;
}

struct reader *reader_of(const char *path)
{
	struct reader *r;

	list_for_each(r, &e2e.readers, link)
		if (!strcmp(r->path, path))
			return r;
	fail_at(HERE, "no reader of %s", path);
}

void wait_output(const char *path, const char *part)
{
	struct reader *r = reader_of(path);
	uint64_t due = deadline_in(HANGS);

	while (!r->data || !strstr(r->data, part))
		if (!loop_until(due))
			fail_at(HERE, LATE "\"%s\" from %s in \"%s\"", part, path,
				r->data ? r->data : "");
}

void say_output(const char *path, bool eof)
{
	struct reader *r = reader_of(path);
	uint64_t due = deadline_in(SOON);
	uint32_t sum = 0;

	while (eof && !r->eof && loop_until(due))
		;
	for (size_t i = 0; i < r->len; i++)
		sum = sum * 31 + (unsigned char)r->data[i];
	if (r->len > 1000)
		say(text("output %s", path), "%zu bytes, sum %u%s", r->len, sum,
		    eof && r->eof ? ", end" : "");
	else
		say(text("output %s", path), "\"%s\"%s", r->len ? r->data : "",
		    eof && r->eof ? ", end" : "");
}
