/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the nodes of frontends and tools. A guest's nodes are hostile input: they
 * are read only below a path that the supervisor has built, with length limits,
 * and every value that blkif.h does not allow is refused. Supervisor's thread
 * only; keeps no state.
 */
#include "drivers/blkback/supervisor/frontend.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/protocols.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/wire.h"

static int fail_number(struct rd_error *err, int rc, const char *node)
{
	if (rc == -ENOENT)
		return blkback_fail(err, rc, "the frontend wrote no %s", node);
	if (rc == -EINVAL || rc == -ERANGE)
		return blkback_fail(err, rc,
				    "the frontend's %s is not a valid number",
				    node);
	return blkback_fail(err, rc, "cannot read the frontend's %s: %s", node,
			    strerror(-rc));
}

#ifndef XEN_IO_PROTO_ABI_ARM /* Xen 4.3 */
#define XEN_IO_PROTO_ABI_ARM "arm-abi"
#endif

/*
 * Without the node, blkif.h says the backend's own ABI. On x86, Linux and tapback
 * use x86_32, since guests without the node are older than it.
 */
#ifdef __aarch64__
#define WITHOUT_NODE XEN_IO_PROTO_ABI_ARM
#else
#define WITHOUT_NODE XEN_IO_PROTO_ABI_X86_32
#endif

/* ARM's requests have the layout of x86_64, 32-bit guests' too: u64 is aligned. */
static int protocol_of(const char *name, uint32_t *protocol)
{
	if (!strcmp(name, XEN_IO_PROTO_ABI_X86_32))
		*protocol = BLKBACK_X86_32;
	else if (!strcmp(name, XEN_IO_PROTO_ABI_X86_64) ||
		 !strcmp(name, XEN_IO_PROTO_ABI_ARM))
		*protocol = BLKBACK_X86_64;
	else
		return -EPROTO;
	return 0;
}

static int read_protocol(struct blkback_device *dev, uint32_t *protocol,
			 struct rd_error *err)
{
	char name[32];
	int rc = blkback_xenbus_read(dev->host->xs, dev->front, "protocol",
				     name, sizeof(name));

	if (rc == -ENOENT)
		return protocol_of(WITHOUT_NODE, protocol);
	if (!rc)
		rc = protocol_of(name, protocol);
	if (!rc)
		return 0;
	return blkback_fail(
		err, rc,
		"the frontend's protocol is none of " XEN_IO_PROTO_ABI_X86_64
		", " XEN_IO_PROTO_ABI_X86_32 " and " XEN_IO_PROTO_ABI_ARM);
}

/* Read a number from @min to @max. A missing node means @min. */
static int read_optional(struct blkback_device *dev, const char *node,
			 uint32_t min, uint32_t max, uint32_t *value,
			 struct rd_error *err)
{
	int rc = blkback_xenbus_read_number(dev->host->xs, dev->front, node,
					    UINT32_MAX, value);

	if (rc == -ENOENT) {
		*value = min;
		return 0;
	}
	if (rc)
		return fail_number(err, rc, node);
	if (*value >= min && *value <= max)
		return 0;
	return blkback_fail(err, -ERANGE,
			    "the frontend's %s is %u, expected %u to %u", node,
			    *value, min, max);
}

/*
 * The grant of page @i of @n of a ring. @queue is the prefix of its nodes, ""
 * or "queue-N/".
 */
static int read_ring_ref(struct blkback_device *dev, const char *queue,
			 unsigned i, unsigned n, uint32_t *ref,
			 struct rd_error *err)
{
	char node[48];
	int rc;

	/* The node of a ring of one page is ring-ref or ring-ref0. */
	snprintf(node, sizeof(node), n > 1 ? "%sring-ref%u" : "%sring-ref",
		 queue, i);
	rc = blkback_xenbus_read_number(dev->host->xs, dev->front, node,
					UINT32_MAX, ref);
	if (rc == -ENOENT && n == 1) {
		char numbered[sizeof(node) + 1];

		snprintf(numbered, sizeof(numbered), "%s0", node);
		rc = blkback_xenbus_read_number(dev->host->xs, dev->front,
						numbered, UINT32_MAX, ref);
	}
	return rc ? fail_number(err, rc, node) : 0;
}

static int read_queue(struct blkback_device *dev, const char *queue,
		      unsigned at, struct blkback_message *msg,
		      struct rd_error *err)
{
	uint32_t n = msg->u.connect.nr_refs, i;
	char node[48];
	int rc;

