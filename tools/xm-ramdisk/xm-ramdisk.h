/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk: what its files share. One process, one thread. A subcommand is
 * one file with one function here; it returns main's exit status.
 *
 * Helpers that return an exit status have said why on stderr already.
 */
#ifndef XM_RAMDISK_H
#define XM_RAMDISK_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "drivers/blkback/common/fault-spec.h"
#include "include/ramdisk.h"

/* Exit statuses, documented in docs/xm-ramdisk.8. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2
};

/* ---- subcommands: argv[0] is the subcommand's name --------------------- */

int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_drop(int argc, char **argv);
int cmd_fault(int argc, char **argv);
int cmd_hotplug(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_fence(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_interface(int argc, char **argv);

/* ---- message.c --------------------------------------------------------- */

/* One line on stderr behind the program's name. Returns EXIT_FAILED. */
int say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and where the help is. Returns EXIT_USAGE. */
int say_usage(const char *subcommand, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- vdev.c ------------------------------------------------------------ */

#define VDEV_NAME_MAX 24

/*
 * A virtual device as people write it (xvdb, xvdaa3, sdc1, hda, 51728, 0xca10)
 * as the number of xen-vbd-interface(7). 0 or -EINVAL.
 */
int vdev_parse(const char *text, unsigned *devid);
/* The name that a Linux guest would use, or the number. Returns @name. */
const char *vdev_name(unsigned devid, char name[VDEV_NAME_MAX]);

/* ---- host.c ------------------------------------------------------------ */

/*
 * See that this is a Xen control domain and that we are root, and open
 * xenstore. EXIT_DONE and *xs, or the reason was said. @what is the
 * subcommand, for the message.
 */
int host_open(const char *what, struct xs_handle **xs);
/* Whether xenstored listens here; for those who can do without it. */
bool host_has_xenstore(void);
bool host_is_xen(void); /* some domain of it */
/* Whether @name is a program in $PATH. */
bool host_has_program(const char *name);
/* Run a program of $PATH and wait for it: its exit status, or -errno. */
int host_run(const char *const argv[]);
int host_run_quietly(const char *const argv[]);
/* The same, and the start of its output, terminated. */
int host_read(const char *const argv[], char *text, size_t size);
/* Domain-0 as a frontend needs its driver, which nothing else asks for. */
void host_load_frontend(void);

/* ---- domain.c ---------------------------------------------------------- */

#define DOMAIN_NAME_MAX 256

/* A domain by name or number; said why if there is none. An exit status. */
int domain_find(struct xs_handle *xs, const char *text, unsigned *domid);
/* Its name, or "domain N" if it has none. Returns @name. */
const char *domain_name(struct xs_handle *xs, unsigned domid,
			char name[DOMAIN_NAME_MAX]);

/* ---- daemon.c ---------------------------------------------------------- */

/*
 * See that a xen-ramdiskd of our own format serves the store, and start one
 * if none runs. An exit status.
 */
int daemon_ensure(struct rd_store *store);
/* Whether there is a xen-ramdiskd to start: beside this program, or in $PATH. */
bool daemon_installed(void);

/* ---- program.c --------------------------------------------------------- */

/* A file beside this program, as in a build folder: its path, if it is there. */
bool program_beside(const char *name, char path[PATH_MAX]);

/* ---- progress.c -------------------------------------------------------- */

struct progress {
	const char *verb, *seed; /* "loading", unless set otherwise */
	bool terminal, shown;
	int64_t start; /* ms */
	const volatile sig_atomic_t *stop; /* non-zero gives the load up */
};
void progress_start(struct progress *p, const char *seed,
		    const volatile sig_atomic_t *stop);
rd_progress_fn progress_step; /* its argument is a struct progress */
void progress_end(struct progress *p);

/* ---- arguments.c ------------------------------------------------------- */

/* A switch, "--NAME", and where to note it. A table ends with NULL. */
struct flag {
	const char *name;
	bool *value;
};

/*
 * Arguments of a subcommand that takes switches and exactly @count words,
 * which @expected names. *words are the words. EXIT_DONE, EXIT_USAGE after
 * saying why, or -1 after --help, which prints @help.
 */
int parse_words(int argc, char **argv, const char *help,
		const struct flag *flags, int count, const char *expected,
		char ***words);

/* --timeout's value: 1 to 86400 seconds. 0 or -EINVAL. */
int parse_seconds(const char *text, int *seconds);

/* ---- disk.c: the store and its disks ------------------------------------ */

/* What a person says of a disk to load or attach. */
struct disk_options {
	const char *seed;
	const char *name; /* or NULL */
	unsigned flags; /* RD_PRIVATE, RD_THIN, RD_LAZY, RD_KEEP */
	unsigned sector_size; /* for a domain: 512, 4096, or 0 for 512 */
};

/* getopt_long() entries and values for them; disk_option() takes the value. */
#define DISK_OPTIONS                                \
	{ "name", required_argument, NULL, 'N' },   \
		{ "thin", no_argument, NULL, 'T' }, \
		{ "lazy", no_argument, NULL, 'L' }, \
		{ "keep", no_argument, NULL, 'K' }, \
	{                                           \
		"private", no_argument, NULL, 'P'   \
	}
#define DISK_OPTIONS_HELP                                                          \
	"  --name=NAME  a disk of that name, apart from others of the same seed\n" \
	"  --thin       take memory as it is needed, not all of it up front\n"     \
	"  --lazy       do not wait for the load: read each part at its first use"
/* True if @c, with optarg, was one of them. */
bool disk_option(int c, struct disk_options *options);

/*
 * The words of --sector-size: 0 or -EINVAL. And whether the disk is a whole
 * number of them, as an exit status.
 */
int disk_parse_sector_size(const char *text, unsigned *sector_size);
int disk_check_sector_size(const struct disk_options *options,
			   const struct rd_disk *disk);

/* No such file, and a disk is called that: it is there already. */
bool disk_is_name(struct rd_store *store, const char *text);

/*
 * Attach to the disk, for reading, with progress on the terminal. A seed that
 * is no file may be the name of a disk that is there. An exit status.
 */
int disk_attach(struct rd_store *store, const struct disk_options *options,
		const char *label, const volatile sig_atomic_t *stop,
		struct rd_disk **disk);

/* The same for one that stays: @flags are added, and it may write. */
int disk_attach_as(struct rd_store *store, const struct disk_options *options,
		   const char *label, bool writable, unsigned flags,
		   const volatile sig_atomic_t *stop, struct rd_disk **disk);

/*
 * Open the store and throw away what is dead. An exit status. Who is not root
 * must have a store already; disk_own_store() makes one.
 */
int disk_store(const char *subcommand, struct rd_store **store);
int disk_own_store(struct rd_store **store);

/*
 * A subcommand that takes switches and words and then works on the store:
 * parses (parse_words), opens the store, runs @run, closes it. Returns main's
 * exit status.
 */
struct disk_command {
	const char *help;
	const struct flag *flags;
	int count; /* of words */
	const char *expected; /* what they are */
	int (*run)(struct rd_store *store, char **words, const void *arg);
	const void *arg;
};
int disk_run(int argc, char **argv, const struct disk_command *command);

/* One of the disks of rd_list(), found as rd_find() does. An exit status. */
struct disk_list {
	struct rd_disk_info *disks;
	size_t count;
};
int disk_list(struct rd_store *store, struct disk_list *list);
int disk_find(struct rd_store *store, const char *text, char id[RD_ID_MAX]);
const struct rd_disk_info *disk_in(const struct disk_list *list,
				   const char *id);
/* The name that a person would use for it. */
const char *disk_shown_name(const struct rd_disk_info *disk);

/* ---- target.c ----------------------------------------------------------- */

/*
 * Parse SEED[,OPTION...] in place; @o points into @text then. 0, or -EINVAL
 * with the sentence in @err.
 */
int target_parse(char *text, struct disk_options *o, struct rd_error *err);
/* The opposite; the seed's path is made absolute if the file is there. */
void target_format(const struct disk_options *o, char *text, size_t size);

/* ---- hotplug.c ---------------------------------------------------------- */

/*
 * End what toolstacks attached for devices that are gone. How many there were,
 * of all devices; those of one that has an NBD client's count twice.
 */
unsigned hotplug_clean(struct rd_store *store);

struct json;
#define FAULT_TEXT_MAX 320 /* bytes of fault_text() */

/* ---- who.c ------------------------------------------------------------- */

/* Who an attachment's label says it is. */
struct who {
	bool vbd; /* a domain's device, not some other program */
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX]; /* or the label */
	char vdev[VDEV_NAME_MAX]; /* or "-" */
};
/* @xs may be NULL: domains have numbers then. */
struct who who_is(struct xs_handle *xs, const char *label);
/* The faults that are set for it, for people; returns @text, maybe empty. */
const char *who_faults(struct xs_handle *xs, const struct who *who,
		       char text[FAULT_TEXT_MAX]);
/* xenstore, if it answers here; NULL otherwise. */
struct xs_handle *who_xenstore(void);

/* ---- journal.c --------------------------------------------------------- */

/*
 * Memory for the journal of a device that will be attached: a file descriptor,
 * or -1. Without it xen-ramdiskd takes the memory, or says that there is none.
 */
int journal_take_room(struct rd_store *store);
void journal_give_back(int fd);
/*
 * Before it is given back: leave it to xen-ramdiskd, which removes it with the
 * device. False if one is there already, which stays.
 */
bool journal_leave(struct rd_store *store, int fd, unsigned domid,
		   unsigned devid);
/* The device was not made after all. */
void journal_remove(struct rd_store *store, unsigned domid, unsigned devid);

/* ---- report.c ---------------------------------------------------------- */

void report_json(struct json *j, struct xs_handle *xs,
		 const struct rd_disk_info *disk);
/* "r", "w" or "p", for a private view. */
const char *report_mode(const struct rd_attachment_info *attachment);

/* ---- device.c: the xenstore nodes of one vbd --------------------------- */

struct device {
	struct xs_handle *xs;
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX]; /* for people */
	char vdev[VDEV_NAME_MAX];
	char back[96], front[96]; /* directories */
};

/* What one look at the nodes of a device shows. */
struct device_state {
	int back, front; /* enum xenbus_state, 0 if the node is missing */
	bool domain_gone;
	char error[512]; /* the backend's last sentence, or empty */
	struct blkback_fault_set faults, faults_active; /* wanted, and acting */
};

/*
 * xenstore and the domain that @domain names, for subcommand @what: as
 * host_open() and domain_find(), an exit status. Give back with device_close().
 */
int device_open(struct device *d, const char *what, const char *domain,
		unsigned devid);
void device_close(struct device *d);
/* Another device of the same domain, that may have been attached by xl. */
void device_select(struct device *d, unsigned devid);
/* The faults that are set for a device; none without @xs. */
void device_faults(struct xs_handle *xs, xs_transaction_t t, unsigned domid,
		   unsigned devid, struct blkback_fault_set *set);
/* Say so if the vdev is in use: before a seed is loaded for nothing. */
int device_check_free(struct device *d);
/*
 * Write both directories in one transaction. EXIT_FAILED if the vdev is in
 * use, or xenstore refuses.
 */
int device_create(struct device *d, const char *store,
		  const struct rd_disk *disk, bool writable,
		  const struct disk_options *options);
/*
 * The same for the kernel's backend and a block device of this host: first say
 * that it is the backend that is meant, then create.
 */
void device_use_kernel(struct device *d);
int device_create_kernel(struct device *d, const char *path, bool writable);
/*
 * Ask frontend and backend to let go, at the next detach for good.
 */
int device_ask_to_close(struct device *d);
void device_remove_frontend(struct device *d);
void device_remove(struct device *d);
/*
 * Whose backend serves the vdev: 0 and a malloc'ed path, -ENOENT if nothing
 * is attached there, -errno.
 */
int device_backend(struct device *d, char **path);
void device_look(struct device *d, struct device_state *state);
/*
 * Wait until @done says so of the device's state, at most until @deadline
 * (deadline_in()) or a signal set *stop. 0, -ETIMEDOUT, -EINTR or -errno; in
 * every case *state is the last look.
 */
int device_wait(struct device *d,
		bool (*done)(const struct device_state *state),
		struct device_state *state, int64_t deadline,
		const volatile sig_atomic_t *stop);
/* Milliseconds on the clock that deadlines are on: now, and @seconds later. */
int64_t now_ms(void);
int64_t deadline_in(int seconds);

/* ---- fault-set.c: faults on purpose, as people write and read them ------ */

/* The values of options; 0 or -EINVAL. Units as in struct blkback_fault_set. */
int fault_parse_errors(const char *text, uint32_t *errors);
int fault_parse_ratio(const char *text, uint32_t *ratio); /* of a percentage */
int fault_parse_range(const char *text, uint64_t *off, uint64_t *len);
int fault_parse_ms(const char *text, uint32_t *ms);
int fault_parse_iops(const char *text, uint32_t *iops);
int fault_parse_bandwidth(const char *text, uint64_t *bytes);

/* The kinds of faults to be replaced by those of @to. */
struct fault_change {
	bool clear; /* all of them, before the others */
	bool error, delay, freeze, write_protect, iops, bandwidth;
	struct blkback_fault_set to;
};
void fault_apply(const struct fault_change *change,
		 struct blkback_fault_set *set);

/* For people; empty when there are none. Returns @text. */
const char *fault_text(const struct blkback_fault_set *set,
		       char text[FAULT_TEXT_MAX]);
void fault_json(struct json *j, const char *key,
		const struct blkback_fault_set *set);

/* ---- signals.c --------------------------------------------------------- */

/* SIGINT and SIGTERM set the flag returned, instead of ending the process. */
const volatile sig_atomic_t *signals_catch(void);

#endif
