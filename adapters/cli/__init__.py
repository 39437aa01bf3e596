"""The `stepgauge` command: a module for each of its subcommands."""

from .main import main

__all__ = ["main"]
