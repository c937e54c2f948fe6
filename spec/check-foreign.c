/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections of config.json for other platforms. They are nothing to a container of
 * Linux, but runc's decoder knows them, and refuses what has not their types.
 */
#include "spec/check-internal.h"

static const struct check_rule windows[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "layerFolders", T_ARRAY, 0, 0 },
	{ "layerFolders[]", T_STRING, 0, 0 },
	{ "devices", T_ARRAY, 0, 0 },
	{ "devices[]", T_OBJECT, 0, 0 },
	{ "devices[].id", T_STRING, 0, 0 },
	{ "devices[].idType", T_STRING, 0, 0 },
	{ "resources", T_OBJECT, 0, 0 },
	{ "resources.memory", T_OBJECT, 0, 0 },
	{ "resources.memory.limit", T_UINT, 0, 0 },
	{ "resources.cpu", T_OBJECT, 0, 0 },
	{ "resources.cpu.count", T_UINT, 0, 0 },
	{ "resources.cpu.shares", T_UINT16, 0, 0 },
	{ "resources.cpu.maximum", T_UINT16, 0, 0 },
	{ "resources.cpu.affinity", T_ARRAY, NEWER, 0 },
	{ "resources.cpu.affinity[]", T_OBJECT, 0, 0 },
	{ "resources.cpu.affinity[].mask", T_UINT, 0, 0 },
	{ "resources.cpu.affinity[].group", T_UINT32, 0, 0 },
	{ "resources.storage", T_OBJECT, 0, 0 },
	{ "resources.storage.iops", T_UINT, 0, 0 },
	{ "resources.storage.bps", T_UINT, 0, 0 },
	{ "resources.storage.sandboxSize", T_UINT, 0, 0 },
	{ "servicing", T_BOOL, 0, 0 },
	{ "ignoreFlushesDuringBoot", T_BOOL, 0, 0 },
	{ "hyperv", T_OBJECT, 0, 0 },
	{ "hyperv.utilityVMPath", T_STRING, 0, 0 },
	{ "network", T_OBJECT, 0, 0 },
	{ "network.endpointList", T_ARRAY, 0, 0 },
	{ "network.endpointList[]", T_STRING, 0, 0 },
	{ "network.allowUnqualifiedDNSQuery", T_BOOL, 0, 0 },
	{ "network.DNSSearchList", T_ARRAY, 0, 0 },
	{ "network.DNSSearchList[]", T_STRING, 0, 0 },
	{ "network.networkSharedContainerName", T_STRING, 0, 0 },
	{ "network.networkNamespace", T_STRING, 0, 0 },
};

static const struct check_rule solaris[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "milestone", T_STRING, 0, 0 },
	{ "limitpriv", T_STRING, 0, 0 },
	{ "maxShmMemory", T_STRING, 0, 0 },
	{ "anet", T_ARRAY, 0, 0 },
	{ "anet[]", T_OBJECT, 0, 0 },
	{ "anet[].linkname", T_STRING, 0, 0 },
	{ "anet[].lowerLink", T_STRING, 0, 0 },
	{ "anet[].allowedAddress", T_STRING, 0, 0 },
	{ "anet[].configureAllowedAddress", T_STRING, 0, 0 },
	{ "anet[].defrouter", T_STRING, 0, 0 },
	{ "anet[].linkProtection", T_STRING, 0, 0 },
	{ "anet[].macAddress", T_STRING, 0, 0 },
	{ "cappedCPU", T_OBJECT, 0, 0 },
	{ "cappedCPU.ncpus", T_STRING, 0, 0 },
	{ "cappedMemory", T_OBJECT, 0, 0 },
	{ "cappedMemory.physical", T_STRING, 0, 0 },
	{ "cappedMemory.swap", T_STRING, 0, 0 },
};

static const struct check_rule vm[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "hypervisor", T_OBJECT, 0, 0 },
	{ "hypervisor.path", T_STRING, 0, 0 },
	{ "hypervisor.parameters", T_ARRAY, 0, 0 },
	{ "hypervisor.parameters[]", T_STRING, 0, 0 },
	{ "kernel", T_OBJECT, 0, 0 },
	{ "kernel.path", T_STRING, 0, 0 },
	{ "kernel.parameters", T_ARRAY, 0, 0 },
	{ "kernel.parameters[]", T_STRING, 0, 0 },
	{ "kernel.initrd", T_STRING, 0, 0 },
	{ "image", T_OBJECT, 0, 0 },
	{ "image.path", T_STRING, 0, 0 },
	{ "image.format", T_STRING, 0, 0 },
};

const struct check_table check_windows_table = { windows,
						 sizeof(windows) / sizeof(windows[0]),
						 NULL };
const struct check_table check_solaris_table = { solaris,
						 sizeof(solaris) / sizeof(solaris[0]),
						 NULL };
const struct check_table check_vm_table = { vm, sizeof(vm) / sizeof(vm[0]), NULL };