	for (i = 0; i < n; i++) {
		rc = read_ring_ref(dev, queue, i, n,
				   &msg->u.connect.queue[at].refs[i], err);
		if (rc)
			return rc;
	}
	snprintf(node, sizeof(node), "%sevent-channel", queue);
	rc = blkback_xenbus_read_number(
		dev->host->xs, dev->front, node, UINT32_MAX,
		&msg->u.connect.queue[at].event_channel);
	return rc ? fail_number(err, rc, node) : 0;
}

/* The nodes of a single queue are in the frontend's directory itself. */
static int read_queues(struct blkback_device *dev, struct blkback_message *msg,
		       struct rd_error *err)
{
	uint32_t n = msg->u.connect.nr_queues, i;
	char queue[24] = "";
	int rc = 0;

	for (i = 0; !rc && i < n; i++) {
		if (n > 1)
			snprintf(queue, sizeof(queue), "queue-%u/", i);
		rc = read_queue(dev, queue, i, msg, err);
	}
	return rc;
}

int blkback_frontend_read(struct blkback_device *dev,
			  struct blkback_message *msg, struct rd_error *err)
{
	uint32_t order;
	int rc;

	blkback_message_init(msg, BLKBACK_CONNECT);
	rc = read_protocol(dev, &msg->u.connect.protocol, err);
	if (!rc)
		rc = read_optional(dev, "multi-queue-num-queues", 1,
				   dev->host->max_queues,
				   &msg->u.connect.nr_queues, err);
	if (!rc)
		rc = read_optional(dev, "feature-persistent", 0, 1,
				   &msg->u.connect.persistent, err);
	if (!rc)
		rc = read_optional(dev, "ring-page-order", 0,
				   BLKBACK_MAX_RING_ORDER, &order, err);
	if (rc)
		return rc;
	msg->u.connect.nr_refs = 1u << order;
	return read_queues(dev, msg, err);
}

bool blkback_frontend_counts_large(struct blkback_device *dev)
{
	uint32_t value = 0;
	int rc = blkback_xenbus_read_number(dev->host->xs, dev->front,
					    "feature-large-sector-size",
					    UINT32_MAX, &value);

	return !rc && value;
}

/* Read a node of the backend's directory or of the tool's. */
static int read_own(struct blkback_device *dev, const char *dir,
		    const char *node, char *buf, size_t len,
		    struct rd_error *err)
{
	int rc = blkback_xenbus_read(dev->host->xs, dir, node, buf, len);

	if (rc)
		return blkback_fail(err, rc, "cannot read %s/%s: %s", dir, node,
				    strerror(-rc));
	return 0;
}

static int check_versions(struct blkback_device *dev, struct rd_error *err)
{
	char format[24];
	uint32_t value = 0;
	int rc = read_own(dev, dev->tool, "format", format, sizeof(format),
			  err);

	if (rc)
		return rc;
	if (!blkback_parse_number(format, UINT32_MAX, &value) &&
	    value == RD_FORMAT)
		return 0;
	return blkback_fail(
		err, -EPROTO,
		"the tool that attached this has format %u, xen-ramdiskd has %u: they do not belong together; install both from one version",
		value, RD_FORMAT);
}

static int check_frontend(struct blkback_device *dev, struct rd_error *err)
{
	char path[BLKBACK_XPATH_MAX] = "";
	uint32_t domid = 0;
	int rc;

	rc = read_own(dev, dev->back, "frontend", path, sizeof(path), err);
	if (rc)
		return rc;
	rc = blkback_xenbus_read_number(dev->host->xs, dev->back, "frontend-id",
					UINT32_MAX, &domid);
	if (!rc && domid == dev->domid && !strcmp(path, dev->front))
		return 0;
	return blkback_fail(err, -EINVAL,
			    "%s names another frontend than %s of domain %u",
			    dev->back, dev->front, dev->domid);
}

static int read_sector_size(struct blkback_device *dev,
			    struct blkback_config *config, struct rd_error *err)
{
	int rc;

	config->sector_size = BLKBACK_SECTOR;
	rc = blkback_xenbus_read_number(dev->host->xs, dev->tool,
					NODES_BLOCK_SIZE, RD_BLOCK,
					&config->sector_size);
	if (rc == -ENOENT || (!rc && (config->sector_size == BLKBACK_SECTOR ||
				      config->sector_size == RD_BLOCK)))
		return 0;
	return blkback_fail(err, rc ? rc : -EINVAL,
			    "%s/" NODES_BLOCK_SIZE " is neither %u nor %u",
			    dev->tool, BLKBACK_SECTOR, RD_BLOCK);
}

