"""Before a process is frozen, and after it has become a clone; imported before it is frozen. `docs/design/uniqueness.md`
is the contract. A module that is not loaded has no state that clones could share, so nothing is imported here."""

import _thread
import gc
import os
import sys
import time

BEFORE_FAILED, AFTER_FAILED = "Runtime.BeforeSnapshotError", "Runtime.AfterRestoreError"
BEFORE_STATUS, AFTER_STATUS = 64, 65  # exit statuses of Lambda's Python runtime
SEED_BYTES = 32
MULTICAST = 1 << 40  # the bit of a node id that says that no network card has it (RFC 4122, section 4.5)

loaded = sys.modules.get
was_frozen = False


def freeze():
    """Runs the hooks before a snapshot, the last one registered first, and leaves as little garbage as it can."""
    global was_frozen
    hooks = loaded("snapshot_restore_py")
    if hooks is not None:
        for function, arguments, named in reversed(hooks.get_before_snapshot()):
            function(*arguments, **named)
    sys.modules["__main__"].rehearse()
    renew()  # a rehearsal: what is made at the first use, such as OpenSSL's generator, takes milliseconds
    if not was_frozen:
        gc.unfreeze()
    gc.collect()
    # What is old now is never looked at again: a collection in a clone would write to every page that it shares. Nor is it
    # at the next freeze, so that its image differs in what is new.
    gc.freeze()
    was_frozen = True


def resume(env, fork_hooks):
    """Makes this clone unlike its siblings, except for what user code does in hooks of its own."""
    secrets = loaded("_offshoot_secrets")
    if secrets is not None:
        env = secrets.release(env)
    if env:
        set_environment(env)
    renew()
    run_fork_hooks(fork_hooks)


def renew():
    """Gives fresh random bytes to whatever keeps some."""
    reseed_openssl()
    reseed_random()
    reseed_numpy()
    renew_uuid()
    renew_tempfile()


def run_after_restore():
    """Runs the hooks after a restore, the first one registered first."""
    hooks = loaded("snapshot_restore_py")
    if hooks is not None:
        for function, arguments, named in hooks.get_after_restore():
            function(*arguments, **named)


def set_environment(env):
    for name, value in env.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "TZ" in env:
        time.tzset()


def reseed_openssl():
    """The process id is new, by which OpenSSL notices a fork; this holds even for one that does not look."""
    ssl = loaded("_ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(SEED_BYTES), SEED_BYTES)


def global_random():
    """The instance behind the functions of `random`; None if that is not loaded, or a module of user code."""
    return getattr(loaded("random"), "_inst", None)


def reseed_random():
    instance = global_random()
    if instance is not None:
        instance.seed(int.from_bytes(os.urandom(SEED_BYTES), "big"))


def reseed_numpy():
    random = loaded("numpy.random")
    if random is not None:
        random.seed()


def renew_uuid():
    """`uuid1` consists of a clock, a clock sequence and a node; libuuid and the module keep the latter two."""
    uuid = loaded("uuid")
    if hasattr(uuid, "_generate_time_safe"):
        uuid._generate_time_safe = None
        uuid._node = int.from_bytes(os.urandom(6), "big") | MULTICAST
        uuid._last_timestamp = None


def renew_tempfile():
    tempfile = loaded("tempfile")
    if hasattr(tempfile, "_name_sequence"):
        tempfile._name_sequence = None


def run_fork_hooks(fork_hooks):
    """What modules do around a fork, as in a child. A child has one thread; a clone has all that its seed had, so with
    several the hooks would unlock what somebody holds, and start anew what still runs."""
    if _thread._count() > 0:  # threads that Python has started besides the main one
        return
    done = getattr(global_random(), "seed", None)  # what `random` registers
    for before, _ in reversed(fork_hooks):
        if before is not None:
            before()
    for _, after_in_child in fork_hooks:
        if after_in_child is not None and after_in_child != done:
            after_in_child()


def fail(bootstrap, freezing, error):
    """Reports a hook that failed and ends the process."""
    kind, status = (BEFORE_FAILED, BEFORE_STATUS) if freezing else (AFTER_FAILED, AFTER_STATUS)
    bootstrap.send(bootstrap.INIT_ERROR, bootstrap.describe(error), b'{"errorType":"%s"}' % kind.encode())
    bootstrap.leave(status)
