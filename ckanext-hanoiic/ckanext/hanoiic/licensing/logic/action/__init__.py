"""The plugin's actions, by name."""

from ckanext.hanoiic.licensing.logic.action import (
    agreement,
    decision,
    edition,
    licence,
    offer,
    request,
    token,
)

ACTIONS = {
    name: function
    for module in (decision, request, agreement, token, offer, edition, licence)
    for name, function in vars(module).items()
    if name.startswith("hanoiic_")
}
