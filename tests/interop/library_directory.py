"""Prints the directory of TensorFlow's package, which has its shared library."""

import importlib.util

print(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
