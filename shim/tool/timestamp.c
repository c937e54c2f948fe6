/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people and protobuf's JSON write them; see message.h. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shim/tool/message.h"

#define YEAR_1 INT64_C(-62135596800)
#define YEAR_10000 INT64_C(253402300800)
#define NANOS 1000000000

bool timestamp_write(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_SIZE])
{
	time_t t = (time_t)seconds;
	struct tm tm;
	int n;

	if (seconds < YEAR_1 || seconds >= YEAR_10000 || nanos < 0 || nanos >= NANOS ||
	    !gmtime_r(&t, &tm))
		return false;
	n = snprintf(out, TIMESTAMP_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d",
		     (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		     tm.tm_min, tm.tm_sec);
	if (nanos)
		n += snprintf(out + n, TIMESTAMP_SIZE - (size_t)n, ".%09d", nanos);
	snprintf(out + n, TIMESTAMP_SIZE - (size_t)n, "Z");
	return true;
}

/* "Z" or "+hh:mm": seconds to be taken off. */
static bool read_zone(const char *s, int64_t *offset)
{
	int hours, minutes, end = 0;

	*offset = 0;
	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	if ((*s != '+' && *s != '-') ||
	    sscanf(s + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || end != 5 || s[6])
		return false;
	*offset = (hours * 60 + minutes) * 60 * (*s == '-' ? -1 : 1);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

bool timestamp_read(const char *text, int64_t *seconds, int32_t *nanos)
{
	int32_t unit = NANOS / 10;
	struct tm tm = { 0 }, normal;
	int64_t offset;
	int end = 0;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6 ||
	    end != 19)
		return false;
	text += end;
	*nanos = 0;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			*nanos += (*text - '0') * unit;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	normal = tm;
	*seconds = timegm(&normal);
	/* What timegm(3) has put right was wrong. */
	if (normal.tm_mday != tm.tm_mday || normal.tm_mon != tm.tm_mon ||
	    normal.tm_hour != tm.tm_hour || normal.tm_min != tm.tm_min ||
	    normal.tm_sec != tm.tm_sec || !read_zone(text, &offset))
		return false;
	*seconds -= offset;
	return true;
}
