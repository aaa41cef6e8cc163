"""Alembic's environment of the plugin: its own tables and its own version table."""

from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
NAME = "hanoiic_licensing"

engine = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with engine.connect() as connection:
    context.configure(connection=connection, version_table=f"{NAME}_alembic_version")
    with context.begin_transaction():
        context.run_migrations()
