/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a device is, and why its domain has gone. An attachment belongs to the
 * domain, which is its UUID: a domain that is saved, restarted or restored gets
 * another number. Private to the state machine.
 *
 * xenstore does not say why a domain has gone. Its nodes are removed at once in
 * every case, and only a privileged library whose ABI changes knows the reason of a
 * shutdown. What this daemon can see:
 *
 *   suspended, for save, checkpoint, migration: the toolstack writes "suspend" into
 *       control/shutdown and the guest clears the node; the domain halts
 *       (@releaseDomain fires while the domain is still there); the frontend stays
 *       connected; no request comes any more; the domain goes
 *   rebooted, powered off by itself or on request: the frontend closes; the domain
 *       halts; the domain goes
 *   crashed: the domain halts with the frontend connected; the domain goes
 *   destroyed: the domain goes
 *
 * @releaseDomain does not say which domain has halted. It may have been another
 * one: what follows is only that an attachment is kept for some seconds.
 */
#ifndef BLKBACK_DEVICE_LIFE_H
#define BLKBACK_DEVICE_LIFE_H

#include "drivers/blkback/supervisor/device.h"

/*
 * Learn the domain of @dev, from xenstore or from the record of an earlier daemon. A
 * device of an earlier daemon is @adopted: its domain may have fallen asleep while no
 * daemon ran. Until it is seen awake, but not longer than some minutes, it counts as
 * asked to suspend.
 */
void blkback_life_learn(struct blkback_device *dev, bool adopted);

/* Whether the domain is still in xenstore. */
bool blkback_life_is_there(struct blkback_device *dev);

/* The node control/shutdown has changed. */
void blkback_life_observe_control(struct blkback_device *dev, int64_t now_ms);

/* @releaseDomain has fired, and the domain of @dev is still there. */
void blkback_life_halted(struct blkback_device *dev, int64_t now_ms);

/* To be called in each turn. The time of the next call that is needed, or 0. */
int64_t blkback_life_settle(struct blkback_device *dev, int64_t now_ms);

/* The domain has gone: what becomes of the attachment. Needs no xenstore. */
enum blkback_stay blkback_life_decide(struct blkback_device *dev);

/* The connection to xenstore is another one: watch control/shutdown again. */
void blkback_life_watch_again(struct blkback_device *dev);

/* End the watch of control/shutdown. */
void blkback_life_forget(struct blkback_device *dev);

#endif
