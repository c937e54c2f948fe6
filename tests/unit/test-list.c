/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive list: what its users lean on, above all removal at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ttrpc/list.h"

struct item {
	int n;
	struct list link;
};

static void fill(struct list *head, struct item *items, int n)
{
	int i;

	list_init(head);
	for (i = 0; i < n; i++) {
		items[i].n = i;
		list_append(head, &items[i].link);
	}
}

/* The numbers on the list as decimal digits, so that a test is one comparison. */
static int digits(const struct list *head)
{
	const struct item *item;
	int sum = 1;

	list_for_each(item, head, link)
		sum = sum * 10 + item->n;
	return sum;
}

static void keeps_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[4];

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first(&head, struct item, link));
	assert_int_equal(digits(&head), 1);
	fill(&head, items, 4);
	assert_false(list_empty(&head));
	assert_ptr_equal(list_first(&head, struct item, link), &items[0]);
	assert_int_equal(digits(&head), 10123);
}

static void appends_before_an_entry(void **state)
{
	struct list head;
	struct item items[3], extra = { .n = 9 };

	(void)state;
	fill(&head, items, 3);
	list_append(&items[1].link, &extra.link);
	assert_int_equal(digits(&head), 10912);
}

static void removes_at_any_time(void **state)
{
	struct list head;
	struct item items[3];

	(void)state;
	fill(&head, items, 3);
	list_del(&items[1].link);
	assert_int_equal(digits(&head), 102);
	list_del(&items[1].link);
	assert_int_equal(digits(&head), 102);
	list_del(&items[2].link);
	list_del(&items[0].link);
	assert_true(list_empty(&head));
	list_append(&head, &items[1].link);
	assert_int_equal(digits(&head), 11);
}

static void walk_may_free_its_entry(void **state)
{
	struct list head = LIST_INIT(head);
	struct item *item;
	int i, seen = 0;

	(void)state;
	for (i = 0; i < 5; i++) {
		item = malloc(sizeof(*item));
		assert_non_null(item);
		item->n = i;
		list_append(&head, &item->link);
	}
	list_for_each(item, &head, link) {
		assert_int_equal(item->n, seen);
		seen++;
		list_del(&item->link);
		free(item);
	}
	assert_int_equal(seen, 5);
	assert_true(list_empty(&head));
}

static void splices(void **state)
{
	struct list to, from = LIST_INIT(from);
	struct item a[2], b[3];
	int i;

	(void)state;
	fill(&to, a, 2);
	list_splice(&to, &from);
	assert_int_equal(digits(&to), 101);
	fill(&from, b, 3);
	for (i = 0; i < 3; i++)
		b[i].n += 5;
	list_splice(&to, &from);
	assert_int_equal(digits(&to), 101567);
	assert_true(list_empty(&from));
	list_splice(&from, &to);
	assert_int_equal(digits(&from), 101567);
	assert_true(list_empty(&to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(appends_before_an_entry),
		cmocka_unit_test(removes_at_any_time),
		cmocka_unit_test(walk_may_free_its_entry),
		cmocka_unit_test(splices),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
