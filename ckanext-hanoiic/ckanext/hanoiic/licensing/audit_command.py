"""``python -m ckanext.hanoiic.licensing.audit_command``: what ``hanoiic audit`` runs.

Needs CKAN's configuration file for the database and the files, and no CKAN. Exit codes: 0 sound
or done, 1 a bad entry or checkpoint, 2 it can't be told (no database, no key).
"""

from __future__ import annotations

import argparse
import configparser
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from ckanext.hanoiic.licensing import chain, checkpoints, licence_proof, signing
from psycopg.rows import dict_row

FAULTS = {
    "edited": "entry {number} is not what was written: its hash does not follow from the "
    "entry before and its content",
    "deleted": "entry {number} is missing ({number} to {until} are)",
    "cut": "entry {number} is missing, with all after it: a signed checkpoint knows entry {until}",
    "rewritten": "an entry from {number} to {until} was rewritten: the chain agrees with itself "
    "but not with the signed checkpoint of entry {until}",
}
LICENCE_FAULTS = {
    "changed": "version {version} of the licence {id} is not the text that was published",
    "missing": "version {version} of the licence {id} was published and is gone",
}
SOUND, BAD, UNKNOWN = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hanoiic audit", description=__doc__)
    parser.add_argument("what", choices=("verify", "checkpoint"))
    parser.add_argument("--ini", required=True, type=Path, help="CKAN's configuration file")
    parser.add_argument("--checkpoints", type=Path, help="another file of checkpoints")
    parser.add_argument("--key", type=Path, help="another key: PEM, the public half will do")
    parser.add_argument("--json", action="store_true", help="for scripts")
    options = parser.parse_args(arguments)
    ini = configparser.RawConfigParser()
    ini.read(options.ini, encoding="utf-8")
    settings = ini["app:main"] if ini.has_section("app:main") else {}
    file = options.checkpoints or Path(settings.get("hanoiic.audit_checkpoints_file", ""))
    key_file = options.key or Path(settings.get("hanoiic.audit_key_file", ""))
    url = settings.get("sqlalchemy.url", "").replace("%%", "%")
    try:
        with psycopg.connect(url) as connection:
            if options.what == "checkpoint":
                return checkpoint(connection, file, signing.private_key(key_file))
            return verify(connection, file, signing.public_key(key_file), options.json)
    except checkpoints.CheckpointBroken as broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
        return BAD
    except (psycopg.Error, OSError, ValueError) as error:
        print(f"hanoiic audit: {str(error).strip() or type(error).__name__}", file=sys.stderr)
        return UNKNOWN


def verify(
    connection: psycopg.Connection, file: Path, key: signing.PublicKey, as_json: bool
) -> int:
    known = checkpoints.read(file, key)
    with connection.cursor("entries") as cursor:
        cursor.itersize = chain.PAGE
        verdict = chain.verify(cursor.execute(chain.ENTRIES), known)
    if connection.execute(chain.UNGUARDED).fetchone() == (True,):
        print(
            "Warning: the portal's own role can change the audit; docs/production.md says how to "
            "keep it from that.",
            file=sys.stderr,
        )
    licences = _licence_faults(connection)
    if as_json:
        told = [asdict(one) for one in licences]
        print(json.dumps(asdict(verdict) | {"licences": told}))
    elif verdict.fault is None:
        print(f"The audit is sound: {verdict.entries} entries, {verdict.checkpoints} checkpoints.")
        if verdict.last_checkpoint is None:
            print("No checkpoint was signed yet: that its end was cut off can't be told.")
    else:
        told = FAULTS[verdict.fault].format(**asdict(verdict))
        print(f"NOT SOUND: {told}.", file=sys.stderr)
    for one in licences if not as_json else ():
        told = LICENCE_FAULTS[one.fault].format(**asdict(one))
        print(f"NOT SOUND: {told}.", file=sys.stderr)
    return SOUND if verdict.sound and not licences else BAD


def _licence_faults(connection: psycopg.Connection) -> list[licence_proof.Fault]:
    if connection.execute("SELECT to_regclass('hanoiic_licence')").fetchone() == (None,):
        # A copy of the audit alone.
        return []
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(licence_proof.ROWS).fetchall()
        return licence_proof.faults(rows, cursor.execute(licence_proof.NOTED).fetchall())


def checkpoint(connection: psycopg.Connection, file: Path, key: signing.PrivateKey) -> int:
    last = connection.execute(chain.LAST).fetchone()
    if last is None:
        print("The audit has no entry yet.")
    elif checkpoints.write(file, key, last[0], last[1], datetime.now(UTC)):
        print(f"Signed: entry {last[0]}, in {file}.")
    else:
        print(f"Entry {last[0]}, the newest, is signed already, in {file}.")
    return SOUND


if __name__ == "__main__":
    sys.exit(main())
