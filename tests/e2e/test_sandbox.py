"""What a function sees and may do inside its sandbox."""

import contextlib
import os
import subprocess
import textwrap
from pathlib import Path

import kernel
from daemon import DaemonTest
from functions import PROBE, deploy, invoke, probe

# Python 3.11 has no wrapper for most of these; numbers of x86-64 (syscalls(2)).
SYSCALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return errno.errorcode.get(ctypes.get_errno(), "done") if result == -1 else "done"
"""


class Inside(DaemonTest):
    # Of several sandboxes that appear at once, nobody could say which one is the function's.
    settings = {"seeds.after_events": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy(cls.client, PROBE, Timeout=10, MemorySize=512)

    def inside(self, code, **event):
        return probe(self.client, self.name, code, **event)

    def test_own_process_namespace_with_only_own_processes(self):
        found = self.inside(
            "result = {pid: open(f'/proc/{pid}/comm').read() for pid in os.listdir('/proc') if pid.isdigit()}"
        )
        self.assertLessEqual(len(found), 2, found)
        self.assertLess(max(map(int, found)), 100)
        self.assertLess(self.inside("result = os.getpid()"), 100)

    def test_every_namespace_is_not_the_hosts(self):
        kinds = ("pid", "mnt", "ipc", "uts", "net", "cgroup")
        found = self.inside(
            "result = {kind: os.readlink(f'/proc/self/ns/{kind}') for kind in event['kinds']}", kinds=kinds
        )
        for kind in kinds:
            self.assertNotEqual(
                found[kind], subprocess.check_output(["readlink", f"/proc/self/ns/{kind}"], text=True).strip()
            )

    def test_nobody_special_without_capabilities(self):
        status = self.inside(
            "result = dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines())"
        )
        uids = set(status["Uid"].split())
        self.assertEqual(len(uids), 1)
        self.assertGreaterEqual(int(uids.pop()), 1000)
        for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(status["Groups"].strip(), "")

    def test_two_functions_have_different_users(self):
        other = deploy(self.client, PROBE)
        self.assertNotEqual(self.inside("result = os.getuid()"), probe(self.client, other, "result = os.getuid()"))

    def test_no_files_of_the_host(self):
        code = """
        result = [path for path in ("/root", "/home", "/var/lib", "/boot", "/mnt", "/srv", "/media", "/etc/shadow",
                  "/sys", "/var/log", "/work", event["state"]) if os.path.exists(path) and (os.path.isfile(path) or os.listdir(path))]
        """
        self.assertEqual(self.inside(code, state=str(self.daemon.state_dir)), [])
        own = {"passwd", "group", "hosts", "hostname", "resolv.conf"}
        files = self.inside("result = [name for _, _, names in os.walk('/run') for name in names]")
        self.assertLessEqual(set(files), own)

    def test_no_disk_or_set_user_id_program_can_be_used(self):
        code = """
        lines = open("/proc/self/mounts").read().splitlines()
        result = [line for line in lines if "nosuid" not in line.split()[3].split(",")]
        """
        self.assertEqual(self.inside(code), [])
        devices = self.inside("result = sorted(os.listdir('/dev'))")
        allowed = {
            "fd",
            "full",
            "null",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
            "ptmx",
            "pts",
            "mqueue",
        }
        self.assertLessEqual(set(devices), allowed)

    def test_loopback_is_the_only_network(self):
        code = """
        import socket
        result = {"links": [name for _, name in socket.if_nameindex()]}
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
        for target in ("1.1.1.1", "169.254.169.254", "10.200.0.1"):
            try:
                socket.create_connection((target, 80), timeout=1).close()
                result[target] = "connected"
            except OSError as error:
                result[target] = error.strerror
        """
        found = self.inside(code)
        self.assertEqual(found.pop("links"), ["lo"])
        self.assertEqual(set(found.values()), {"Network is unreachable"})

    def test_loopback_of_the_host_is_not_the_functions(self):
        code = """
        import socket
        try:
            socket.create_connection(("127.0.0.1", event["port"]), timeout=1).close()
            result = "connected"
        except OSError as error:
            result = error.strerror
        """
        self.assertEqual(self.inside(code, port=self.daemon.port), "Connection refused")

    def test_only_the_descriptors_it_was_given(self):
        code = """
        result = {}
        for fd in os.listdir("/proc/self/fd"):
            try:
                result[fd] = os.readlink(f"/proc/self/fd/{fd}")
            except FileNotFoundError:
                pass
        """
        found = self.inside(code)
        self.assertEqual(found.pop("0"), "/dev/null")
        self.assertTrue(found.pop("1").startswith("pipe:") and found.pop("2").startswith("pipe:"))
        self.assertTrue(found.pop("3").startswith("socket:"))
        self.assertEqual(found, {})

    def test_dangerous_system_calls_get_an_errno(self):
        calls = {
            "io_uring_setup": (425, 8, 0),
            "userfaultfd": (323, 0),
            "mount": (165, 0, 0, 0, 0, 0),
            "umount2": (166, 0, 0),
            "unshare user": (272, 0x10000000),
            "unshare mount": (272, 0x20000),
            "setns": (308, 3, 0),
            "ptrace": (101, 0, 0, 0, 0),
            "keyctl": (250, 0, -3, 0),
            "add_key": (248, 0, 0, 0, 0, -3),
            "bpf": (321, 0, 0, 0),
            "perf_event_open": (298, 0, 0, -1, -1, 0),
            "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
            "pidfd_getfd": (438, 3, 0, 0),
            "kexec_load": (246, 0, 0, 0, 0),
            "init_module": (175, 0, 0, 0),
            "reboot": (169, 0, 0, 0, 0),
            "settimeofday": (164, 0, 0),
            "pivot_root": (155, 0, 0),
            "chroot": (161, 0),
            "swapon": (167, 0, 0),
            "clone3": (435, 0, 0),
            "open_by_handle_at": (304, 0, 0, 0),
            "acct": (163, 0),
            "quotactl": (179, 0, 0, 0, 0),
            "name_to_handle_at": (303, 0, 0, 0, 0, 0),
            "fsopen": (430, 0, 0),
            "clone newuser": (56, 0x10000011, 0, 0, 0, 0),
            "move_mount": (429, -1, 0, -1, 0, 0),
            "seccomp": (317, 1, 0, 0),
        }
        found = self.inside(SYSCALLS + "result = {name: call(*c) for name, c in event['calls'].items()}", calls=calls)
        refused = {"EPERM", "ENOSYS", "EACCES"}
        self.assertEqual({name: answer for name, answer in found.items() if answer not in refused}, {})
        for absent in ("io_uring_setup", "clone3"):
            self.assertEqual(found[absent], "ENOSYS")

    def test_foreign_system_call_tables_are_closed(self):
        # int 0x80 enters the i386 table: mov eax, 20 (getpid); int 0x80; ret.
        code = """
        import ctypes, mmap
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
        function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        result = function()
        """
        answer = invoke(self.client, deploy(self.client, PROBE), {"code": textwrap.dedent(code)})
        if answer.error:
            self.assertEqual(answer.value["errorType"], "Runtime.ExitError")
        else:
            self.assertLess(answer.value, 0)
        x32 = self.inside(SYSCALLS + "result = call(0x40000000 + 39)")
        self.assertNotEqual(x32, "done")

    def test_files_of_proc_that_tell_about_the_host_are_masked(self):
        code = """
        result = {}
        for path in ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sysrq-trigger", "/proc/kallsyms",
                     "/proc/interrupts", "/proc/sched_debug", "/proc/cmdline"):
            try:
                with open(path, "rb") as file:
                    result[path] = len(file.read(100))
            except OSError:
                result[path] = 0
        """
        self.assertEqual({path for path, size in self.inside(code).items() if size}, set())

    def test_settings_of_the_kernel_are_not_writable(self):
        code = """
        result = []
        for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
                     "/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity"):
            try:
                with open(path, "r+") as file:
                    result.append(path)
            except OSError:
                pass
        """
        self.assertEqual(self.inside(code), [])

    def test_tmp_has_the_configured_size(self):
        self.assertEqual(self.inside("s = os.statvfs('/tmp'); result = s.f_blocks * s.f_frsize"), 512 << 20)
        large = deploy(self.client, PROBE, EphemeralStorage={"Size": 700})
        self.assertEqual(
            probe(self.client, large, "s = os.statvfs('/tmp'); result = s.f_blocks * s.f_frsize"), 700 << 20
        )

    def test_limits_are_as_on_lambda(self):
        code = """
        import resource
        result = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_STACK)]
        """
        files, core, stack = self.inside(code)
        self.assertEqual((files, stack), (1024, 8 << 20))
        # One byte rather than none: only that keeps the kernel from starting a host's core handler (core(5)).
        self.assertLessEqual(core, 1)

    def test_fork_bomb_is_bounded_and_harms_nobody(self):
        bomb = deploy(self.client, PROBE, Timeout=5, MemorySize=1024)
        code = """
        import time
        children = 0
        try:
            while children < 5000:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                children += 1
        except OSError as error:
            result = [children, error.strerror]
        """
        children, error = probe(self.client, bomb, code)
        self.assertLess(children, 1024)
        self.assertEqual(error, "Resource temporarily unavailable")
        self.assertEqual(self.inside("result = 1"), 1)

    def test_cpu_share_follows_memory(self):
        shares = {}
        for memory in (128, 1769, 3538):
            name = deploy(self.client, PROBE, MemorySize=memory)
            before = kernel.occupied(self.daemon.owner)
            probe(self.client, name, "result = 1")
            names = kernel.occupied(self.daemon.owner) - before
            for group in kernel.owned_cgroups(self.daemon.owner):
                if os.path.basename(group) not in names:
                    continue
                for file in ("cpu.shares", "cpu.weight"):
                    with contextlib.suppress(FileNotFoundError):
                        shares[memory] = int((Path(group) / file).read_text())
        self.assertGreaterEqual(shares[1769] / shares[128], 10)
        self.assertAlmostEqual(shares[3538] / shares[1769], 2, places=1)

    def test_code_is_the_same_but_not_writable_for_the_next_instance(self):
        found = self.inside(
            "result = [open('/var/task/app.py').read()[:10], oct(os.stat('/var/task/app.py').st_mode & 0o777)]"
        )
        self.assertEqual(found[1][-2:], "44")

    def test_signals_and_children_work(self):
        code = """
        import subprocess
        child = subprocess.run(["/bin/sh", "-c", "echo $0; exit 3", "out"], capture_output=True, text=True)
        stopped = subprocess.Popen(["/bin/sleep", "60"])
        stopped.terminate()
        result = [child.returncode, child.stdout, stopped.wait()]
        """
        self.assertEqual(self.inside(code), [3, "out\n", -15])

    def test_threads_and_shared_memory_work(self):
        code = """
        import multiprocessing, concurrent.futures, tempfile
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            total = sum(pool.map(lambda number: number * 2, range(100)))
        lock = multiprocessing.Lock()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 100000)
        result = total
        """
        self.assertEqual(self.inside(code), 9900)
