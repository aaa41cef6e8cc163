"""What an unmodified `delta-sharing` client sees: run with its folder on the path and a profile.

Prints one JSON object. A program of its own, as the client wants older packages than the gateway.
"""

from __future__ import annotations

import json
import sys

import delta_sharing


def main() -> None:
    profile = sys.argv[1]
    client = delta_sharing.SharingClient(profile)
    url = f"{profile}#hanoi.transport.bus_stops"
    changed = delta_sharing.load_table_changes_as_pandas(url, starting_version=1)
    told = {
        "shares": [share.name for share in client.list_shares()],
        "schemas": [schema.name for schema in client.list_schemas(client.list_shares()[0])],
        "tables": [table.name for table in client.list_all_tables()],
        "version": delta_sharing.get_table_version(url),
        "rows": delta_sharing.load_as_pandas(url).to_dict("records"),
        "limited": len(delta_sharing.load_as_pandas(url, limit=2)),
        "version_1": delta_sharing.load_as_pandas(url, version=1).to_dict("records"),
        "changes": changed[["mã", "_change_type", "_commit_version"]].to_dict("records"),
        "typed": len(delta_sharing.load_as_pandas(f"{profile}#hanoi.transport.typed")),
        "empty": len(delta_sharing.load_as_pandas(f"{profile}#hanoi.transport.empty")),
    }
    print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
