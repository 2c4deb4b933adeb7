"""Flows that come with the house, as data. Rule: a sample passes `flow.check` without a problem."""

from importlib.resources import files
from typing import Final

from qingniao.flow.graph import Flow, decode

__all__ = ["AFTER_SALES", "read"]

AFTER_SALES: Final = "after_sales"


def read(name: str) -> Flow:
    """A sample by its name. Reads a file of the package: call it at start, not per message."""
    return decode(files(__name__).joinpath(f"{name}.json").read_bytes())
