"""Alembic's entry point; CKAN runs it as ``ckan db upgrade -p hanoiic_console``."""

from alembic import context
from ckan.model.meta import metadata
from sqlalchemy import engine_from_config, pool

NAME = "hanoiic_console"
PARTS = ("source", "run", "reservation", "hold", "preview", "upload", "secret")
TABLES = {f"hanoiic_{part}" for part in PARTS}


def include_object(_object, name, type_, _reflected, _compare_to):
    return type_ != "table" or name in TABLES


def options():
    return {
        "target_metadata": metadata,
        "version_table": f"{NAME}_alembic_version",
        "include_object": include_object,
    }


def run_offline():
    url = context.config.get_main_option("sqlalchemy.url")
    context.configure(url=url, literal_binds=True, **options())
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    section = context.config.get_section(context.config.config_ini_section)
    engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, **options())
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
