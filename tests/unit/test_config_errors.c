// SPDX-License-Identifier: BSD-3-Clause
// Bad files: each mistake gives one line with its place and what was expected.
#include <errno.h>
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

struct bad {
	const char *text;
	const char *path;
	const char *says; // is in the message
};

// A NIC with 4 VFs and a switch, around what a test is about.
#define NIC "\"nics\":[{\"name\":\"n\",\"dev\":\"net_emunic0\",\"vfs\":4}]"
#define PORTS(ports) "{" NIC ",\"switches\":[{\"name\":\"s\",\"ports\":[" ports "]}]}"
#define PORT(rest) PORTS("{\"name\":\"p\"," rest "}")
#define ATTACH(rest) PORT("\"attach\":{" rest "}")
#define NICS(rest) "{\"nics\":[{\"name\":\"n\",\"dev\":\"d\"," rest "}]}"
#define DEV(dev, rest) "{\"nics\":[{\"name\":\"n\",\"dev\":\"" dev "\"," rest "}]}"
#define SWITCH(rest)                                                                               \
	"{\"switches\":[{\"name\":\"s\",\"ports\":[{\"name\":\"p\",\"vm\":\"v\"}]," rest "}]}"
#define RULE(rest) SWITCH("\"rules\":[{\"actions\":\"drop\"},{" rest "}]")
#define P0 "/switches/0/ports/0"

static const struct bad syntax[] = {
	{"", "f:1:0", "ends too early"},
	{"{", "f:1:1", "ends too early"},
	{"[]", "/", "must be an object, not a list"},
	{"{}x", "f:1:3", "nothing may follow the last }, in: {}x"},
	{"{\"log\":{}\n \"eal\":[]}", "f:2:6",
		"a comma or the closing bracket is missing before "
		"this, in: \"eal\":[]}"},
	{"{\"log\":{},}", "f:1:11", "a comma too many"},
	{"{\n// x\n}", "f:2:1", "JSON has no comments, in: // x"},
	{"{\"log\" {}}", "f:1:8", "expected a : after the key"},
	{"{\"log\":{},\n  \"log\":{}}", "f:2:7",
		"the same key twice in one object, in: \"log\":{}}"},
	{"{\"a\":\"\xff\"}", "f:1:6", "not valid UTF-8"},
	{"{\"a\":99999999999999999999}", "f:1:25", "the number is too large"},
	{"{\"a\":nil}", "f:1:8", "invalid token"},
};

