"""Ready-made commands that read a table: what a person pastes into a shell, Python, R or Excel.

Programs read formats that have types: pandas, R and Excel take the ward code `00004` of a CSV for
the number 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from ckan.plugins import toolkit as tk

from .neighbours import gateway_url

TOKEN = "HANOIIC_TOKEN"  # noqa: S105 (the name of a variable, not a secret)


@dataclass(frozen=True)
class Recipe:
    """``text`` is written for ``title``; ``note`` says what a person must know before."""

    key: str
    title: str
    text: str
    note: str = ""


CURL = """\
# {query_note}
curl -fsSG{header} "{gateway}/v1/sql" \\
     --data-urlencode 'q=SELECT * FROM {table} LIMIT 10' -d format=csv

# {download_note}
curl -fSL{header} -o {table}.parquet "{gateway}/v1/tables/{table}/download.parquet"
"""

SHORT = """\
curl -fsSG "{gateway}/v1/sql" \\
     --data-urlencode 'q=SELECT * FROM {table} LIMIT 5' \\
     -d format=csv
"""

PANDAS = """\
import io
{import_os}
import pandas as pd
import requests

answer = requests.get(
    "{gateway}/v1/sql",
    params={{"q": "SELECT * FROM {table} LIMIT 1000", "format": "parquet"}},{headers}
    timeout=60,
)
answer.raise_for_status()
frame = pd.read_parquet(io.BytesIO(answer.content))
print(frame.head())
"""

DUCKDB = """\
{import_os}import duckdb

{secret}table = duckdb.read_parquet("{gateway}/v1/tables/{table}/download.parquet")
print(table.limit(10))
"""

DUCKDB_SIGN_IN = """\
token = os.environ["{token}"]
duckdb.sql(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{{token}}', SCOPE '{gateway}/')")
"""

R_OPEN = """\
library(arrow)

frame <- read_parquet("{gateway}/v1/tables/{table}/download.parquet")
head(frame)
"""

R_SIGNED_IN = """\
library(arrow)
library(httr2)

answer <- request("{gateway}/v1/tables/{table}/download.parquet") |>
  req_auth_bearer_token(Sys.getenv("{token}")) |>
  req_perform()
frame <- read_parquet(resp_body_raw(answer))
head(frame)
"""

EXCEL = "{gateway}/v1/tables/{table}/download.xlsx"


def short_recipe(table: str) -> str:
    """Three lines that show how little it takes."""
    return SHORT.format(gateway=gateway_url(), table=table)


def recipes(table: str, *, with_token: bool) -> list[Recipe]:
    """How to read ``table``."""
    words = {
        "table": table,
        "token": TOKEN,
        "gateway": gateway_url(),
        "query_note": tk._("Ask with SQL"),
        "download_note": tk._("Download the whole table"),
        "header": f' -H "Authorization: Bearer ${TOKEN}"' if with_token else "",
        "import_os": "import os\n" if with_token else "",
        "headers": f'\n    headers={{"Authorization": f"Bearer {{os.environ[\'{TOKEN}\']}}"}},'
        if with_token
        else "",
        "secret": DUCKDB_SIGN_IN.format(token=TOKEN, gateway=gateway_url()) if with_token else "",
    }
    found = [
        Recipe("curl", "curl", CURL.format(**words)),
        Recipe("python", "Python · pandas", PANDAS.format(**words)),
        Recipe("duckdb", "Python · DuckDB", DUCKDB.format(**words)),
        Recipe("r", "R", (R_SIGNED_IN if with_token else R_OPEN).format(**words)),
    ]
    if not with_token:
        note = tk._("In Excel: Data, From Web, paste this address. In LibreOffice: File, Open.")
        found.append(Recipe("excel", "Excel", EXCEL.format(**words), note))
    return found
