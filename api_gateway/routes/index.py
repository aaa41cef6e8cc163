"""`GET /` and `GET /v1/`: what there is. `GET /v1/health`: whether it works."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from api_gateway.formats import FORMATS
from api_gateway.routes import gateway, public_url
from api_gateway.settings import BODY_BYTES, LIMIT_ROWS, SQL_BYTES

pages = Blueprint("index", __name__)


@pages.get("/")
@pages.get("/v1")
@pages.get("/v1/")
def index() -> dict[str, Any]:
    """The endpoints, the formats and the limits."""
    base = public_url()
    settings = gateway().settings
    return {
        "name": "Cổng truy vấn dữ liệu mở, Trung tâm Đổi mới sáng tạo Hà Nội",
        "name_en": "Open-data query gateway, Hanoi Innovation Center",
        "endpoints": {
            "tables": f"{base}/v1/tables",
            "table": f"{base}/v1/tables/{{table}}",
            "download": f"{base}/v1/tables/{{table}}/download.{{format}}?as_of={{version or time}}",
            "link": f'POST {base}/v1/tables/{{table}}/links {{"format": "parquet", "as_of": …}}',
            "rows": f"{base}/v1/tables/{{table}}/rows?{{column}}=eq.{{value}}&limit=10",
            "rest": f"{base}/v1/rest (for clients of PostgREST)",
            "sql": f"{base}/v1/sql?q={{sql}}&format={{format}}&as_of={{version or time}}",
            "sql_post": f"POST {base}/v1/sql "
            '{"sql": "…", "params": […], "format": "…", "as_of": …, "limit": …, "timeout_s": …}',
            "exports": f'POST {base}/v1/exports {{"sql": "…", "format": "…"}}',
            "openapi": f"{base}/v1/openapi.json",
            "docs": f"{base}/v1/docs",
            "health": f"{base}/v1/health",
            "ready": f"{base}/v1/ready",
        },
        "formats": {each.name: each.media_type for each in FORMATS.values()},
        "authorization": "Authorization: Bearer hic_… (not needed for open tables)",
        "limits": {
            "timeout_s": settings.gateway_timeout_s,
            "memory_mb": settings.gateway_memory_mb,
            "sql_bytes": SQL_BYTES,
            "body_bytes": BODY_BYTES,
            "limit_rows": LIMIT_ROWS,
        },
    }


@pages.get("/v1/health")
def health() -> dict[str, Any]:
    """Whether the process lives, and what is degraded, by name. Always 200."""
    parts = gateway()
    epoch = parts.decisions.epoch()
    return {
        "status": "ok" if epoch is not None and not parts.nursery.locks.missing else "degraded",
        "decisions": "confirmed" if epoch is not None else "last known, open tables only",
        "sandbox": _sandbox(),
        "workers": {
            "busy": parts.pool.busy,
            "waiting": parts.pool.places.waiting,
            "most": parts.settings.worker_count,
        },
    }


@pages.get("/v1/ready")
def ready() -> tuple[dict[str, Any], int]:
    """200 while queries can be answered, with a warning where only some are; else 503."""
    parts, warnings = gateway(), []
    if missing := parts.nursery.locks.missing:
        warnings.append(f"without {' and '.join(missing)}: serves {_sandbox()['serves']}")
    if parts.decisions.epoch() is None:
        warnings.append("decisions cannot be confirmed: serves open tables only")
    works = parts.reader.works()
    return {
        "status": "ready" if works else "not ready",
        "warnings": warnings if works else [*warnings, "no query process can be started"],
    }, 200 if works else 503


def _sandbox() -> dict[str, Any]:
    parts = gateway()
    locks = parts.nursery.locks
    served = "all" if not locks.missing or parts.settings.allow_weak_sandbox else "open tables only"
    return {**vars(locks), "missing": locks.missing, "serves": served}
