"""All cases of both bootstraps: `/usr/bin/python3 -m unittest discover -s runtimes` in the root of the workspace."""

import unittest

from cases_clone import NodeClone, PythonClone
from cases_crowd import NodeCrowd
from cases_runtime_seed import NodeRuntimeSeed, PythonRuntimeSeed
from cases_node import Node
from cases_python import Python
from cases_secrets import NodeWithheld, PythonWithheld

__all__ = [
    "Node", "NodeClone", "NodeRuntimeSeed", "NodeWithheld", "Python", "PythonClone", "PythonRuntimeSeed", "PythonWithheld",
]

if __name__ == "__main__":
    unittest.main()
