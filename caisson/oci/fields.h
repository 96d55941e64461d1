// The members of every object of config.json, one line each: reading and writing both walk these tables.
// Layer: oci (private to it: json_reader.h and json_writer.h are the visitors). Used by parse.cc, print.cc,
// document.cc. SPDX-License-Identifier: Apache-2.0
//
// must: required when read, always written.  keep: optional when read, always written.
// may: optional, and not written when it holds its default.
// The first line of an object tells its elements apart when a document is rewritten (document.h).
#pragma once

#include <concepts>
#include <type_traits>

#include "caisson/oci/spec.h"

namespace caisson::oci {

// A struct of this library, const (writing) or not (reading).
template <class S, class Struct>
concept Of = std::same_as<std::remove_const_t<S>, Struct>;

// --- process ---

template <class V, Of<ConsoleSize> S>
void fields(V& v, S& s) {
  v.must("height", s.height);
  v.must("width", s.width);
}

template <class V, Of<User> S>
void fields(V& v, S& s) {
  v.keep("uid", s.uid);
  v.keep("gid", s.gid);
  v.may("umask", s.umask);
  v.may("additionalGids", s.additional_gids);
}

template <class V, Of<Capabilities> S>
void fields(V& v, S& s) {
  v.may("bounding", s.bounding);
  v.may("effective", s.effective);
  v.may("inheritable", s.inheritable);
  v.may("permitted", s.permitted);
  v.may("ambient", s.ambient);
}

template <class V, Of<Rlimit> S>
void fields(V& v, S& s) {
  v.must("type", s.type);
  v.must("hard", s.hard);
  v.must("soft", s.soft);
}

template <class V, Of<Scheduler> S>
void fields(V& v, S& s) {
  v.must("policy", s.policy);
  v.may("nice", s.nice);
  v.may("priority", s.priority);
  v.may("flags", s.flags);
  v.may("runtime", s.runtime);
  v.may("deadline", s.deadline);
  v.may("period", s.period);
}

template <class V, Of<IoPriority> S>
void fields(V& v, S& s) {
  v.must("class", s.io_class);
  v.keep("priority", s.priority);
}

template <class V, Of<ExecCpuAffinity> S>
void fields(V& v, S& s) {
  v.may("initial", s.initial);
  v.may("final", s.final);
}

template <class V, Of<Process> S>
void fields(V& v, S& s) {
  v.may("terminal", s.terminal);
  v.may("consoleSize", s.console_size);
  v.keep("user", s.user);
  v.may("args", s.args);
  v.may("env", s.env);
  v.must("cwd", s.cwd);
  v.may("capabilities", s.capabilities);
  v.may("rlimits", s.rlimits);
  v.may("noNewPrivileges", s.no_new_privileges);
  v.may("apparmorProfile", s.apparmor_profile);
  v.may("oomScoreAdj", s.oom_score_adj);
  v.may("selinuxLabel", s.selinux_label);
  v.may("scheduler", s.scheduler);
  v.may("ioPriority", s.io_priority);
  v.may("execCPUAffinity", s.exec_cpu_affinity);
}

// --- mounts, hooks ---

template <class V, Of<IdMapping> S>
void fields(V& v, S& s) {
  v.must("containerID", s.container_id);
  v.must("hostID", s.host_id);
  v.must("size", s.size);
}

template <class V, Of<Mount> S>
void fields(V& v, S& s) {
  v.must("destination", s.destination);
  v.may("type", s.type);
  v.may("source", s.source);
  v.may("options", s.options);
  v.may("uidMappings", s.uid_mappings);
  v.may("gidMappings", s.gid_mappings);
}

template <class V, Of<Hook> S>
void fields(V& v, S& s) {
  v.must("path", s.path);
  v.may("args", s.args);
  v.may("env", s.env);
  v.may("timeout", s.timeout);
}

template <class V, Of<Hooks> S>
void fields(V& v, S& s) {
  v.may("prestart", s.prestart);
  v.may("createRuntime", s.create_runtime);
  v.may("createContainer", s.create_container);
  v.may("startContainer", s.start_container);
  v.may("poststart", s.poststart);
  v.may("poststop", s.poststop);
}

// --- resources ---

template <class V, Of<DeviceRule> S>
void fields(V& v, S& s) {
  v.must("allow", s.allow);
  v.may("type", s.type);
  v.may("major", s.major);
  v.may("minor", s.minor);
  v.may("access", s.access);
}

template <class V, Of<Memory> S>
void fields(V& v, S& s) {
  v.may("limit", s.limit);
  v.may("reservation", s.reservation);
  v.may("swap", s.swap);
  v.may("kernel", s.kernel);
  v.may("kernelTCP", s.kernel_tcp);
  v.may("swappiness", s.swappiness);
  v.may("disableOOMKiller", s.disable_oom_killer);
  v.may("useHierarchy", s.use_hierarchy);
  v.may("checkBeforeUpdate", s.check_before_update);
}

template <class V, Of<Cpu> S>
void fields(V& v, S& s) {
  v.may("shares", s.shares);
  v.may("quota", s.quota);
  v.may("burst", s.burst);
  v.may("period", s.period);
  v.may("realtimeRuntime", s.realtime_runtime);
  v.may("realtimePeriod", s.realtime_period);
  v.may("cpus", s.cpus);
  v.may("mems", s.mems);
  v.may("idle", s.idle);
}

template <class V, Of<Pids> S>
void fields(V& v, S& s) {
  v.may("limit", s.limit);
}

template <class V, Of<WeightDevice> S>
void fields(V& v, S& s) {
  v.must("major", s.major);
  v.must("minor", s.minor);
  v.may("weight", s.weight);
  v.may("leafWeight", s.leaf_weight);
}

template <class V, Of<ThrottleDevice> S>
void fields(V& v, S& s) {
  v.must("major", s.major);
  v.must("minor", s.minor);
  v.keep("rate", s.rate);
}

template <class V, Of<BlockIo> S>
void fields(V& v, S& s) {
  v.may("weight", s.weight);
  v.may("leafWeight", s.leaf_weight);
  v.may("weightDevice", s.weight_device);
  v.may("throttleReadBpsDevice", s.throttle_read_bps_device);
  v.may("throttleWriteBpsDevice", s.throttle_write_bps_device);
  v.may("throttleReadIOPSDevice", s.throttle_read_iops_device);
  v.may("throttleWriteIOPSDevice", s.throttle_write_iops_device);
}

template <class V, Of<HugepageLimit> S>
void fields(V& v, S& s) {
  v.must("pageSize", s.page_size);
  v.must("limit", s.limit);
}

template <class V, Of<InterfacePriority> S>
void fields(V& v, S& s) {
  v.must("name", s.name);
  v.must("priority", s.priority);
}

template <class V, Of<NetworkLimits> S>
void fields(V& v, S& s) {
  v.may("classID", s.class_id);
  v.may("priorities", s.priorities);
}

template <class V, Of<Rdma> S>
void fields(V& v, S& s) {
  v.may("hcaHandles", s.hca_handles);
  v.may("hcaObjects", s.hca_objects);
}

template <class V, Of<Resources> S>
void fields(V& v, S& s) {
  v.may("devices", s.devices);
  v.may("memory", s.memory);
  v.may("cpu", s.cpu);
  v.may("pids", s.pids);
  v.may("blockIO", s.block_io);
  v.may("hugepageLimits", s.hugepage_limits);
  v.may("network", s.network);
  v.may("rdma", s.rdma);
  v.may("unified", s.unified);
}

// --- seccomp ---

template <class V, Of<SyscallArg> S>
void fields(V& v, S& s) {
  v.must("index", s.index);
  v.must("value", s.value);
  v.may("valueTwo", s.value_two);
  v.must("op", s.op);
}

template <class V, Of<SyscallRule> S>
void fields(V& v, S& s) {
  v.must("names", s.names);
  v.must("action", s.action);
  v.may("errnoRet", s.errno_ret);
  v.may("args", s.args);
}

template <class V, Of<Seccomp> S>
void fields(V& v, S& s) {
  v.must("defaultAction", s.default_action);
  v.may("defaultErrnoRet", s.default_errno_ret);
  v.may("architectures", s.architectures);
  v.may("flags", s.flags);
  v.may("listenerPath", s.listener_path);
  v.may("listenerMetadata", s.listener_metadata);
  v.may("syscalls", s.syscalls);
}

// --- linux ---

template <class V, Of<Namespace> S>
void fields(V& v, S& s) {
  v.must("type", s.type);
  v.may("path", s.path);
}

template <class V, Of<Device> S>
void fields(V& v, S& s) {
  v.must("path", s.path);
  v.must("type", s.type);
  v.keep("major", s.major);
  v.keep("minor", s.minor);
  v.may("fileMode", s.file_mode);
  v.may("uid", s.uid);
  v.may("gid", s.gid);
}

template <class V, Of<NetDevice> S>
void fields(V& v, S& s) {
  v.may("name", s.name);
}

template <class V, Of<TimeOffset> S>
void fields(V& v, S& s) {
  v.may("secs", s.secs);
  v.may("nanosecs", s.nanosecs);
}

template <class V, Of<TimeOffsets> S>
void fields(V& v, S& s) {
  v.may("monotonic", s.monotonic);
  v.may("boottime", s.boottime);
}

template <class V, Of<IntelRdt> S>
void fields(V& v, S& s) {
  v.may("closID", s.clos_id);
  v.may("schemata", s.schemata);
  v.may("l3CacheSchema", s.l3_cache_schema);
  v.may("memBwSchema", s.mem_bw_schema);
  v.may("enableMonitoring", s.enable_monitoring);
}

template <class V, Of<Personality> S>
void fields(V& v, S& s) {
  v.may("domain", s.domain);
  v.may("flags", s.flags);
}

template <class V, Of<MemoryPolicy> S>
void fields(V& v, S& s) {
  v.may("mode", s.mode);
  v.may("nodes", s.nodes);
  v.may("flags", s.flags);
}

template <class V, Of<Linux> S>
void fields(V& v, S& s) {
  v.may("uidMappings", s.uid_mappings);
  v.may("gidMappings", s.gid_mappings);
  v.may("sysctl", s.sysctl);
  v.may("resources", s.resources);
  v.may("cgroupsPath", s.cgroups_path);
  v.may("namespaces", s.namespaces);
  v.may("devices", s.devices);
  v.may("netDevices", s.net_devices);
  v.may("seccomp", s.seccomp);
  v.may("rootfsPropagation", s.rootfs_propagation);
  v.may("maskedPaths", s.masked_paths);
  v.may("readonlyPaths", s.readonly_paths);
  v.may("mountLabel", s.mount_label);
  v.may("intelRdt", s.intel_rdt);
  v.may("memoryPolicy", s.memory_policy);
  v.may("personality", s.personality);
  v.may("timeOffsets", s.time_offsets);
}

template <class V, Of<Root> S>
void fields(V& v, S& s) {
  v.must("path", s.path);
  v.may("readonly", s.readonly);
}

template <class V, Of<Spec> S>
void fields(V& v, S& s) {
  v.must("ociVersion", s.version);
  v.may("process", s.process);
  v.must("root", s.root);
  v.may("hostname", s.hostname);
  v.may("domainname", s.domainname);
  v.may("mounts", s.mounts);
  v.may("hooks", s.hooks);
  v.may("annotations", s.annotations);
  v.may("linux", s.linux);
}

}  // namespace caisson::oci
