/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The indexes of a ring under C's memory model: the real ring.c on one side, a
 * frontend as xen/io/ring.h has it (RING_PUSH_REQUESTS_AND_CHECK_NOTIFY and
 * RING_FINAL_CHECK_FOR_RESPONSES) on the other. The bytes of requests and of
 * responses are variables of the model: the checker reports one that is read
 * while it may still be written, which is what publishing is to prevent.
 */
#include "tests/model/model.h"

#include "drivers/blkback/ring/ring.c"

enum { REQUESTS = 2 };

struct exchange : rl::test_suite<exchange, 2> {
	rl::var<int> slot[REQUESTS]; /* request, then the response in its place */
	rl::atomic<int> to_backend, to_frontend; /* event channels */
	struct blkback_sring shared; /* last: it ends in an array */

	void before()
	{
		shared.req_prod.store(0, rl::mo_relaxed, $);
		shared.rsp_prod.store(0, rl::mo_relaxed, $);
		shared.req_event.store(1, rl::mo_relaxed, $);
		shared.rsp_event.store(1, rl::mo_relaxed, $);
		to_backend.store(0, rl::mo_relaxed, $);
		to_frontend.store(0, rl::mo_relaxed, $);
	}

	/* An event ends a wait, and is taken with it: an event that is lost hangs. */
	static void wait_event(rl::atomic<int> &channel)
	{
		while (!channel.load(rl::mo_seq_cst, $))
			rl::yield(1, $);
		channel.store(0, rl::mo_seq_cst, $);
	}

	void frontend()
	{
		uint32_t sent = 0, answered = 0, old, event;

		while (answered < REQUESTS) {
			if (sent < REQUESTS) {
				slot[sent]($) = 100 + (int)sent;
				old = sent++;
				shared.req_prod.store(sent, rl::mo_release, $);
				atomic_thread_fence(memory_order_seq_cst);
				event = shared.req_event.load(rl::mo_relaxed, $);
				if (sent - event < sent - old)
					to_backend.store(1, rl::mo_seq_cst, $);
			}
			while (answered != shared.rsp_prod.load(rl::mo_acquire, $)) {
				RL_ASSERT(slot[answered]($) == 200 + (int)answered);
				answered++;
			}
			if (answered == REQUESTS || sent < REQUESTS)
				continue;
			shared.rsp_event.store(answered + 1, rl::mo_relaxed, $);
			atomic_thread_fence(memory_order_seq_cst);
			if (answered == shared.rsp_prod.load(rl::mo_acquire, $))
				wait_event(to_frontend);
		}
	}

	void backend()
	{
		struct blkback_ring ring = { 0 };
		int n;

		ring.shared = &shared;
		ring.slots = 32;
		while (ring.req_cons < REQUESTS) {
			n = blkback_ring_pending(&ring);
			RL_ASSERT(n >= 0);
			for (; n > 0; n--) {
				RL_ASSERT(slot[ring.req_cons]($) == 100 + (int)ring.req_cons);
				slot[ring.req_cons]($) = 200 + (int)ring.req_cons;
				ring.req_cons++;
				ring.rsp_prod_pvt++;
			}
			if (blkback_ring_push(&ring))
				to_frontend.store(1, rl::mo_seq_cst, $);
			if (ring.req_cons < REQUESTS && blkback_ring_final_check(&ring) == 0)
				wait_event(to_backend);
		}
	}

	void thread(unsigned i)
	{
		if (i == 0)
			frontend();
		else
			backend();
	}
};

int main()
{
	return model_run<exchange>("no request, response or event is lost", 4) ? 0 : 1;
}
