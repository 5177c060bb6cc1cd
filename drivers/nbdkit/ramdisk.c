/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nbdkit-ramdisk-plugin: serves shared RAM disks with nbdkit, for hosts without
 * Xen and to other hosts. A connection is an attachment: the first connection
 * loads the disk, and closing the last one discards it.
 *
 * The threads are nbdkit's: several may be in the request functions of one
 * connection at once, which rd_read() to rd_flush() allow. Each attach opens the
 * store again, since only one thread may use a store. Attaches happen after
 * nbdkit's fork, since an attachment must not be shared by parent and child.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/nbdkit/deny.h"
#include "drivers/nbdkit/exports.h"
#include "drivers/nbdkit/holder.h"
#include "drivers/nbdkit/label.h"
#include "drivers/nbdkit/limit.h"
#include "drivers/nbdkit/pins.h"
#include "drivers/nbdkit/version.h"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include "include/private/clock.h"
#include "include/private/damage-text.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define REQUEST_MAX (32u << 20) /* bytes; clients may assume this limit */

/* Set by parameters, before nbdkit serves. */
static bool read_only;
static unsigned flags; /* RD_PRIVATE and the like, of switches */
static const char *given_point; /* of point=: of every export; or NULL */

/* ---- parameters -------------------------------------------------------- */

static int parse_mode(const char *value)
{
	read_only = *value == 'r';
	if (!strcmp(value, "r") || !strcmp(value, "w"))
		return 0;
	nbdkit_error("mode=%s: expected r or w", value);
	return -1;
}

static int parse_flag(const char *value, unsigned flag)
{
	int yes = nbdkit_parse_bool(value);

	if (yes < 0)
		return -1;
	flags = yes ? flags | flag : flags & ~flag;
	return 0;
}

static int ramdisk_config(const char *key, const char *value)
{
	static const struct {
		const char *key;
		unsigned flag;
	} switches[] = {
		{ "private", RD_PRIVATE }, { "thin", RD_THIN },
		{ "lazy", RD_LAZY },       { "keep", RD_KEEP },
		{ "fresh", RD_FRESH },     { "durable", RD_DURABLE },
	};
	static const char *const of_exports[] = { "seed", "disk", "name", "dir",
						  "links" };
	size_t i;

	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (!strcmp(key, switches[i].key))
			return parse_flag(value, switches[i].flag);
	for (i = 0; i < sizeof(of_exports) / sizeof(of_exports[0]); i++)
		if (!strcmp(key, of_exports[i]))
			return exports_config(key, value);
	if (!strcmp(key, "deny"))
		return deny_config(value);
	if (!strcmp(key, "connections"))
		return limit_config(value);
	if (!strcmp(key, "holder"))
		return holder_config(value);
	if (!strcmp(key, "mode"))
		return parse_mode(value);
	if (!strcmp(key, "point")) {
		given_point = value;
		return 0;
	}
	if (!strcmp(key, "label"))
		return label_config(value);
	nbdkit_error("unknown parameter '%s'; see nbdkit-ramdisk-plugin(1)",
		     key);
	return -1;
}

static int ramdisk_config_complete(void)
{
	if (flags & RD_DURABLE && !label_is_given()) {
		nbdkit_error(
			"durable=true needs label=, by which the attachment is found again");
		return -1;
	}
	return exports_complete();
}

/* One thread for each connection where more of them end nbdkit. */
static int ramdisk_thread_model(void)
{
	return version_closes_under_writers()
		       ? NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS
		       : NBDKIT_THREAD_MODEL_PARALLEL;
}

static void ramdisk_unload(void)
{
	exports_free();
	pins_free();
	deny_free();
}

static int ramdisk_preconnect(int readonly)
{
	(void)readonly;
	if (deny_peer()) {
		nbdkit_error(
			"a client whose address is denied was turned away");
		return -1;
	}
	return limit_reached() ? -1 : 0;
}

