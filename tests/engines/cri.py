# A client of the Kubernetes Container Runtime Interface: what a kubelet says to containerd, by gRPC on a socket.
# Layer: tests. Used by containerd.py. Needs python3-grpcio for HTTP/2; the messages are coded here.
# SPDX-License-Identifier: Apache-2.0
"""Messages are dictionaries. `Client(path).RunPodSandbox(config={...}, runtime_handler="h")` gives a dictionary."""
import re
import time

try:
    import grpc
except ImportError:
    grpc = None

# The parts of k8s.io/cri-api runtime/v1/api.proto that we use. Enumerations are int32 here.
SCHEMA = """
VersionRequest { string version = 1; }
VersionResponse { string version = 1; string runtime_name = 2; string runtime_version = 3; string runtime_api_version = 4; }
StatusRequest { bool verbose = 1; }
StatusResponse { RuntimeStatus status = 1; map info = 2; repeated RuntimeHandler runtime_handlers = 3; }
RuntimeStatus { repeated RuntimeCondition conditions = 1; }
RuntimeCondition { string type = 1; bool status = 2; string reason = 3; string message = 4; }
RuntimeHandler { string name = 1; RuntimeHandlerFeatures features = 2; }
RuntimeHandlerFeatures { bool recursive_read_only_mounts = 1; bool user_namespaces = 2; }
Int64Value { int64 value = 1; }
UInt64Value { uint64 value = 1; }
IDMapping { uint32 host_id = 1; uint32 container_id = 2; uint32 length = 3; }
UserNamespace { int32 mode = 1; repeated IDMapping uids = 2; repeated IDMapping gids = 3; }
NamespaceOption { int32 network = 1; int32 pid = 2; int32 ipc = 3; string target_id = 4; UserNamespace userns_options = 5; }
SecurityProfile { int32 profile_type = 1; string localhost_ref = 2; }
PodSandboxMetadata { string name = 1; string uid = 2; string namespace = 3; uint32 attempt = 4; }
LinuxSandboxSecurityContext { NamespaceOption namespace_options = 1; bool privileged = 6; SecurityProfile seccomp = 9; }
LinuxPodSandboxConfig { string cgroup_parent = 1; LinuxSandboxSecurityContext security_context = 2; map sysctls = 3; }
DNSConfig { repeated string servers = 1; repeated string searches = 2; repeated string options = 3; }
PodSandboxConfig { PodSandboxMetadata metadata = 1; string hostname = 2; string log_directory = 3; DNSConfig dns_config = 4;
  map labels = 6; map annotations = 7; LinuxPodSandboxConfig linux = 8; }
RunPodSandboxRequest { PodSandboxConfig config = 1; string runtime_handler = 2; }
RunPodSandboxResponse { string pod_sandbox_id = 1; }
StopPodSandboxRequest { string pod_sandbox_id = 1; }
StopPodSandboxResponse { }
RemovePodSandboxRequest { string pod_sandbox_id = 1; }
RemovePodSandboxResponse { }
PodSandboxStatusRequest { string pod_sandbox_id = 1; bool verbose = 2; }
PodSandboxNetworkStatus { string ip = 1; }
PodSandboxStatus { string id = 1; PodSandboxMetadata metadata = 2; int32 state = 3; int64 created_at = 4;
  PodSandboxNetworkStatus network = 5; map labels = 7; map annotations = 8; string runtime_handler = 9; }
PodSandboxStatusResponse { PodSandboxStatus status = 1; map info = 2; }
ImageSpec { string image = 1; }
ImageStatusRequest { ImageSpec image = 1; bool verbose = 2; }
Image { string id = 1; repeated string repo_tags = 2; uint64 size = 4; }
ImageStatusResponse { Image image = 1; map info = 2; }
ContainerMetadata { string name = 1; uint32 attempt = 2; }
KeyValue { string key = 1; bytes value = 2; }
Mount { string container_path = 1; string host_path = 2; bool readonly = 3; bool selinux_relabel = 4; int32 propagation = 5;
  repeated IDMapping uidMappings = 6; repeated IDMapping gidMappings = 7; bool recursive_read_only = 8; }
Device { string container_path = 1; string host_path = 2; string permissions = 3; }
Capability { repeated string add_capabilities = 1; repeated string drop_capabilities = 2; }
LinuxContainerResources { int64 cpu_period = 1; int64 cpu_quota = 2; int64 cpu_shares = 3; int64 memory_limit_in_bytes = 4;
  int64 oom_score_adj = 5; string cpuset_cpus = 6; string cpuset_mems = 7; map unified = 9; int64 memory_swap_limit_in_bytes = 10; }
LinuxContainerSecurityContext { Capability capabilities = 1; bool privileged = 2; NamespaceOption namespace_options = 3;
  Int64Value run_as_user = 5; Int64Value run_as_group = 12; string run_as_username = 6; bool readonly_rootfs = 7;
  repeated int64 supplemental_groups = 8; bool no_new_privs = 11; repeated string masked_paths = 13;
  repeated string readonly_paths = 14; SecurityProfile seccomp = 15; }
LinuxContainerConfig { LinuxContainerResources resources = 1; LinuxContainerSecurityContext security_context = 2; }
ContainerConfig { ContainerMetadata metadata = 1; ImageSpec image = 2; repeated string command = 3; repeated string args = 4;
  string working_dir = 5; repeated KeyValue envs = 6; repeated Mount mounts = 7; repeated Device devices = 8; map labels = 9;
  map annotations = 10; string log_path = 11; bool stdin = 12; bool stdin_once = 13; bool tty = 14;
  LinuxContainerConfig linux = 15; }
CreateContainerRequest { string pod_sandbox_id = 1; ContainerConfig config = 2; PodSandboxConfig sandbox_config = 3; }
CreateContainerResponse { string container_id = 1; }
StartContainerRequest { string container_id = 1; }
StartContainerResponse { }
StopContainerRequest { string container_id = 1; int64 timeout = 2; }
StopContainerResponse { }
RemoveContainerRequest { string container_id = 1; }
RemoveContainerResponse { }
ContainerStatusRequest { string container_id = 1; bool verbose = 2; }
ContainerStatus { string id = 1; ContainerMetadata metadata = 2; int32 state = 3; int64 created_at = 4; int64 started_at = 5;
  int64 finished_at = 6; int32 exit_code = 7; string reason = 10; string message = 11; map annotations = 13; string log_path = 15; }
ContainerStatusResponse { ContainerStatus status = 1; map info = 2; }
ExecSyncRequest { string container_id = 1; repeated string cmd = 2; int64 timeout = 3; }
ExecSyncResponse { bytes stdout = 1; bytes stderr = 2; int32 exit_code = 3; }
UpdateContainerResourcesRequest { string container_id = 1; LinuxContainerResources linux = 2; }
UpdateContainerResourcesResponse { }
ReopenContainerLogRequest { string container_id = 1; }
ReopenContainerLogResponse { }
CpuUsage { int64 timestamp = 1; UInt64Value usage_core_nano_seconds = 2; }
MemoryUsage { int64 timestamp = 1; UInt64Value working_set_bytes = 2; UInt64Value usage_bytes = 4; }
ContainerAttributes { string id = 1; }
ContainerStats { ContainerAttributes attributes = 1; CpuUsage cpu = 2; MemoryUsage memory = 3; }
ContainerStatsRequest { string container_id = 1; }
ContainerStatsResponse { ContainerStats stats = 1; }
ProcessUsage { int64 timestamp = 1; UInt64Value process_count = 2; }
LinuxPodSandboxStats { CpuUsage cpu = 1; MemoryUsage memory = 2; ProcessUsage process = 4; repeated ContainerStats containers = 5; }
PodSandboxAttributes { string id = 1; }
PodSandboxStats { PodSandboxAttributes attributes = 1; LinuxPodSandboxStats linux = 2; }
PodSandboxStatsRequest { string pod_sandbox_id = 1; }
PodSandboxStatsResponse { PodSandboxStats stats = 1; }
"""
NUMBERS = ("int32", "int64", "uint32", "uint64", "bool")
POD, CONTAINER, NODE, TARGET = range(4)  # NamespaceMode
CREATED, RUNNING, EXITED, UNKNOWN = range(4)  # ContainerState


