"""Templates translate by a function of our own: it does what Jinja's and flask-babel's do."""

from __future__ import annotations

import pytest
from flask import current_app, render_template_string
from flask_babel import force_locale
from markupsafe import Markup

MESSAGES = (
    "{{ _('Log in') }}",
    "{{ _('Log in') | upper }} {{ gettext('Datasets') }}",
    "{% trans name='<b>' %}Hello {{ name }}{% endtrans %}",
    "{{ _('No such message <%(name)s>', name='<i>') }}",
    "{% autoescape false %}{{ _('<%(name)s>', name='<i>') }}{% endautoescape %}",
    "{{ ungettext('{n} row', '{n} rows', 2).format(n=2) }}",
)


@pytest.mark.parametrize("locale", ["vi", "en"])
@pytest.mark.parametrize("template", MESSAGES)
def test_a_message_is_translated_as_by_jinja(empty, template, locale):
    ours = current_app.jinja_env
    jinjas = ours.overlay(extensions=[])
    jinjas.globals = {**ours.globals}
    jinjas.install_gettext_translations(_Now(), newstyle=True)
    with force_locale(locale):
        assert render_template_string(template) == jinjas.from_string(template).render()


class _Now:
    """flask-babel's translations of the moment."""

    def __getattr__(self, name):
        from flask_babel import get_translations

        return getattr(get_translations(), name)


def test_a_language_that_changes_within_a_request_is_followed(empty):
    def said() -> str:
        return render_template_string("{{ _('Log in') }}")

    with force_locale("vi"):
        vietnamese = said()
        with force_locale("en"):
            assert said() == "Log in"
        assert said() == vietnamese == "Đăng nhập"


def test_values_put_into_a_message_are_escaped(empty):
    told = render_template_string("{{ _('Hi %(name)s', name=name) }}", name="<b>")
    assert told == "Hi &lt;b&gt;"
    safe = render_template_string("{{ _('Hi %(name)s', name=name) }}", name=Markup("<b>"))
    assert safe == "Hi <b>"
