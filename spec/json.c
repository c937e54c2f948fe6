/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The push parser: yajl's lexer and grammar, and around them what yajl lacks:
 * the places of tokens, bounds, and survival without memory. It alone knows
 * yajl; what an event means is walk.c's affair.
 */
#include "spec/json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "spec/escape.h"
#include "spec/utf8.h"
#include "spec/walk.h"

/* More blocks than yajl ever has: 7, and the text of an error. */
#define YAJL_BLOCKS 12

struct json {
	const struct json_doc *doc;
	int result; /* 0, or how it failed */
	yajl_handle yajl; /* NULL: not made yet */
	void *blocks[YAJL_BLOCKS]; /* that yajl has */
	jmp_buf no_memory;
	struct walk walk;

	/*
	 * Where the next token begins, or up to where there is none: yajl tells
	 * where tokens end, but not where they begin.
	 */
	size_t scan;
	size_t line, line_start;
	char separator; /* may stand once before the next token; 0: none may */
	bool in_token;
	char first; /* byte of that token */

	bool done; /* first_only, and the first value is complete */

	size_t base; /* offset of text[0] in the document */
	size_t held; /* bytes in text that have to wait for those behind them */
	char *text; /* chunk, or something larger on the heap */
	size_t size;
	char chunk[JSON_CHUNK];
};

__attribute__((weak)) void *json_realloc(void *old, size_t size)
{
	assert(size > 0); /* which might free it */
	return realloc(old, size);
}

/* ------------------------------------------------------------- errors */

int json_error(struct spec_error *e, int code, const char *name, const char *reason)
{
	if (e) {
		errno = code;
		if (reason)
			snprintf(e->text, sizeof(e->text), "%s: %s", name, reason);
		else
			snprintf(e->text, sizeof(e->text), "%s: %m", name);
		utf8_clean(e->text, strlen(e->text), true);
		e->line = e->column = 0;
		e->reason = strlen(name) + 2;
		if (e->reason > strlen(e->text))
			e->reason = 0;
	}
	return -code;
}

static int fail_at(struct json *j, size_t line, size_t column, int code,
		   const char *reason)
{
	char place[160];

	snprintf(place, sizeof(place), "%.100s:%zu:%zu", j->doc->name, line, column);
	json_error(j->doc->error, code, place, reason);
	if (j->doc->error) {
		j->doc->error->line = line;
		j->doc->error->column = column;
	}
	return -code;
}

/* The same at a byte of the current line. */
static int fail_here(struct json *j, size_t offset, int code, const char *reason)
{
	return fail_at(j, j->line, offset - j->line_start + 1, code, reason);
}

int json_fail(struct json *j, const struct json_event *e, int code, const char *format,
	      ...)
{
	char reason[sizeof(j->walk.path) + 200];
	int n = 0;
	va_list ap;

	if (j->walk.path[0])
		n = snprintf(reason, sizeof(reason), "%s: ", j->walk.path);
	va_start(ap, format);
	vsnprintf(reason + n, sizeof(reason) - (size_t)n, format, ap);
	va_end(ap);
	return fail_at(j, e->line, e->column, code, reason);
}

int json_mismatch(struct json *j, const struct json_event *e, const char *text)
{
	if (j->doc->mismatch)
		return j->doc->mismatch(j, e, text);
	return json_fail(j, e, EINVAL, "%s", text);
}

/* ------------------------------------------------------ yajl's memory */

/*
 * yajl uses what it gets from its allocator without a look. So a failure must
 * not return to it: it jumps to where yajl was called, after which yajl is not
 * called again, and what it had is freed from the list kept here.
 */
static void *block_realloc(void *data, void *old, size_t size)
{
	struct json *j = data;
	size_t i = 0;
	void *p;

	while (j->blocks[i] != old) {
		i++;
		assert(i < YAJL_BLOCKS);
	}
	p = json_realloc(old, size);
	if (!p)
		longjmp(j->no_memory, 1);
	j->blocks[i] = p;
	return p;
}

