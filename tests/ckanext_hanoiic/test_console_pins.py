"""What is chosen on the wizard's page, and the source's options that it becomes."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.console import kinds, reading, reading_form
from ckanext.hanoiic.console.checks import check_object
from ckanext.hanoiic.console.source_fields import COLUMN, OPTIONS
from console_scene import RESULT


def test_officers_may_pin_what_the_harvest_knows():
    from harvesters.source import ColumnPin, Options

    assert set(Options.__dataclass_fields__) <= set(OPTIONS)
    assert set(ColumnPin.__dataclass_fields__) <= set(COLUMN)


# Options that the wizard has no field for, and why.
NOT_IN_THE_WIZARD = {
    "columns": "the table of columns is for them",
    "secret": "chosen in the first step, with the address",
    "adaptive": "about the schedule, not the data: the source's form, under Advanced options",
    "archive_runs": "about datasets that a catalogue has no longer: the source's form",
    "archive_days": "as archive_runs",
    "max_missing_share": "as archive_runs",
}


def test_the_wizard_has_a_field_for_whatever_can_be_pinned():
    from harvesters.source import ColumnPin, Options

    fields = {*reading.READING, *reading.RULES}
    assert fields | NOT_IN_THE_WIZARD.keys() == Options.__dataclass_fields__.keys()
    assert not fields & NOT_IN_THE_WIZARD.keys()
    columns = {*reading.COLUMN_SHOWN, *reading.COLUMN_RULES}
    assert columns == ColumnPin.__dataclass_fields__.keys()
    shown = {name for kind in kinds.KINDS for name in reading.offered(kind)}
    assert shown == set(reading.READING)


def test_what_lists_offer_can_be_kept():
    for name, choice in {**reading.READING, **reading.RULES}.items():
        for value in choice.choices or ():
            assert check_object({name: choice.shape.read(value)}, OPTIONS)[1] == {}, (name, value)
    lists = {name: choice.choices or () for name, choice in reading.COLUMN_RULES.items()}
    lists |= {"type": reading.TYPES, "format": reading.DATE_ORDERS, "mask": reading.MASK_WORDS}
    for name, values in lists.items():
        for value in values:
            assert check_object({name: value}, COLUMN)[1] == {}, (name, value)


def test_an_empty_field_takes_a_pin_away_and_what_is_not_shown_stays():
    kept = {
        "encoding": "tcvn3",
        "secret": "khoa",
        "columns": {"A": {"type": "string"}, "B": {"unit": "m"}},
    }
    form = {"option.encoding": "", "option.header_row": " 3 ", "column.0-0.name": "A",
            "column.0-0.type": ""}  # fmt: skip
    assert reading_form.options_of(form, kept) == {
        "secret": "khoa",
        "header_row": 3,
        "columns": {"B": {"unit": "m"}},
    }
    assert kept["encoding"] == "tcvn3"


TYPED = {
    "option.skip_rows": ("2", {"skip_rows": 2}),
    "option.tables": ("a4:f23, A30:F41", {"tables": ["A4:F23", "A30:F41"]}),
    "option.row_kind": ("false", {"row_kind": False}),
    "option.geometry": ("true", {"geometry": True}),
    "option.ward_units": ("old", {"ward_units": "old"}),
    "option.max_rejected_share": ("2,5 %", {"max_rejected_share": 0.025}),
    "option.unique": ("Trạm; Ngày\r\n\r\nMã\r\n", {"unique": [["Trạm", "Ngày"], ["Mã"]]}),
    "column.0-0.required": ("true", {"columns": {"A": {"required": True}}}),
    "column.0-0.unique": ("true", {"columns": {"A": {"unique": True}}}),
    "column.0-0.minimum": ("-0,5", {"columns": {"A": {"minimum": -0.5}}}),
    "column.0-0.maximum": ("2026-01-31", {"columns": {"A": {"maximum": "2026-01-31"}}}),
    "column.0-0.pattern": ("[0-9]{5}", {"columns": {"A": {"pattern": "[0-9]{5}"}}}),
    "column.0-0.references": ("wards.Mã", {"columns": {"A": {"references": "wards.Mã"}}}),
    "column.0-0.text_encoding": ("vni", {"columns": {"A": {"text_encoding": "vni"}}}),
    "column.0-0.title_en": ("Ward", {"columns": {"A": {"title_en": "Ward"}}}),
    "column.0-0.description": ("a\r\nb", {"columns": {"A": {"description": "a\nb"}}}),
}


@pytest.mark.parametrize("field", TYPED)
def test_what_is_typed_becomes_the_option_that_the_harvest_reads(field):
    from harvesters.source import Options

    typed, wanted = TYPED[field]
    options = reading_form.options_of({field: typed, "column.0-0.name": "A"}, {})
    assert options == wanted
    assert check_object(options, OPTIONS)[1] == {}
    assert Options.of(options) != Options()
    emptied = reading_form.options_of({field: "", "column.0-0.name": "A"}, options)
    assert emptied == {}


@pytest.mark.parametrize("value", ["00100", "1.000.000", "-", "31/1/2026", "1e5"])
def test_a_bound_that_is_no_plain_number_stays_a_text(value):
    form = {"column.0-0.name": "A", "column.0-0.minimum": value}
    assert reading_form.options_of(form, {}) == {"columns": {"A": {"minimum": value}}}


def test_a_column_of_two_tables_can_be_pinned_in_either():
    form = {"column.0-0.name": "Tên", "column.0-0.type": "", "column.0-0.required": "",
            "column.1-0.name": "Tên", "column.1-0.type": "", "column.1-0.required": ""}  # fmt: skip
    for number in "01":
        chosen = {f"column.{number}-0.type": "string", f"column.{number}-0.required": "true"}
        pins = {"columns": {"Tên": {"type": "string", "required": True}}}
        assert reading_form.options_of(form | chosen, {}) == pins


def test_a_tab_stays_a_tab():
    assert reading_form.options_of({"option.delimiter": "\t"}, {}) == {"delimiter": "\t"}


def test_a_column_left_out_can_be_brought_back():
    options = {"columns": {"CCCD": {"mask": "drop"}, "Tên": {"title": "Tên"}}}
    hidden = reading_form.columns_out_of_sight(RESULT, options)
    assert hidden == [{"name": "CCCD", "pins": {"mask": "drop"}}]
