"""``python -m ckanext.hanoiic.licensing.receipt_command``: what ``hanoiic receipt verify`` runs.

Needs no CKAN and no portal. Exit codes: 0 good, 1 not good, 2 it can't be told.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from ckanext.hanoiic.licensing import receipts, signing

TIMEOUT_S = 15
FAULTS = {
    "not_a_receipt": "this is no receipt of the gateway (a JWS with the fields of one)",
    "key_unknown": "it is signed with a key that is not among the gateway's keys",
    "signature_wrong": "its signature does not fit its contents: it was altered",
    "result_differs": "the answer's bytes are not those it was signed for",
}
GOOD, BAD, UNKNOWN = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hanoiic receipt verify", description=__doc__)
    parser.add_argument("file", type=Path, help="the receipt (a JWS)")
    parser.add_argument("--result", type=Path, help="the answer it is for, as downloaded")
    parser.add_argument("--keys", required=True, help="the gateway's keys: URL or file (JWKS, PEM)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    options = parser.parse_args(arguments)
    try:
        key_set = keys(options.keys)
        text = options.file.read_text(encoding="ascii", errors="replace")
        if options.result:
            with options.result.open("rb") as result:
                verdict = receipts.verify(text, key_set, result)
        else:
            verdict = receipts.verify(text, key_set)
    except (OSError, ValueError) as error:
        print(f"hanoiic receipt: it can't be told: {error}", file=sys.stderr)
        return UNKNOWN
    if options.json:
        print(json.dumps(asdict(verdict), ensure_ascii=False))
    elif verdict.fault:
        print(f"NOT GOOD: {FAULTS[verdict.fault]}.", file=sys.stderr)
    else:
        print(described(verdict))
    return BAD if verdict.fault else GOOD


def keys(where: str) -> dict[str, Any]:
    """The JWK set at a URL, or of a file with one or with a key in PEM."""
    if "://" in where:
        try:
            answer = requests.get(where, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise ValueError(f"{where} does not answer; --keys takes a file too") from error
        answer.raise_for_status()
        return dict(answer.json())
    text = Path(where).read_bytes()
    if b"-----BEGIN" in text:
        key = signing.public_key(Path(where))
        return {"keys": [signing.jwk_of(key) | {"kid": signing.key_id(key)}]}
    return dict(json.loads(text))


def described(verdict: receipts.Verdict) -> str:
    told = verdict.told or {}
    signed = datetime.fromtimestamp(told["iat"], UTC).isoformat(timespec="seconds")
    lines = [
        f"Good: signed by {told['iss']} at {signed}, for {told['sub']}, receipt {told['jti']}.",
    ]
    for table in told["tables"]:
        licence = table.get("licence") or {}
        lines.append(
            f"  {table['name']} version {table['version']}"
            + (f", edition {table['edition']}" if table.get("edition") else "")
            + (f", licence {licence['id']} version {licence['version']}" if licence else "")
            + (f", agreement {table['agreement']}" if table.get("agreement") else "")
        )
    result = told["result"]
    lines.append(
        f"  result: {result.get('rows')} rows, {result.get('bytes')} bytes, sha256 "
        f"{result.get('sha256')}"
    )
    lines.append(
        "  The answer's bytes are those it was signed for."
        if verdict.result_checked
        else "  The answer itself was not compared; --result FILE does."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