static const struct bad values[] = {
	{"{\"logg\":1}", "/logg", "unknown key, is \"log\" meant?"},
	{"{\"a/b~\":1}", "/a~1b~0", "unknown key; here may stand: control, log, eal"},
	{"{\"log\":[]}", "/log", "must be an object, not a list"},
	{"{\"log\":{\"level\":\"loud\"}}", "/log/level",
		"\"loud\" is none of \"err\", \"warn\", \"info\", \"debug\""},
	{"{\"log\":{\"level\":1}}", "/log/level", "must be one of \"err\", "},
	{"{\"eal\":\"-m\"}", "/eal", "must be a list of text, not text"},
	{"{\"eal\":[1]}", "/eal/0", "must be text, not a number"},
	{"{\"eal\":[\"\"]}", "/eal/0", "must not be empty"},
	{"{\"datapath\":{\"flows\":\"8\"}}", "/datapath/flows", "8 is below 1024"},
	{"{\"datapath\":{\"flows\":\"8x\"}}", "/datapath/flows",
		"\"8x\" is not a whole number with k, M or G or none"},
	{"{\"datapath\":{\"flows\":\"99999999999999G\"}}", "/datapath/flows", "is not a whole"},
	{"{\"datapath\":{\"flows\":\"-1\"}}", "/datapath/flows", "is not a whole"},
	{"{\"datapath\":{\"flows\":1e6}}", "/datapath/flows",
		"must be a whole number or text like \"10M\", not a number with a fraction"},
	{"{\"datapath\":{\"idle_ms\":\"1k\"}}", "/datapath/idle_ms",
		"must be a whole number, not text"},
	{"{\"datapath\":{\"idle_ms\":-1}}", "/datapath/idle_ms", "-1 is below 100"},
	{"{\"datapath\":{\"idle_ms\":3600001}}", "/datapath/idle_ms", "3600001 is above 3600000"},
	{"{\"offload\":{\"enabled\":1}}", "/offload/enabled",
		"must be true or false, not a number"},
	{"{\"offload\":{\"heavy_bps\":null}}", "/offload/heavy_bps", "not null"},
	{"{\"offload\":{\"heavy_bps\":\"1M\"}}", "/offload/light_bps",
		"5000000 is above heavy_bps 1000000"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"vm\":\"nobody\"}]}}", "/offload/policy/0/vm",
		"there is no VM \"nobody\""},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"port\":\"p9\"}]}}", "/offload/policy/0/port",
		"there is no port \"p9\""},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"class\":\"gold\"}]}}",
		"/offload/policy/0/class", "there is no class \"gold\""},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"places\":[\"queue\"]}]}}",
		"/offload/policy/0/places", "\"queue\" is not software, ring,"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"places\":[\"ring\",\"ring\"]}]}}",
		"/offload/policy/0/places", "\"ring\" is there twice"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"places\":[\"software\",\"ring\"]}]}}",
		"/offload/policy/0/places", "\"ring\" is never reached: software, before it"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"places\":[\"ring\",\"eswitch\"]}]}}",
		"/offload/policy/0/places", "\"eswitch\" is never reached: ring, before it"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"queues\":\"7-4\"}]}}",
		"/offload/policy/0/queues", "the first not above the last"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"queues\":\"a\"}]}}",
		"/offload/policy/0/queues", "is not FIRST-LAST"},
	{"{\"vms\":[{\"name\":\"v\",\"burst_bytes\":5000}]}", "/vms/0/burst_bytes",
		"needs rate_bps"},
	{"{\"vms\":[{\"name\":\"v\",\"rate_bps\":999}]}", "/vms/0/rate_bps",
		"999 is below 1000 bit/s"},
	{"{\"classes\":[{\"name\":\"c\",\"rate_bps\":\"1M\",\"burst_bytes\":100}]}",
		"/classes/0/burst_bytes", "100 is below 2000, a frame"},
	{"{\"switches\":[{\"name\":\"s\",\"ports\":[{\"name\":\"p\",\"rate_bps\":\"2T\"}]}]}",
		"/switches/0/ports/0/rate_bps", "2T"},
	{"{\"switches\":[{\"name\":\"s\",\"ports\":[{\"name\":\"p\",\"rate_bps\":10}]}]}",
		"/switches/0/ports/0/rate_bps", "10 is below 1000 bit/s"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"max_entries\":-1}]}}",
		"/offload/policy/0/max_entries", "-1 is below 0"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"max_queues\":1025}]}}",
		"/offload/policy/0/max_queues", "1025 is above 1024"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"max_inserts\":\"fast\"}]}}",
		"/offload/policy/0/max_inserts", "fast"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"class_rule\":true,\"queues\":\"1-2\","
	 "\"max_queues\":1}]}}",
		"/offload/policy/0/max_queues", "it keeps no limit of a VM"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"share\":\"rate-limit\","
	 "\"share_ratio_pct\":100}]}}",
		"/offload/policy/0/share_ratio_pct", "100 is below 101"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"share_ratio_pct\":150}]}}",
		"/offload/policy/0/share_ratio_pct", "\"share\": \"rate-limit\" only"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"own_queues\":true}]}}",
		"/offload/policy/0/own_queues", "needs queues"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"min_bps\":10,\"max_bps\":10}]}}",
		"/offload/policy/0/max_bps", "no flow could match"},
	{"{\"offload\":{\"policy\":[{\"name\":\"p\",\"share\":\"colour\"}]}}",
		"/offload/policy/0/share", "colour"},
	{"{\"classes\":[]}", "/classes", "there must be one class"},
	{"{\"classes\":[{\"name\":\"a\",\"depth\":100}]}", "/classes/0/depth",
		"100 is no power of two"},
	{"{\"classes\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "/classes/1/name",
		"there are two classes named \"a\""},
	{"{\"classes\":[{}]}", "/classes/0", "\"name\" is missing: what rules call it"},
	{"{\"control\":{\"socket\":\"\"}}", "/control/socket", "must not be empty"},
	{"{\"control\":{\"socket\":\"/a\",\"readonly_socket\":\"/a\"}}", "/control/readonly_socket",
		"/a is used twice"},
	{"{\"nics\":{}}", "/nics", "must be a list, not an object"},
	{"{\"nics\":[{\"name\":\"1n\",\"dev\":\"d\"}]}", "/nics/0/name",
		"\"1n\" is no name: letters, digits, - _ . and not a digit first"},
	{"{\"nics\":[{\"name\":\"a b\",\"dev\":\"d\"}]}", "/nics/0/name", "is no name"},
	{"{\"nics\":[{\"name\":\"\",\"dev\":\"d\"}]}", "/nics/0/name", "is no name"},
	{"{\"nics\":[{\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"dev\":\"d\"}]}",
		"/nics/0/name", "32 bytes are above 31"},
	{"{\"vms\":[{\"name\":\"v\"},{\"name\":\"v\"}]}", "/vms/1/name", "two VMs named \"v\""},
};

