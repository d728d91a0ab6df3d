// SPDX-License-Identifier: BSD-3-Clause
#include "nic/errors.h"

#include <errno.h>
#include <string.h>

// clang-format off
static const struct nic_error rows[] = {
	{"mlx5_pci", ENOMEM, "hardware refuses", OFFLOAD_FULL,
		"mlx5/mlx5_flow_dv.c, flow_dv_apply",
		"no steering memory is left for the rule"},
	{"mlx5_pci", ENOMEM, "cannot create", OFFLOAD_FULL,
		"mlx5/mlx5_flow_dv.c, flow_dv_encap_decap_create_cb",
		"no steering object is left for an action"},
	{"mlx5_pci", ENOSPC, "temporary device flow", OFFLOAD_UNSUPPORTED,
		"mlx5/mlx5_flow_dv.c, flow_dv_prepare",
		"the rule needs more sub-rules than the driver keeps for one"},
	{"mlx5_pci", EREMOTEIO, NULL, OFFLOAD_UNSUPPORTED, NULL,
		"firmware refuses what the driver let pass"},
	{"net_ice", EINVAL, "Add filter rule failed", OFFLOAD_FULL,
		"ice/ice_rxtx.c, ice_check_fdir_programming_status",
		"the flow director reports that it took no more"},
	{"net_ice", ETIMEDOUT, NULL, OFFLOAD_TRANSIENT,
		"ice/ice_rxtx.c, ice_fdir_programming", "the flow director did not answer in time"},
	{"net_ice", EINVAL, "switch filter create flow fail", OFFLOAD_TRANSIENT, NULL,
		"the admin queue refused a rule whose shape was checked before"},
	{"net_ice", ENOMEM, NULL, OFFLOAD_TRANSIENT,
		"ice/ice_generic_flow.c, ice_flow_create", "memory of the host"},
	{"net_i40e", ENOBUFS, NULL, OFFLOAD_FULL,
		"i40e/i40e_flow.c, i40e_flow_create", "the flow director has no space"},
	{"net_i40e", ENOMEM, NULL, OFFLOAD_TRANSIENT,
		"i40e/i40e_flow.c, i40e_flow_create", "memory of the host"},
	{"net_ixgbe", ENOSYS, "Failed to create flow", OFFLOAD_FULL,
		"ixgbe/ixgbe_ethdev.c, ixgbe_add_5tuple_filter", "the 5-tuple filters are all taken"},
	{"net_ixgbe", ETIMEDOUT, NULL, OFFLOAD_TRANSIENT,
		"ixgbe/ixgbe_fdir.c, ixgbe_fdir_check_cmd_complete",
		"the flow director did not complete a command"},
	{"net_ixgbe", ENOMEM, NULL, OFFLOAD_TRANSIENT,
		"ixgbe/ixgbe_flow.c, ixgbe_flow_create", "memory of the host"},
	{"net_bnxt", ENOSPC, NULL, OFFLOAD_FULL,
		"bnxt/bnxt_flow.c, bnxt_flow_create; bnxt_hwrm.c",
		"no filter is left, or firmware has no resource"},
	{"net_bnxt", EACCES, NULL, OFFLOAD_UNSUPPORTED,
		"bnxt/bnxt_hwrm.c, HWRM_CHECK_RESULT", "firmware grants this function no such rules"},
	{"net_bnxt", EAGAIN, NULL, OFFLOAD_TRANSIENT,
		"bnxt/bnxt_hwrm.c, HWRM_CHECK_RESULT", "firmware is being reset"},
	{"net_bnxt", EXDEV, NULL, OFFLOAD_TRANSIENT,
		"bnxt/bnxt_flow.c, bnxt_flow_create", "another rule has this pattern"},
	{"net_cxgbe", EAGAIN, NULL, OFFLOAD_FULL,
		"cxgbe/cxgbe_filter.c, cxgbe_hash_filter_rpl", "the TCAM, or the SMT, is full"},
	{"net_cxgbe", ENOMEM, NULL, OFFLOAD_FULL,
		"cxgbe/cxgbe_flow.c, __cxgbe_flow_create", "no filter index is left"},
	{"net_cxgbe", EBUSY, NULL, OFFLOAD_TRANSIENT,
		"cxgbe/cxgbe_flow.c, cxgbe_validate_fidxonadd", "the filter index is taken"},
	{"net_hns3", EXFULL, NULL, OFFLOAD_TRANSIENT,
		"hns3/hns3_cmd.c, hns3_cmd_convert_err_code", "the command queue is full, not the table"},
	{"net_hns3", ETIME, NULL, OFFLOAD_TRANSIENT,
		"hns3/hns3_cmd.c, hns3_cmd_poll_reply", "firmware did not answer in time"},
	{"net_hns3", EIO, NULL, OFFLOAD_TRANSIENT,
		"hns3/hns3_cmd.c, hns3_cmd_send", "the device is being reset"},
	{"net_hns3", EPERM, NULL, OFFLOAD_UNSUPPORTED,
		"hns3/hns3_cmd.c, hns3_cmd_convert_err_code", "firmware grants no such rules"},
	{"net_hns3", ERANGE, NULL, OFFLOAD_FULL, NULL, "firmware refuses the result"},
	{"net_sfc_efx", ENOSPC, NULL, OFFLOAD_FULL,
		"common/sfc_efx/base/ef10_filter.c", "the filter table is full"},
	{"net_nfp", EINVAL, "Add flow to firmware failed", OFFLOAD_FULL, NULL,
		"firmware took no more"},
	{"net_iavf", EPERM, "Failed to add filter rule", OFFLOAD_TRANSIENT,
		"iavf/iavf_vchnl.c, iavf_fdir_add",
		"the PF refused it: it exists, conflicts, or timed out"},
	{"net_enic", EPERM, NULL, OFFLOAD_UNSUPPORTED,
		"enic/enic_flow.c, enic_flow_parse", "the action is not taken"},
};
// clang-format on

