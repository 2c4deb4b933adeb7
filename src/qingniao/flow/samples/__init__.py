"""Flows that come with the house, as data. Rule: a sample passes `flow.check` without a problem."""

from importlib.resources import files
from typing import Final

from qingniao.flow.graph import Flow, decode

__all__ = ["AFTER_SALES", "NAMES", "ORDER_MENU", "read"]

AFTER_SALES: Final = "after_sales"
ORDER_MENU: Final = "order_menu"
NAMES: Final = (AFTER_SALES, ORDER_MENU)
"""The first is what a new installation publishes; others are for taking as a draft."""


def read(name: str) -> Flow:
    """A sample by its name. Reads a file of the package: call it at start, not per message."""
    return decode(files(__name__).joinpath(f"{name}.json").read_bytes())