static void *block_malloc(void *data, size_t size)
{
	return block_realloc(data, NULL, size);
}

static void block_free(void *data, void *p)
{
	struct json *j = data;
	size_t i = 0;

	if (!p)
		return;
	while (j->blocks[i] != p) {
		i++;
		assert(i < YAJL_BLOCKS);
	}
	j->blocks[i] = NULL;
	free(p);
}

static void drop_yajl(struct json *j)
{
	if (j->yajl && j->result != -ENOMEM)
		yajl_free(j->yajl);
	j->yajl = NULL;
	for (size_t i = 0; i < YAJL_BLOCKS; i++) {
		free(j->blocks[i]);
		j->blocks[i] = NULL;
	}
}

/* ------------------------------------------------------------- tokens */

/* Goes on to the next token, or to the offset @limit. */
static void scan_gap(struct json *j, size_t limit)
{
	for (; !j->in_token && j->scan < limit; j->scan++) {
		char c = j->text[j->scan - j->base];

		if (c == '\n') {
			j->line++;
			j->line_start = j->scan + 1;
		} else if (c == j->separator && c != '\0') {
			j->separator = '\0';
		} else if (c != ' ' && c != '\t' && c != '\r') {
			j->in_token = true;
			j->first = c;
			return;
		}
	}
}

/* To yajl, but not to JSON, these are white space. */
static bool is_false_space(char c)
{
	return c == '\v' || c == '\f';
}

/* yajl has read a token: finds its place and hands it on. */
static int take(struct json *j, struct json_event *e)
{
	int r;

	e->end = j->base + yajl_get_bytes_consumed(j->yajl);
	scan_gap(j, e->end);
	assert(j->in_token);
	e->offset = j->scan;
	e->line = j->line;
	e->column = j->scan - j->line_start + 1;
	if (is_false_space(j->first))
		return fail_here(j, j->scan, EINVAL, "invalid character");
	j->scan = e->end;
	j->in_token = false;
	r = walk_step(&j->walk, j, e);
	return !r && j->doc->every ? j->doc->every(j, e) : r;
}

static int step(struct json *j, struct json_event e)
{
	j->result = take(j, &e);
	if (e.kind == JSON_KEY)
		j->separator = ':';
	else if (j->walk.depth == 0 || (e.kind & (JSON_OBJECT | JSON_ARRAY)))
		j->separator = '\0';
	else
		j->separator = ',';
	j->done = j->doc->first_only && j->walk.depth == 0;
	return j->result == 0;
}

static int step_null(void *data)
{
	return step(data, (struct json_event){ .kind = JSON_NULL });
}

static int step_boolean(void *data, int value)
{
	return step(data, (struct json_event){ .kind = JSON_BOOL, .boolean = value });
}

static int step_text(struct json *j, unsigned kind, const void *text, size_t len)
{
	return step(j, (struct json_event){ .kind = kind, .text = text, .len = len });
}

static int step_number(void *data, const char *text, size_t len)
{
	return step_text(data, JSON_NUMBER, text, len);
}

static int step_string(void *data, const unsigned char *text, size_t len)
{
	return step_text(data, JSON_STRING, text, len);
}

static int step_key(void *data, const unsigned char *text, size_t len)
{
	return step_text(data, JSON_KEY, text, len);
}

static int step_object(void *data)
{
	return step(data, (struct json_event){ .kind = JSON_OBJECT });
}

static int step_array(void *data)
{
	return step(data, (struct json_event){ .kind = JSON_ARRAY });
}

static int step_end(void *data)
{
	return step(data, (struct json_event){ .kind = JSON_END });
}

static const yajl_callbacks callbacks = {
	.yajl_null = step_null,
	.yajl_boolean = step_boolean,
	.yajl_number = step_number,
	.yajl_string = step_string,
	.yajl_map_key = step_key,
	.yajl_start_map = step_object,
	.yajl_end_map = step_end,
	.yajl_start_array = step_array,
	.yajl_end_array = step_end,
};

