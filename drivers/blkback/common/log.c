/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines of the backend. Owns the process's log settings. Each line is
 * formatted into a bounded buffer and written by one call, so that lines of
 * several workers on one stderr do not mix. The text may have names that a guest
 * or another person chose, so it is escaped: one line of UTF-8. Any thread, no
 * locks.
 */
#include "drivers/blkback/common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <xentoollog.h>

#include "include/private/clock.h"
#include "include/private/text.h"

static struct {
	bool to_stderr;
	bool to_journal; /* stderr is systemd's journal */
	enum blkback_level level;
	const char *label;
} settings = { true, false, BLKBACK_INFO, NULL };

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[BLKBACK_ERROR] = { "error", LOG_ERR },
	[BLKBACK_WARNING] = { "warning", LOG_WARNING },
	[BLKBACK_INFO] = { "info", LOG_INFO },
	[BLKBACK_DEBUG] = { "debug", LOG_DEBUG },
};

/* Whether stderr is the file in $JOURNAL_STREAM, "device:inode". */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == ino;
}

void blkback_log_open(bool to_stderr, enum blkback_level level,
		      const char *label)
{
	settings.to_stderr = to_stderr;
	settings.to_journal = to_stderr && is_journal();
	settings.level = level;
	blkback_log_name(label);
}

void blkback_log_name(const char *label)
{
	settings.label = label;
	if (settings.to_stderr)
		return;
	closelog();
	/* LOG_NDELAY: inside the sandbox a worker cannot open the socket. */
	openlog("xen-ramdiskd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

bool blkback_log_is_journal(void)
{
	return settings.to_journal;
}

int blkback_log_parse_level(const char *name, enum blkback_level *level)
{
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!strcmp(name, levels[i].name)) {
			*level = (enum blkback_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *blkback_log_level_name(enum blkback_level level)
{
	return levels[level].name;
}

static void emit(enum blkback_level level, unsigned suppressed, const char *fmt,
		 va_list ap)
{
	char raw[1024], text[1024], line[1200], head[64], more[64] = "";
	int n;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_escape(raw, text, sizeof(text));
	if (suppressed)
		snprintf(more, sizeof(more), " (and %u more like this)",
			 suppressed);
	if (!settings.to_stderr) {
		syslog(levels[level].priority, "%s%s%s%s",
		       settings.label ? settings.label : "",
		       settings.label ? ": " : "", text, more);
		return;
	}
	if (settings.to_journal)
		snprintf(head, sizeof(head), "<%d>", levels[level].priority);
	else
		snprintf(head, sizeof(head),
			 "xen-ramdiskd[%d]: %s: ", (int)getpid(),
			 levels[level].name);
	n = snprintf(line, sizeof(line), "%s%s%s%s%s\n", head,
		     settings.label ? settings.label : "",
		     settings.label ? ": " : "", text, more);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	/* Ignore a failure: the guest is served without a log as well. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void blkback_log(enum blkback_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > settings.level)
		return;
	va_start(ap, fmt);
	emit(level, 0, fmt, ap);
	va_end(ap);
}

bool blkback_gate_pass(struct blkback_gate *gate, int64_t second,
		       unsigned *suppressed)
{
	int64_t last = atomic_load(&gate->second);

	/* If several threads log at once, one thread writes its line. */
	if (last == second + 1 ||
	    !atomic_compare_exchange_strong(&gate->second, &last, second + 1)) {
		atomic_fetch_add(&gate->suppressed, 1);
		return false;
	}
	*suppressed = atomic_exchange(&gate->suppressed, 0);
	return true;
}

void blkback_log_gated(struct blkback_gate *gate, enum blkback_level level,
		       const char *fmt, ...)
{
	unsigned suppressed;
	va_list ap;

	if (level > settings.level)
		return;
	if (!blkback_gate_pass(gate, clock_now_ms() / 1000, &suppressed))
		return;
	va_start(ap, fmt);
	emit(level, suppressed, fmt, ap);
	va_end(ap);
}

static void log_xen_message(struct xentoollog_logger *logger,
			    xentoollog_level level, int err,
			    const char *context, const char *fmt, va_list ap)
{
	static struct blkback_gate gate;
	char text[512];

	(void)logger;
	(void)level;
	vsnprintf(text, sizeof(text), fmt, ap);
	blkback_log_gated(&gate, BLKBACK_DEBUG, "%s: %s%s%s",
			  context ? context : "xen", text, err >= 0 ? ": " : "",
			  err >= 0 ? strerror(err) : "");
}

struct xentoollog_logger *blkback_log_of_xen(void)
{
	static struct xentoollog_logger logger = { .vmessage = log_xen_message };

	return &logger;
}

void blkback_gate_end(struct blkback_gate *gate, const char *label,
		      const char *what)
{
	unsigned n = atomic_exchange(&gate->suppressed, 0);

	if (n)
		blkback_log(BLKBACK_INFO,
			    "%s%s%u more lines about %s were left out",
			    label ? label : "", label ? ": " : "", n, what);
}
