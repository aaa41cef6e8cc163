"""Whether the rooms take the settings that are handed on to them, asked before anything starts."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from deploy.supervision import clean_environment
from lake.errors import BadSetting

if TYPE_CHECKING:
    from deploy.programs import Plan

MODULES = {"gateway": "api_gateway.settings", "harvest": "harvesters.settings"}


def demand(plan: Plan) -> None:
    """Each room reads what it would get: only it knows what its settings may be.

    Raises:
        BadSetting: with the room's own sentence.
    """
    environments = {"gateway": plan.gateway_environment, "harvest": plan.harvest_environment}
    for room in plan.handed_on:
        if not plan.handed_on[room]:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "lake.settings", MODULES[room]],
            cwd=plan.home.run,
            env=clean_environment() | environments[room](),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BadSetting(done.stderr.strip().splitlines()[-1])