def parse_schema():
    """{message: {field: (number, type, repeated)}}"""
    found = {}
    for name, body in re.findall(r"(\w+) \{(.*?)\}", SCHEMA, re.DOTALL):
        fields = re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body)
        found[name] = {field: (int(number), kind, bool(repeated)) for repeated, kind, field, number in fields}
    return found


MESSAGES = parse_schema()


# --- the wire format: protobuf.dev/programming-guides/encoding ---------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def delimited(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def encode_one(number, kind, value):
    if kind in NUMBERS:
        return varint(number << 3) + varint(int(value))
    if kind == "map":
        return b"".join(delimited(number, delimited(1, k.encode()) + delimited(2, v.encode())) for k, v in value.items())
    payload = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else encode(kind, value)
    return delimited(number, payload)


def encode(message, values):
    out = b""
    for field, value in values.items():
        number, kind, repeated = MESSAGES[message][field]
        for one in value if repeated else [value]:
            out += encode_one(number, kind, one)
    return out


def decode_one(kind, value):
    if kind in NUMBERS:
        return value - (1 << 64) if kind in ("int32", "int64") and value >> 63 else value
    if kind == "string":
        return value.decode(errors="replace")
    return value if kind == "bytes" else decode(kind, value)


def default(kind, repeated):
    if repeated:
        return []
    empty = {"string": "", "bytes": b"", "map": {}}
    return 0 if kind in NUMBERS else empty.get(kind)


