"""Abbreviations, synonyms and former names: read from YAML, found in queries, kept out of `mm`."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.search import synonyms
from ckanext.hanoiic.search.dismax import Fields, parse
from ckanext.hanoiic.search.synonyms import SHIPPED, read
from ckanext.hanoiic.search.tree import Best, Boost, Phrase, Term, leaves
from ckanext.hanoiic.search.vietnamese import words


@pytest.fixture(scope="module")
def shipped():
    return read(SHIPPED)


def meant(known, query):
    return {
        other.text for spot in known.spots(words(query)) for other in spot.alternatives
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("UBND", "ủy ban nhân dân"),
        ("uy ban nhan dan", "UBND"),
        ("Sở GTVT", "giao thông vận tải"),
        ("Sở GTVT", "Sở Xây dựng"),
        ("TP.HCM", "thành phố Hồ Chí Minh"),
        ("P. Hàng Bạc", "Hoàn Kiếm"),
        ("hang bac", "Hoàn Kiếm"),
        ("phường Hoàn Kiếm", "Hàng Bạc"),
        ("Q. Đống Đa", "Kim Liên"),
        ("quan dong da", "Kim Liên"),
        ("TN&MT", "tài nguyên và môi trường"),
        ("PM2.5", "bụi mịn"),
    ],
)
def test_what_a_reader_may_also_mean(shipped, query, other):
    assert other in meant(shipped, query)


@pytest.mark.parametrize(
    "query",
    ["bưởi", "hàng bác", "đống đa giá trị" , "trâm y te", "láng"],
)  # fmt: skip
def test_other_tones_and_single_syllables_mean_no_place(shipped, query):
    assert not {"Tây Hồ", "Hoàn Kiếm", "bệnh xá", "Đống Đa"} & meant(shipped, query)


def test_every_ward_of_before_is_known(shipped):
    assert "Ba Đình" in meant(shipped, "phường Trúc Bạch")
    assert "Tây Phương" in meant(shipped, "xã Hương Ngải")


def test_an_own_file_adds_words(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("same:\n  - [HIC, trung tâm đổi mới sáng tạo]\n", encoding="utf-8")
    try:
        synonyms.use(str(own))
        assert meant(synonyms.current(), "hic") == {"trung tâm đổi mới sáng tạo"}
        assert "ủy ban nhân dân" in meant(synonyms.current(), "UBND")
    finally:
        synonyms.use(None)
    assert meant(synonyms.current(), "hic") == set()


@pytest.mark.parametrize("content", ["[a, b]", "same: [a]", "same: [[1, 2]]", "other: [a]"])
def test_a_file_of_another_form_is_refused(tmp_path, content):
    own = tmp_path / "own.yaml"
    own.write_text(content, encoding="utf-8")
    before = synonyms.current()
    with pytest.raises(ValueError, match=r"own\.yaml"):
        synonyms.use(str(own))
    assert synonyms.current() is before


def test_synonyms_stand_in_for_words_and_do_not_change_how_many_are_needed(shipped):
    fields = Fields.of("title^2 text", mm="2<-1 5<80%", synonyms=shipped)
    plain = parse("trụ sở UBND phường", Fields.of("title^2 text", mm="2<-1 5<80%"))
    widened = parse("trụ sở UBND phường", fields)
    assert len(widened.should) == len(plain.should) == 4
    assert widened.at_least == plain.at_least
    ubnd = widened.should[2]
    assert isinstance(ubnd, Best)
    assert ubnd.nodes[0] == Boost(Term("title", "UBND"), 2.0)
    other_name = Phrase("title", "ủy ban nhân dân", roughly=True)
    assert Boost(other_name, 2.0 * synonyms.SAME) in ubnd.nodes


def test_words_without_meaning_need_not_be_found(shipped):
    fields = Fields.of("text", synonyms=shipped)

    def texts(query):
        return [leaf.text for leaf in leaves(parse(query, fields)) if isinstance(leaf, Term)]

    assert texts("số hộ của các xã") == ["số", "hộ", "xã"]
    assert texts("cua cac xa") == ["cua", "cac", "xa"]
    assert texts("của các") == ["của", "các"]
    assert texts("của +các xã") == ["các", "xã"]


def test_excluded_words_and_quotes_are_not_widened(shipped):
    fields = Fields.of("text", synonyms=shipped)
    found = parse('-UBND "UBND"', fields)
    assert [leaf.text for leaf in leaves(found)] == ["UBND", "UBND"]
