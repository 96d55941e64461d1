#include "caisson/runtime/command_table.h"

namespace caisson::runtime {
namespace {

constexpr std::size_t any = static_cast<std::size_t>(-1);

constexpr Flag globals[] = {
    {"debug", "", Takes::nothing, "", "write what is done, and warnings, to the log"},
    {"log", "", Takes::text, "", "file that one line is appended to for each error (default: only stderr)"},
    {"log-format", "", Takes::text, "text", "text or json"},
    {"root", "", Takes::text, "", "directory of the containers' state, on a tmpfs (default: /run/caisson/runtime)"},
    {"systemd-cgroup", "", Takes::nothing, "", "the same as --cgroup-manager systemd"},
    {"cgroup-manager", "", Takes::text, "cgroupfs", "cgroupfs, systemd or disabled"},
    {"rootless", "", Takes::text, "auto", "ignore what cgroups refuse: true, false or auto"},
    {"version", "v", Takes::nothing, "", "print the version"},
};

constexpr Flag bundle = {"bundle", "b", Takes::text, "", "the bundle's directory (default: the current directory)"};
constexpr Flag console_socket = {"console-socket", "", Takes::text, "",
                                 "AF_UNIX socket that receives the terminal's descriptor"};
constexpr Flag pidfd_socket = {"pidfd-socket", "", Takes::text, "", "AF_UNIX socket that receives the process' pidfd"};
constexpr Flag pid_file = {"pid-file", "", Takes::text, "", "file that the process' id is written to"};
constexpr Flag no_pivot = {"no-pivot", "", Takes::nothing, "",
                           "do not pivot_root into the root file system: for one on a ramdisk"};
constexpr Flag no_new_keyring = {"no-new-keyring", "", Takes::nothing, "", "keep the caller's session keyring"};
constexpr Flag preserve_fds = {"preserve-fds", "", Takes::number, "0",
                               "give the container N descriptors more, after stdio and $LISTEN_FDS"};
constexpr Flag no_subreaper = {"no-subreaper", "", Takes::nothing, "", "do not become the reaper of orphaned children"};
constexpr Flag detach = {"detach", "d", Takes::nothing, "", "do not wait for the process"};
constexpr Flag keep = {"keep", "", Takes::nothing, "", "do not delete the container after it ends"};

constexpr Flag create_flags[] = {bundle,   console_socket, pidfd_socket, pid_file,
                                 no_pivot, no_new_keyring, preserve_fds, no_subreaper};
constexpr Flag run_flags[] = {bundle,         console_socket, pidfd_socket, pid_file, no_pivot,
                              no_new_keyring, preserve_fds,   no_subreaper, detach,   keep};
constexpr Flag exec_flags[] = {
    console_socket,
    pidfd_socket,
    {"cwd", "", Takes::text, "", "working directory in the container"},
    {"env", "e", Takes::texts, "", "NAME=VALUE for the environment; may be repeated"},
    {"tty", "t", Takes::nothing, "", "give it a terminal"},
    {"user", "u", Takes::text, "", "UID[:GID]"},
    {"additional-gids", "g", Takes::texts, "", "one more group id; may be repeated"},
    {"process", "p", Takes::text, "", "file with the process as JSON"},
    detach,
    pid_file,
    {"process-label", "", Takes::text, "", "SELinux label"},
    {"apparmor", "", Takes::text, "", "AppArmor profile"},
    {"no-new-privs", "", Takes::nothing, "", "set no_new_privs"},
    {"cap", "c", Takes::texts, "", "one more capability; may be repeated"},
    preserve_fds,
    {"cgroup", "", Takes::texts, "", "[CONTROLLER:]PATH of a cgroup below the container's; may be repeated"},
    {"ignore-paused", "", Takes::nothing, "", "allow it in a paused container"},
    no_subreaper,
};
constexpr Flag plan_flags[] = {bundle, no_pivot};
constexpr Flag kill_flags[] = {{"all", "a", Takes::nothing, "", "signal every process of the container"}};
constexpr Flag delete_flags[] = {
    {"force", "f", Takes::nothing, "", "kill it first if it runs; a container that is not there is no error"}};
constexpr Flag list_flags[] = {{"format", "f", Takes::text, "table", "table or json"},
                               {"quiet", "q", Takes::nothing, "", "only the IDs"}};
constexpr Flag ps_flags[] = {{"format", "f", Takes::text, "table", "table or json"}};
constexpr Flag events_flags[] = {{"interval", "", Takes::duration, "5s", "time between two statistics"},
                                 {"stats", "", Takes::nothing, "", "print the statistics once and exit"}};
constexpr Flag spec_flags[] = {bundle, {"rootless", "", Takes::nothing, "", "for a container without root privileges"}};
constexpr Flag update_flags[] = {
    {"resources", "r", Takes::text, "", "file with the resources as JSON, or - for stdin; all other flags are ignored"},
    {"blkio-weight", "", Takes::number, "0", "10 to 1000; 0 leaves it"},
    {"cpu-period", "", Takes::text, "", "microseconds of a CFS period"},
    {"cpu-quota", "", Takes::text, "", "microseconds of CPU time in a period; -1: no limit"},
    {"cpu-burst", "", Takes::text, "", "microseconds that unused quota may add up to"},
    {"cpu-share", "", Takes::text, "", "weight against other containers"},
    {"cpu-rt-period", "", Takes::text, "", "microseconds of a realtime period"},
    {"cpu-rt-runtime", "", Takes::text, "", "microseconds of realtime CPU time in a period"},
    {"cpu-idle", "", Takes::text, "", "1: run only when nothing else does"},
    {"cpuset-cpus", "", Takes::text, "", "CPUs to use: 0-3,7"},
    {"cpuset-mems", "", Takes::text, "", "memory nodes to use"},
    {"memory", "", Takes::text, "", "limit in bytes, or with a unit: 64M; -1: no limit"},
    {"memory-reservation", "", Takes::text, "", "soft limit"},
    {"memory-swap", "", Takes::text, "", "limit of memory and swap together; -1: no limit"},
    {"pids-limit", "", Takes::number, "0", "number of processes; -1: no limit"},
    {"kernel-memory", "", Takes::text, "", "ignored: the kernel has no such limit any more"},
    {"kernel-memory-tcp", "", Takes::text, "", "ignored: the kernel has no such limit any more"},
    {"l3-cache-schema", "", Takes::text, "", "Intel RDT: lines for the cache, L3:0=7f0;1=1f"},
    {"mem-bw-schema", "", Takes::text, "", "Intel RDT: line for the memory bandwidth, MB:0=20;1=70"},
};

constexpr Flag image_path = {"image-path", "", Takes::text, "", "directory of CRIU's images (default: checkpoint)"};
constexpr Flag work_path = {"work-path", "", Takes::text, "", "directory of CRIU's logs (default: --image-path)"};
constexpr Flag established = {"tcp-established", "", Takes::nothing, "", "allow open TCP connections"};
constexpr Flag unix_sockets = {"ext-unix-sk", "", Takes::nothing, "", "allow external unix sockets"};
constexpr Flag shell_job = {"shell-job", "", Takes::nothing, "", "allow shell jobs"};
constexpr Flag lazy_pages = {"lazy-pages", "", Takes::nothing, "", "memory is fetched when it is used (userfaultfd)"};
constexpr Flag file_locks = {"file-locks", "", Takes::nothing, "", "handle file locks"};
constexpr Flag cgroups_mode = {"manage-cgroups-mode", "", Takes::text, "",
                               "soft, full, strict or ignore (default: soft)"};
constexpr Flag empty_ns = {"empty-ns", "", Takes::texts, "", "make a namespace, but do not fill it: network"};
constexpr Flag auto_dedup = {"auto-dedup", "", Takes::nothing, "",
                             "free images of memory that are not needed any more"};
constexpr Flag checkpoint_flags[] = {
    image_path,
    work_path,
    {"parent-path", "", Takes::text, "", "images of an earlier --pre-dump, relative to --image-path"},
    {"leave-running", "", Takes::nothing, "", "let it run on"},
    established,
    {"tcp-skip-in-flight", "", Takes::nothing, "", "skip TCP connections that are being made"},
    {"link-remap", "", Takes::nothing, "", "allow unlinked files to be linked again"},
    unix_sockets,
    shell_job,
    lazy_pages,
    {"status-fd", "", Takes::text, "", "descriptor that gets a byte when lazy pages can be asked for"},
    {"page-server", "", Takes::text, "", "ADDRESS:PORT of a server for the pages"},
    file_locks,
    {"pre-dump", "", Takes::nothing, "", "write memory only, and let it run on"},
    cgroups_mode,
    empty_ns,
    auto_dedup,
};
constexpr Flag restore_flags[] = {
    console_socket,
    image_path,
    work_path,
    established,
    {"tcp-close", "", Takes::nothing, "", "open TCP connections come back closed"},
    unix_sockets,
    shell_job,
    file_locks,
    cgroups_mode,
    bundle,
    detach,
    pid_file,
    no_subreaper,
    no_pivot,
    empty_ns,
    auto_dedup,
    lazy_pages,
    {"lsm-profile", "", Takes::text, "", "TYPE:NAME of another LSM profile"},
    {"lsm-mount-context", "", Takes::text, "", "another SELinux context of the mounts"},
};

constexpr std::string_view id_usage = "<container-id>";
constexpr std::string_view flags_and_id = "[command options] <container-id>";
constexpr std::string_view bundle_text =
    "The bundle is a directory with a file \"config.json\" and a root file system. The ID must be\n"
    "   unique below --root.";

constexpr Command table[] = {
    {"create", "", "create a container", flags_and_id, bundle_text, create_flags},
    {"start", "", "executes the user defined process in a created container", id_usage, "", {}},
    {"run", "", "create and run a container", flags_and_id, bundle_text, run_flags},
    {"exec", "", "execute new process inside the container",
     "[command options] <container-id> <command> [arguments...]  |  -p process.json <container-id>", "", exec_flags, 1,
     any, After::arguments},
    {"state", "", "output the state of a container", id_usage, "", {}},
    {"kill", "", "kill sends the specified signal (default: SIGTERM) to the container's init process",
     "[command options] <container-id> [signal]", "The signal is a number or a name: 9, KILL, SIGKILL, kill, RTMIN+1.",
     kill_flags, 1, 2},
    {"delete", "", "delete any resources held by the container often used with detached container", flags_and_id,
     "A created container is killed and deleted; a running one only with --force.", delete_flags},
    {"list", "", "lists containers started by caisson-runtime with the given root", "[command options]", "", list_flags,
     0, 0},
    {"ps", "", "ps displays the processes running inside a container", "[command options] <container-id> [ps options]",
     "The table is what ps(1) of the host prints (default: ps -ef), json the process ids.", ps_flags, 1, any,
     After::arguments},
    {"pause", "", "pause suspends all processes inside the container", id_usage, "", {}},
    {"resume", "unpause", "resumes all processes that have been previously paused", id_usage, "", {}},
    {"update", "", "update container resource constraints", flags_and_id, "", update_flags},
    {"events", "", "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
     flags_and_id, "Prints the statistics of the container every --interval until it ends, one JSON object a line.",
     events_flags},
    {"spec", "", "create a new specification file", "[command options]",
     "Writes a config.json to start from; one that is there is kept, and an error.", spec_flags, 0, 0},
    {"features",
     "",
     "show the enabled features",
     "",
     "Prints the features document of the OCI runtime-spec as JSON.",
     {},
     0,
     0},
    {"plan", "", "print what create would do, and do nothing", "[command options] [container-id]", "", plan_flags, 0,
     1},
    {"checkpoint", "", "checkpoint a running container", flags_and_id,
     "CRIU writes the container's processes to files; they end unless --leave-running or --pre-dump is given.",
     checkpoint_flags},
    {"restore", "", "restore a container from a previous checkpoint", flags_and_id,
     "The bundle is the one of the container that was checkpointed, or one like it.", restore_flags},
};

}  // namespace

std::span<const Flag> global_flags() { return globals; }
std::span<const Command> commands() { return table; }

}  // namespace caisson::runtime
