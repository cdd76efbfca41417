"""The seed of the runtime: a process that has no function yet, and in whose clones one arrives with `RESUME`.

`COMMON` is what many functions import and what is no work for a clone that does not use it: nothing here keeps random
bytes, which each clone would have to renew, and nothing reads the environment, which is not there yet.
"""

import os
import sys

COMMON = (
    "base64 calendar collections.abc concurrent.futures contextlib copy dataclasses datetime decimal enum functools hashlib "
    "hmac html inspect io itertools logging math operator pathlib queue re string textwrap threading traceback types typing "
    "urllib.parse zlib"
).split()
SHADOWED_STATUS = 66


class RuntimeSeed:
    """What is loaded before there is a function. `bootstrap` is the module that runs it."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        before = set(sys.modules)
        if bootstrap.LoggingFinder in sys.meta_path:
            sys.meta_path.remove(bootstrap.LoggingFinder)  # the log format is the function's
        for name in COMMON:
            __import__(name)
        self.format = bootstrap.load_own("_offshoot_logging")
        self.rehearse()
        self.loaded = {name.partition(".")[0] for name in set(sys.modules) - before}

    def rehearse(self):
        """Loads and answers as for a function: what the compiler and the interpreter keep of their first times is there
        then, and no clone has it for itself."""
        with open(__file__, encoding="utf-8") as source:
            exec(compile(source.read(), __file__, "exec"), {"__name__": "rehearsal"})
        import logging

        self.format.install(self.bootstrap)
        root = logging.getLogger()
        root.removeHandler(root.handlers[-1])
        self.bootstrap.rehearse()

    def meet_function(self):
        """Its files and its environment are there: whatever was decided without them is decided again."""
        for root in self.bootstrap.user_paths():
            sys.path_importer_cache.pop(root, None)
            self.refuse_shadows(root)
        self.format.install(self.bootstrap)

    def refuse_shadows(self, root):
        """A module of the function's own goes before the standard library's, which is loaded here already: only a process
        that starts with the function does that right."""
        try:
            names = os.listdir(root)
        except OSError:
            return  # no such layer
        shadows = sorted(self.loaded.intersection(name.partition(".")[0] for name in names))
        if shadows:
            print(f"the function's own {shadows[0]} needs a start without a seed of the runtime", file=sys.stderr)
            self.bootstrap.leave(SHADOWED_STATUS)
