/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowerdir option of an overlay: layers with colons between them, where a
 * backslash takes the meaning off the character behind it. No system calls.
 */
#include <errno.h>
#include <string.h>

#include "shim/mount-internal.h"
#include "shim/util.h"

#define LOWERDIR "lowerdir="

/* The number of the (first) lowerdir option; n_data: there is none. */
static size_t find_lowerdir(const struct mount_options *o)
{
	size_t i = 0;

	while (i < o->n_data && strncmp(o->data[i], LOWERDIR, strlen(LOWERDIR)))
		i++;
	return i;
}

/* The length of the layer at @s, up to its colon. */
static size_t layer_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != ':')
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return n;
}

/* The layer behind the one at @s, NULL: that was the last one. */
static const char *next_layer(const char *s)
{
	s += layer_length(s);
	return *s ? s + 1 : NULL;
}

static char *unescape(const char *s, size_t n)
{
	char *out = malloc(n + 1), *p = out;

	for (size_t i = 0; out && i < n; i++) {
		if (s[i] == '\\' && i + 1 < n)
			i++;
		*p++ = s[i];
	}
	if (out)
		*p = 0;
	return out;
}

int overlay_next_layer(const struct mount_options *o, const char **at, char **path)
{
	size_t i = find_lowerdir(o);
	const char *s = *at ? next_layer(*at) : NULL;

	*path = NULL;
	if (!*at && i < o->n_data)
		s = o->data[i] + strlen(LOWERDIR);
	/* "a::b" says that b holds data only. */
	while (s && layer_length(s) == 0)
		s = next_layer(s);
	if (!s)
		return 0;
	*at = s;
	*path = unescape(s, layer_length(s));
	return *path ? 1 : -ENOMEM;
}

/* The length of the directory that all layers are in, with its slash; 0: none but "/". */
static size_t common_directory(const char *layers)
{
	size_t common = layer_length(layers), end;

	if (*layers != '/')
		return 0;
	for (const char *s = layers; s; s = next_layer(s)) {
		size_t len = layer_length(s), n = 0;

		while (n < common && n < len && s[n] == layers[n])
			n++;
		if (len > 0)
			common = n;
	}
	while (common > 0 && layers[common - 1] != '/')
		common--;
	/* "/" and "//" are no directories worth the going. */
	for (end = 0; layers[end] == '/'; end++)
		;
	return common > end ? common : 0;
}

/* Appends the layer at @s without its common directory. */
static char *append_relative(char *out, const char *s, size_t common)
{
	size_t len = layer_length(s);

	if (len == 0)
		return out;
	s += common;
	len -= common;
	/* What is left of "DIR//x" must not be absolute, nor that of "DIR/" nothing. */
	for (; len > 0 && *s == '/'; len--)
		s++;
	if (len == 0)
		return stpcpy(out, ".");
	return mempcpy(out, s, len);
}

int overlay_compact(struct mount_options *o, char **dir, char **word)
{
	size_t i = find_lowerdir(o), common;
	const char *layers = i < o->n_data ? o->data[i] + strlen(LOWERDIR) : "";
	char *out;

	*dir = *word = NULL;
	common = next_layer(layers) ? common_directory(layers) : 0;
	if (common == 0)
		return 0;
	*dir = unescape(layers, common);
	/* A layer may become a dot that was nothing but the directory, never longer. */
	*word = out = malloc(strlen(o->data[i]) + 1);
	if (!*dir || !*word)
		return -ENOMEM;
	out = stpcpy(out, LOWERDIR);
	for (const char *s = layers; s; s = next_layer(s)) {
		if (s != layers)
			*out++ = ':';
		out = append_relative(out, s, common);
	}
	*out = 0;
	memmove(o->data + i, o->data + i + 1, (o->n_data - i - 1) * sizeof(*o->data));
	o->data[o->n_data - 1] = *word;
	return 0;
}
