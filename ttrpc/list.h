/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked lists. A link that is on no list points to itself,
 * so list_del() may be called on it at any time; that is what makes every
 * *_fini() of this program safe to call twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(name) { &(name), &(name) }

/* The structure of @type that holds the link (or other member) @ptr points to. */
#ifndef container_of
#define container_of(ptr, type, member)                                     \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#endif

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Puts @l, which is on no list, before @at: at the end if @at is the head. */
static inline void list_append(struct list *at, struct list *l)
{
	l->prev = at->prev;
	l->next = at;
	at->prev->next = l;
	at->prev = l;
}

static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* Moves everything on @from to the end of @to. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* The first entry, or NULL. */
#define list_first(head, type, member)                                      \
	(list_empty(head) ? NULL : container_of((head)->next, type, member))

/* Walks a list; the body may remove and free @pos, but no other entry. */
#define list_for_each(pos, head, member)                                    \
	for (struct list *it_ = (head)->next, *next_ = it_->next;           \
	     it_ != (head) &&                                               \
	     (pos = container_of(it_, __typeof__(*pos), member), true);     \
	     it_ = next_, next_ = it_->next)
