/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the harness have of each other; not for tests. */
#pragma once

/* The path of some file in a directory, or NULL. */
char *first_in(const char *dir);
void answers_free(void);
void sink_free(void);
void readers_free(void);
/* A reader of a FIFO that has its own writer, so that it never ends. */
struct reader *reader_open_log(const char *path);
