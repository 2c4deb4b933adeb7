"""Alembic's entry. Rule: it uses the connection it is handed and commits nothing itself."""

from alembic import context

from qingniao.storage.models import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
