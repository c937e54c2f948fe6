/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as a tree; see tree.h. Built from the events of spec/json.c. */
#include "shim/tool/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shim/util.h"

/* --------------------------------------------------------------- reading */

static void node_free(struct node *n)
{
	free(n->key);
	free(n->text);
	free(n);
}

void tree_release(struct tree *tree)
{
	struct node *n = tree->root, *up;

	/* A document may be nested deeper than the stack is. */
	while (n) {
		if (n->first) {
			up = n;
			n = n->first;
			up->first = n->next;
			continue;
		}
		up = n->parent;
		node_free(n);
		n = up;
	}
	free(tree->key);
	*tree = (struct tree){ 0 };
}

static void append(struct tree *tree, struct node *n)
{
	struct node *up = tree->open;

	n->parent = up;
	if (!up) {
		tree->root = n;
		return;
	}
	if (up->last)
		up->last->next = n;
	else
		up->first = n;
	up->last = n;
	up->n++;
}

static char *copy(struct json *j, const struct json_event *event)
{
	char *s = NULL;

	return json_copy(j, event, &s) < 0 ? NULL : s;
}

static int add(struct json *j, struct tree *tree, const struct json_event *event)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return json_fail(j, event, ENOMEM, "out of memory");
	*n = (struct node){
		.kind = event->kind,
		.boolean = event->boolean,
		.key = TAKE(tree->key),
		.len = event->len,
		.offset = event->offset,
		.end = event->end,
		.line = event->line,
		.column = event->column,
	};
	append(tree, n);
	if (event->kind & (JSON_OBJECT | JSON_ARRAY))
		tree->open = n;
	if (!(event->kind & (JSON_STRING | JSON_NUMBER)))
		return 0;
	n->text = copy(j, event);
	return n->text ? 0 : -EINVAL;
}

static int on_event(struct json *j, const struct json_event *event)
{
	struct tree *tree = json_data(j);

	if (event->kind == JSON_KEY) {
		tree->key = copy(j, event);
		return tree->key ? 0 : -EINVAL;
	}
	if (event->kind != JSON_END)
		return add(j, tree, event);
	tree->open->end = event->end;
	tree->open = tree->open->parent;
	return 0;
}

int tree_parse(struct tree *tree, const char *name, const char *json, size_t len,
	       struct err *e)
{
	struct spec_error se;
	const struct json_doc doc = {
		.name = name,
		.data = tree,
		.error = &se,
		.every = on_event,
	};

	*tree = (struct tree){ .name = name };
	if (json_parse(&doc, json, len) < 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "%s", se.text);
	return 0;
}

/* --------------------------------------------------------------- looking */

const struct node *tree_member(const struct node *node, const char *key)
{
	if (!node || node->kind != JSON_OBJECT)
		return NULL;
	for (const struct node *n = node->first; n; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

const char *tree_text(const struct node *node, const char *key, const char *otherwise)
{
	const struct node *n = tree_member(node, key);

	return n && n->kind == JSON_STRING ? n->text : otherwise;
}

int64_t tree_int(const struct node *node, const char *key)
{
	const struct node *n = tree_member(node, key);

	return n && n->kind == JSON_NUMBER ? strtoll(n->text, NULL, 10) : 0;
}

bool tree_bool(const struct node *node, const char *key)
{
	const struct node *n = tree_member(node, key);

	return n && n->kind == JSON_BOOL && n->boolean;
}

/* "rootfs[0].options" into @buf, from its end; returns where it begins. */
static char *path_of(const struct node *node, char *buf, size_t size)
{
	char part[128], *at = buf + size - 1;

	*at = 0;
	for (const struct node *n = node; n->parent; n = n->parent) {
		size_t index = 0, len;

		for (const struct node *i = n->parent->first; i != n; i = i->next)
			index++;
		if (n->key)
			snprintf(part, sizeof(part), "%s%s", n->parent->parent ? "." : "",
				 n->key);
		else
			snprintf(part, sizeof(part), "[%zu]", index);
		len = strlen(part);
		if (len > (size_t)(at - buf))
			break;
		at -= len;
		memcpy(at, part, len);
	}
	return at;
}

int tree_fail(const struct tree *tree, const struct node *node, struct err *e,
	      const char *format, ...)
{
	char buf[512], reason[512], *path = path_of(node, buf, sizeof(buf));
	va_list ap;

	va_start(ap, format);
	vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
	return err_set(e, TTRPC_INVALID_ARGUMENT, "%s:%zu:%zu: %s%s%s", tree->name,
		       node->line, node->column, path, *path ? ": " : "", reason);
}

/* -------------------------------------------------------------- printing */

static void indent(FILE *out, unsigned depth)
{
	fprintf(out, "\n%*s", (int)(2 * depth), "");
}

void tree_print(FILE *out, const char *json, size_t len)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = json[i], next = i + 1 < len ? json[i + 1] : 0;

		if (in_string || !strchr("{}[],: \n\t\r", c)) {
			fputc(c, out);
			if (in_string && c == '\\' && next)
				fputc(json[++i], out);
			else if (c == '"')
				in_string = !in_string;
		} else if ((c == '{' && next == '}') || (c == '[' && next == ']')) {
			fprintf(out, "%c%c", c, next);
			i++;
		} else if (c == '{' || c == '[') {
			fputc(c, out);
			indent(out, ++depth);
		} else if (c == '}' || c == ']') {
			indent(out, --depth);
			fputc(c, out);
		} else if (c == ',') {
			fputc(c, out);
			indent(out, depth);
		} else if (c == ':') {
			fputs(": ", out);
		}
	}
	fputc('\n', out);
}
