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
#include "drivers/blkback/supervisor/xenbus.h"

struct blkback_device;

/*
 * What a device needs of the daemon around it. The tests have functions of their
 * own here. The five at the end manage what a device has outside xenstore
 * (leftovers.h).
 */
struct blkback_host {
	struct xs_handle *xs;
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
};

struct blkback_device {
	struct blkback_device *next;
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
	enum blkback_resume resume; /* sent to the worker in ATTACH */
	int64_t worker_started_at; /* ms, monotonic */
	/* Messages of the worker since messages_at (ms, monotonic). */
	unsigned nr_messages;
	int64_t messages_at;
	unsigned failed_workers; /* in a row, that died without progress */
	uint32_t answered_at_death; /* requests, when the last worker died */
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
	return dev->back_dirty || dev->front_dirty || dev->domain_dirty;
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
