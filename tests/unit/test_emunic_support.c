// SPDX-License-Identifier: BSD-3-Clause
// The support table against the driver: every row is taken or refused by rte_flow_validate as it
// says, in every domain and field by field, what has no row is refused by name, and the reference
// page is the table's.
#include "emunic_nic.h"

#include "rte_flow/support.h"

static struct rte_flow_error error;

static struct rte_flow_attr
attr_of(unsigned int domain)
{
	return (struct rte_flow_attr){.ingress = domain == EMU_ON_INGRESS,
		.egress = domain == EMU_ON_EGRESS,
		.transfer = domain == EMU_ON_TRANSFER};
}

static int
validate(unsigned int domain, const struct rte_flow_item *item, int action, const void *conf)
{
	const struct rte_flow_attr attr = attr_of(domain);
	const struct rte_flow_item pattern[] = {*item, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {
		{.type = action, .conf = conf}, {.type = RTE_FLOW_ACTION_TYPE_END}};

	error.message = NULL;
	return rte_flow_validate(0, &attr, pattern, actions, &error);
}

static int
validate_item(unsigned int domain, const struct rte_flow_item *item)
{
	return validate(domain, item, RTE_FLOW_ACTION_TYPE_DROP, NULL);
}

static void
test_item_rows(void **state)
{
	const struct rte_flow_item_tag tag = {.index = 1, .data = 1};
	unsigned int n = 0;

	plug(0);
	for (int type = 1; type < 80; type++) {
		const int row = emu_support_find(false, type);
		const struct rte_flow_item item = {
			.type = type, .spec = type == RTE_FLOW_ITEM_TYPE_TAG ? &tag : NULL};

		n += row >= 0;
		for (unsigned int domain = 1; domain < EMU_ON_ALL; domain <<= 1) {
			bool takes = row >= 0 && emu_support_item(row)->domains & domain;
			int ret = validate_item(domain, &item);

			if ((ret == 0) != takes)
				fail_msg("item %d in domain %u: %d", type, domain, ret);
			if (takes)
				continue;
			assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM);
			assert_non_null(
				strstr(error.message, row < 0 ? "item not supported" : " needs "));
		}
	}
	while (emu_support_item(n) != NULL)
		fail_msg("no such type as that of %s", emu_support_item(n)->name);
	unplug();
}

// Every field is matched alone, with a range where the table says so; every other bit is refused.
static void
test_fields(void **state)
{
	const struct emu_item *it;

	plug(0);
	for (unsigned int i = 0; (it = emu_support_fields(i)) != NULL; i++) {
		uint8_t known[64] = {0}, spec[64], mask[64], last[64];
		struct rte_flow_item item = {.type = it->row.type, .spec = spec, .mask = mask};

		for (const struct emu_item_field *f = it->fields; f != NULL && f->name; f++) {
			bool flag = f->kind == EMU_MATCH_FLAG, ranged;

			memset(spec, 0, sizeof(spec));
			memset(mask, 0, sizeof(mask));
			memset(last, 0, sizeof(last));
			memset(&mask[f->at], flag ? 1 << f->bit : 0xff, f->size);
			if (f->kind == EMU_MATCH_CLASS)
				mask[f->at] = 0x0f;
			for (unsigned int b = 0; b < f->size; b++)
				known[f->at + b] |= mask[f->at + b];
			item.last = NULL;
			if (validate_item(EMU_ON_INGRESS, &item) != 0)
				fail_msg("%s.%s: %s", it->row.name, f->name, error.message);
			if (flag)
				continue;
			last[f->at + f->size - 1] = 1;
			item.last = last;
			ranged = validate_item(EMU_ON_INGRESS, &item) == 0;
			assert_int_equal(ranged, f->kind == EMU_MATCH_RANGE);
			if (!ranged)
				assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM_LAST);
		}
		item.last = NULL;
		for (unsigned int bit = 0; bit < it->size * 8U; bit++) {
			if (known[bit / 8] >> bit % 8 & 1)
				continue;
			memset(spec, 0, sizeof(spec));
			memset(mask, 0, sizeof(mask));
			mask[bit / 8] = 1 << bit % 8;
			if (validate_item(EMU_ON_INGRESS, &item) == 0)
				fail_msg("%s takes bit %u", it->row.name, bit);
			assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM_MASK);
		}
	}
	unplug();
}

// An action without a configuration is at most refused for that.
static void
test_action_rows(void **state)
{
	const struct rte_flow_item any = {.type = RTE_FLOW_ITEM_TYPE_ETH};

	plug(0);
	for (int type = 1; type < 100; type++) {
		const int row = emu_support_find(true, type);

		for (unsigned int domain = 1; domain < EMU_ON_ALL; domain <<= 1) {
			int ret = validate(domain, &any, type, NULL);
			bool named = ret != 0 && error.message != NULL &&
				     (strstr(error.message, "action not supported") != NULL ||
					     strstr(error.message, " rule") != NULL) &&
				     error.type == RTE_FLOW_ERROR_TYPE_ACTION;

			if (row < 0 || !(emu_support_action(row)->domains & domain))
				assert_true(named);
			else if (ret != 0)
				assert_null(strstr(error.message, "not supported; supported:"));
		}
	}
	unplug();
}

// Where the compiler puts the bit fields is where the table has them.
static void
test_bit_fields(void **state)
{
	const struct rte_flow_item_eth eth = {.has_vlan = 1};
	const struct rte_flow_item_vlan vlan = {.has_more_vlan = 1};
	const struct rte_flow_item_ipv6 ipv6 = {.has_frag_ext = 1};

	assert_int_equal(((const uint8_t *)&eth)[14], 1 << 0);
	assert_int_equal(((const uint8_t *)&vlan)[4], 1 << 0);
	assert_int_equal(((const uint8_t *)&ipv6)[40], 1 << 2);
}

static void
test_page(void **state)
{
	FILE *f = fopen(SOURCE_ROOT "/config/EMUNIC.md", "r");
	char *page = emu_support_page(), *have = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(page);
	assert_true(fread(have, 1, (1 << 16) - 1, f) > 0);
	if (strcmp(have, page) != 0)
		fail_msg("config/EMUNIC.md is old: run ninja update-docs");
	fclose(f);
	free(have);
	free(page);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_item_rows),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_action_rows),
		cmocka_unit_test(test_bit_fields),
		cmocka_unit_test(test_page),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
