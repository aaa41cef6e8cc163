"""The plugin's actions, by name."""

from ckanext.hanoiic.licensing.logic.action import (
    agreement,
    audit,
    decision,
    edition,
    licence,
    offer,
    request,
    token,
    usage,
)

MODULES = (decision, request, agreement, token, usage, audit, offer, edition, licence)
ACTIONS = {
    name: function
    for module in MODULES
    for name, function in vars(module).items()
    if name.startswith("hanoiic_")
}
