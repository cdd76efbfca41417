//! The table of attacks: links, writes, ways around the filter, namespaces, processes, leftovers, neighbours.

use crate::arena::{Attack, Proof};
use crate::control::Control;
use crate::table_kernel;
use Control::{Child, MayBeAbsent, Mechanism, Planted, Root, User};
use Proof::{Host, Past, Tenant, Word};

/// Every program with attacks in it.
pub const PROGRAMS: [&str; 15] = [
    "abi.py",
    "exhaust.py",
    "files.py",
    "inherited.py",
    "kernel.py",
    "leftovers.py",
    "links.py",
    "mounts.py",
    "namespaces.py",
    "neighbour.py",
    "proc.py",
    "processes.py",
    "sockets.py",
    "system.py",
    "writes.py",
];

pub fn all() -> Vec<Attack> {
    let tables = [
        inherited(),
        links(),
        writes(),
        abi(),
        namespaces_and_mounts(),
        processes(),
        leftovers(),
        neighbours(),
        table_kernel::all(),
    ];
    tables.concat()
}

/// Rows of one program.
pub struct Rows {
    program: &'static str,
    rows: Vec<Attack>,
}

impl Rows {
    pub fn of(program: &'static str) -> Self {
        Self {
            program,
            rows: Vec::new(),
        }
    }

    pub fn add(
        mut self,
        surface: &'static str,
        name: &str,
        proof: Proof,
        control: Control,
    ) -> Self {
        self.rows.push(Attack {
            surface,
            program: self.program,
            name: name.to_owned(),
            proof,
            control,
        });
        self
    }

    /// One row for each name, separated by spaces.
    pub fn each(self, surface: &'static str, names: &str, proof: Proof, control: Control) -> Self {
        let names = names.split_whitespace();
        names.fold(self, |rows, name| rows.add(surface, name, proof, control))
    }

    pub fn done(self) -> Vec<Attack> {
        self.rows
    }
}

/// What the daemon had; the control is a child that inherits it.
pub fn inherited() -> Vec<Attack> {
    let detached = "a working directory on a mount that is not in the namespace";
    Rows::of("inherited.py")
        .each(
            "S2",
            "descriptor listed_descriptor environment arguments memory",
            Host,
            Child,
        )
        .add("S2", "ignored_signals", Word("ignored"), Child)
        .each(
            "CVE-2024-21626",
            "directory_descriptor working_directory",
            Host,
            Child,
        )
        .add(
            "CVE-2024-21626",
            "strange_directory",
            Word("unreachable"),
            Mechanism(detached),
        )
        .done()
}

pub fn links() -> Vec<Attack> {
    let daemon_side =
        "link_absolute link_relative link_self_root link_self_cwd link_daemon_root link_hard";
    Rows::of("links.py")
        .each("S11", daemon_side, Host, Child)
        .add("S11", "link_init_root", Host, Root)
        .each(
            "S12",
            "link_in_layer dots magic_links exchange_race moved_directory handle",
            Host,
            Child,
        )
        .done()
}

pub fn writes() -> Vec<Attack> {
    let places = |verb: &str| format!("{verb}_in_code {verb}_in_layer");
    let system = "system_root system_usr system_usr/lib system_etc system_dev system_var system_run system_home";
    let fixed = "fixed in Linux 5.16.11, 5.15.25 and 5.10.102";
    let cow = "fixed in Linux 4.8.3";
    Rows::of("writes.py")
        .each("S12", &places("create"), Word("created"), User)
        .each("S12", &places("overwrite"), Word("overwritten"), User)
        .each("S12", &places("remove"), Word("removed"), User)
        .each("S12", &places("rename"), Word("renamed"), User)
        .each("S12", &places("attribute"), Word("set"), User)
        .each("S12", &places("touch"), Word("touched"), User)
        .each("S12", &places("map"), Word("mapped"), User)
        .each("S12", system, Word("created"), Root)
        .add(
            "CVE-2016-5195",
            "forced_write",
            Word("forced"),
            Mechanism(cow),
        )
        .add(
            "CVE-2022-0847",
            "dirty_pipe",
            Word("piped!"),
            Mechanism(fixed),
        )
        .done()
}

pub fn abi() -> Vec<Attack> {
    Rows::of("abi.py")
        .add("S14", "io_uring", Tenant, User)
        .add("S14", "linux_aio", Word("context"), User)
        .add(
            "S14",
            "i386_getpid",
            Word("own-pid"),
            MayBeAbsent("CONFIG_IA32_EMULATION"),
        )
        .add("S14", "i386_unshare", Word("capabilities"), User)
        .add(
            "S14",
            "x32_getpid",
            Word("own-pid"),
            MayBeAbsent("CONFIG_X86_X32_ABI"),
        )
        .add(
            "S14",
            "x32_unshare",
            Word("capabilities"),
            MayBeAbsent("CONFIG_X86_X32_ABI"),
        )
        .add("S14", "high_bits", Word("capabilities"), User)
        .done()
}

