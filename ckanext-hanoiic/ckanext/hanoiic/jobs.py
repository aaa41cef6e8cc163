"""CKAN's background jobs: ``python -m ckanext.hanoiic.jobs INI``.

Before it takes the first job it mends what the search index lost in a crash.
"""

import os
import subprocess
import sys


def main() -> None:
    ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", sys.argv[1]]
    # A failure is on stderr, and must not keep the jobs from being done.
    subprocess.run([*ckan, "hanoiic-search", "mend"], check=False)
    os.execv(sys.executable, [*ckan, "jobs", "worker"])  # noqa: S606 (our own program, no shell)


if __name__ == "__main__":
    main()