static const struct bad nics[] = {
	{NICS("\"queues\":2,\"default_queues\":3"), "/nics/0/default_queues",
		"3 is above queues 2"},
	{NICS("\"vf_default_queues\":5"), "/nics/0/vf_default_queues", "5 is above vf_queues 4"},
	{DEV("net_emunic0,vfs=2,representor=vf[0-1]", "\"vfs\":4"), "/nics/0/vfs",
		"4 is above the 2 VFs that dev gives the NIC"},
	{DEV("net_emunic0,queues=4", "\"vfs\":0"), "/nics/0/queues",
		"8 is above the 4 queues that dev gives the NIC"},
	{DEV("0000:3b:00.0,representor=vf[0-1]", "\"vfs\":4"), "/nics/0/vfs",
		"4 is above the 2 of representor=vf[0-1] in dev"},
	{DEV("0000:3b:00.0,representor=[0,2]", "\"vfs\":3"), "/nics/0/vfs", "3 is above the 2 of"},
	{DEV("d,wire=[a,vfs=2],representor=vf0", "\"vfs\":2"), "/nics/0/vfs", "2 is above the 1"},
	{"{\"nics\":[{\"name\":\"a\",\"dev\":\"d\"},{\"name\":\"a\",\"dev\":\"e\"}]}",
		"/nics/1/name", "two NICs named \"a\""},
	{"{\"nics\":[{\"name\":\"a\",\"dev\":\"d,x=1\"},{\"name\":\"b\",\"dev\":\"d\"}]}",
		"/nics/1/dev", "device d is used twice"},
	{NICS("\"vfs\":32"), "/nics", "33 DPDK devices"},
};

