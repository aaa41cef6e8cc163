"""Many datasets as ``package_dictize`` tells each, read with one statement per table.

CKAN's own ``package_dictize`` asks eight questions a dataset. What is made of the rows is made by
CKAN's functions for tables, resources, lists and groups.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.lib.dictization import obj_list_dictize, table_dictize
from ckan.lib.dictization.model_dictize import group_list_dictize, resource_list_dictize
from ckan.lib.helpers import helper_functions as h
from ckan.types import Context

Rows = dict[str, list[sa.Row[Any]]]  # by dataset (id)
Dataset = dict[str, Any]
OF_DATASET = "of_dataset"


class Portion:
    """Some datasets (ids) with all that CKAN shows of them."""

    def __init__(self, datasets: Sequence[str]) -> None:
        resource, group, tag = (kind.__table__ for kind in (model.Resource, model.Group, model.Tag))
        tagged, member = model.PackageTag.__table__, model.Member.__table__
        relation = model.PackageRelationship.__table__

        def rows(statement: sa.Select[Any], dataset: sa.Column[Any]) -> Rows:
            found: Rows = defaultdict(list)
            labelled = statement.add_columns(dataset.label(OF_DATASET))
            for row in model.Session.execute(labelled.where(dataset.in_(datasets))):
                found[row.of_dataset].append(row)
            return found

        packages = model.Session.query(model.Package).filter(model.Package.id.in_(datasets))
        self.packages = {package.id: package for package in packages}
        self._resources = rows(sa.select(resource), resource.c.package_id)
        self._tags = rows(
            sa.select(tag, tagged.c.state).join(tagged, tag.c.id == tagged.c.tag_id),
            tagged.c.package_id,
        )
        self._groups = rows(
            sa.select(group, member.c.capacity)
            .join(member, group.c.id == member.c.group_id)
            .where(member.c.state == "active", group.c.is_organization == sa.false()),
            member.c.table_id,
        )
        self._as_subject = rows(sa.select(relation), relation.c.subject_package_id)
        self._as_object = rows(sa.select(relation), relation.c.object_package_id)
        owners = {package.owner_org for package in self.packages.values()}
        owning = sa.select(group).where(group.c.id.in_(owners), group.c.state == "active")
        self._organizations = {row.id: row for row in model.Session.execute(owning)}
        self._told_groups: dict[tuple[str, str], Dataset] = {}

    def dictized(self, dataset: str, context: Context) -> Dataset:
        """What ``package_dictize`` returns for the dataset."""
        package = self.packages[dataset]
        told = table_dictize(package, context)
        if told.get("title"):
            told["title"] = told["title"].strip()
        told.pop("plugin_data", None)
        told["resources"] = _bare(resource_list_dictize(self._resources[dataset], context))
        told["num_resources"] = len(told["resources"])
        told["tags"] = _bare(obj_list_dictize(self._tags[dataset], context, lambda x: x["name"]))
        told["num_tags"] = len(told["tags"])
        for tag in told["tags"]:
            tag["display_name"] = tag["name"]
        told["extras"] = [{"key": k, "value": v} for k, v in (told["extras"] or {}).items()]
        context["with_capacity"] = False
        told["groups"] = self._groups_of(dataset, context)
        owner = self._organizations.get(package.owner_org)
        told["organization"] = table_dictize(owner, context) if owner else None
        if owner:
            del told["organization"]["extras"]
        told["relationships_as_subject"] = _bare(
            obj_list_dictize(self._as_subject[dataset], context)
        )
        told["relationships_as_object"] = _bare(obj_list_dictize(self._as_object[dataset], context))
        told["isopen"] = package.isopen()
        told["type"] = package.type or "dataset"
        licence = package.license
        if licence and licence.url:
            told["license_url"] = licence.url
            told["license_title"] = licence.title.split("::")[-1]
        else:
            told["license_title"] = licence.title if licence else package.license_id
        told["metadata_modified"] = package.metadata_modified.isoformat()
        created = package.metadata_created
        told["metadata_created"] = created.isoformat() if created else None
        return told

    def _groups_of(self, dataset: str, context: Context) -> list[Dataset]:
        """CKAN counts a group's members for each dataset in it: here once for all of them."""
        told = []
        for row in self._groups[dataset]:
            key = (row.id, row.capacity)
            if key not in self._told_groups:
                self._told_groups[key] = _bare(
                    group_list_dictize([row], context, with_package_counts=False)
                )[0]
            told.append(copy.deepcopy(self._told_groups[key]))
        return sorted(told, key=lambda group: h.strxfrm(group["display_name"]))


def _bare(items: list[Dataset]) -> list[Dataset]:
    for item in items:
        item.pop(OF_DATASET, None)
    return items
