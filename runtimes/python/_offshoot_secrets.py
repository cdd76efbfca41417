"""Variables that clones are given and this process is not: it becomes their seed, and its memory an image.

User code that asks for one now would go on without it, in every clone. So it ends here, and its function starts cold.
`docs/design/secrets.md` has the reasons; imported only where something is withheld."""

import json
import os
import sys
from _weakref import ref

KIND = "Runtime.SecretWithheld"

table = None  # while something is withheld
copies = []  # weak references to what `os.environ.copy` has given


class Guarded(dict):
    """A dictionary with the names of what is withheld, as in a process that has it; nobody gets as far as the values."""

    def __init__(self, known, names, too_early):
        super().__init__(known)
        self.names = names
        self.too_early = too_early

    def lacking(self):
        return [key for key in self.names if not dict.__contains__(self, key)]

    def refuse_all(self):
        for key in self.lacking():
            self.too_early(key)

    def __missing__(self, key):
        if key in self.names:
            self.too_early(key)
        raise KeyError(key)

    def __delitem__(self, key):
        if key in self.lacking():
            self.too_early(key)
        super().__delitem__(key)

    def __iter__(self):
        yield from super().__iter__()
        yield from self.lacking()

    def __len__(self):
        return super().__len__() + len(self.lacking())


class Table(Guarded):
    """What `os.environ` and `os.environb` keep their variables in."""

    def __missing__(self, key):
        if key in self.names and looks_for_proxies() and not key.lower().endswith(b"_proxy"):
            return b""
        return super().__missing__(key)


class Copy(Guarded):
    """What `os.environ.copy` gives: each client of boto3 makes one, and asks it for a variable or two."""

    def __contains__(self, key):
        return super().__contains__(key) or key in self.names

    def get(self, key, default=None):
        return self[key] if key in self else default

    def pop(self, key, *default):
        if key in self.lacking():
            self.too_early(key)
        return super().pop(key, *default)

    def setdefault(self, key, default=None):
        return self[key] if key in self else super().setdefault(key, default)

    def keys(self):
        return list(self) if self.names else super().keys()

    def items(self):
        self.refuse_all()
        return super().items()

    def values(self):
        self.refuse_all()
        return super().values()

    def copy(self):
        self.refuse_all()
        return dict(super().items())


def looks_for_proxies():
    """Whether `urllib` goes through all variables, as it does for each client of boto3 that is made: it uses those that
    name a proxy only."""
    frame = sys._getframe(2)
    for _ in range(3):  # `__getitem__` of `os.environ`, its view, and who looks
        if frame is None:
            return False
        code = frame.f_code
        if code.co_name == "getproxies_environment" and code.co_filename.endswith("urllib/request.py"):
            return True
        frame = frame.f_back
    return False


def withhold(bootstrap):
    """From here on user code cannot ask for the variables that `OFFSHOOT_WITHHELD` names."""
    global table
    names = os.environ.pop("OFFSHOOT_WITHHELD").split(",")

    def too_early(key):
        body = {"errorMessage": os.fsdecode(key), "errorType": KIND, "requestId": "", "stackTrace": []}
        bootstrap.send(bootstrap.INIT_ERROR, json.dumps(body).encode())
        bootstrap.leave(1)

    def copy():
        known = {os.fsdecode(key): os.fsdecode(value) for key, value in table.items()}
        made = Copy(known, [os.fsdecode(key) for key in table.lacking()], too_early)
        copies.append(ref(made))
        return made

    table = Table(os.environ._data, [os.fsencode(name) for name in names], too_early)
    os.environ._data = os.environb._data = table
    os.environ.copy = copy


def release(env):
    """What of `env` this clone is to be given: all but what its init has set itself. Copies that init has made get theirs."""
    global table
    if table is None:
        return env
    lacking = {os.fsdecode(key) for key in table.lacking()}
    mine = {os.fsdecode(key) for key in table.names} - lacking
    os.environ._data = os.environb._data = dict(table.items())
    del os.environ.copy
    for made in filter(None, (made() for made in copies)):
        made.update({name: env[name] for name in made.lacking() if env.get(name) is not None})
        made.names = []
    copies.clear()
    table = None
    return {name: value for name, value in env.items() if name not in mine}
