/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main() of a fuzz target in a build without libFuzzer: runs the target once on
 * every file of the folders given, in TAP, a line for each folder. When the target dies
 * it names the file. It must not judge: what is wrong, the target's asserts and the
 * sanitizers say.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of the sanitizers' runtime, where there is one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static char current[512];

static void name_input(void)
{
	static const char says[] = "# died on ";

	if (write(1, says, sizeof(says) - 1) < 0 ||
	    write(1, current, strlen(current)) < 0 || write(1, "\n", 1) < 0)
		return;
}

static void on_signal(int signo)
{
	name_input();
	raise(signo); /* SA_RESETHAND: for good */
}

static void name_input_at_death(void)
{
	static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(name_input);
		return;
	}
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
}

/* The copy is exactly as long as the file: reading past its end must be noticed. */
static int run_fd(int fd)
{
	struct stat st;
	uint8_t *data;
	size_t size;

	if (fstat(fd, &st) < 0)
		return -errno;
	size = (size_t)st.st_size;
	data = malloc(size ? size : 1);
	if (!data)
		return -ENOMEM;
	if (read(fd, data, size) != (ssize_t)size) {
		free(data);
		return -EIO;
	}
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int run_file(const char *dir, const char *name)
{
	int fd, r;

	snprintf(current, sizeof(current), "%s/%s", dir, name);
	fd = open(current, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = run_fd(fd);
	close(fd);
	return r;
}

/* How many files ran, or a negative errno. */
static int run_dir(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0, r = 0;
	struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		r = run_file(dir, e->d_name);
		n += r == 0;
	}
	closedir(d);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	int failed = 0;

	name_input_at_death();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int n = run_dir(argv[i]);

		if (n > 0) {
			printf("ok %d - %s: %d inputs\n", i, argv[i], n);
			continue;
		}
		failed = 1;
		printf("not ok %d - %s: %s\n", i, argv[i],
		       n < 0 ? strerror(-n) : "no inputs");
	}
	return failed;
}
