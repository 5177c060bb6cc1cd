/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One vbd in the supervisor: its nodes in xenstore and its worker.
 *
 * The state machine is level-triggered. An event, whatever it is, only marks the
 * device; blkback_device_run() reads the current state and acts on it. So a
 * million writes of a guest to a node cost as much as one (XSA-349), and the
 * order of events does not matter.
 *
 * All of it runs on the supervisor's thread and takes no lock.
 */
#ifndef BLKBACK_DEVICE_H
#define BLKBACK_DEVICE_H

#include <sys/types.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/record.h"
#include "drivers/blkback/supervisor/xenbus.h"

struct blkback_device;
struct blkback_host;

/*
 * What becomes of the attachment of a device whose domain has gone; see
 * device-life.h.
 */
enum blkback_stay {
	BLKBACK_STAY_NONE, /* it ends */
	BLKBACK_STAY_RETURNING, /* it is kept for a while: the domain may start again */
	BLKBACK_STAY_SAVED, /* it is kept: the domain sleeps, or nobody saw why it went */
};

/*
 * What the daemon does for attachments that outlive their domain's absence; see
 * parked.h. NULL in struct blkback_host: none does.
 */
struct blkback_lives {
	/* Write the record of @dev, or read it, as dev->life. */
	void (*note)(struct blkback_host *host, struct blkback_device *dev);
	bool (*recall)(struct blkback_host *host, struct blkback_device *dev);
	/*
	 * The domain of @dev sleeps. If another domain has its UUID, the domain moves
	 * there: make the nodes of @dev for it.
	 */
	void (*prepare)(struct blkback_host *host, struct blkback_device *dev);
	/*
	 * Keep the attachment of @dev, whose domain has gone, as dev->stay says;
	 * or give a kept one to @dev, whose domain is back. 0; -EWOULDBLOCK while
	 * another process holds the disk's lock, to be called again; or -errno.
	 * unpark() returns 1 if an earlier daemon has done it.
	 */
	int (*park)(struct blkback_host *host, struct blkback_device *dev);
	int (*unpark)(struct blkback_host *host, struct blkback_device *dev);
};

/*
 * What a device needs of the daemon around it. The tests have functions of their
 * own here. The five at the end manage what a device has outside xenstore
 * (leftovers.h).
 */
struct blkback_host {
	struct xs_handle *xs;
	uint32_t domid; /* of the domain that this daemon runs in */
	const char *store; /* canonical path of the store served */
	struct rd_store
		*events; /* that store, whose watchers get events; or NULL */
	bool stopping; /* start no worker any more */
	unsigned max_queues; /* offered to frontends; 1 to BLKBACK_MAX_QUEUES */
	uint32_t poll_us; /* how long queues poll before they sleep; 0: never */
	const char *build; /* of this program: blkback_self_build() */

	/*
	 * Get a worker without a device: its process, this side's end of its
	 * socket, and a pidfd if the process is not a child, else -1.
	 */
	int (*start_worker)(struct blkback_host *host, pid_t *pid, int *pidfd,
			    int *sock);
	void (*kill_worker)(struct blkback_host *host, pid_t pid, int signal);

	/*
	 * Connect to a worker that serves @dev already; -ENOENT: there is none.
	 */
	int (*adopt_worker)(struct blkback_host *host,
			    struct blkback_device *dev);
	/* Whether a dead worker has left a journal of @dev. */
	bool (*has_leftovers)(struct blkback_host *host,
			      struct blkback_device *dev);
	/* How many requests all workers of @dev have answered, modulo 2^32. */
	uint32_t (*count_answered)(struct blkback_host *host,
				   struct blkback_device *dev);
	/*
	 * End the worker, the attachment and the journal: of an earlier device
	 * of the same number, before @dev begins; and of @dev itself. Both
	 * return -EWOULDBLOCK while another process holds the disk's lock, and
	 * are to be called again then.
	 */
	int (*clear_leftovers)(struct blkback_host *host,
			       struct blkback_device *dev);
	int (*end_leftovers)(struct blkback_host *host,
			     struct blkback_device *dev);
	const struct blkback_lives *lives; /* or NULL */
	bool saw_all; /* a live update: nothing happened while no daemon ran */
};