static bool
is_for(const struct nic_error *r, const char *driver)
{
	return driver != NULL && strncmp(driver, r->driver, strlen(r->driver)) == 0;
}

// Of any driver. Where it is not clear, it is a matter of this flow and of now.
static enum offload_outcome
in_general(int error, enum rte_flow_error_type type, bool gone)
{
	switch (error) {
	case 0:
		return OFFLOAD_OK;
	case ENOSPC:
	case ENOMEM:
	case ENOBUFS:
	case EDQUOT:
		return OFFLOAD_FULL;
	case ENODEV:
	case ENXIO:
	case EIO:
		return gone ? OFFLOAD_GONE : OFFLOAD_TRANSIENT;
	case EAGAIN:
	case EBUSY:
	case EEXIST: // another rule has this pattern: a matter of this flow
	case EINTR:
	case ETIMEDOUT:
		return OFFLOAD_TRANSIENT;
	case E2BIG:
	case EINVAL:
	case ENOSYS:
	case ENOTSUP:
	case ERANGE:
		return OFFLOAD_UNSUPPORTED;
	default:
		// A refusal that points at an item, an action or an attribute is about the shape.
		return type > RTE_FLOW_ERROR_TYPE_HANDLE ? OFFLOAD_UNSUPPORTED : OFFLOAD_TRANSIENT;
	}
}

enum offload_outcome
nic_error_class(
	const char *driver, int error, const char *words, enum rte_flow_error_type type, bool gone)
{
	size_t i;

	for (i = 0; !gone && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct nic_error *r = &rows[i];

		if (is_for(r, driver) && r->error == error &&
			(r->words == NULL || (words != NULL && strstr(words, r->words) != NULL)))
			return r->means;
	}
	return in_general(error, type, gone);
}

const struct nic_error *
nic_error_row(const char *driver, unsigned i)
{
	size_t k;

	for (k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		if (is_for(&rows[k], driver) && i-- == 0)
			return &rows[k];
	}
	return NULL;
}

const char *
nic_outcome_name(enum offload_outcome o)
{
	static const char *const names[] = {[OFFLOAD_OK] = "ok",
		[OFFLOAD_FULL] = "full",
		[OFFLOAD_UNSUPPORTED] = "unsupported",
		[OFFLOAD_TRANSIENT] = "transient",
		[OFFLOAD_GONE] = "gone"};

	return (unsigned)o <= OFFLOAD_GONE ? names[o] : "?";
}
