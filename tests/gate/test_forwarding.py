"""What may be forwarded: targets that stay below the upstream's path, headers that are believed."""

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.gate.forwarding import base_of, is_passable, is_safe_target, returned_headers


@pytest.mark.parametrize(
    ("written", "origin", "path"),
    [
        ("http://model.example", "http://model.example", ""),
        ("https://model.example:8443/api/", "https://model.example:8443", "/api"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80", "/a"),
    ],
)
def test_an_upstream_is_an_origin_and_a_path(written, origin, path):
    assert base_of(written) == (origin, path)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "model.example",
        "ftp://model.example",
        "file:///etc",
        "http://",
        "http://user:key@model.example",
        "http://model.example?x",
        "http://model.example#x",
        "http://model.example:port",
        "http://model.example/a b",
    ],
)
def test_an_upstream_that_is_no_plain_address_is_refused_without_quoting_it(written):
    with pytest.raises(Error) as caught:
        base_of(written)
    assert caught.value.ident == "upstream-not-usable"
    assert "key" not in caught.value.message


hostile = st.lists(
    st.sampled_from(
        ["/", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "\\", ";", "a", "%252e", "%25", "#", "?", "\r\n", "é"]
    ),
    max_size=12,
).map(lambda pieces: "/" + "".join(pieces))


@given(hostile)
def test_a_target_that_passes_stays_below_the_base_however_often_it_is_decoded(target):
    if not is_safe_target(target.encode(), b""):
        return
    for _ in range(3):
        plain = "/".join(segment.partition(";")[0] for segment in target.replace("\\", "/").split("/"))
        assert (posixpath.normpath("/base" + plain) + "/").startswith("/base/")
        target = unquote(target)


def test_plain_targets_pass():
    for path in (b"/", b"/v1/models/org%2Fname", b"/v1/files/a.b", b"/a..b/...", b"//v1", b"/v1/x:y@z"):
        assert is_safe_target(path, b"q=%2e%2e&x=/../"), path


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"a"), (b"Host", b"b")],
        [(b"x", b"\xff")],
        [(b"x", b"a\r\nb: c")],
        [(b"\xc3\xa9", b"a")],
    ],
)
def test_headers_that_could_mean_something_else_upstream_are_refused(headers):
    assert not is_passable(headers)


def test_a_reply_keeps_its_headers_but_those_of_the_connection():
    headers = [(b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"), (b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"TE", b"x")]
    assert returned_headers(headers) == [(b"set-cookie", b"a"), (b"set-cookie", b"b")]