pub fn namespaces_and_mounts() -> Vec<Attack> {
    let users = "user_by_unshare user_by_clone user_by_clone3 user_by_vfork_flags";
    let kinds = "namespace_mnt namespace_cgroup namespace_uts namespace_ipc namespace_pid namespace_net namespace_time";
    let namespaces = Rows::of("namespaces.py")
        .each("S14", users, Word("capabilities"), User)
        .each("S14", kinds, Word("entered"), Root)
        .each(
            "S14",
            "setns_own setns_of_init setns_by_pidfd",
            Word("joined"),
            Root,
        )
        .add("S14", "chroot_escape", Host, Root)
        .add("S14", "pivot_root", Past, Root)
        .done();
    let mounted = "mount_tmpfs mount_bind mount_proc mount_sysfs new_mount_calls open_tree";
    let by_name = "this engine has no target that a tenant can name; a mount by name follows links";
    let v1 = "a hierarchy of cgroup v1";
    let mounts = Rows::of("mounts.py")
        .each("S14", mounted, Word("mounted"), Root)
        .add("S14", "remount_writable", Word("remounted"), Root)
        .add("S14", "unmask", Word("unmounted"), Root)
        .add("S14", "fspick", Word("picked"), Root)
        .add("S14", "move_mount", Word("moved"), Root)
        .add("S14", "mount_setattr", Word("writable"), Root)
        .add("S14", "list_mounts", Word("listed"), User)
        .add(
            "CVE-2022-0492",
            "release_agent",
            Word("opened"),
            MayBeAbsent(v1),
        )
        .add("CVE-2022-0492", "cgroupfs", Word("mounted"), Root)
        .add(
            "CVE-2019-19921, CVE-2025-52881",
            "proc_redirect",
            Tenant,
            Root,
        )
        .add(
            "CVE-2025-31133, CVE-2025-52565, CVE-2026-41579",
            "masked_path",
            Tenant,
            Root,
        )
        .add(
            "CVE-2021-30465",
            "symlink_at_mount_target",
            Word("followed"),
            Mechanism(by_name),
        )
        .done();
    [namespaces, mounts].concat()
}

pub fn processes() -> Vec<Attack> {
    let absent = "needs CAP_SYS_RESOURCE, which root of a machine may lack";
    let busy = "the kernel refuses to write to what is being executed";
    let self_made = "a process of root's that is not init, whose executable is not busy any more";
    Rows::of("processes.py")
        .each(
            "S14",
            "ptrace_child process_vm_readv pidfd_getfd",
            Tenant,
            User,
        )
        .add("S14", "ptrace_init", Word("seized"), Root)
        .add("S14", "ptrace_me", Word("traced"), User)
        .add("S14", "process_vm_writev", Word("written"), User)
        .add("S14", "memory_of_init", Word("opened"), Root)
        .add("S14", "kcmp", Word("compared"), User)
        .add("S14", "process_madvise", Word("advised"), Root)
        .add("S14", "process_mrelease", Past, User)
        .add("S14", "move_pages", Word("told"), User)
        .each("S14", "signal_init kill_init", Word("sent"), Root)
        .add(
            "CVE-2019-5736",
            "overwrite_exe",
            Word("overwritten"),
            Mechanism(self_made),
        )
        .add("CVE-2019-5736", "own_exe", Word("opened"), Mechanism(busy))
        .add("S14", "no_randomization", Word("same"), User)
        .add("S14", "set_mm", Word("told"), User)
        .add("S13", "raise_limits", Word("raised"), Mechanism(absent))
        .add("S13", "leave_oom_order", Word("changed"), Mechanism(absent))
        .add("S17", "realtime", Word("policy-1"), Root)
        .add("S17", "negative_nice", Word("-20"), Root)
        .done()
}

/// The control leaves each of them behind first.
pub fn leftovers() -> Vec<Attack> {
    let plant = Planted("--plant");
    Rows::of("leftovers.py")
        .add("S15", "tracer", Word("traced"), plant)
        .add("S15", "mappings", Word("mapped"), plant)
        .each("S15", "userfault descriptors", Word("descriptor"), plant)
        .add("S15", "timers_and_signals", Word("blocked"), plant)
        .add("S15", "threads", Word("thread"), plant)
        .add("S15", "parent", Word("process"), plant)
        .done()
}

/// The control has both tenants in the same namespaces, and of the same user.
pub fn neighbours() -> Vec<Attack> {
    let together = Control::PlantedUser("--together");
    let read = "abstract_socket loopback_port shared_memory message_queue file_in_tmp file_in_shm root_of_process";
    Rows::of("neighbour.py")
        .each("S17", read, Tenant, together)
        .each(
            "S17",
            "signal_process signal_everybody",
            Word("sent"),
            together,
        )
        .add("S17", "files_of_process", Word("read"), together)
        .add("S17", "pidfd_of_process", Word("opened"), together)
        .add("S17", "count_of_processes", Word("counted"), together)
        .add("S17", "sockets_of_neighbour", Word("listed"), together)
        .done()
}
