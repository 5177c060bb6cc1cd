/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seed on an NBD server, read by many threads at once as a lazy disk reads it, and
 * by the loader through several connections. The server is nbdkit's pattern plugin:
 * each 8 bytes are their offset, the most significant byte first.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "drivers/block-ram/seed/loader.h"
#include "tests/unit/scratch.h"

#define SIZE (48 * MIB)
#define THREADS 8
#define READS 60
#define READ ((size_t)256 << 10)

static char uri[160];
static pid_t server;

/* Whether @len bytes at @p are those at @off of the server's. */
static bool is_right(const unsigned char *p, uint64_t off, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		if (be64toh(word) != off + i)
			return false;
	}
	return true;
}

/* nbdkit with @argv behind its socket's name. Waits until it listens. */
static void serve(const char *const *more)
{
	char socket[128];
	const char *argv[16] = { "nbdkit", "-f", "-U", socket };
	struct stat st;
	int i;

	snprintf(socket, sizeof(socket), "%s/sock", scratch_seeds);
	snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", socket);
	unlink(socket);
	for (i = 0; more[i]; i++)
		argv[4 + i] = more[i];
	fflush(stdout);
	server = fork();
	if (server == 0) {
		freopen("/dev/null", "w", stderr);
		execvp("nbdkit", (char **)argv);
		_exit(127);
	}
	for (i = 0; i < 2000 && stat(socket, &st); i++)
		usleep(10000);
	CU_ASSERT_TRUE_FATAL(i < 2000);
}

static void end_server(void)
{
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
}

static const char *const quick[] = { "pattern", "48M", NULL };

/* ---- many threads ------------------------------------------------------ */

struct reader {
	pthread_t thread;
	const struct rd_seed *seed;
	unsigned number;
	_Atomic unsigned *running, *most;
	unsigned wrong, failed;
};

static void *read_many(void *arg)
{
	struct reader *r = arg;
	unsigned char *buf = malloc(READ);
	unsigned i, now;

	for (i = 0; i < READS; i++) {
		uint64_t off = (r->number * 7919u + i * 104729u) * 4096ull %
			       (SIZE - READ);

		now = atomic_fetch_add(r->running, 1) + 1;
		if (now > atomic_load(r->most))
			atomic_store(r->most, now);
		memset(buf, 0xff, READ);
		r->failed += rd_seed_read(r->seed, buf, off, READ) != 0;
		r->wrong += !is_right(buf, off, READ);
		atomic_fetch_sub(r->running, 1);
	}
	free(buf);
	return NULL;
}

static void threads_read_at_once(void)
{
	struct reader readers[THREADS];
	_Atomic unsigned running = 0, most = 0;
	struct rd_seed seed;
	int i;

	serve(quick);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, uri, NULL), 0);
	CU_ASSERT_EQUAL(seed.size, SIZE);
	for (i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ .seed = &seed,
					      .number = (unsigned)i,
					      .running = &running,
					      .most = &most };
		pthread_create(&readers[i].thread, NULL, read_many,
			       &readers[i]);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(readers[i].thread, NULL);
		CU_ASSERT_EQUAL(readers[i].failed, 0);
		CU_ASSERT_EQUAL(readers[i].wrong, 0);
	}
	CU_ASSERT_TRUE(most > 1);
	rd_seed_close(&seed);
	end_server();
}

/* The server ends while they read: each read fails, or has all its bytes. */
static void *read_until_failure(void *arg)
{
	struct reader *r = arg;
	unsigned char *buf = malloc(READ);
	int rc = 0;

	while (!rc) {
		rc = rd_seed_read(r->seed, buf, r->number * READ, READ);
		r->wrong += !rc && !is_right(buf, r->number * READ, READ);
	}
	free(buf);
	return NULL;
}

static void server_ends(void)
{
	struct reader readers[THREADS];
	unsigned char byte[8];
	struct rd_seed seed;
	int i;

	serve(quick);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, uri, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ .seed = &seed,
					      .number = (unsigned)i };
		pthread_create(&readers[i].thread, NULL, read_until_failure,
			       &readers[i]);
	}
	usleep(100000);
	kill(server, SIGKILL);
	for (i = 0; i < THREADS; i++) {
		pthread_join(readers[i].thread, NULL);
		CU_ASSERT_EQUAL(readers[i].wrong, 0);
	}
	CU_ASSERT_TRUE(rd_seed_read(&seed, byte, 0, 8) < 0);
	rd_seed_close(&seed);
	end_server();
}

/* ---- the loader -------------------------------------------------------- */

static int load(struct rd_error *err)
{
	struct rd_seed seed;
	struct rd_load what = { .seed = &seed,
				.to = memfd_create("loaded", MFD_CLOEXEC) };
	unsigned char *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, what.to, 0);
	int rc;

	CU_ASSERT_EQUAL_FATAL(ftruncate(what.to, SIZE), 0);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, uri, err), 0);
	rc = rd_load(&what, err);
	if (!rc)
		CU_ASSERT_TRUE(is_right(p, 0, SIZE));
	rd_seed_close(&seed);
	munmap(p, SIZE);
	close(what.to);
	return rc;
}

static void loads(void)
{
	struct rd_error err = { "" };

	serve(quick);
	CU_ASSERT_EQUAL(load(&err), 0);
	end_server();
}

/* A request fails: the load does, with the connections' requests in flight. */
static void request_fails(void)
{
	static const char *const bad[] = {
		"--filter=error",       "pattern", "48M", "error-pread=EIO",
		"error-pread-rate=10%", NULL
	};
	struct rd_error err = { "" };

	serve(bad);
	CU_ASSERT_EQUAL(load(&err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Input/output error"));
	end_server();
}

int main(void)
{
	static const struct test tests[] = {
		{ "threads read at once", threads_read_at_once },
		{ "the server ends while threads read", server_ends },
		{ "a load through several connections", loads },
		{ "a request of a load fails", request_fails },
	};
	int rc;

	scratch_make();
	rc = RUN_TESTS("nbd", tests);
	scratch_remove();
	return rc;
}
