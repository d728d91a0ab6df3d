// SPDX-License-Identifier: BSD-3-Clause
// The whole of control with a worker on an lcore and the emulated NIC: what a reload changes, and
// that one which fails on the way changes nothing.
//
//   wire: sink    vf0, vf1: sinks    sock: a vhost-user server
#include <sys/stat.h>

#include <rte_ethdev.h>

#include "control_support.h"

#include "apply/apply.h"
#include "control/control.h"
#include "device/ports.h"

static char dir[64];
static struct sl_log *the_log;

struct text { // of a configuration
	char buf[8192];
};

// ports, rules, more: what stands in the file there.
static const char *
file(struct text *t, const char *ports, const char *rules, const char *more)
{
	snprintf(t->buf, sizeof(t->buf),
		"{\"control\":{\"socket\":\"%s/ctl.sock\"},"
		"\"datapath\":{\"mbufs\":1024,\"flows\":1024},"
		"\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_emunic0,queues=4,vfs=2,rep_queues=2,"
		"representor=vf[0-1],wire=[sink],vf0=[sink],vf1=[sink]\",\"queues\":4,"
		"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"
		"\"switches\":[{\"name\":\"s\",\"id\":5,\"max_rules\":8,\"ports\":[%s],"
		"\"rules\":[%s]%s}]}",
		dir, ports, rules, more);
	return t->buf;
}

#define UP "{\"name\":\"up\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}}"
#define VF(name, vf)                                                                               \
	"{\"name\":\"" name "\",\"vm\":\"" name                                                    \
	"\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":" vf "}}"
#define RULES "{\"name\":\"one\",\"match\":\"udp\",\"actions\":\"drop\"}"

static const char *
sock(char *buf, size_t len, const char *name, const char *path)
{
	snprintf(buf, len,
		"{\"name\":\"%s\",\"vm\":\"v3\",\"attach\":{\"kind\":\"vhost-user\",\"path\":\"%s/"
		"%s\"}}",
		name, dir, path);
	return buf;
}

static struct control *
start(const char *text)
{
	struct control_cfg cc = {.config_path = "test", .log = the_log};
	struct control *c = NULL;
	struct sl_err err;

	sl_err_init(&err);
	cc.config = config_of(text, NULL);
	if (control_new(&cc, &c, &err) != 0)
		fail_msg("%s: %s", err.path, err.text);
	return c;
}

// 0 or the error; changes is the number of sentences.
static int
reload(struct control *c, const char *text, bool dry, unsigned *changes)
{
	struct config *next = config_of(text, c->cfg);
	json_t *list = json_array();
	struct sl_err err;
	int rc;

	sl_err_init(&err);
	rc = apply_reload(c, next, dry, list, &err);
	if (rc != 0)
		assert_true(err.text[0] != '\0');
	if (rc != 0 || dry)
		config_free(next);
	if (changes != NULL)
		*changes = (unsigned)json_array_size(list);
	json_decref(list);
	return rc;
}

static const struct control_vport *
port(const struct control *c, const char *name)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && strcmp(c->vports[i].cfg.name, name) == 0)
			return &c->vports[i];
	}
	return NULL;
}

static unsigned
count_ports(const struct control *c)
{
	unsigned i, n = 0;

	for (i = 0; i < DP_PORTS_MAX; i++)
		n += c->ports[i] != NULL;
	return n;
}

// What is published agrees with what control believes.
static void
assert_published(const struct control *c)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct dp_vport *v = c->snapshot->vport[i];

		assert_true(c->vports[i].used == (v != NULL));
		if (v != NULL)
			assert_ptr_equal(v->port, c->vports[i].port);
	}
}

static bool
drops(const struct control *c, const char *from, uint16_t proto)
{
	struct flow_key key = udp_key(c, from, 1);
	struct dp_program prog;
	struct dp_verdict v;

	key.proto = (uint8_t)proto;
	dp_compile(c->snapshot, &key, &prog, &v);
	return prog.kind == DP_PROG_DROP;
}

static void
test_swap(void **state)
{
	struct text t;
	struct control *c = start(file(&t, UP "," VF("a", "0") "," VF("b", "1"), RULES, ""));
	unsigned changes;

	assert_int_equal(port(c, "a")->port->nic_port, 1);
	assert_int_equal(reload(c, file(&t, UP "," VF("a", "0") "," VF("b", "1"), RULES, ""), false,
				 &changes),
		0);
	assert_int_equal(changes, 0);
	assert_int_equal(reload(c, file(&t, UP "," VF("a", "1") "," VF("b", "0"), RULES, ""), true,
				 &changes),
		0);
	assert_int_equal(changes, 2);
	assert_int_equal(port(c, "a")->port->nic_port, 1);
	assert_int_equal(
		reload(c, file(&t, UP "," VF("a", "1") "," VF("b", "0"), RULES, ""), false, NULL),
		0);
	assert_int_equal(port(c, "a")->port->nic_port, 2);
	assert_int_equal(port(c, "b")->port->nic_port, 1);
	assert_published(c);
	assert_int_equal(count_ports(c), 3);
	control_free(c);
}

