/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One vbd, as the supervisor sees it: its nodes in xenstore and its worker.
 *
 * The state machine goes by levels, not by events. Whatever happened only
 * marks the device, and blkback_device_run() then looks at how things are
 * and does what is due. So a guest's million writes to a node cost what one
 * costs (XSA-349), and no order of events is special.
 *
 * All of it runs on the supervisor's one thread.
 */
#ifndef BLKBACK_DEVICE_H
#define BLKBACK_DEVICE_H

#include <sys/types.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/supervisor/xenbus.h"

struct blkback_device;

/* What devices need of the process around them; the tests bring their own. */
struct blkback_host {
	struct xs_handle *xs;
	const char *store; /* canonical path of the store served */
	bool stopping; /* nothing is started any more */
	unsigned max_queues; /* offered to frontends; 1 to BLKBACK_MAX_QUEUES */
	uint32_t poll_us; /* for queues, before they sleep; 0: not at all */
	/*
	 * A worker that has no device yet: its process, a pidfd if it is not
	 * our child or else -1, and our end of its socket.
	 */
	int (*start)(struct blkback_host *host, pid_t *pid, int *pidfd,
		     int *sock);
	void (*kill)(struct blkback_host *host, pid_t pid, int signal);
	const char *build; /* of this program: blkback_self_build() */
	/*
	 * What a device has beside xenstore (leftovers.c). The worker that serves
	 * it already, or -ENOENT; whether a dead one left something to be taken
	 * up; how many requests were answered, by all of its workers; to end
	 * what an earlier device of the number left, before this one begins; and
	 * to end all of it. Both end a worker that lives, and answer
	 * -EWOULDBLOCK when they are to be asked again.
	 */
	int (*adopt)(struct blkback_host *host, struct blkback_device *dev);
	bool (*left)(struct blkback_host *host, struct blkback_device *dev);
	uint32_t (*answered)(struct blkback_host *host,
			     struct blkback_device *dev);
	int (*clear)(struct blkback_host *host, struct blkback_device *dev);
	int (*forget)(struct blkback_host *host, struct blkback_device *dev);
};

/* Who made the device, and so where its nodes are; see nodes.h. */
enum blkback_kind {
	BLKBACK_KIND_TOOL, /* xm-ramdisk */
	BLKBACK_KIND_XL, /* libxl, with backendtype=tap and our script */
	BLKBACK_KINDS,
};
extern const char *const blkback_kind_root[BLKBACK_KINDS];

enum blkback_phase {
	BLKBACK_NEW, /* not looked at yet */
	BLKBACK_FOREIGN, /* of another daemon's store, or of another backend */
	BLKBACK_AWAITING, /* KIND_XL: the script has not named the disk yet */
	BLKBACK_ATTACHING, /* the worker attaches to the disk */
	BLKBACK_RESUMING, /* another worker takes up what one had */
	BLKBACK_IDLE, /* attached; no ring */
	BLKBACK_CONNECTING, /* the worker maps the ring */
	BLKBACK_SERVING, /* connected */
	BLKBACK_DISCONNECTING, /* the worker unmaps the ring */
	BLKBACK_ENDING, /* the worker was told to go; what it had is ended */
	BLKBACK_DONE, /* no worker; the nodes stay until removed */
};

/* What a tool wrote; a change means another device under the same number. */
struct blkback_config {
	char seed[BLKBACK_PATH_MAX];
	char disk[RD_ID_MAX]; /* id of a disk that is loaded; may be empty */
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
	char tool[BLKBACK_XPATH_MAX + 8]; /* where the tool's own nodes are */
	struct blkback_config config;
	enum blkback_phase phase;

	/* due to be looked at */
	bool waits; /* for a disk's lock */
	int64_t ask_at; /* ms, monotonic: whether it is free; if it waits */
	bool back_dirty, front_dirty, domain_dirty;

	/* as last seen in xenstore */
	bool present; /* our directory */
	bool online;
	bool close_asked; /* somebody else wrote Closing */
	bool may_connect; /* KIND_XL: the script has ended well */
	bool replaced; /* by another device of the same number */
	bool front_seen, front_gone, domain_gone;
	uint32_t front_state; /* 0: there is none */
	bool front_bad; /* its state is no number */

	uint32_t state; /* that we wrote, or adopted */
	bool failed; /* we wrote error and Closing */
	bool watching;
	uint64_t size; /* of the disk, bytes */

	struct blkback_fault_set faults; /* as the node fault has them */
	struct blkback_fault_set faults_active; /* as the worker said */
	bool faults_due; /* the worker is to be told */
	bool faults_news; /* and it answered, which is to be written */
	bool faults_bad; /* the node was nonsense, which was said */
	bool faults_shown; /* some were active when it was written last */

	pid_t pid; /* of the worker; 0: none */
	int pidfd; /* of one that is not our child, or -1 */
	int sock; /* to it; -1: none */
	bool killed; /* by us */
	int64_t kill_at; /* ms, monotonic: it is given up then; 0: not set */
	enum blkback_resume resume; /* what the worker was told to take up */
	int64_t born; /* ms, monotonic: the worker */
	unsigned deaths; /* of workers in a row that got nowhere */
	uint32_t answered; /* requests, at the last death */
	bool outdated; /* the worker is of another build than we are */
	bool replacing; /* and was asked to hand over */
	struct blkback_gate log_gate, failures, news;
};

/* NULL when out of memory. The device is marked, not yet looked at. */
struct blkback_device *blkback_device_new(struct blkback_host *host,
					  enum blkback_kind kind,
					  uint32_t domid, uint32_t devid);
void blkback_device_free(struct blkback_device *dev);

/*
 * Look, and do what is due; again until nothing is. Returns false when the
 * device is over: no nodes, no worker; the caller frees it.
 */
bool blkback_device_run(struct blkback_device *dev, int64_t now_ms);

/* Something has changed since the device was looked at. */
static inline bool blkback_device_is_dirty(const struct blkback_device *dev)
{
	return dev->back_dirty || dev->front_dirty || dev->domain_dirty;
}

/* A worker that was not told to go. */
static inline bool blkback_device_has_worker(const struct blkback_device *dev)
{
	return dev->phase >= BLKBACK_ATTACHING && dev->phase < BLKBACK_ENDING;
}

/* The worker's socket is readable. */
void blkback_device_message(struct blkback_device *dev, int64_t now_ms);

/*
 * The worker has died; @status as from waitpid(), or -1: not known. The store
 * was reaped.
 */
void blkback_device_worker_died(struct blkback_device *dev, int status,
				int64_t now_ms);

/* Have a worker of another build replaced by one of ours. */
void blkback_device_replace(struct blkback_device *dev, int64_t now_ms);

/* The daemon stops: close the device and send the worker away. */
void blkback_device_stop(struct blkback_device *dev, int64_t now_ms);

#endif
