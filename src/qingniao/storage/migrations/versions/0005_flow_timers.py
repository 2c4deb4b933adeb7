"""Flows that wait for a time, and the secrets that they send to other machines."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "flow_timers",
        sa.Column(
            "conversation",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", name=op.f("pk_flow_timers")),
    )
    op.create_index(op.f("ix_flow_timers_due"), "flow_timers", ["due"], unique=False)
    op.create_table(
        "flow_secrets",
        sa.Column("origin", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "name", name=op.f("pk_flow_secrets")),
    )