#define CONFIG_HELP                                                                   \
	"[seed=]<IMAGE>   File or block device to load; may be repeated, and\n"       \
	"                 is then exported under the last part of its path.\n"        \
	"name=<NAME>      A disk of that name, made from the seed before it; after\n" \
	"                 disk=, the export name.\n"                                  \
	"disk=<NAME>      A disk that is loaded already, or its id.\n"                \
	"dir=<DIRECTORY>  Export the images in a directory by their names.\n"         \
	"links=true       Follow symbolic links that lead out of it.\n"               \
	"deny=<LIST>      Addresses and networks that may not connect.\n"             \
	"connections=<N>  Connections of one client, at most (64).\n"                 \
	"label=<TEXT>     Who the clients are, for xm-ramdisk list.\n"                \
	"mode=r|w         Read only, or read and write (default).\n"                  \
	"point=<POINT>    The disk as of this point: read only, or private.\n"        \
	"private=true     A copy-on-write view of its own for each connection.\n"     \
	"thin=true        Take memory as it is needed, not up front.\n"               \
	"lazy=true        Read each part of the seed at its first use.\n"             \
	"keep=true        Load at once, and keep when the last client goes.\n"        \
	"fresh=true       Load the file that is there, although a disk of an\n"       \
	"                 earlier file of the path is loaded.\n"                      \
	"durable=true     The client's attachment outlives a killed nbdkit, and\n"    \
	"                 the next one with the same label= goes on with it."

static void ramdisk_dump(void)
{
	printf("ramdisk_version=%s\n", RD_VERSION);
	printf("ramdisk_format=%u\n", RD_FORMAT);
	printf("ramdisk_store=%s\n", rd_store_default());
	printf("ramdisk_threads=%s\n", version_closes_under_writers()
					       ? "one for each connection"
					       : "many for each connection");
}

/* ---- attaching --------------------------------------------------------- */

struct connection {
	struct rd_disk *disk;
	bool private_view;
	bool lazy;
	char what[RD_SEED_MAX + 64]; /* for people */
	_Atomic uint64_t damage; /* that was logged; see damage_is_new() */
};

/* Ends a load when nbdkit shuts down. */
static int progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return nbdkit_nanosleep(0, 1) < 0;
}

/* Detach again if the client wants an instance that the disk does not have. */
static int check_instance(const struct exported *e, struct rd_disk **disk,
			  struct rd_error *err)
{
	char has[RD_INSTANCE_MAX] = "";

	if (!e->instance[0] ||
	    (rd_instance(*disk, has) == 0 && !strcmp(has, e->instance)))
		return 0;
	rd_detach(*disk);
	*disk = NULL;
	snprintf(
		err->text, sizeof(err->text),
		"a client that came back to the export '%s' was refused: its disk, of instance %s, is gone",
		e->shown, e->instance);
	return -ENOENT;
}

static const char *point_of(const struct exported *e)
{
	return e->point[0] ? e->point : given_point;
}

/* Attach to the point of a disk that this process has attached, and not to that. */
static int attach_point(struct rd_store *store,
			const struct rd_attach_request *req, const char *point,
			struct rd_disk **disk, struct rd_error *err)
{
	struct rd_attach_request at = *req;
	struct rd_disk *whole = *disk;
	int rc;

	at.seed = NULL;
	at.name = rd_id(whole);
	at.writable = false; /* RD_PRIVATE writes all the same */
	at.flags &= RD_PRIVATE | RD_DURABLE;
	rc = rd_attach_point(store, &at, point, disk, err);
	rd_detach(whole);
	if (rc)
		*disk = NULL;
	return rc;
}

static int attach(const struct exported *e, const char *label, bool writable,
		  rd_progress_fn *step, struct rd_disk **disk)
{
	struct rd_attach_request req = {
		.seed = e->seed,
		.name = e->name,
		.writable = writable,
		.flags = flags | e->flags,
		.label = label,
		.progress = step,
	};
	const char *point = point_of(e);
	struct rd_attach_request first;
	struct rd_store *store;
	struct rd_error err;
	int rc;

	if (!writable)
		req.flags &= ~RD_PRIVATE;
	if (!step) /* of no client */
		req.flags &= ~RD_DURABLE;
	first = req;
	if (point) { /* as a reader, beside any other attachment */
		first.writable = false;
		first.flags &= ~(RD_PRIVATE | RD_DURABLE);
	}
	if (!e->seed)
		first.flags &= ~RD_FRESH;
	rc = rd_store_open(&store, NULL, &err);
	if (!rc) {
		rd_reap(store);
		if (e->seed)
			rc = pins_attach(store, e->shown, &first, disk, &err);
		else
			rc = rd_attach(store, &first, disk, &err);
		if (!rc)
			rc = check_instance(e, disk, &err);
		if (!rc && point)
			rc = attach_point(store, &req, point, disk, &err);
		if (!rc && req.flags & RD_DURABLE)
			rd_settle(
				*disk); /* blocks that a killed nbdkit wrote */
		rd_store_close(store);
	}
	if (rc) {
		nbdkit_error("%s", err.text);
		nbdkit_set_error(-rc);
	}
	return rc ? -1 : 0;
}

