"""What ``hanoiic up`` says when everything runs: addresses, users, and commands to paste."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.up import Started


def text(started: Started) -> str:
    settings, home = started.plan.settings, started.plan.home
    lines = [
        "",
        f"Portal   {settings.public_portal_url}",
        f"Gateway  {settings.public_gateway_url}",
    ]
    if started.demo is None:
        password = home.secret_file("operator_password")
        return "\n".join([*lines, f"Operator sign-in: operator, password in {password}", ""])
    return "\n".join([*lines, *_demo_lines(started.demo, home.demo), ""])


def _demo_lines(demo: dict[str, Any], file: Path) -> list[str]:
    portal, gateway = demo["portal_url"], demo["gateway_url"]
    users = [
        f"  {role:<9} {user['name']:<13} {user['password']}" for role, user in demo["users"].items()
    ]
    table = next((row["name"] for row in demo["tables"] if row["tier"] == "open"), None)
    commands = [f"  curl -s '{portal}/api/3/action/package_search?q=khong+khi'"]
    if table:
        query = f"q=SELECT * FROM {table} LIMIT 3"  # noqa: S608 (printed, not run)
        commands += [
            f"  curl -s -O '{gateway}/v1/tables/{table}/download.parquet'",
            f"  curl -s -G '{gateway}/v1/sql' --data-urlencode '{query}'",
        ]
    return [
        "",
        "Demo users (role, name, password):",
        *users,
        "",
        "Search, download, SQL:",
        *commands,
        "",
        f"Everything for scripts: {file}",
    ]
