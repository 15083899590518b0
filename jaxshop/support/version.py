"""The version of the package, read when it is first asked for: reading it takes longer than checking a shop."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("jaxshop")
except PackageNotFoundError:  # run from its source, as on a machine where nothing can be installed
    __version__ = "0+source"