/* Nodes that the tool writes only if they differ from the default. */
static int read_options(struct blkback_device *dev,
			struct blkback_config *config, struct rd_error *err)
{
	uint32_t private_view = 0;
	int rc;

	rc = blkback_xenbus_read(dev->host->xs, dev->tool, "disk", config->disk,
				 sizeof(config->disk));
	if (rc && rc != -ENOENT)
		return blkback_fail(err, rc, "cannot read %s/disk: %s",
				    dev->tool, strerror(-rc));
	if (rc)
		config->disk[0] = '\0';
	rc = blkback_xenbus_read_number(dev->host->xs, dev->tool, "private", 1,
					&private_view);
	if (rc && rc != -ENOENT)
		return blkback_fail(err, rc, "%s/private is neither 0 nor 1",
				    dev->tool);
	config->private_view = private_view;
	rc = blkback_xenbus_read(dev->host->xs, dev->tool, "point",
				 config->point, sizeof(config->point));
	if (rc && rc != -ENOENT)
		return blkback_fail(err, rc, "cannot read %s/point: %s",
				    dev->tool, strerror(-rc));
	if (rc)
		config->point[0] = '\0';
	rc = blkback_xenbus_read(dev->host->xs, dev->tool, NODES_RETURNED,
				 config->returned, sizeof(config->returned));
	if (rc == -ENOENT)
		config->returned[0] = '\0';
	else if (rc || !blkback_record_is_uuid(config->returned))
		return blkback_fail(err, rc ? rc : -EINVAL,
				    "%s/" NODES_RETURNED " is not a UUID",
				    dev->tool);
	return read_sector_size(dev, config, err);
}

int blkback_faults_read(struct blkback_device *dev,
			struct blkback_fault_set *set)
{
	char text[BLKBACK_FAULT_TEXT];
	int rc = blkback_xenbus_read(dev->host->xs, dev->back, NODES_FAULT,
				     text, sizeof(text));

	memset(set, 0, sizeof(*set));
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc == -E2BIG ? -EINVAL : rc;
	return blkback_fault_parse(text, set);
}

bool blkback_faults_shown(struct blkback_device *dev)
{
	char text[BLKBACK_FAULT_TEXT];

	return blkback_xenbus_read(dev->host->xs, dev->back, NODES_FAULT_ACTIVE,
				   text, sizeof(text)) != -ENOENT;
}

int blkback_config_read(struct blkback_device *dev,
			struct blkback_config *config, struct rd_error *err)
{
	char store[BLKBACK_PATH_MAX] = "", mode[8] = "";
	int rc;

	/* Clear the padding, too: configs are compared by memcmp(). */
	memset(config, 0, sizeof(*config));
	rc = read_own(dev, dev->tool, "store", store, sizeof(store), err);
	if (rc)
		return rc;
	if (strcmp(store, dev->host->store))
		return -EXDEV;
	rc = check_versions(dev, err);
	if (!rc)
		rc = check_frontend(dev, err);
	if (!rc)
		rc = read_own(dev, dev->tool, "params", config->seed,
			      sizeof(config->seed), err);
	if (!rc)
		rc = read_own(dev, dev->back, "mode", mode, sizeof(mode), err);
	if (!rc)
		rc = read_options(dev, config, err);
	if (rc)
		return rc;
	config->writable = !strcmp(mode, "w");
	if (config->writable || !strcmp(mode, "r"))
		return 0;
	return blkback_fail(err, -EINVAL, "%s/mode is neither r nor w",
			    dev->back);
}

/* ---- devices that libxl made -------------------------------------------- */

bool blkback_xl_is_ours(struct blkback_device *dev)
{
	char script[BLKBACK_PATH_MAX];
	const char *name;

	if (blkback_xenbus_read(dev->host->xs, dev->back, "script", script,
				sizeof(script)))
		return false;
	name = strrchr(script, '/');
	return !strcmp(name ? name + 1 : script, NODES_XL_SCRIPT);
}

bool blkback_xl_script_done(struct blkback_device *dev)
{
	char status[16];

	return !blkback_xenbus_read(dev->host->xs, dev->back, "hotplug-status",
				    status, sizeof(status)) &&
	       !strcmp(status, "connected");
}

void blkback_xl_read_mode(struct blkback_device *dev)
{
	char mode[8] = "";

	/*
	 * blkback_config_read() reports an invalid mode once the disk is known.
	 */
	(void)blkback_xenbus_read(dev->host->xs, dev->back, "mode", mode,
				  sizeof(mode));
	dev->config.writable = !strcmp(mode, "w");
}
