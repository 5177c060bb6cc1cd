/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines of the backend: to stderr in the foreground, else to syslog. When
 * stderr is systemd's journal, each line begins with its level, see
 * sd-daemon(3). The settings belong to the process, which sets them once at its
 * start, before it creates threads. After that any thread may log.
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

/*
 * Each line begins with @label, unless it is NULL. The string must stay valid.
 */
void blkback_log_open(bool to_stderr, enum blkback_level level,
		      const char *label);

/*
 * Set another label, which must stay valid, while no other thread logs. Connects
 * to syslog again, since its daemon may have been restarted.
 */
void blkback_log_name(const char *label);

/* Whether stderr is systemd's journal. */
bool blkback_log_is_journal(void);

/* @name: error, warning, info or debug. 0 or -EINVAL. */
int blkback_log_parse_level(const char *name, enum blkback_level *level);
const char *blkback_log_level_name(enum blkback_level level);

void blkback_log(enum blkback_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Rate limit for one kind of message of one device that a guest can cause: at
 * most one line a second. Starts as zeros.
 */
struct blkback_gate {
	_Atomic int64_t
		second; /* of the last line, monotonic, plus 1; 0: no line yet */
	_Atomic unsigned suppressed; /* lines since the last line */
};

/*
 * As blkback_log(), at most once a second. The next line that passes gives the
 * number of suppressed lines; blkback_gate_end() gives the number at the end.
 */
void blkback_log_gated(struct blkback_gate *gate, enum blkback_level level,
		       const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A logger for the libraries of Xen: rate-limited lines of level debug. Without
 * it the libraries write a line to stderr for each bad grant or port of a guest.
 * The caller of the library logs the failure with its context.
 */
struct xentoollog_logger *blkback_log_of_xen(void);

/* Log the number of suppressed lines about @what, unless it is 0. */
void blkback_gate_end(struct blkback_gate *gate, const char *label,
		      const char *what);

/*
 * Whether a line of @second passes. *suppressed: lines since the last line.
 */
bool blkback_gate_pass(struct blkback_gate *gate, int64_t second,
		       unsigned *suppressed);

#endif
