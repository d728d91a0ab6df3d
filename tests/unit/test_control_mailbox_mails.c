// SPDX-License-Identifier: BSD-3-Clause
// Mails of VFs, sent as the driver does: what control makes of them, and of those sent again.
//
//   pf0, vm1 (vf0), vm2 (vf1): on nic0
#include "control_support.h"

#include <errno.h>

#include <rte_ethdev.h>

#include "guest/channels.h"
#include "guest/guest_commands.h"
#include "guest/mailbox.h"
#include "guest/mailbox_event.h"
#include "place/hints.h"

static const char json[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_emunic0,queues=4\",\"queues\":4,"
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"hints\":true,"
	"\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"{\"name\":\"vm2\",\"vm\":\"v2\",\"hints\":true,"
	"\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":1}}]}]}";

static struct {
	rte_eth_dev_cb_fn call;
	void *arg;
} listener;

int __wrap_rte_eth_dev_callback_register(
	uint16_t port, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *arg);
int
__wrap_rte_eth_dev_callback_register(
	uint16_t port, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *arg)
{
	assert_int_equal(event, RTE_ETH_EVENT_VF_MBOX);
	listener.call = call;
	listener.arg = arg;
	return 0;
}

int __wrap_rte_eth_dev_callback_unregister(
	uint16_t port, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *arg);
int
__wrap_rte_eth_dev_callback_unregister(
	uint16_t port, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *arg)
{
	return 0;
}

// ---- the rig

static struct control *
mails_new(void)
{
	struct control *c = rig_new(json);

	memset(&listener, 0, sizeof(listener));
	snprintf(c->nics[0]->driver, sizeof(c->nics[0]->driver), "net_emunic");
	assert_int_equal(channels_new(c), 0); // the rate is the hint socket's
	assert_int_equal(mailbox_new(c), 0);
	assert_non_null(listener.call);
	return c;
}

static void
mails_free(struct control *c)
{
	mailbox_fini(c);
	hints_fini(c);
	channels_fini(c);
	rig_free(c);
}

static int32_t
put(uint16_t vf, uint8_t type, uint32_t id, const void *data, size_t len)
{
	struct mailbox_event ev = {.vf = vf, .type = type, .id = id, .len = (uint16_t)len};

	memcpy(ev.data, data, len);
	listener.call(100, RTE_ETH_EVENT_VF_MBOX, listener.arg, &ev);
	return ev.answer;
}

static void
mail(uint16_t vf, uint8_t type, uint32_t id, const char *text)
{
	assert_int_equal(put(vf, type, id, text, strlen(text)), 0);
}

static int32_t
outcome(uint16_t vf, uint32_t id)
{
	const uint8_t data[4] = {id >> 24, id >> 16 & 0xff, id >> 8 & 0xff, id & 0xff};

	return put(vf, MAILBOX_OUTCOME, 1000000, data, sizeof(data));
}

// Sent, and taken by control a second later: no rate is in the way.
static int32_t
sent(struct control *c, uint16_t vf, uint8_t type, uint32_t id, const char *text)
{
	mail(vf, type, id, text);
	assert_int_equal(outcome(vf, id), -EAGAIN);
	rig_pass(c, 1000);
	mailbox_poll(c);
	return outcome(vf, id);
}

// ---- tests

// Whose answer was lost sends it again with its id, and is not told that there was nothing to take
// back; any other such message is.
static void
test_a_clear_that_is_sent_again(void **state)
{
	struct control *c = mails_new();
	unsigned i;

	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 1, "udp dport=53"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "udp dport=53"), 0);
	// Another VF's, of the same id, is neither known nor in between.
	assert_int_equal(sent(c, 1, MAILBOX_CLEAR, 2, "udp dport=53"), -ENOENT);
	for (i = 0; i < 3; i++)
		assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "udp dport=53"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "udp dport=54"), -ENOENT); // another one
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "udp dport=53"), -ENOENT); // not the last
	mails_free(c);
}

static void
test_another_id_is_another_clear(void **state)
{
	struct control *c = mails_new();
	const uint16_t vm = c->vports[vport_of(c, "vm1")].cfg.vm;
	uint32_t followed, refused;
	struct sl_err err;

	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 1, "tcp"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 1, "tcp"), 0); // not the raise once more
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "tcp"), -ENOENT);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 2, "tcp"), -ENOENT); // nor was it done before
	// One that there is again is taken back again.
	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 3, "tcp"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 4, "tcp"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 5, "tcp"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 4, "tcp"), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 6, "tcp"), -ENOENT);
	// Taken back by the hint socket: of the same id as what gave it is no second clear.
	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 7, "tcp"), 0);
	sl_err_init(&err);
	assert_int_equal(guest_hint(c, vm, "tcp", 0, &followed, &refused, &err), 0);
	assert_int_equal(sent(c, 0, MAILBOX_CLEAR, 7, "tcp"), -ENOENT);
	mails_free(c);
}

// Both wait when control comes: the one behind is no reason to take the first for done.
static void
test_two_at_once(void **state)
{
	struct control *c = mails_new();

	mail(0, MAILBOX_CLEAR, 7, "ip");
	mail(0, MAILBOX_CLEAR, 7, "ip");
	rig_pass(c, 1000);
	mailbox_poll(c);
	assert_int_equal(outcome(0, 7), -ENOENT);
	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 8, "ip"), 0);
	mail(0, MAILBOX_CLEAR, 9, "ip");
	mail(0, MAILBOX_CLEAR, 9, "ip");
	rig_pass(c, 1000);
	mailbox_poll(c);
	assert_int_equal(outcome(0, 9), 0);
	mails_free(c);
}

// As often as the queue is long and more: what is remembered is the latest.
static void
test_many(void **state)
{
	struct control *c = mails_new();
	uint32_t id;

	for (id = 1; id < 200; id += 2) {
		assert_int_equal(sent(c, id % 4 / 2, MAILBOX_LOWER, id, "ip"), 0);
		assert_int_equal(sent(c, id % 4 / 2, MAILBOX_CLEAR, id + 1, "ip"), 0);
		assert_int_equal(sent(c, !(id % 4 / 2), MAILBOX_CLEAR, 300 + id, "ip"), -ENOENT);
		assert_int_equal(sent(c, id % 4 / 2, MAILBOX_CLEAR, id + 1, "ip"), 0);
	}
	mails_free(c);
}

// One too many is refused, and all that were taken in hand are looked at.
static void
test_full(void **state)
{
	struct control *c = mails_new();
	uint32_t id;

	for (id = 0; id < 64; id++)
		mail(0, MAILBOX_CLEAR, id, "ip");
	assert_int_equal(put(0, MAILBOX_CLEAR, id, "ip", 2), -EBUSY);
	assert_int_equal(outcome(0, 0), -EAGAIN);
	mailbox_poll(c);
	for (id = 0; id < 64; id++)
		assert_true(outcome(0, id) == -ENOENT || outcome(0, id) == -EBUSY);
	assert_int_equal(outcome(0, 64), -ENOENT);
	assert_int_equal(sent(c, 0, MAILBOX_RAISE, 65, "ip"), 0);
	mails_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_clear_that_is_sent_again),
		cmocka_unit_test(test_another_id_is_another_clear),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_full),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
