"""The plugin's actions, by name."""

from ckanext.hanoiic.licensing.logic.action import agreement, decision, request, token

ACTIONS = {
    name: function
    for module in (decision, request, agreement, token)
    for name, function in vars(module).items()
    if name.startswith("hanoiic_")
}
