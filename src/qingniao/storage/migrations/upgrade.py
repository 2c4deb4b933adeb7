"""Runs Alembic on a connection that is already in a transaction. Rule: all steps, or none."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

__all__ = ["configuration", "upgrade"]


def configuration() -> Config:
    """Alembic's settings, without a file: the scripts travel inside the package."""
    config = Config()
    config.set_main_option("script_location", Path(__file__).parent.as_posix())
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema from wherever it is up to `revision`."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