/*
 * The toolstack that made the device, which decides where its nodes are; see
 * nodes.h.
 */
enum blkback_kind {
	BLKBACK_KIND_TOOL, /* xm-ramdisk */
	BLKBACK_KIND_XL, /* libxl, with backendtype=tap and our script */
	BLKBACK_KINDS,
};
extern const char *const blkback_kind_root[BLKBACK_KINDS];

enum blkback_phase {
	BLKBACK_NEW, /* its nodes have not been read yet */
	BLKBACK_FOREIGN, /* of another daemon's store, or of another backend */
	BLKBACK_AWAITING, /* KIND_XL: the script has not named the disk yet */
	BLKBACK_ATTACHING, /* the worker attaches to the disk */
	BLKBACK_RESUMING, /* a worker takes over from a dead one, or is adopted */
	BLKBACK_IDLE, /* attached; no frontend is connected */
	BLKBACK_CONNECTING, /* the worker maps the ring */
	BLKBACK_SERVING, /* the worker serves the ring */
	BLKBACK_DISCONNECTING, /* the worker unmaps the ring */
	BLKBACK_DRAINING, /* without nodes: the worker answers with errors */
	BLKBACK_ENDING, /* the worker, then the leftovers, are being ended */
	BLKBACK_DONE, /* no worker; the nodes stay until removed */
};

/* The tool's nodes. A change means another device of the same number. */
struct blkback_config {
	char seed[BLKBACK_PATH_MAX];
	char disk[RD_ID_MAX]; /* id of a loaded disk; may be empty */
	char point[RD_NAME_MAX]; /* of the disk, or empty */
	bool writable;
	bool private_view;
	uint32_t sector_size; /* bytes; 512 or 4096 */
	/* UUID of a domain that is back and has an attachment kept; or empty */
	char returned[BLKBACK_UUID_MAX];
};

/* What is known of a device's domain; see device-life.h. */
struct blkback_life {
	char uuid[BLKBACK_UUID_MAX]; /* empty: not known */
	char domain[BLKBACK_DOMAIN_MAX]; /* its name */
	char vdev[32]; /* as the user typed it */
	bool introduced; /* xenstored has seen the domain */
	bool control_dirty, control_seen; /* the node control/shutdown */
	bool watching; /* that node */
	bool assumed; /* it may have been, while no daemon ran */
	bool asked; /* the domain was asked to suspend, */
	int64_t asked_at; /* then (ms, monotonic) */
	uint32_t front_last; /* the frontend's last state that could be read */
	/*
	 * When @releaseDomain came last and the domain was still there (ms,
	 * monotonic; 0: never), and how many requests were answered then.
	 */
	int64_t halted_at;
	uint32_t halted_answered;
	bool settled; /* halted_answered counts what was in flight, too */
};

struct blkback_device {
	struct blkback_device *next;
	struct blkback_device *next_of_bucket; /* see watches.c */
	struct blkback_host *host;
	enum blkback_kind kind;
	uint32_t domid, devid;
	char label[RD_LABEL_MAX]; /* "domid/devid" */
	char back[BLKBACK_XPATH_MAX], front[BLKBACK_XPATH_MAX];
	char tool[BLKBACK_XPATH_MAX + 8]; /* directory of the tool's nodes */
	struct blkback_config config;
	enum blkback_phase phase;

	/* marks: blkback_device_run() has to be called */
	bool back_dirty, front_dirty, domain_dirty; /* read these nodes */
	bool disk_locked; /* another process holds the disk's lock: retry */
	int64_t retry_at; /* ms, monotonic; if disk_locked */

	/* as last read from xenstore */
	bool present; /* the backend directory exists */
	bool online;
	bool close_requested; /* a tool wrote Closing */
	bool script_done; /* libxl's script has succeeded; true for KIND_TOOL */
	bool replaced; /* by another device of the same number */
	bool front_seen, front_gone, domain_gone;
	uint32_t front_state; /* 0: none, or invalid */
	bool front_state_invalid; /* the node is not a number */

