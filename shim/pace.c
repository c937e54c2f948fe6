/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket of bytes that fills with time, and lines that do not fit; see pace.h. */
#include "shim/pace.h"

#include <errno.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/util.h"

/* Going on for less is not worth a wake-up. */
#define WAIT_NS (100 * LOOP_MSEC)

/* ------------------------------------------------------------ annotations */

static int parse_rate(const char *s, uint64_t *rate)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{ "", 1 }, { "B", 1 },
		{ "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "KiB", 1u << 10 }, { "MiB", 1u << 20 }, { "GiB", 1u << 30 },
	};
	size_t digits = strspn(s, "0123456789"), len = strlen(s);
	char number[16];

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, digits);
	number[digits] = 0;
	if (len - digits >= 2 && strcmp(s + len - 2, "/s") == 0)
		len -= 2;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) != len - digits ||
		    memcmp(units[i].name, s + digits, len - digits) != 0)
			continue;
		if (parse_uint(number, UINT64_MAX / 2 / units[i].bytes, rate) < 0 || *rate == 0)
			return -EINVAL;
		*rate *= units[i].bytes;
		return 0;
	}
	return -EINVAL;
}

int log_policy_parse(struct log_policy *p, const char *policy, const char *rate, struct err *e)
{
	*p = (struct log_policy){ .drop = policy && strcmp(policy, "drop") == 0 };
	if (policy && !p->drop && strcmp(policy, "block") != 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "annotation " PACE_POLICY " is \"%s\": "
			       "it may be block or drop", policy);
	if (rate && parse_rate(rate, &p->rate) < 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "annotation " PACE_RATE " is \"%s\": "
			       "it should be bytes a second, such as 500KiB/s or 2MiB/s", rate);
	return 0;
}

bool log_policy_is_set(const struct log_policy *p)
{
	return p->drop || p->rate > 0;
}

/* ----------------------------------------------------------------- bucket */

void pace_init(struct pace *p, struct loop *l, const struct log_policy *policy, void *owner,
	       void (*ready)(struct timer *))
{
	*p = (struct pace){ .policy = *policy, .loop = l, .room = policy->rate,
			    .filled = loop_now(), .owner = owner };
	timer_init(&p->timer, ready);
}

/* It holds what passes in a second. */
static void fill(struct pace *p)
{
	uint64_t now = loop_now(), ns = now - p->filled, more;

	if (ns >= LOOP_SEC) {
		p->room = p->policy.rate;
		p->filled = now;
		return;
	}
	more = p->policy.rate / LOOP_SEC * ns + p->policy.rate % LOOP_SEC * ns / LOOP_SEC;
	if (more == 0)
		return; /* time is not lost by looking often */
	p->room = p->room + more < p->policy.rate ? p->room + more : p->policy.rate;
	p->filled = now;
}

size_t pace_room(struct pace *p)
{
	if (p->policy.rate == 0)
		return SIZE_MAX;
	fill(p);
	return p->room < SIZE_MAX ? (size_t)p->room : SIZE_MAX;
}

void pace_passed(struct pace *p, size_t n)
{
	if (p->policy.rate > 0)
		p->room -= n < p->room ? n : p->room;
}

void pace_wait(struct pace *p)
{
	if (!timer_is_armed(&p->timer))
		timer_arm_in(p->loop, &p->timer, WAIT_NS);
}

void pace_lift(struct pace *p)
{
	p->policy.rate = 0;
	if (timer_is_armed(&p->timer))
		timer_arm_in(p->loop, &p->timer, 0);
}

/* ---------------------------------------------------------------- dropping */

static void drop(struct pace *p, const uint8_t *data, size_t n)
{
	if (n == 0)
		return;
	p->dropped += n;
	p->cut |= p->in_line;
	p->in_line = false;
	p->skipped = p->dropping ? p->skipped + n : 0;
	p->dropping = data[n - 1] != '\n';
}

/* How many bytes there are before the next line begins, if the last one was dropped. */
static size_t to_next_line(struct pace *p, const uint8_t *data, size_t len)
{
	const uint8_t *end;

	if (!p->dropping || p->skipped >= LIMIT_LOG_SKIP)
		return 0;
	end = memchr(data, '\n', len);
	return end ? (size_t)(end - data) + 1 : len;
}

/* Ends the line whose rest was dropped, so that the next one is no part of it; false: no room. */
static bool end_cut_line(struct pace *p, int fd)
{
	if (p->cut && write(fd, "\n", 1) != 1)
		return false;
	p->cut = false;
	return true;
}

/* Of what does not all pass, whole lines; of a line that is longer than a second, what passes. */
static size_t fitting(struct pace *p, const uint8_t *data, size_t len)
{
	size_t room = pace_room(p);
	const uint8_t *end;

	if (room >= len)
		return len;
	end = room > 0 ? memrchr(data, '\n', room) : NULL;
	if (end)
		return (size_t)(end - data) + 1;
	return room == p->policy.rate ? room : 0;
}

int pace_write(struct pace *p, int fd, const uint8_t *data, size_t len, size_t *lost)
{
	size_t skip = to_next_line(p, data, len), fit;
	ssize_t n = 0;

	*lost = 0;
	drop(p, data, skip);
	data += skip;
	len -= skip;
	fit = len > 0 ? fitting(p, data, len) : 0;
	if (fit > 0 && end_cut_line(p, fd))
		n = write(fd, data, fit);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		*lost = len;
		return -errno;
	}
	if (n > 0) {
		p->dropping = false;
		p->in_line = data[n - 1] != '\n';
		pace_passed(p, (size_t)n);
		data += n;
		len -= (size_t)n;
	}
	drop(p, data, len);
	return 0;
}