// A port with another name is another port, on the same socket.
static void
test_rename(void **state)
{
	char ports[1024], one[256];
	struct text t;
	struct control *c;

	snprintf(ports, sizeof(ports), UP ",%s", sock(one, sizeof(one), "old", "x.sock"));
	c = start(file(&t, ports, RULES, ""));
	assert_non_null(port(c, "old"));
	snprintf(ports, sizeof(ports), UP ",%s", sock(one, sizeof(one), "new", "x.sock"));
	assert_int_equal(reload(c, file(&t, ports, RULES, ""), false, NULL), 0);
	assert_null(port(c, "old"));
	assert_non_null(port(c, "new")->port);
	assert_published(c);
	assert_int_equal(count_ports(c), 2);
	control_free(c);
}

// Whatever else a file says: when one attachment does not open, all is as it was, and a reload of
// the old file has nothing to do.
static void
test_undo(void **state)
{
	char ports[2048], bad[256], good[256], stay[256];
	struct text t, before;
	unsigned changes;
	struct control *c;

	sock(stay, sizeof(stay), "stay", "stay.sock");
	snprintf(ports, sizeof(ports), UP "," VF("a", "0") "," VF("b", "1") ",%s", stay);
	file(&before, ports, RULES, "");
	c = start(before.buf);
	sock(good, sizeof(good), "good", "good.sock");
	sock(bad, sizeof(bad), "bad", "no/such/directory/bad.sock");
	snprintf(ports, sizeof(ports), UP "," VF("a", "1") ",%s,%s", good, bad);
	assert_int_not_equal(
		reload(c,
			file(&t, ports, "{\"name\":\"two\",\"match\":\"tcp\",\"actions\":\"drop\"}",
				",\"tables\":[{\"id\":0,\"default\":\"normal\"}]"),
			false, NULL),
		0);
	assert_null(port(c, "good"));
	assert_null(port(c, "bad"));
	assert_int_equal(port(c, "a")->port->nic_port, 1);
	assert_int_equal(port(c, "b")->port->nic_port, 2);
	assert_non_null(port(c, "stay")->port);
	assert_published(c);
	assert_int_equal(count_ports(c), 4);
	assert_int_equal(rule_book_count(c->book[0]), 1);
	assert_non_null(rule_book_find(c->book[0], "one"));
	assert_true(drops(c, "a", IPPROTO_UDP));
	assert_int_equal(reload(c, before.buf, false, &changes), 0);
	assert_int_equal(changes, 0);
	control_free(c);
}

static void
test_rules(void **state)
{
	static const char normal[] = ",\"tables\":[{\"id\":0,\"default\":\"normal\"}]";
	static const char ports[] = UP "," VF("a", "0");
	struct control *c;
	struct text t;
	uint32_t id, i;
	struct sl_err err;
	char match[32];

	c = start(file(&t, ports, RULES, normal));
	assert_true(drops(c, "a", IPPROTO_UDP));
	assert_false(drops(c, "a", IPPROTO_TCP));
	id = rule_book_find(c->book[0], "one")->id;
	// A rule that stays keeps its id, and with it its counters.
	assert_int_equal(
		reload(c,
			file(&t, ports, "{\"match\":\"tcp\",\"actions\":\"drop\"}," RULES, normal),
			false, NULL),
		0);
	assert_int_equal(rule_book_find(c->book[0], "one")->id, id);
	assert_true(drops(c, "a", IPPROTO_TCP));
	// A table that the file no longer has drops what nothing matches, as at first.
	assert_int_equal(reload(c, file(&t, ports, "", ""), false, NULL), 0);
	assert_int_equal(rule_book_count(c->book[0]), 0);
	assert_true(drops(c, "a", IPPROTO_TCP));
	// A rule added live is not the file's to take away, and keeps its name.
	assert_int_equal(reload(c, file(&t, ports, "", normal), false, NULL), 0);
	{
		struct config_rule live;

		sl_err_init(&err);
		memset(&live, 0, sizeof(live));
		assert_int_equal(config_rule_parse(c->cfg, 0, "udp", "drop", &live, &err), 0);
		snprintf(live.name, sizeof(live.name), "one");
		assert_int_equal(rule_book_add(c->book[0], &live, false, &id, &err), 0);
	}
	assert_int_equal(reload(c, file(&t, ports, RULES, normal), false, NULL), -EEXIST);
	assert_int_equal(rule_book_count(c->book[0]), 1);
	for (i = 0; i < 7; i++) {
		struct config_rule live;

		snprintf(match, sizeof(match), "udp dport=%u", i + 1);
		memset(&live, 0, sizeof(live));
		assert_int_equal(config_rule_parse(c->cfg, 0, match, "drop", &live, &err), 0);
		assert_int_equal(rule_book_add(c->book[0], &live, false, &id, &err), 0);
	}
	assert_int_equal(
		reload(c, file(&t, ports, "{\"match\":\"tcp\",\"actions\":\"drop\"}", normal),
			false, NULL),
		-ENOSPC);
	assert_int_equal(rule_book_count(c->book[0]), 8);
	assert_false(drops(c, "a", IPPROTO_TCP));
	// A dry run finds it too, and one for which there is room takes none.
	assert_int_equal(
		reload(c, file(&t, ports, "{\"match\":\"tcp\",\"actions\":\"drop\"}", normal), true,
			NULL),
		-ENOSPC);
	assert_int_equal(rule_book_del(c->book[0], id), 0);
	for (i = 0; i < 50; i++)
		assert_int_equal(
			reload(c,
				file(&t, ports, "{\"match\":\"tcp\",\"actions\":\"drop\"}", normal),
				true, NULL),
			0);
	assert_int_equal(rule_book_count(c->book[0]), 7);
	assert_int_equal(apply_decisions(c), 0);
	assert_false(drops(c, "a", IPPROTO_TCP));
	control_free(c);
}