/* Check the seeds before the fork: errors then reach the terminal. */
static int ramdisk_get_ready(void)
{
	struct rd_disk *disk;
	struct exported e;
	unsigned i;

	limit_raise_descriptors();
	for (i = 0; exports_get(i, &e); i++) {
		if (flags & RD_KEEP) {
			if (attach(&e, "nbdkit", false, NULL, &disk))
				return -1;
			rd_detach(
				disk); /* before the fork; RD_KEEP keeps the disk */
		} else if (e.seed && *e.seed == '/' && access(e.seed, R_OK)) {
			nbdkit_error("cannot open seed %s: %m", e.seed);
			return -1;
		}
	}
	return holder_get_pins();
}

/*
 * What clients see. `xm-ramdisk attach --remote` looks for the instance behind
 * "RAM disk ". A private view has none: a client that comes back has a new one. Nor
 * has a point, which stays what it is.
 */
static void describe(struct connection *c, const char *point)
{
	const char *name = rd_name(c->disk);
	char instance[RD_INSTANCE_MAX];
	bool shared = !c->private_view && !point[0] &&
		      !rd_instance(c->disk, instance);

	snprintf(c->what, sizeof(c->what), "%s%s%s%s%s%s%s of %.3900s", name,
		 name[0] ? ": " : "",
		 c->private_view ? "private view"
		 : point[0]      ? "disk"
				 : "RAM disk",
		 point[0] ? " at point " : "", point, shared ? " " : "",
		 shared ? instance : "", rd_seed(c->disk));
}

static void *ramdisk_open(int readonly)
{
	const char *name = nbdkit_export_name();
	bool writable = !readonly && !read_only;
	struct connection *c = calloc(1, sizeof(*c));
	char label[RD_LABEL_MAX];
	struct exported e;
	int rc;

	if (!c || !name) {
		nbdkit_error("out of memory");
		free(c);
		return NULL;
	}
	label_of_client(label);
	rc = exports_find(name, &e);
	if (!rc) {
		holder_prepare();
		rc = attach(&e, label, writable, progress, &c->disk);
		exported_close(&e);
	}
	if (!rc) {
		rc = holder_take(rd_id(c->disk), e.shown);
		if (rc)
			rd_detach(c->disk);
	}
	if (rc) {
		free(c);
		return NULL;
	}
	c->private_view = writable && flags & RD_PRIVATE;
	c->lazy = flags & RD_LAZY;
	describe(c, point_of(&e) ? point_of(&e) : "");
	return c;
}

static void ramdisk_close(void *handle)
{
	struct connection *c = handle;
	char id[RD_ID_MAX];

	strcpy(id, rd_id(c->disk));
	rd_detach(c->disk);
	holder_release(id); /* the last one to detach discards the disk */
	free(c);
}

/* ---- capabilities ------------------------------------------------------ */

static const char *ramdisk_export_description(void *handle)
{
	return ((struct connection *)handle)->what;
}

static int64_t ramdisk_get_size(void *handle)
{
	return (int64_t)rd_size(((struct connection *)handle)->disk);
}

static int ramdisk_block_size(void *handle, uint32_t *minimum,
			      uint32_t *preferred, uint32_t *maximum)
{
	(void)handle;
	*minimum = 1;
	*preferred = RD_BLOCK;
	*maximum = REQUEST_MAX;
	return 0;
}

static int ramdisk_can_write(void *handle)
{
	return rd_writable(((struct connection *)handle)->disk);
}

/* A write through one connection is read through all others. */
static int ramdisk_can_multi_conn(void *handle)
{
	return !((struct connection *)handle)->private_view;
}

static int ramdisk_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE; /* a write is in memory when it is answered */
}

/* Caching loads the parts of a lazy disk; other disks are in memory. */
static int ramdisk_can_cache(void *handle)
{
	return ((struct connection *)handle)->lazy ? NBDKIT_CACHE_EMULATE
						   : NBDKIT_CACHE_NATIVE;
}

static int yes(void *handle)
{
	(void)handle;
	return 1;
}

static int no(void *handle)
{
	(void)handle;
	return 0;
}

/* ---- requests ---------------------------------------------------------- */

/* At most one line a second: a client can write to a full disk at any rate. */
static void log_no_memory(const struct rd_disk *disk)
{
	static _Atomic int64_t last;
	int64_t second = clock_now_ms() / 1000 + 1;
	struct rd_error why;

	if (atomic_exchange(&last, second) == second)
		return;
	rd_explain_no_memory(disk, &why);
	nbdkit_error("%s", why.text);
}

static void say_damage(const struct rd_disk *disk, const char *text)
{
	nbdkit_error("disk %s: %s", rd_id(disk), text);
}