static const struct bad ports[] = {
	{PORTS("{\"name\":\"p\"},{\"name\":\"p\"}"), "/switches/0/ports/1/name",
		"there are two ports named \"p\""},
	{ATTACH("\"kind\":\"nic\",\"nic\":\"x\""), P0 "/attach/nic",
		"there is no NIC \"x\" in /nics"},
	{ATTACH("\"kind\":\"vf\",\"nic\":\"n\",\"vf\":9"), P0 "/attach/vf",
		"9 is above 3 (n has 4 VFs)"},
	{"{\"nics\":[{\"name\":\"n\",\"dev\":\"d\"}],\"switches\":[{\"name\":\"s\",\"ports\":["
	 "{\"name\":\"p\",\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":0}}]}]}",
		P0 "/attach/vf", "n has no VFs"},
	{ATTACH("\"kind\":\"vf\",\"nic\":\"n\""), P0 "/attach", "\"vf\" is missing: number of"},
	{ATTACH("\"nic\":\"n\""), P0 "/attach", "\"kind\" is missing"},
	{ATTACH("\"kind\":\"tap\""), P0 "/attach/kind",
		"\"tap\" is none of \"none\", \"nic\", \"vf\", \"vhost-user\", \"ethdev\""},
	{ATTACH("\"kind\":\"nic\",\"nic\":\"n\",\"vf\":1"), P0 "/attach/vf",
		"has no meaning with \"kind\": \"nic\""},
	{ATTACH("\"kind\":\"vhost-user\""), P0 "/attach", "\"path\" is missing"},
	{ATTACH("\"kind\":\"vhost-user\",\"path\":\"/run/"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
		P0 "/attach/path", "bytes are above 107"},
	{ATTACH("\"kind\":\"vhost-user\",\"path\":\"/run/sluice/sluice.sock\""), P0 "/attach/path",
		"/run/sluice/sluice.sock is used twice"},
	{ATTACH("\"kind\":\"vhost-user\",\"path\":\"/x\",\"queues\":0"), P0 "/attach/queues",
		"0 is below 1"},
	{ATTACH("\"kind\":\"ethdev\",\"dev\":\"net_emunic0,a=b\""), P0 "/attach/dev",
		"device net_emunic0 is used twice"},
	{PORTS("{\"name\":\"a\",\"attach\":{\"kind\":\"nic\",\"nic\":\"n\"}},"
	       "{\"name\":\"b\",\"attach\":{\"kind\":\"nic\",\"nic\":\"n\"}}"),
		"/switches/0/ports/1/attach/nic", "n carries port \"a\" already"},
	{PORTS("{\"name\":\"a\",\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":1}},"
	       "{\"name\":\"b\",\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":1}}"),
		"/switches/0/ports/1/attach/vf", "VF 1 of n carries port \"a\" already"},
	{PORT("\"miss\":\"both\""), P0 "/miss", "\"both\" is none of \"representor\", \"vm\""},
	{PORT("\"miss\":\"vm\",\"attach\":{\"kind\":\"nic\",\"nic\":\"n\"}"), P0 "/miss",
		"is for a port that a VF carries"},
	{PORT("\"miss\":\"vm\",\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":0}"), P0 "/miss",
		"goes through a VM, and port \"p\" has none"},
	{PORT("\"vm\":\"v\",\"miss\":\"vm\",\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":0}"),
		P0 "/miss", "needs /offload/vm_tables"},
	{"{\"offload\":{\"vm_tables\":true}," NIC
	 ",\"switches\":[{\"name\":\"s\",\"ports\":[{\"name\":\"p\",\"vm\":\"v\",\"miss\":\"vm\","
	 "\"attach\":{\"kind\":\"vf\",\"nic\":\"n\",\"vf\":0}},{\"name\":\"q\",\"vm\":\"u\","
	 "\"attach\":{\"kind\":\"vhost-user\",\"path\":\"/x\"}}]}]}",
		P0 "/miss", "needs a port of VM \"v\" that is attached by vhost-user"},
	{"{\"offload\":{\"miss_key_s\":0}}", "/offload/miss_key_s", "0 is below 1"},
	{PORT("\"mac_check\":true"), P0 "/mac_check", "needs macs"},
	{PORT("\"ip_check\":true"), P0 "/ip_check", "needs ips"},
	{PORT("\"macs\":[\"02:00:00:00:00:1\"]"), P0 "/macs/0", "is no address like"},
	{PORT("\"macs\":[\"01:00:00:00:00:01\"]"), P0 "/macs/0", "is a group address"},
	{PORT("\"macs\":[1,2,3,4,5,6,7,8,9]"), P0 "/macs", "9 are above 8"},
	{PORT("\"ips\":[\"10.0.0.256\"]"), P0 "/ips/0", "no IPv4 or IPv6 address"},
	{PORT("\"ips\":[\"10.0.0.0/33\"]"), P0 "/ips/0", "a prefix length is 0 to 32"},
	{PORT("\"ips\":[\"10.0.0.1/8\"]"), P0 "/ips/0", "there are bits below the prefix"},
	{PORT("\"ips\":[\"10.0.0.0/\"]"), P0 "/ips/0", "no prefix length after the /"},
	{PORT("\"ips\":[\"2001:db8::1/129\"]"), P0 "/ips/0", "a prefix length is 0 to 128"},
	{PORT("\"vlan\":{\"mode\":\"access\"}"), P0 "/vlan", "\"vid\" is missing"},
	{PORT("\"vlan\":{\"mode\":\"access\",\"vid\":0}"), P0 "/vlan/vid", "0 is below 1"},
	{PORT("\"vlan\":{\"mode\":\"access\",\"vid\":4095}"), P0 "/vlan/vid", "4095 is above 4094"},
	{PORT("\"vlan\":{\"mode\":\"access\",\"vid\":1,\"vids\":[2]}"), P0 "/vlan/vids",
		"has no meaning with \"mode\": \"access\""},
	{PORT("\"vlan\":{\"vid\":1}"), P0 "/vlan/vid", "has no meaning with \"mode\": \"trunk\""},
	{PORT("\"vlan\":{\"vids\":[\"5-4\"]}"), P0 "/vlan/vids/0", "VIDs are 1 to 4094"},
	{PORT("\"vlan\":{\"vids\":[0]}"), P0 "/vlan/vids/0", "VIDs are 1 to 4094"},
	{PORT("\"vlan\":{\"vids\":[4294967297]}"), P0 "/vlan/vids/0", "VIDs are 1 to 4094"},
	{PORT("\"vlan\":{\"vids\":[\"1-\"]}"), P0 "/vlan/vids/0", "is no VID and no range"},
	{PORT("\"vm\":1"), P0 "/vm", "must be text"},
	{"{\"vms\":[],\"switches\":[{\"name\":\"s\",\"ports\":[{\"name\":\"p\",\"vm\":\"v\"}]}]}",
		P0 "/vm", "there is no VM \"v\" in /vms"},
	{PORT("\"mtu\":67"), P0 "/mtu", "67 is below 68"},
};

