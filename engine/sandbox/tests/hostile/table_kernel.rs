//! The table of attacks, continued: the kernel's privileged calls, files, `/proc`, sockets, exhaustion.

use crate::arena::{Attack, Proof};
use crate::control::Control;
use crate::table::Rows;
use Control::{Capability, MayBeAbsent, Root, User, UserMayGain};
use Proof::{Host, Past, Tenant, Word};

pub fn all() -> Vec<Attack> {
    [
        kernel_and_system(),
        files(),
        proc(),
        sockets(),
        exhaustion(),
    ]
    .concat()
}

pub fn kernel_and_system() -> Vec<Attack> {
    let kernel = Rows::of("kernel.py")
        .add("S14", "userfaultfd", Word("api"), User)
        .add("S14", "bpf", Word("4711"), Root)
        .add("S14", "perf_event_open", Word("counted"), Root)
        .each(
            "S14",
            "seccomp_filter seccomp_by_prctl seccomp_notify",
            Word("errno-77"),
            User,
        )
        .add(
            "S14",
            "memfd_secret",
            Word("/secretmem"),
            MayBeAbsent("CONFIG_SECRETMEM"),
        )
        .add("S14", "add_key", Tenant, User)
        .add("S14", "request_key", Past, User)
        .add("S14", "keyctl", Word("ring"), User)
        .each(
            "S14",
            "kexec_load kexec_file_load",
            Past,
            MayBeAbsent("CONFIG_KEXEC"),
        )
        .each(
            "S14",
            "init_module finit_module delete_module",
            Past,
            MayBeAbsent("CONFIG_MODULES"),
        )
        .add(
            "S14",
            "landlock",
            Past,
            MayBeAbsent("CONFIG_SECURITY_LANDLOCK"),
        )
        .add(
            "S14",
            "modify_ldt",
            Word("written"),
            MayBeAbsent("CONFIG_MODIFY_LDT_SYSCALL"),
        )
        .add("S14", "set_mempolicy", Word("set"), User)
        .add("S14", "lsm_list", Past, MayBeAbsent("Linux 6.8"))
        .add("S17", "cachestat", Word("told"), MayBeAbsent("Linux 6.5"))
        .done();
    let system = Rows::of("system.py")
        .each(
            "S14",
            "settimeofday clock_settime swapon swapoff quotactl",
            Past,
            Root,
        )
        .each("S14", "adjtimex clock_adjtime", Word("adjusted"), Root)
        .each("S14", "sethostname setdomainname", Word("hostile"), Root)
        .each("S14", "reboot vhangup", Word("hung-up"), Root)
        .add("S14", "syslog", Word("read"), Root)
        .add(
            "S14",
            "acct",
            Word("written"),
            MayBeAbsent("CONFIG_BSD_PROCESS_ACCT"),
        )
        .each(
            "S14",
            "iopl ioperm",
            Past,
            MayBeAbsent("CONFIG_X86_IOPL_IOPERM"),
        )
        .add(
            "S14",
            "nfsservctl",
            Past,
            MayBeAbsent("gone since Linux 3.1"),
        )
        .add("S14", "become_root", Host, Capability("setuid"))
        .add("S14", "take_groups", Word("disk"), Root)
        .add("S14", "capset", Word("set"), Root)
        .add("S14", "ambient", Word("raised"), Capability("setuid"))
        .add("S14", "type_into_terminal", Word("typed"), Root)
        .add("S14", "ioctl_high_bits", Word("looked-at"), User)
        .done();
    [kernel, system].concat()
}

pub fn files() -> Vec<Attack> {
    let devices = "device_kvm device_fuse device_tun device_vhost device_vsock device_mem device_kmsg device_ptmx device_tty \
        device_console device_loop device_disk device_hwrng device_userfaultfd device_snd device_dri";
    let device = MayBeAbsent("the device");
    Rows::of("files.py")
        .each("S14", devices, Word("opened"), device)
        .each(
            "S14",
            "mknod_block mknod_mem mknod_kmsg",
            Word("opened"),
            device,
        )
        .each("S12", "planted_block planted_kmsg", Word("opened"), Root)
        .add("S12", "planted_null", Word("opened"), User)
        .each(
            "S12",
            "set_user_id system_set_user_id",
            Word("root"),
            UserMayGain,
        )
        .add("S12", "file_capability", Host, UserMayGain)
        .add("S14", "name_to_handle_at", Word("handle"), User)
        .add("S14", "fanotify", Word("group"), User)
        .add("S14", "quota_by_descriptor", Past, Root)
        .add("S12", "immutable", Word("set"), Root)
        .add("S12", "trusted_attribute", Word("set"), Root)
        .done()
}