/* ------------------------------------------------------------ feeding */

#define MARK "begins as with a byte order mark (U+FEFF), which no runtime takes"

/* Turns yajl's error into ours. */
static int fail_syntax(struct json *j, size_t len)
{
	static const char tokens[] = "\"-0123456789tfn";
	size_t at = j->base + yajl_get_bytes_consumed(j->yajl);
	char *text = (char *)yajl_get_error(j->yajl, 0, NULL, 0);
	const char *reason = strchr(text, ':');
	bool lexical = !strncmp(text, "lexical", 7);
	int r;

	text[strcspn(text, ".\n")] = '\0';
	reason = reason ? reason + 2 : text;
	scan_gap(j, j->base + len);
	/* Inside a token that yajl knows it is the byte that matters. */
	if (!lexical || !memchr(tokens, j->first, sizeof(tokens) - 1))
		at = j->scan;
	if (j->in_token && is_false_space(j->first))
		reason = "invalid character";
	/* Told by its first byte, since the others may come with the next piece. */
	if (j->base + at == 0 && len > 0 && j->text[0] == '\xef')
		reason = MARK;
	r = fail_here(j, at, EINVAL, reason);
	yajl_free_error(j->yajl, (unsigned char *)text);
	return r;
}

/* Reads @len bytes of text, or (with none) the end of the input. */
static int read_text(struct json *j, size_t len)
{
	yajl_status status;

	if (setjmp(j->no_memory))
		return json_error(j->doc->error, ENOMEM, j->doc->name, NULL);
	if (!j->yajl) {
		yajl_alloc_funcs memory = { block_malloc, block_realloc, block_free, j };

		j->yajl = yajl_alloc(&callbacks, &memory, j);
		yajl_config(j->yajl, yajl_dont_validate_strings, 1);
		yajl_config(j->yajl, yajl_allow_multiple_values, (int)j->doc->many);
		yajl_config(j->yajl, yajl_allow_trailing_garbage,
			    (int)j->doc->first_only);
	}
	status = len ? yajl_parse(j->yajl, (unsigned char *)j->text, len)
		     : yajl_complete_parse(j->yajl);
	if (status == yajl_status_client_canceled)
		return j->result;
	if (status != yajl_status_ok)
		return fail_syntax(j, len);
	scan_gap(j, j->base + len);
	if (len == 0 && j->in_token && !j->done)
		return fail_here(j, j->scan, EINVAL, "invalid character");
	return 0;
}

/*
 * Whether the @len bytes in text are too few to be worth it: yajl reads a token
 * again from its start with every piece, so that the pieces of a long one have to
 * grow with it.
 */
static bool is_to_wait(const struct json *j, size_t len)
{
	size_t read = j->in_token && !j->done ? j->base - j->scan : 0;

	return read >= JSON_CHUNK && len < read;
}

/* Reads on, @n more bytes having been put behind those held in text. */
static int push(struct json *j, size_t n)
{
	size_t len = j->held + n, ready;

	if (j->base + len > SPEC_MAX_SIZE)
		j->result = json_error(j->doc->error, EFBIG, j->doc->name,
				       "larger than 10 MiB");
	if (is_to_wait(j, len)) {
		j->held = len;
		return j->result;
	}
	ready = escape_mend(j->text, len);
	if (j->done)
		scan_gap(j, j->base + ready);
	else if (!j->result && ready)
		j->result = read_text(j, ready);
	if (!j->result) {
		j->base += ready;
		j->held = len - ready;
		memmove(j->text, j->text + ready, j->held);
	}
	return j->result;
}

/* Makes text larger if it is full. */
static int make_room(struct json *j)
{
	bool is_chunk = j->text == j->chunk;
	char *text;

	if (j->held < j->size)
		return 0;
	text = json_realloc(is_chunk ? NULL : j->text, 2 * j->size);
	if (!text)
		return j->result = json_error(j->doc->error, ENOMEM, j->doc->name, NULL);
	if (is_chunk)
		memcpy(text, j->chunk, j->held);
	j->text = text;
	j->size *= 2;
	return 0;
}