static const struct bad switches[] = {
	{"{\"switches\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "/switches/1/name",
		"two switches named \"a\""},
	{"{\"switches\":[{\"name\":\"a\",\"id\":2},{\"name\":\"b\"}]}", "/switches/1/id",
		"2 is the id of \"a\" too"},
	{SWITCH("\"mode\":\"both\""), "/switches/0/mode", "\"both\" is none of"},
	{SWITCH("\"tables\":[{\"id\":1}]"), "/switches/0/tables", "there is no table 0"},
	{SWITCH("\"tables\":[{\"id\":0},{\"id\":0}]"), "/switches/0/tables/1/id",
		"there are two tables 0"},
	{SWITCH("\"tables\":[{\"id\":0,\"name\":\"t\"},{\"id\":1,\"name\":\"t\"}]"),
		"/switches/0/tables/1/name", "two tables named \"t\""},
	{SWITCH("\"tables\":[{\"id\":64}]"), "/switches/0/tables/0/id", "64 is above 63"},
	{SWITCH("\"tables\":[{\"id\":0,\"default\":\"goto=0\"}]"), "/switches/0/tables/0/default",
		"goto leads upward only: table 0 is not above table 0"},
	{SWITCH("\"tables\":[{\"id\":0},{\"id\":1,\"default\":\"fly\"}]"),
		"/switches/0/tables/1/default", "fly"},
	{SWITCH("\"max_rules\":1,\"rules\":[{\"actions\":\"drop\"},{\"actions\":\"drop\"}]"),
		"/switches/0/rules", "2 are above max_rules 1"},
	{RULE("\"match\":\"any\""), "/switches/0/rules/1", "\"actions\" is missing"},
	{RULE("\"actions\":\"output=x\""), "/switches/0/rules/1/actions", "x"},
	{RULE("\"actions\":\"class=x\""), "/switches/0/rules/1/actions", "x"},
	{RULE("\"actions\":\"goto=9\""), "/switches/0/rules/1/actions", "9"},
	{RULE("\"actions\":\"goto=main\""), "/switches/0/rules/1/actions",
		"goto leads upward only"},
	{RULE("\"actions\":1"), "/switches/0/rules/1/actions", "must be text, not a number"},
	{RULE("\"actions\":\"drop\",\"match\":\"tcp dport=80000\""), "/switches/0/rules/1/match",
		"column 5"},
	{RULE("\"actions\":\"drop\",\"match\":\"vm=v tcp dport=80000\""),
		"/switches/0/rules/1/match", "column 10"}, // vm= is taken out, columns stay
	{RULE("\"actions\":\"drop\",\"match\":\"vm=x\""), "/switches/0/rules/1/match",
		"there is no VM \"x\""},
	{RULE("\"actions\":\"drop\",\"match\":\"vm=v,vm=v\""), "/switches/0/rules/1/match",
		"vm= is there twice"},
	{RULE("\"actions\":\"drop\",\"table\":\"x\""), "/switches/0/rules/1/table",
		"there is no table \"x\" in the switch"},
	{RULE("\"actions\":\"drop\",\"table\":3"), "/switches/0/rules/1/table",
		"there is no table 3 in the switch"},
	{RULE("\"actions\":\"drop\",\"table\":null"), "/switches/0/rules/1/table",
		"must be the name or number of a table, not null"},
	{RULE("\"actions\":\"drop\",\"priority\":65536"), "/switches/0/rules/1/priority",
		"65536 is above 65535"},
	{SWITCH("\"rules\":[{\"name\":\"r\",\"actions\":\"drop\"},"
		"{\"name\":\"r\",\"actions\":\"drop\"}]"),
		"/switches/0/rules/1/name", "two rules named \"r\""},
};

static void
check(const struct bad *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct config_faults faults;
		struct config *cfg = NULL;
		struct sl_err *err = &faults.list[0];
		int ret = config_parse_all(
			list[i].text, strlen(list[i].text), "f", NULL, &cfg, &faults);

		if (ret != -EINVAL || cfg != NULL)
			fail_msg("%s: accepted", list[i].text);
		assert_int_equal(err->code, -EINVAL);
		if (strcmp(err->path, list[i].path) != 0 || strstr(err->text, list[i].says) == NULL)
			fail_msg("%s\n  says  %s: %s\n  not   %s: %s", list[i].text, err->path,
				err->text, list[i].path, list[i].says);
		if (faults.n != 1)
			fail_msg("%s\n  one mistake, %u faults: %s: %s", list[i].text, faults.n,
				faults.list[1].path, faults.list[1].text);
	}
}

