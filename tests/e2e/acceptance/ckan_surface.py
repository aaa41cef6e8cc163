"""Print what there is to ask of CKAN: ``CKAN_INI=… python ckan_surface.py`` → JSON of its routes
and actions, from the portal's own application."""

from __future__ import annotations

import json

from ckan import logic
from ckanext.hanoiic.wsgi import application


def main() -> None:
    logic.get_action("status_show")  # loads them all
    routes = [
        {
            "rule": rule.rule,
            "methods": sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}),
            "arguments": sorted(rule.arguments),
        }
        for rule in application._wsgi_app.url_map.iter_rules()
    ]
    actions = {
        name: bool(getattr(action, "side_effect_free", False))
        for name, action in logic._actions.items()
    }
    print(json.dumps({"routes": routes, "actions": actions}))


if __name__ == "__main__":
    main()
