/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines of the backend: to stderr in the foreground, else to syslog. When
 * stderr is systemd's journal, lines carry their level as sd-daemon(3) says.
 * The state is one per process, set once at its start, before other threads
 * are; then any thread may log.
 */
#ifndef BLKBACK_LOG_H
#define BLKBACK_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum blkback_level {
	BLKBACK_ERROR,
	BLKBACK_WARNING,
	BLKBACK_INFO,
	BLKBACK_DEBUG,
};

/* @label is put before each line when not NULL; it must stay valid. */
void blkback_log_open(bool to_stderr, enum blkback_level level,
		      const char *label);

/*
 * @label from now on, valid as long; while no other thread logs. The daemon of
 * syslog is found again, since it may be another one by now.
 */
void blkback_log_name(const char *label);

/* Whether lines go to the journal. */
bool blkback_log_is_journal(void);

/* 0, or -EINVAL when @name is none of error, warning, info, debug. */
int blkback_log_parse_level(const char *name, enum blkback_level *level);
const char *blkback_log_level_name(enum blkback_level level);

void blkback_log(enum blkback_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * One kind of message of one device, which the guest can cause: at most one
 * line a second. Starts as zeros.
 */
struct blkback_gate {
	_Atomic int64_t second; /* of the last line, monotonic, plus one */
	_Atomic unsigned suppressed; /* since then */
};

/*
 * As blkback_log(), once a second; the next line counts what was left out, and
 * blkback_gate_end() what none came after.
 */
void blkback_log_gated(struct blkback_gate *gate, enum blkback_level level,
		       const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * For the libraries of Xen, which else write a line of their own to stderr for
 * each grant or port of a guest that is none: lines of level debug, gated. Who
 * called them says the rest.
 */
struct xentoollog_logger *blkback_log_of_xen(void);

/* Say how many lines about @what were left out, if any were. */
void blkback_gate_end(struct blkback_gate *gate, const char *label,
		      const char *what);

/* Whether @gate lets a line of @second pass, and how many it held back. */
bool blkback_gate_pass(struct blkback_gate *gate, int64_t second,
		       unsigned *suppressed);

#endif