static void
test_syntax(void **state)
{
	check(syntax, sizeof(syntax) / sizeof(syntax[0]));
}

static void
test_values(void **state)
{
	check(values, sizeof(values) / sizeof(values[0]));
}

static void
test_nics(void **state)
{
	check(nics, sizeof(nics) / sizeof(nics[0]));
}

static void
test_ports(void **state)
{
	check(ports, sizeof(ports) / sizeof(ports[0]));
}

static void
test_switches(void **state)
{
	check(switches, sizeof(switches) / sizeof(switches[0]));
}

// The line of the issue: pointer, what is wrong, what would be right, the file.
static void
test_wording(void **state)
{
	const char *text = ATTACH("\"kind\":\"vf\",\"nic\":\"n\",\"vf\":9");
	struct config *cfg;
	struct sl_err err;
	char buf[600];

	sl_err_init(&err);
	assert_int_equal(
		config_parse(text, strlen(text), "config/x.json", NULL, &cfg, &err), -EINVAL);
	assert_string_equal(sl_err_str(&err, buf, sizeof(buf)),
		"/switches/0/ports/0/attach/vf: 9 is above 3 (n has 4 VFs) (config/x.json)");
}

static void
test_all_faults(void **state)
{
	static const char text[] =
		"{\"log\":{\"level\":1},\"eal\":3,\"nics\":[{\"name\":\"n\"},{\"dev\":\"d\"}]}";
	struct config_faults faults;
	struct config *cfg;
	struct sl_strbuf many;

	assert_int_equal(config_parse_all(text, strlen(text), "f", NULL, &cfg, &faults), -EINVAL);
	assert_int_equal(faults.n, 4);
	assert_false(faults.more);
	assert_string_equal(faults.list[0].path, "/log/level");
	assert_string_equal(faults.list[3].path, "/nics/1");

	sl_strbuf_init(&many, 0);
	sl_strbuf_add(&many, "{\"vms\":[{\"name\":\"\"}");
	for (unsigned i = 0; i < 100; i++)
		sl_strbuf_add(&many, ",{\"name\":1,\"nick\":2}");
	sl_strbuf_add(&many, "],\"switches\":[{\"name\":2,\"ports\":[{\"name\":3,\"vm\":4}]}]}");
	assert_int_equal(config_parse_all(many.data, many.len, "f", NULL, &cfg, &faults), -EINVAL);
	assert_int_equal(faults.n, CONFIG_FAULTS_MAX);
	assert_true(faults.more);
	sl_strbuf_fini(&many);
}

static void
test_too_many(void **state)
{
	struct config_faults faults;
	struct config *cfg;
	struct sl_strbuf text;

	sl_strbuf_init(&text, 0);
	sl_strbuf_add(&text, "{\"switches\":[{\"name\":\"s\",\"ports\":[{}");
	for (unsigned i = 0; i < CONFIG_PORTS_MAX; i++)
		sl_strbuf_add(&text, ",{}");
	sl_strbuf_add(&text, "]}]}");
	assert_int_equal(config_parse_all(text.data, text.len, "f", NULL, &cfg, &faults), -EINVAL);
	assert_int_equal(faults.n, 1);
	assert_string_equal(faults.list[0].path, "/switches/0/ports");
	assert_string_equal(faults.list[0].text, "more than 256 ports in the file (f)");
	sl_strbuf_fini(&text);
}

// A long line is quoted where the mistake is.
static void
test_long_line(void **state)
{
	struct config_faults faults;
	struct config *cfg;
	struct sl_strbuf text;

	sl_strbuf_init(&text, 0);
	sl_strbuf_add(&text, "{\"eal\":[");
	for (unsigned i = 0; i < 200; i++)
		sl_strbuf_add(&text, "\"-a\",");
	sl_strbuf_add(&text, "\"here\" \"-b\"]}");
	assert_int_equal(config_parse_all(text.data, text.len, "f", NULL, &cfg, &faults), -EINVAL);
	assert_non_null(strstr(faults.list[0].text, "\"here\" \"-b\""));
	sl_strbuf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nics),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_wording),
		cmocka_unit_test(test_all_faults),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
