"""The representative points of Hanoi's 126 wards and communes, from the package vietnamadminunits
(MIT), and the nearest one to a place.

The lake has no outlines of wards: the nearest point is the ward itself for nearly every place in
it, and hides where in the ward a place is in any case. Farther than 0.3° (33 km) from each of them
a place is not in Hanoi, and is put on a grid of 0.05°.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

_HANOI = "01"
_FAR_DEGREES = 0.3
_GRID_DEGREES = 0.05
# A coordinate beyond is none in degrees, such as one of VN-2000 in metres.
MOST_DEGREES = 360.0


@cache
def points() -> np.ndarray:
    """(126, 2): longitude and latitude (CRS84) of each ward's representative point."""
    found = find_spec("vietnamadminunits")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("vietnamadminunits is not installed")
    data = Path(found.submodule_search_locations[0]) / "data" / "dataset.db"
    with closing(sqlite3.connect(f"{data.as_uri()}?mode=ro", uri=True)) as base:
        rows = base.execute(
            "SELECT wardLon, wardLat FROM admin_units WHERE provinceCode = ? ORDER BY wardCode",
            [_HANOI],
        ).fetchall()
    return np.array(rows, dtype=float)


def nearest(geometries: pa.Array) -> pa.Array:
    """Of each geometry (WKB) the representative point of its ward, as WKB; NULL stays NULL, and
    what is no geometry, or none in degrees, becomes NULL."""
    shapes = shapely.from_wkb(geometries.to_numpy(zero_copy_only=False), on_invalid="ignore")
    bounds = shapely.bounds(shapes)
    centres = np.column_stack(
        [(bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2]
    )
    known = (np.abs(centres) <= MOST_DEGREES).all(axis=1)
    shown = np.full(len(centres), None, dtype=object)
    if known.any():
        shown[known] = shapely.to_wkb(shapely.points(_snapped(centres[known])))
    return pa.array(shown.tolist(), geometries.type)


def _snapped(places: np.ndarray) -> np.ndarray:
    distances = np.linalg.norm(places[:, None, :] - points()[None, :, :], axis=2)
    near: np.ndarray = points()[distances.argmin(axis=1)]
    far = distances.min(axis=1) > _FAR_DEGREES
    near[far] = np.round(np.round(places[far] / _GRID_DEGREES) * _GRID_DEGREES, 10)
    return near
