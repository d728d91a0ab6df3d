// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/drop.h"

const char *
dp_drop_name(enum dp_drop drop)
{
	static const char *const names[DP_DROP_COUNT] = {
#define DP_DROP_NAME(id, name, text) [DP_DROP_##id] = name,
		DP_DROPS(DP_DROP_NAME)
#undef DP_DROP_NAME
	};

	return (unsigned)drop < DP_DROP_COUNT ? names[drop] : "unknown";
}

const char *
dp_drop_text(enum dp_drop drop)
{
	static const char *const texts[DP_DROP_COUNT] = {
#define DP_DROP_TEXT(id, name, text) [DP_DROP_##id] = text,
		DP_DROPS(DP_DROP_TEXT)
#undef DP_DROP_TEXT
	};

	return (unsigned)drop < DP_DROP_COUNT ? texts[drop] : "";
}
