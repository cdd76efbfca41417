"""All cases of both bootstraps: `/usr/bin/python3 -m unittest discover -s runtimes` in the root of the workspace."""

import unittest

from cases_clone import NodeClone, PythonClone
from cases_runtime_seed import NodeRuntimeSeed, PythonRuntimeSeed
from cases_node import Node
from cases_python import Python

__all__ = ["Node", "NodeClone", "NodeRuntimeSeed", "Python", "PythonClone", "PythonRuntimeSeed"]

if __name__ == "__main__":
    unittest.main()
