/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fakes of the Xen libraries and the store, linked instead of them: what a test
 * sets, injects and counts. Several threads may use the fakes of grants, event
 * channels and the disk, so a value that a test reads may change at any time.
 */
#ifndef TESTS_RING_FAKE_H
#define TESTS_RING_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the libraries of Xen ---- */
struct xentoollog_logger;
extern unsigned fake_said; /* lines on stderr, from handles without a logger */
void fake_say(struct xentoollog_logger *logger);

/* ---- grants ---- */
#define FAKE_GRANTS 2048u
extern uint8_t fake_page[FAKE_GRANTS][4096]; /* by grant reference */
extern int fake_fail_op; /* this operation of a call fails; -1: none */
extern int fake_fail_calls; /* so many calls fail as a whole */
extern unsigned fake_calls, fake_ops; /* grant copies so far */
extern int fake_mapped; /* pages mapped now */
extern unsigned fake_maps; /* mapped one by one so far */
extern bool fake_map_fails;
extern int
	fake_map_fails_at; /* so many more are mapped one by one, then one is not; -1: none */
extern void (*fake_before_copy)(void); /* the guest, meanwhile */
void fake_grants_reset(void);

/* ---- event channels ---- */
extern unsigned fake_notified;
extern int fake_bound; /* ports of guests bound now */
extern bool fake_bind_fails, fake_wakeup_fails;
extern int
	fake_bind_fails_at; /* so many more are bound, then one is not; -1: none */
extern unsigned fake_events; /* taken so far */
void fake_evtchn_raise(void); /* on every port that is bound */
void fake_evtchn_reset(void);

/* ---- xenstore ---- */
void fake_xs_reset(void);
void fake_xs_set(const char *path, const char *value);
void fake_xs_set_bytes(const char *path, const void *value, size_t len);
const char *fake_xs_get(const char *path); /* NULL: there is none */
void fake_xs_rm(const char *path);
void fake_xs_introduce(unsigned domid, bool yes);
extern unsigned fake_xs_watches; /* set now */
extern unsigned fake_xs_questions; /* reads, writes, ... so far */
extern unsigned fake_xs_breaks_at; /* from that one on all of them fail */
extern void (*fake_xs_touched)(const char *path); /* at each; absolute */
extern unsigned fake_xs_conflicts; /* so many transactions fail: others wrote */
extern void (*fake_xs_in_transaction)(void); /* once, at the next start */
extern unsigned fake_xs_reads; /* so far */
/* So many events of one watch, and then the end of xenstored. */
void fake_xs_storm(const char *path, const char *token, unsigned long events);
extern void (*fake_xs_storm_over)(
	void); /* at each look for an event after them */

/* ---- the store: one disk ---- */
#define FAKE_DISK_SIZE (512u * 4096u)
extern uint8_t *fake_disk; /* page-aligned */
extern unsigned fake_ends_again; /* so many reads are overtaken */
extern unsigned fake_begins_exclusive, fake_errors, fake_flushes;
extern _Atomic unsigned
	fake_latencies[2]; /* calls of rd_count_latency(): reads, writes */
extern _Atomic unsigned fake_prefetched;
extern _Thread_local unsigned fake_held; /* ranges of this thread */
extern bool fake_attach_fails;
extern bool fake_forgets; /* rd_find_durable() finds nothing */
extern struct rd_event fake_event; /* the last one that was sent */
extern unsigned fake_events_sent;
extern struct rd_damage fake_damage; /* what rd_damage() reports */
/* Take the memory of a block away: an access is SIGBUS until rd_lost(). */
void fake_take_memory(uint64_t block);
extern _Atomic bool fake_attach_waits; /* as for a disk's lock */
extern int fake_attached;
extern const char *
	fake_store_waits; /* label of a durable attachment whose process is dead; NULL */
extern unsigned fake_reaps; /* calls of rd_reap() */
struct rd_disk;
struct rd_disk *fake_disk_new(bool writable);
uint64_t fake_disk_hash(void);

#endif