def decode(message, data):
    """Every field is there: absent numbers are 0, absent messages None. What the table does not have is left out."""
    names = {number: (field, kind, repeated) for field, (number, kind, repeated) in MESSAGES[message].items()}
    out = {field: default(kind, repeated) for field, kind, repeated in names.values()}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        else:
            size, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else read_varint(data, at)
            value, at = data[at:at + size], at + size
        field, kind, repeated = names.get(tag >> 3, (None, None, None))
        if kind == "map":
            pair = decode("KeyValue", value)
            out[field] = {**out[field], pair["key"]: pair["value"].decode(errors="replace")}
        elif repeated:
            out[field].append(decode_one(kind, value))
        elif field:
            out[field] = decode_one(kind, value)
    return out


# --- the client ----------------------------------------------------------------------------------------------------

class CallFailed(Exception):
    """The other side's answer was an error; the text is its own."""


class Client:
    SERVICES = {"ImageStatus": "ImageService"}

    def __init__(self, socket_path):
        self.channel = grpc.insecure_channel(f"unix:{socket_path}", options=[("grpc.enable_http_proxy", 0)])

    def __getattr__(self, method):
        request, response = f"{method}Request", f"{method}Response"
        if request not in MESSAGES:
            raise AttributeError(method)
        call = self.channel.unary_unary(
            f"/runtime.v1.{self.SERVICES.get(method, 'RuntimeService')}/{method}",
            request_serializer=lambda values: encode(request, values),
            response_deserializer=lambda data: decode(response, data))

        def invoke(seconds=90, **values):
            try:
                return call(values, timeout=seconds)
            except grpc.RpcError as e:
                raise CallFailed(f"{method}: {e.code().name}: {e.details()}") from None
        return invoke

    def wait_until_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.Version(seconds=5)
            except CallFailed as e:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer from CRI after {seconds} s: {e}") from None
                time.sleep(0.1)

    def close(self):
        self.channel.close()