int json_feed(struct json *j, const char *bytes, size_t len)
{
	while (len > 0 && !j->result && !make_room(j)) {
		size_t n = j->size - j->held;

		if (n > len)
			n = len;
		memcpy(j->text + j->held, bytes, n);
		push(j, n);
		bytes += n;
		len -= n;
	}
	return j->result;
}

int json_finish(struct json *j)
{
	/* Whatever it waited for, the beginning of an escape at its end is an error. */
	if (!j->result && j->held && !j->done) {
		escape_mend(j->text, j->held);
		j->result = read_text(j, j->held);
	}
	if (!j->result && !j->done) {
		j->base += j->held;
		j->held = 0;
		j->result = read_text(j, 0);
	}
	return j->result;
}

bool json_is_idle(const struct json *j)
{
	return !j->result && !j->held && !j->in_token && j->walk.depth == 0;
}

bool json_rest(const struct json *j, size_t *line, size_t *column)
{
	*line = j->line;
	*column = j->scan - j->line_start + 1;
	return j->done && j->in_token;
}

void *json_data(const struct json *j)
{
	return j->doc->data;
}

const char *json_path(const struct json *j)
{
	return j->walk.path;
}

bool json_key_is(const struct json *j, const char *key)
{
	const struct walk *w = &j->walk;
	size_t len = strlen(key);

	return w->key_len == len && w->key_at + len < sizeof(w->path) &&
	       !memcmp(w->path + w->key_at, key, len);
}

/* --------------------------------------------------- the whole of one */

void json_reset(struct json *j)
{
	drop_yajl(j);
	j->result = 0;
	j->walk.depth = j->walk.n_frames = 0;
	j->scan = j->line_start = j->base = j->held = 0;
	j->line = 1;
	j->separator = '\0';
	j->in_token = j->done = false;
}

struct json *json_new(const struct json_doc *doc)
{
	struct json *j = json_realloc(NULL, sizeof(*j));

	if (!j) {
		json_error(doc->error, ENOMEM, doc->name, NULL);
		return NULL;
	}
	memset(j, 0, offsetof(struct json, chunk));
	j->text = j->chunk;
	j->size = sizeof(j->chunk);
	j->doc = doc;
	j->walk.rules = doc->rules;
	j->walk.n_rules = doc->n_rules;
	json_reset(j);
	return j;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	drop_yajl(j);
	if (j->text != j->chunk)
		free(j->text);
	free(j);
}

int json_parse(const struct json_doc *doc, const char *json, size_t len)
{
	struct json *j = json_new(doc);
	int r;

	if (!j)
		return -ENOMEM;
	json_feed(j, json, len);
	r = json_finish(j);
	json_free(j);
	return r;
}

static int feed_fd(struct json *j, int fd, const char *path)
{
	ssize_t n;

	do {
		if (make_room(j))
			break;
		n = read(fd, j->text + j->held, j->size - j->held);
		if (n > 0)
			push(j, (size_t)n);
		else if (n < 0 && errno != EINTR)
			j->result = json_error(j->doc->error, errno, path, NULL);
	} while (!j->result && n != 0);
	return j->result;
}

int json_feed_file(struct json *j, const char *path)
{
	struct spec_error *error = j->doc->error;
	/* A FIFO must not hold us up before it is seen to be none of ours. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0)
		return json_error(error, errno, path, NULL);
	if (fstat(fd, &st) < 0)
		r = json_error(error, errno, path, NULL);
	else if (!S_ISREG(st.st_mode))
		r = json_error(error, EINVAL, path, "not a regular file");
	else
		r = feed_fd(j, fd, path);
	close(fd);
	return r;
}

int json_parse_file(const struct json_doc *doc, const char *path)
{
	struct json *j = json_new(doc);
	int r;

	if (!j)
		return -ENOMEM;
	r = json_feed_file(j, path);
	if (!r)
		r = json_finish(j);
	json_free(j);
	return r;
}