	uint32_t state; /* of the backend, as written or read last */
	bool failed; /* this daemon wrote error and Closing */
	/* xenstored has lost the nodes; the worker serves on */
	bool nodes_lost;
	char unwritten[320]; /* the error, if xenstore did not take it; or "" */
	bool watching; /* the frontend's state */
	uint64_t size; /* of the disk, bytes */

	struct blkback_fault_set faults; /* of the node fault */
	struct blkback_fault_set faults_active; /* as the worker reported */
	bool faults_unsent; /* faults have to be sent to the worker */
	bool faults_unwritten; /* faults_active has to be written to xenstore */
	bool faults_invalid; /* the node fault is invalid, which was logged */
	bool faults_in_xenstore; /* the node fault-active exists */

	pid_t pid; /* of the worker; 0: none */
	int pidfd; /* of a worker that is not a child, or -1 */
	int sock; /* to the worker; -1: none */
	bool killed; /* by this daemon, with SIGKILL */
	int64_t kill_at; /* ms, monotonic: kill the worker then; 0: not set */
	int64_t drain_at; /* ms, monotonic: look at the drain then; 0: none */
	int64_t drain_end; /* ms, monotonic: it ends then at the latest */
	uint32_t drain_answered; /* requests, when it was looked at last */
	enum blkback_resume resume; /* sent to the worker in ATTACH */
	int64_t worker_started_at; /* ms, monotonic */
	/* Messages of the worker since messages_at (ms, monotonic). */
	unsigned nr_messages;
	int64_t messages_at;
	unsigned failed_workers; /* in a row, that died without progress */
	uint32_t answered_at_death; /* requests, when the last worker died */
	struct blkback_life life;
	enum blkback_stay stay; /* decided when the domain has gone */
	bool other_build; /* the worker is of another build than the daemon */
	bool handing_over; /* the worker was asked to hand over to a new one */
	struct blkback_gate error_gate, failure_gate, info_gate, event_gate;
};

/* A marked device, whose nodes have not been read. NULL when out of memory. */
struct blkback_device *blkback_device_new(struct blkback_host *host,
					  enum blkback_kind kind,
					  uint32_t domid, uint32_t devid);
void blkback_device_free(struct blkback_device *dev);

/*
 * Read what is marked and act on it, until nothing is left to do. Returns false
 * when the device is over, without nodes and without a worker: the caller frees
 * it.
 */
bool blkback_device_run(struct blkback_device *dev, int64_t now_ms);

/*
 * The same while xenstore is gone: only what needs no xenstore is done, and the
 * marks stay.
 */
void blkback_device_run_apart(struct blkback_device *dev, int64_t now_ms);

/*
 * The handle of xenstore is a new one: set the device's watch again, and mark
 * all of it. 0 or -errno.
 */
int blkback_device_watch_again(struct blkback_device *dev);

/* Something may have changed since the last run. */
static inline bool blkback_device_is_dirty(const struct blkback_device *dev)
{
	return dev->back_dirty || dev->front_dirty || dev->domain_dirty ||
	       dev->life.control_dirty;
}

/* A worker that was not sent END. */
static inline bool blkback_device_has_worker(const struct blkback_device *dev)
{
	return dev->phase >= BLKBACK_ATTACHING && dev->phase < BLKBACK_ENDING;
}

/* Handle the worker's messages: its socket is readable. */
void blkback_device_message(struct blkback_device *dev, int64_t now_ms);

/*
 * The worker has died. @status is waitpid()'s; -1: unknown, as it was no child.
 */
void blkback_device_worker_died(struct blkback_device *dev, int status,
				int64_t now_ms);

/* Ask a worker of another build to hand over to a new worker. */
void blkback_device_replace(struct blkback_device *dev, int64_t now_ms);

/* The daemon stops: close the device and end its worker. */
void blkback_device_stop(struct blkback_device *dev, int64_t now_ms);

#endif
