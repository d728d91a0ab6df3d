// SPDX-License-Identifier: BSD-3-Clause
// Good files: defaults, values, ids, names, and that a dump says what was read.
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "config/config.h"

static struct config *
parse(const char *text, const struct config *old)
{
	struct config *cfg;
	struct sl_err err;
	char buf[600];

	sl_err_init(&err);
	if (config_parse(text, strlen(text), "test", old, &cfg, &err) != 0)
		fail_msg("%s", sl_err_str(&err, buf, sizeof(buf)));
	return cfg;
}

static const char minimal[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_emunic0\",\"vfs\":1}],"
	" \"switches\":[{\"name\":\"sw0\",\"ports\":["
	"  {\"name\":\"up\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"  {\"name\":\"a\",\"vm\":\"vm1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"  {\"name\":\"b\",\"vm\":\"vm1\",\"attach\":{\"kind\":\"vhost-user\",\"path\":\"/x\"}},"
	"  {\"name\":\"c\"}]}]}";

static void
test_empty(void **state)
{
	struct config *cfg = parse("{}", NULL);

	assert_string_equal(cfg->socket, "/run/sluice/sluice.sock");
	assert_string_equal(cfg->socket_ro, "");
	assert_int_equal(cfg->log_level, SL_LOG_INFO);
	assert_int_equal(cfg->flows, 131072);
	assert_true(cfg->offload.enabled);
	assert_int_equal(cfg->offload.heavy_bps, 10000000);
	assert_int_equal(cfg->n_classes, 1);
	assert_string_equal(cfg->classes[0].name, "default");
	assert_int_equal(cfg->classes[0].depth, 512);
	assert_int_equal(cfg->n_switches, 0);
	config_free(cfg);
}

static void
test_defaults(void **state)
{
	struct config *cfg = parse(minimal, NULL);
	const struct config_port *p = cfg->ports;

	assert_int_equal(cfg->n_ports, 4);
	assert_int_equal(cfg->n_vms, 1); // from the ports
	assert_string_equal(cfg->vms[0].name, "vm1");
	assert_int_equal(p[0].vm, -1);
	assert_int_equal(p[1].vm, 0);
	assert_int_equal(p[2].vm, 0);
	assert_int_equal(p[0].attach.kind, CONFIG_ATTACH_NIC);
	assert_int_equal(p[1].attach.kind, CONFIG_ATTACH_VF);
	assert_int_equal(p[2].attach.kind, CONFIG_ATTACH_VHOST);
	assert_false(p[2].attach.client);
	assert_int_equal(p[2].attach.queues, 1);
	assert_int_equal(p[3].attach.kind, CONFIG_ATTACH_NONE);
	assert_int_equal(p[3].vlan_mode, CONFIG_VLAN_TRUNK);
	assert_int_equal(p[3].mtu, 1500);
	assert_int_equal(p[3].max_queues, 4);
	for (unsigned i = 0; i < 64; i++)
		assert_true(p[3].trunk[i] == UINT64_MAX);
	assert_int_equal(cfg->switches[0].id, 1);
	assert_int_equal(cfg->switches[0].mode, CONFIG_OFFLOAD_SPLIT);
	assert_int_equal(cfg->n_tables, 1);
	assert_int_equal(cfg->tables[0].id, 0);
	assert_int_equal(cfg->tables[0].fallback.n, 1);
	assert_int_equal(cfg->tables[0].fallback.list[0].type, FLOW_ACT_DROP);
	assert_int_equal(cfg->nics[0].queues, 8);
	config_free(cfg);
}

static void
test_values(void **state)
{
	struct config *cfg =
		parse("{\"control\":{\"socket\":\"/a\",\"readonly_socket\":\"/b\"},"
		      "\"log\":{\"level\":\"debug\"},\"eal\":[\"--no-huge\",\"-m\"],\"drivers\":["
		      "\"d.so\"],"
		      "\"datapath\":{\"flows\":\"64k\",\"sleep_after\":0},"
		      "\"offload\":{\"enabled\":false,\"heavy_bps\":\"1G\",\"light_bps\":1000},"
		      "\"switches\":[{\"name\":\"s\",\"id\":7,\"mode\":\"share\",\"ports\":[{"
		      "\"name\":\"p\","
		      "\"vlan\":{\"mode\":\"native\",\"vid\":5,\"vids\":[\"10-12\",64]},\"macs\":"
		      "[\"02:00:00:00:0A:ff\"],\"ips\":[\"10.0.0.1\",\"2001:db8::/"
		      "64\"],\"mac_check\":true,"
		      "\"ip_check\":true,\"storm_pps\":\"2k\",\"hints\":true}]}]}",
			NULL);
	const struct config_port *p = cfg->ports;
	static const uint8_t mac[] = {2, 0, 0, 0, 10, 255};
	static const uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8};

	assert_string_equal(cfg->socket_ro, "/b");
	assert_int_equal(cfg->log_level, SL_LOG_DEBUG);
	assert_int_equal(cfg->n_eal, 2);
	assert_string_equal(cfg->eal[1], "-m");
	assert_int_equal(cfg->n_drivers, 1);
	assert_int_equal(cfg->flows, 64000);
	assert_int_equal(cfg->sleep_after, 0);
	assert_false(cfg->offload.enabled);
	assert_true(cfg->offload.heavy_bps == 1000000000);
	assert_int_equal(cfg->switches[0].id, 7);
	assert_int_equal(cfg->switches[0].mode, CONFIG_OFFLOAD_SHARE);
	assert_int_equal(p->vlan, 5);
	assert_true(p->trunk[0] == (1u << 5 | 7u << 10));
	assert_true(p->trunk[1] == 1);
	assert_memory_equal(p->macs[0], mac, 6);
	assert_int_equal(p->n_ips, 2);
	assert_int_equal(p->ips[0].prefix, 32);
	assert_int_equal(p->ips[1].l3, FLOW_L3_IPV6);
	assert_memory_equal(p->ips[1].addr, ip6, 16);
	assert_int_equal(p->ips[1].prefix, 64);
	assert_int_equal(p->storm_pps, 2000);
	config_free(cfg);
}

static const char ruled[] =
	"{\"classes\":[{\"name\":\"d\"},{\"name\":\"fast\",\"level\":0}],"
	"\"switches\":[{\"name\":\"s1\",\"ports\":[{\"name\":\"up\"},{\"name\":\"a\",\"vm\":\"v\"}]"
	","
	"\"tables\":[{\"id\":0,\"name\":\"t0\",\"default\":\"goto=t9\"},"
	"            {\"id\":9,\"name\":\"t9\",\"default\":\"normal\"}],"
	"\"rules\":[{\"match\":\"vm=v tcp dport=80\",\"actions\":\"output=up\",\"priority\":3},"
	"           {\"name\":\"r\",\"table\":\"t9\",\"actions\":\"class=fast normal\"},"
	"           {\"table\":9,\"match\":\"tcp,vm=v\",\"actions\":\"drop\"}]},"
	"{\"name\":\"s2\",\"ports\":[{\"name\":\"b\"}],"
	"\"rules\":[{\"name\":\"r\",\"match\":\"port=b\",\"actions\":\"output=b\"}]}]}";

static void
test_rules(void **state)
{
	struct config *cfg = parse(ruled, NULL);
	const struct config_rule *r = cfg->rules;

	assert_int_equal(cfg->n_rules, 4);
	assert_int_equal(cfg->tables[0].fallback.list[0].type, FLOW_ACT_GOTO);
	assert_int_equal(cfg->tables[0].fallback.list[0].index, 9);
	assert_int_equal(r[0].id, 0);
	assert_int_equal(r[0].vm, 0);
	assert_int_equal(r[0].priority, 3);
	assert_int_equal(r[0].match.key.proto, 6);
	assert_int_equal(r[0].actions.list[0].port, cfg->ports[0].id);
	assert_int_equal(r[1].vm, -1);
	assert_int_equal(r[1].table, 9);
	assert_int_equal(r[1].actions.list[0].type, FLOW_ACT_CLASS);
	assert_int_equal(r[1].actions.list[0].index, 1);
	assert_int_equal(r[2].id, 2);
	assert_int_equal(r[2].vm, 0);
	assert_int_equal(r[3].id, 0);
	assert_int_equal(r[3].sw, 1);
	assert_int_equal(r[3].match.key.vport, cfg->ports[2].id);
	config_free(cfg);
}

static void
test_rule_text(void **state)
{
	struct config *cfg = parse(ruled, NULL);
	struct config_rule rule;
	struct sl_strbuf text;
	struct sl_err err;

	memset(&rule, 0, sizeof(rule));
	sl_err_init(&err);
	assert_int_equal(config_rule_parse(cfg, 0, "udp,vm=v", "output=a", &rule, &err), 0);
	assert_int_equal(rule.vm, 0);
	assert_int_equal(config_rule_parse(cfg, 0, "vm=w", "drop", &rule, &err), -EINVAL);
	assert_string_equal(err.path, "match");
	assert_string_equal(err.text, "there is no VM \"w\"");
	sl_err_init(&err);
	assert_int_equal(config_rule_parse(cfg, 1, "vm=v", "drop", &rule, &err), -EINVAL);
	assert_string_equal(err.text, "VM \"v\" has no port on switch \"s2\"");
	sl_err_init(&err);
	assert_int_equal(config_rule_parse(cfg, 0, "vm=v vm=v", "drop", &rule, &err), -EINVAL);
	sl_err_init(&err);
	assert_int_equal(config_rule_parse(cfg, 0, "any", "output=b", &rule, &err), -EINVAL);
	assert_string_equal(err.path, "actions"); // b is on the other switch
	sl_err_init(&err);
	assert_int_equal(
		config_rule_parse(cfg, 0, "udp inner_tcp,vm=v vni=5", "drop", &rule, &err), 0);
	assert_true(rule.inner.asked && rule.inner.has_vni);
	assert_int_equal(rule.inner.vni, 5);
	sl_strbuf_init(&text, 0);
	config_rule_match_format(cfg, &rule, &text);
	assert_string_equal(sl_strbuf_str(&text), "vm=v tunnel=any vni=5 inner_tcp udp");
	sl_strbuf_fini(&text);
	assert_int_equal(config_rule_parse(cfg, 0, "inner_dport=5", "drop", &rule, &err), -EINVAL);
	assert_string_equal(err.path, "match");
	assert_non_null(strstr(err.text, "\"dport=5\" (column 7)"));
	sl_err_init(&err);
	assert_int_equal(config_rule_parse(cfg, 0, "any", "drop", &rule, &err), 0);
	assert_false(rule.inner.asked);
	config_free(cfg);
}

static void
assert_fix_point(const struct config *cfg, const char *what)
{
	char *first = config_dump(cfg);
	struct config *again;
	struct sl_err err;
	char *second;

	assert_non_null(first);
	sl_err_init(&err);
	if (config_parse(first, strlen(first), what, NULL, &again, &err) != 0)
		fail_msg("%s: its dump is refused: %s: %s\n%s", what, err.path, err.text, first);
	second = config_dump(again);
	assert_string_equal(first, second);
	assert_int_equal(again->n_rules, cfg->n_rules);
	for (uint32_t i = 0; i < cfg->n_rules; i++) {
		assert_true(flow_match_equal(&again->rules[i].match, &cfg->rules[i].match));
		assert_int_equal(again->rules[i].vm, cfg->rules[i].vm);
	}
	assert_int_equal(again->n_ports, cfg->n_ports);
	if (cfg->n_ports > 0)
		assert_memory_equal(again->ports, cfg->ports, cfg->n_ports * sizeof(*cfg->ports));
	config_free(again);
	free(first);
	free(second);
}

static void
test_dump(void **state)
{
	static const char *const texts[] = {"{}", minimal, ruled};

	for (unsigned i = 0; i < 3; i++) {
		struct config *cfg = parse(texts[i], NULL);

		assert_fix_point(cfg, "dump");
		config_free(cfg);
	}
}

// Every file of config/ is read, and says the same after a dump.
static void
test_examples(void **state)
{
	glob_t files;

	assert_int_equal(glob(SOURCE_ROOT "/config/examples/*.json", 0, NULL, &files), 0);
	assert_int_equal(glob(SOURCE_ROOT "/config/sluice.json", GLOB_APPEND, NULL, &files), 0);
	assert_true(files.gl_pathc >= 7);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct config *cfg;
		struct sl_err err;

		sl_err_init(&err);
		if (config_load(files.gl_pathv[i], NULL, &cfg, &err) != 0)
			fail_msg("%s: %s", err.path, err.text);
		assert_true(cfg->n_ports > 0);
		assert_fix_point(cfg, files.gl_pathv[i]);
		config_free(cfg);
	}
	globfree(&files);
}

// A reload keeps the ids of vports with the same switch and name; new ones get unused ids.
static void
test_port_ids(void **state)
{
	struct config *first = parse("{\"switches\":[{\"name\":\"s\",\"id\":1,\"ports\":["
				     "{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}]}",
		NULL);
	struct config *second = parse("{\"switches\":[{\"name\":\"t\",\"id\":1,\"ports\":["
				      "{\"name\":\"d\"},{\"name\":\"c\"}]},"
				      "{\"name\":\"s\",\"id\":2,\"ports\":[{\"name\":\"b\"}]}]}",
		first);

	assert_int_equal(first->ports[0].id, 0);
	assert_int_equal(first->ports[2].id, 2);
	assert_int_equal(second->ports[0].id, 3); // d: not a's or b's, which have just gone
	assert_int_equal(second->ports[1].id, 2); // c
	assert_int_equal(second->ports[2].id, 4); // b is on another switch now
	config_free(first);
	config_free(second);
}

// So do VMs; one that is gone keeps its place, new ones stand behind.
static void
test_vm_places(void **state)
{
	struct config *first =
		parse("{\"switches\":[{\"name\":\"s\",\"ports\":["
		      "{\"name\":\"a\",\"vm\":\"x\"},{\"name\":\"b\",\"vm\":\"y\"}]}]}",
			NULL);
	struct config *second = parse("{\"switches\":[{\"name\":\"s\",\"ports\":["
				      "{\"name\":\"c\",\"vm\":\"z\"},{\"name\":\"b\",\"vm\":\"y\"},"
				      "{\"name\":\"d\"}],"
				      "\"rules\":[{\"match\":\"vm=z\",\"actions\":\"drop\"}]}]}",
		first);

	assert_int_equal(second->n_vms, 3);
	assert_string_equal(second->vms[0].name, "x");
	assert_int_equal(second->ports[0].vm, 2);
	assert_int_equal(second->ports[1].vm, 1);
	assert_int_equal(second->ports[2].vm, -1);
	assert_int_equal(second->rules[0].vm, 2);
	config_free(first);
	config_free(second);
}

static void
test_full_of_ports(void **state)
{
	struct config *cfg = NULL, *next;

	for (unsigned round = 0; round < 3; round++) {
		bool seen[CONFIG_PORTS_MAX] = {false};
		struct sl_strbuf text;
		char name[16];

		sl_strbuf_init(&text, 0);
		sl_strbuf_add(&text, "{\"switches\":[{\"name\":\"s\",\"ports\":[");
		for (unsigned i = 0; i < CONFIG_PORTS_MAX; i++)
			sl_strbuf_addf(&text, "%s{\"name\":\"p%u\",\"vm\":\"v%u\"}",
				i > 0 ? "," : "", i + round * 100, i + round * 50);
		sl_strbuf_add(&text, "]}]}");
		next = parse(text.data, cfg);
		sl_strbuf_fini(&text);
		for (unsigned i = 0; i < CONFIG_PORTS_MAX; i++) {
			assert_true(next->ports[i].id < CONFIG_PORTS_MAX);
			assert_false(seen[next->ports[i].id]);
			seen[next->ports[i].id] = true;
			snprintf(name, sizeof(name), "v%u", i + round * 50);
			assert_string_equal(next->vms[next->ports[i].vm].name, name);
		}
		if (cfg != NULL)
			assert_int_equal(config_port_by_name(next, "p250")->id,
				config_port_by_name(cfg, "p250")->id);
		config_free(cfg);
		cfg = next;
	}
	config_free(cfg);
}

static void
test_names(void **state)
{
	struct config *cfg = parse(ruled, NULL);
	struct config_names ctx = {.cfg = cfg, .sw = 0};
	struct flow_names names;

	config_flow_names(&ctx, &names);
	assert_int_equal(names.port_id(&ctx, "a"), cfg->ports[1].id);
	assert_int_equal(names.port_id(&ctx, "b"), -ENOENT);
	assert_string_equal(names.port_name(&ctx, cfg->ports[1].id), "a");
	assert_null(names.port_name(&ctx, cfg->ports[2].id));
	assert_int_equal(names.class_id(&ctx, "fast"), 1);
	assert_null(names.class_name(&ctx, 2));
	assert_int_equal(names.table_id(&ctx, "t9"), 9);
	assert_int_equal(names.table_id(&ctx, "9"), 9);
	assert_int_equal(names.table_id(&ctx, "8"), -ENOENT);
	assert_string_equal(names.table_name(&ctx, 9), "t9");
	assert_int_equal(config_switch_by_name(cfg, "s2"), 1);
	assert_int_equal(config_switch_by_name(cfg, "s3"), -ENOENT);
	assert_null(config_port_by_name(cfg, "nope"));
	config_free(cfg);
}

static void
test_missing_file(void **state)
{
	struct config *cfg;
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(config_load("/nonexistent/x.json", NULL, &cfg, &err), -ENOENT);
	assert_null(cfg);
	assert_string_equal(err.path, "/nonexistent/x.json");
	sl_err_init(&err);
	assert_int_equal(config_load("/tmp", NULL, &cfg, &err), -EISDIR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rule_text),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_port_ids),
		cmocka_unit_test(test_vm_places),
		cmocka_unit_test(test_full_of_ports),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_missing_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