static void
test_properties(void **state)
{
	static const char access[] =
		UP ",{\"name\":\"a\",\"vm\":\"a\",\"mtu\":1400,\"vlan\":{\"mode\":\"access\","
		   "\"vid\":7},\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}}";
	struct text t;
	struct control *c = start(file(&t, UP "," VF("a", "0"), RULES, ""));
	struct dp_port *before = port(c, "a")->port;
	struct dp_event ev = {.type = DP_EV_MAC};
	uint16_t mtu = 0, id = port(c, "a")->cfg.id;

	flow_key_init(&ev.key, 5, id);
	ev.key.eth_src[0] = 2;
	macs_learn(c, &ev);
	assert_int_equal(reload(c, file(&t, access, RULES, ""), false, NULL), 0);
	assert_ptr_equal(port(c, "a")->port, before);
	assert_int_equal(port(c, "a")->cfg.id, id);
	assert_int_equal(c->snapshot->vport[id]->vlan, 7);
	assert_int_equal(c->snapshot->vport[id]->mtu, 1400);
	assert_int_equal(rte_eth_dev_get_mtu(before->ethdev, &mtu), 0);
	assert_int_equal(mtu, 1400);
	assert_int_equal(macs_flush(c, 0, -1, -1), 0); // learned in no VLAN, which it has left
	control_free(c);
}

static void
test_fixed(void **state)
{
	struct text t;
	struct control *c = start(file(&t, UP, RULES, ""));
	char *at;

	assert_int_equal(reload(c, file(&t, UP, RULES, ",\"mac_limit\":77"), false, NULL), 0);
	assert_int_equal(c->cfg->switches[0].mac_limit, 77);
	file(&t, UP, RULES, "");
	at = strstr(t.buf, "\"max_rules\":8");
	at[strlen("\"max_rules\":")] = '9';
	assert_int_equal(reload(c, t.buf, false, NULL), -EBUSY);
	file(&t, UP, RULES, "");
	at = strstr(t.buf, "\"default_queues\":2");
	at[strlen("\"default_queues\":")] = '1';
	assert_int_equal(reload(c, t.buf, true, NULL), -EBUSY);
	file(&t, UP, RULES, "");
	at = strstr(t.buf, "ctl.sock");
	at[0] = 'd';
	assert_int_equal(reload(c, t.buf, false, NULL), -EBUSY);
	memmove(t.buf + strlen("{\"eal\":[\"--foo\"],"), t.buf + 1, strlen(t.buf));
	memcpy(t.buf, "{\"eal\":[\"--foo\"],", strlen("{\"eal\":[\"--foo\"],"));
	strstr(t.buf, "dtl.sock")[0] = 'c';
	assert_int_equal(reload(c, t.buf, false, NULL), -EBUSY);
	control_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_fixed),
	};
	int rc;

	snprintf(dir, sizeof(dir), "/tmp/sl-reload-%d", (int)getpid());
	if (mkdir(dir, 0700) != 0 || control_eal(argv[0], "0@0-1,1@0-1") != 0)
		return 1;
	the_log = sl_log_new(SL_LOG_ERR, 100);
	sl_log_set_sink(the_log, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	sl_log_free(the_log);
	rmdir(dir);
	return rc;
}
