"""Pages of quality: the datasets of an officer's departments, and one dataset's numbers."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk

from . import quality
from .auth import departments_of, is_officer
from .blueprint import Answer, console, render
from .dataset_quality import dataset_quality, of_departments
from .model import now
from .rejected_rows import page

A_PAGE = 100


@console.get("/quality")
def quality_list() -> Answer:
    """The datasets that an officer looks after, those of least quality first."""
    user = tk.current_user
    if not user.is_authenticated or not is_officer(user.name):
        raise tk.NotAuthorized
    departments = None if user.sysadmin else departments_of(user.name)
    rows = page(of_departments(departments, now()), flask.request.args.get("datasets", ""), A_PAGE)
    return render("quality_list.html", datasets=rows, **tables())


@console.get("/quality/<name>")
def quality_of(name: str) -> Answer:
    """A dataset's numbers and where they come from; for whoever may see the dataset."""
    try:
        dataset = tk.get_action("package_show")({}, {"id": name})
    except tk.NotAuthorized:  # which would tell that there is one
        raise tk.ObjectNotFound from None
    tables_of = [one for one in dataset["resources"] if one.get("lake_table")]
    return render(
        "quality.html",
        dataset=dataset,
        found=dataset_quality(dataset),
        resources=[{**one, "numbers": quality.parsed(one.get("quality"), {})} for one in tables_of],
        organisation=model.Group.get(dataset.get("owner_org") or ""),
        **tables(),
    )


def tables() -> dict[str, Any]:
    return {"dimensions": quality.DIMENSIONS, "weights": quality.WEIGHTS}
