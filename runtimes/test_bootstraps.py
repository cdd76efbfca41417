"""All cases of both bootstraps: `/usr/bin/python3 -m unittest discover -s runtimes` in the root of the workspace."""

import unittest

from cases_clone import NodeClone, PythonClone
from cases_node import Node
from cases_python import Python

__all__ = ["Node", "NodeClone", "Python", "PythonClone"]

if __name__ == "__main__":
    unittest.main()