static int answer(struct connection *c, int rc)
{
	struct rd_disk *disk = c->disk;

	damage_log(disk, &c->damage, say_damage);
	if (!rc)
		return 0;
	if (rc == -ENOSPC)
		log_no_memory(disk);
	else
		nbdkit_error("%s", strerror(-rc));
	nbdkit_set_error(-rc);
	return -1;
}

static int ramdisk_pread(void *handle, void *buf, uint32_t n, uint64_t off,
			 uint32_t request_flags)
{
	struct connection *c = handle;
	uint64_t start = clock_now_us();
	int rc = rd_read(c->disk, buf, off, n);

	(void)request_flags;
	rd_count_latency(c->disk, false, clock_now_us() - start);
	return answer(c, rc);
}

static int ramdisk_pwrite(void *handle, const void *buf, uint32_t n,
			  uint64_t off, uint32_t request_flags)
{
	struct connection *c = handle;
	uint64_t start = clock_now_us();
	int rc = rd_write(c->disk, buf, off, n);

	(void)request_flags; /* NBDKIT_FLAG_FUA needs nothing */
	rd_count_latency(c->disk, true, clock_now_us() - start);
	return answer(c, rc);
}

static int ramdisk_flush(void *handle, uint32_t request_flags)
{
	struct connection *c = handle;

	(void)request_flags;
	return answer(c, rd_flush(c->disk));
}

static int ramdisk_trim(void *handle, uint32_t n, uint64_t off,
			uint32_t request_flags)
{
	struct connection *c = handle;

	(void)request_flags;
	return answer(c, rd_discard(c->disk, off, n));
}

/* Zeroing is always faster than receiving zeros, so it is always "fast". */
static int ramdisk_zero(void *handle, uint32_t n, uint64_t off,
			uint32_t request_flags)
{
	struct connection *c = handle;

	return answer(c, rd_zero(c->disk, off, n,
				 !(request_flags & NBDKIT_FLAG_MAY_TRIM)));
}

static int ramdisk_extents(void *handle, uint32_t n, uint64_t off,
			   uint32_t request_flags,
			   struct nbdkit_extents *extents)
{
	struct rd_disk *disk = ((struct connection *)handle)->disk;
	uint64_t len, end = off + n;
	bool hole;
	int rc;

	for (; off < end; off += len) {
		len = end - off;
		rc = rd_extent(disk, off, &len, &hole);
		if (rc)
			return answer(handle, rc);
		if (nbdkit_add_extent(extents, off, len,
				      hole ? NBDKIT_EXTENT_HOLE |
						      NBDKIT_EXTENT_ZERO
					   : 0) < 0)
			return -1;
		if (request_flags & NBDKIT_FLAG_REQ_ONE)
			break;
	}
	return 0;
}

static int ramdisk_cache(void *handle, uint32_t n, uint64_t off,
			 uint32_t request_flags)
{
	(void)handle;
	(void)n;
	(void)off;
	(void)request_flags;
	return 0;
}

static struct nbdkit_plugin plugin = {
	.name = "ramdisk",
	.longname = "nbdkit shared RAM disk plugin",
	.version = RD_VERSION,
	.description = "one seed image, loaded once into memory, shared by all "
		       "connections and with Xen domains",
	.unload = ramdisk_unload,
	.config = ramdisk_config,
	.config_complete = ramdisk_config_complete,
	.config_help = CONFIG_HELP,
	.magic_config_key = "seed",
	.dump_plugin = ramdisk_dump,
	.thread_model = ramdisk_thread_model,
	.get_ready = ramdisk_get_ready,
	.list_exports = exports_list,
	.default_export = exports_default,
	.preconnect = ramdisk_preconnect,
	.open = ramdisk_open,
	.close = ramdisk_close,
	.export_description = ramdisk_export_description,
	.get_size = ramdisk_get_size,
	.block_size = ramdisk_block_size,
	.is_rotational = no,
	.can_write = ramdisk_can_write,
	.can_flush = yes,
	.can_trim = yes,
	.can_zero = yes,
	.can_fast_zero = yes,
	.can_extents = yes,
	.can_multi_conn = ramdisk_can_multi_conn,
	.can_fua = ramdisk_can_fua,
	.can_cache = ramdisk_can_cache,
	.pread = ramdisk_pread,
	.pwrite = ramdisk_pwrite,
	.flush = ramdisk_flush,
	.trim = ramdisk_trim,
	.zero = ramdisk_zero,
	.extents = ramdisk_extents,
	.cache = ramdisk_cache,
	.errno_is_preserved = 1,
};

/* what the macro defines; clang warns without it */
__attribute__((visibility("default"))) struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