pub fn proc() -> Vec<Attack> {
    let sysctls = "sysctl_kernel_core_pattern sysctl_kernel_modprobe sysctl_kernel_poweroff_cmd sysctl_kernel_hostname \
        sysctl_kernel_randomize_va_space sysctl_kernel_shmmax sysctl_kernel_msgmax sysctl_kernel_ns_last_pid \
        sysctl_kernel_keys_maxkeys sysctl_vm_overcommit_memory sysctl_vm_panic_on_oom sysctl_fs_file_max \
        sysctl_fs_mqueue_queues_max sysctl_fs_suid_dumpable sysctl_fs_protected_symlinks sysctl_net_core_somaxconn \
        sysctl_net_ipv4_ip_forward sysctl_net_ipv4_ip_local_port_range sysctl_net_ipv4_ping_group_range";
    let files = "read_kcore read_kmsg read_kallsyms read_keys read_key_users read_timer_list read_sched_debug \
        read_interrupts read_softirqs read_vmallocinfo read_iomem read_ioports read_slabinfo read_kpageflags \
        read_kpagecount read_pagetypeinfo read_1_environ read_1_maps read_1_auxv read_1_stack read_self_stack \
        read_1_cmdline read_cmdline read_sysvipc_shm";
    let places = "exists_sys_kernel exists_sys_fs_cgroup exists_sys_class_net exists_sys_block exists_sys_firmware \
        exists_sys_kernel_debug exists_sys_devices exists_boot exists_root exists_home exists_etc_shadow \
        exists_etc_machine_id exists_var_log exists_var_lib exists_run_lock exists_mnt exists_srv exists_media \
        exists_etc_ssh exists_etc_ssl_private exists_proc_fs_ext4 exists_proc_fs_jbd2 exists_proc_fs_xfs";
    Rows::of("proc.py")
        .each("S14", sysctls, Word("written"), MayBeAbsent("the sysctl"))
        .each("S14", files, Word("read"), MayBeAbsent("the file"))
        .each("S14", places, Word("found"), MayBeAbsent("the directory"))
        .add(
            "S14",
            "sysrq",
            Word("opened"),
            MayBeAbsent("CONFIG_MAGIC_SYSRQ"),
        )
        .add(
            "S14",
            "binfmt",
            Word("opened"),
            MayBeAbsent("CONFIG_BINFMT_MISC"),
        )
        .add("S14", "page_frames", Word("frame"), Root)
        .each("S17", "other_processes host_mounts", Word("seen"), User)
        .add("S17", "host_groups", Word("named"), Root)
        .add("S14", "drop_caches", Word("opened"), Root)
        .done()
}

pub fn sockets() -> Vec<Attack> {
    let kinds = "vsock alg key netlink_netfilter netlink_audit netlink_uevent netlink_sock_diag netlink_xfrm netlink_generic \
        netlink_crypto raw raw6 raw_any packet packet_datagram xdp can tipc bluetooth rds ax25 ipx appletalk x25 llc ib smc \
        qipcrtr kcm nfc mctp pppox phonet caif rxrpc isdn";
    let kinds: Vec<String> = kinds
        .split_whitespace()
        .map(|kind| format!("socket_{kind}"))
        .collect();
    let built = MayBeAbsent("the kernel's support");
    let options = "option_mark option_priority option_transparent option_force_buffer option_netfilter_replace";
    Rows::of("sockets.py")
        .each("S14", &kinds.join(" "), Past, built)
        .each(
            "S14",
            "protocol_sctp protocol_dccp protocol_l2tp",
            Past,
            built,
        )
        .add("S14", "socketpair_tipc", Word("pair"), built)
        .each("S14", options, Word("set"), built)
        .add("S14", "sniff", Tenant, Root)
        .add("S14", "add_address", Word("bound"), Root)
        .add("S14", "add_route", Word("routed"), Root)
        .each("S14", "add_neighbour add_rule", Word("added"), Root)
        .add("S14", "add_link", Word("added"), Root)
        .add("S14", "link_down", Word("down"), Root)
        .each(
            "S17",
            "host_loopback host_abstract_socket host_path_socket",
            Host,
            Control::Child,
        )
        .add("S17", "beyond_loopback", Word("route"), Control::Child)
        .done()
}

/// What is limited for each user is shown by a victim of the same user, who starves.
pub fn exhaustion() -> Vec<Attack> {
    let starved = Control::PlantedUser("--starve");
    let goal = |rows: Rows, name: &str, word: &'static str| rows.add("S13", name, Word(word), Root);
    let of_400 = "memory memory_and_files memfd attributes pipes segments unix_buffers";
    let rows = Rows::of("exhaust.py").each("S13", of_400, Word("goal-400"), Root);
    let rows = goal(rows, "processes", "goal-1100");
    let rows = goal(rows, "threads", "goal-1100");
    let rows = goal(rows, "descriptors", "goal-1500");
    let rows = goal(rows, "descriptors_in_flight", "goal-12");
    let rows = goal(rows, "tmp", "goal-64");
    let rows = goal(rows, "shm", "goal-96");
    let rows = goal(rows, "inodes_tmp", "goal-300");
    let rows = goal(rows, "inodes_shm", "goal-300");
    let rows = goal(rows, "locked", "goal-10");
    rows.each("S13", "inotify timers", Word("starved"), starved)
        .done()
}
