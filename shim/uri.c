/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of stdio names; see uri.h. As much of RFC 3986 as they need. */
#include "shim/uri.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/util.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX (and + in a query). -EINVAL: malformed, or holds a NUL; -ENOMEM. */
static int decode(const char *s, size_t len, bool query, char **text)
{
	_cleanup_free_ char *out = malloc(len + 1);
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		out[n] = query && s[i] == '+' ? ' ' : s[i];
		if (s[i] == '%') {
			int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0 || (high | low) == 0)
				return -EINVAL;
			out[n] = (char)(high << 4 | low);
			i += 2;
		}
		n++;
	}
	out[n] = 0;
	*text = TAKE(out);
	return 0;
}

static bool has_key(const struct uri *u, const char *key)
{
	for (size_t i = 0; i + 1 < u->n_args; i += 2)
		if (strcmp(u->args[i], key) == 0)
			return true;
	return false;
}

/* One "key=value" of the query. A malformed one is passed over, as by Go. */
static int add_pair(struct uri *u, const char *pair, size_t len, struct err *e)
{
	const char *equals = memchr(pair, '=', len);
	size_t key_len = equals ? (size_t)(equals - pair) : len;
	_cleanup_free_ char *key = NULL, *value = NULL;
	int r = decode(pair, key_len, true, &key);

	if (r == 0)
		r = decode(equals ? equals + 1 : "", equals ? len - key_len - 1 : 0, true, &value);
	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0 || has_key(u, key))
		return 0;
	if (u->n_args + 2 >= LIMIT_URI_ARGS)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "more than %d arguments for a logger",
			       LIMIT_URI_ARGS / 2 - 1);
	u->args[u->n_args++] = TAKE(key);
	u->args[u->n_args++] = TAKE(value);
	return 0;
}

static int parse_query(struct uri *u, const char *query, struct err *e)
{
	for (;;) {
		size_t len = strcspn(query, "&#");

		if (len > 0 && add_pair(u, query, len, e) < 0)
			return -e->code;
		if (query[len] != '&')
			return 0;
		query += len + 1;
	}
}

int uri_parse(struct uri *u, const char *name, struct err *e)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789+-."), len;
	const char *rest;
	int r;

	*u = (struct uri){ .n_args = 0 };
	if (n == 0 || name[n] != ':' || !isalpha((unsigned char)name[0])) {
		/* A relative path with a colon in its first part might be meant as a scheme. */
		if (name[strcspn(name, ":/")] == ':')
			return err_set(e, TTRPC_UNKNOWN, "unable to parse stdout uri: %s", name);
		return 0;
	}
	if (n > LIMIT_URI_SCHEME)
		return err_set(e, TTRPC_UNKNOWN, "unknown STDIO scheme %.*s", (int)n, name);
	for (size_t i = 0; i < n; i++)
		u->scheme[i] = (char)tolower((unsigned char)name[i]);
	rest = name + n + 1;
	if (strncmp(rest, "//", 2) == 0)
		rest += 2 + strcspn(rest + 2, "/?#"); /* a host means nothing here */
	len = strcspn(rest, "?#");
	r = decode(rest, len, false, &u->path);
	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return err_set(e, TTRPC_UNKNOWN, "unable to parse stdout uri: %s", name);
	return rest[len] == '?' ? parse_query(u, rest + len + 1, e) : 0;
}

void uri_release(struct uri *u)
{
	free(u->path);
	u->path = NULL;
	while (u->n_args > 0)
		free(u->args[--u->n_args]);
}
