"""The departments' web server: files with ETag and Last-Modified, and how to register them."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, abort, jsonify, render_template_string, request, send_file
from werkzeug.wrappers import Response

from deploy.departments import agriculture, environment, health, planning, real_files, transport
from deploy.departments.offers import SIMULATED_VI, Department, Offer
from deploy.departments.progress import Progress
from deploy.departments.real_files import RealFile, RealFiles
from deploy.departments.settings import Settings
from lake.logs import configure
from lake.settings import load

OWN = tuple(module.DEPARTMENT for module in (planning, transport, environment, agriculture, health))
MOST_STEPS = 24 * 366

_PAGE = """<!doctype html>
<html lang="vi"><meta charset="utf-8"><title>Các sở ngành minh họa</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
h2{margin-bottom:.2rem}code{background:#f2f4f7;padding:.1rem .3rem}</style>
<h1>Các sở ngành minh họa</h1>
<p>Máy chủ này đóng vai các sở ngành cung cấp dữ liệu cho cổng. Danh mục phường, xã là dữ liệu thực;
{{ simulated }}
Danh sách nguồn để đăng ký: <a href="/sources.json"><code>sources.json</code></a>.</p>
{% for department in departments %}
<h2>{{ department.organization.title }}</h2>
<p>{{ department.organization.description }}</p>
<ul>{% for offer in department.offers %}
<li><a href="/{{ department.key }}/{{ offer.path }}">{{ offer.path }}</a> —
{{ offer.registration.dataset.title }}
{%- if offer.grows %}. Thêm một bước:
<code>curl -X POST {{ request.host_url }}{{ department.key }}/advance</code>{% endif %}</li>
{% endfor %}{% for name in files(department.key) %}
<li><a href="/{{ department.key }}/files/{{ name }}">{{ name }}</a></li>{% endfor %}</ul>
{% endfor %}</html>
"""


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The server by the settings of `environ`; without it, by those of the process, which is then
    the server's own and logs as it says."""
    settings = load(Settings, os.environ if environ is None else environ)
    if environ is None:
        configure("departments", settings.log_level)
    progress = Progress(settings.departments_dir)
    files = RealFiles(settings.demo_data) if settings.demo_data else None
    departments = [*OWN, *(real_files.DEPARTMENTS if files else ())]
    offers = {(offer.department, offer.path): offer for own in OWN for offer in own.offers}
    app = Flask(__name__)
    app.json.sort_keys = False  # columns keep their order
    app.json.ensure_ascii = False

    @app.get("/")
    def index() -> str:
        return render_template_string(
            _PAGE,
            departments=departments,
            simulated=SIMULATED_VI,
            files=files.names if files else lambda _: [],
        )

    @app.get("/sources.json")
    def sources() -> Response:
        return jsonify(registrations(departments, files, request.host_url))

    @app.get("/<department>/<path>")
    def offered(department: str, path: str) -> Response:
        offer = offers.get((department, path)) or abort(404)
        return answer(offer, progress.steps(department))

    @app.get("/<department>/files/<name>")
    def real_file(department: str, name: str) -> Response:
        path = files.path(department, name) if files else None
        return answer_file(path or abort(404))

    @app.post("/<department>/advance")
    def advance(department: str) -> tuple[Response, int] | Response:
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
            abort(403)
        growing = [offer for key, offer in offers.items() if key[0] == department and offer.grows]
        if not growing:
            abort(404)
        by = request.args.get("steps", 1, type=int)
        if not 1 <= by <= MOST_STEPS:
            abort(400)
        return jsonify(department=department, steps=progress.advance(department, by))

    return app


@lru_cache(maxsize=32)
def content(offer_key: tuple[str, str], steps: int) -> tuple[bytes, str]:
    """The bytes of an offer after so many steps, and their ETag."""
    offers = (offer for own in OWN for offer in own.offers)
    offer = next(offer for offer in offers if (offer.department, offer.path) == offer_key)
    made = offer.make(steps)
    return made, hashlib.sha256(made).hexdigest()


def answer(offer: Offer, steps: int) -> Response:
    """The file, or 304 when the caller has it."""
    steps = steps if offer.grows else 0
    made, etag = content((offer.department, offer.path), steps)
    response = Response(made, mimetype=None, content_type=offer.media_type)
    response.set_etag(etag)
    response.last_modified = offer.changed_at(steps)
    response.cache_control.no_cache = True
    return response.make_conditional(request)


def answer_file(path: Path) -> Response:
    """A real file, its ETag made of its bytes."""
    with path.open("rb") as file:
        etag = hashlib.file_digest(file, "sha256").hexdigest()
    changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return send_file(path, etag=etag, last_modified=changed_at, conditional=True)


def registrations(
    departments: list[Department], files: RealFiles | None, host_url: str
) -> dict[str, Any]:
    """What the portal needs to know: `organizations`, and `sources` for `hanoiic_source_create`."""
    owners = {department.key: department.organization["name"] for department in departments}
    sources = [
        {
            **offer.registration,
            "owner_org": owners[offer.department],
            "kind": offer.kind,
            "url": f"{host_url}{offer.department}/{offer.path}",
        }
        for department in departments
        for offer in department.offers
    ]
    real: list[RealFile] = list(files.registered()) if files else []
    sources += [
        {
            **file.registration(),
            "owner_org": owners[file.department],
            "kind": file.kind,
            "url": f"{host_url}{file.department}/files/{file.file_name}",
        }
        for file in real
    ]
    organizations = [
        {**department.organization, "org_kind": "department"} for department in departments
    ]
    return {"organizations": organizations, "sources": sources}
