"""Hooks around a snapshot, with the interface of AWS's package of this name, for functions that do not bring it:
"Lambda SnapStart runtime hooks for Python" in the AWS Lambda Developer Guide."""

__all__ = ["register_before_snapshot", "register_after_restore"]

_before_snapshot = []
_after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    """Has `func` called before a snapshot is made, the last one registered first. Also a decorator."""
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Has `func` called in each clone, before its first event, the first one registered first. Also a decorator."""
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """The hooks before a snapshot, in the order of registration: (function, arguments, named arguments)."""
    return _before_snapshot


def get_after_restore():
    """The hooks after a restore, likewise."""
    return _after_restore
