"""Files of changed rows: what can't be written is not told, and leaves nothing behind."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from api_gateway import changes
from api_gateway.changes import Changes


class Places:
    """Query processes that are never asked."""

    @contextmanager
    def process(self, *_):
        yield None


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), TimeoutError()])
def test_what_can_not_be_written_is_not_told(tmp_path, monkeypatch, error):
    def full(_lease: None, target: Path, _timeout_s: float) -> None:
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(changes, "_comparable", lambda *_: True)
    monkeypatch.setattr(changes, "_write", full)
    settings = SimpleNamespace(gateway_cache_dir=tmp_path, gateway_cache_mb=1)
    of = SimpleNamespace(source=SimpleNamespace(files=("a.parquet",)))
    assert Changes(Places(), settings).file(of, of, "anyone", 1.0) is None
    assert list((tmp_path / "changes").iterdir()) == []
