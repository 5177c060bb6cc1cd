/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * C's atomic operations as calls of the model checker's. Found instead of the
 * compiler's <stdatomic.h> by the files of the tree that a model includes.
 */
#ifndef MODEL_STDATOMIC_H
#define MODEL_STDATOMIC_H

#define memory_order_relaxed rl::mo_relaxed
#define memory_order_acquire rl::mo_acquire
#define memory_order_release rl::mo_release
#define memory_order_acq_rel rl::mo_acq_rel
#define memory_order_seq_cst rl::mo_seq_cst

#define atomic_load_explicit(object, order) ((object)->load(order, $))
#define atomic_store_explicit(object, value, order) \
	((object)->store(value, order, $))
#define atomic_load(object) ((object)->load(rl::mo_seq_cst, $))
#define atomic_store(object, value) ((object)->store(value, rl::mo_seq_cst, $))
#define atomic_compare_exchange_strong_explicit(object, seen, value, good, \
						bad)                       \
	((object)->compare_exchange_strong(*(seen), value, good, $, bad, $))
#define atomic_compare_exchange_strong(object, seen, value)          \
	atomic_compare_exchange_strong_explicit(object, seen, value, \
						rl::mo_seq_cst,      \
						rl::mo_seq_cst)
#define atomic_thread_fence(order) (rl::atomic_thread_fence(order, $))
#define atomic_signal_fence(order) (rl::atomic_signal_fence(order, $))

#endif
