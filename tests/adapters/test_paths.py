import pytest

from stillwatch.adapters.paths import first_at, value_at

RECORD = {
    "tenant.id": "dotted",
    "a": {"b": {"c": 1, "e": 3}, "b.c": 2, "list": [{"x": "first"}, "second"], "empty": "", "none": None, "zero": 0},
    "text": '{"inner": {"deep": "found"}}',
    "cut": '{"inner": {"deep',
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tenant.id", "dotted"),
        ("a.b.c", 2),
        ("a.b.e", 3),
        ("a.list.0.x", "first"),
        ("a.list.1", "second"),
        ("a.list.2", None),
        ("a.list.x", None),
        ("a.zero", 0),
        ("a.empty", None),
        ("a.none", None),
        ("text.inner.deep", "found"),
        ("cut.inner.deep", None),
        ("a.b.c.d", None),
        ("", None),
        (".", None),
    ],
)
def test_a_path_leads_to_its_value(path, value):
    assert value_at(RECORD, path) == value


def test_the_first_path_that_leads_somewhere_counts():
    assert first_at(RECORD, ("nowhere", "a.empty", "a.zero", "tenant.id")) == 0
    assert first_at(RECORD, ("nowhere",)) is None
    assert value_at(7, "a") is None
