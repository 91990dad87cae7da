"""Texts as logs hold them: words, quotes that never close, scripts without spaces, broken bytes, nothing at all."""

from __future__ import annotations

from hypothesis import strategies as st

from stillwatch.kernels.intent import ROLE_WORDS

LEXICON = sorted({word for words in ROLE_WORDS.values() for word in words.split()})

PIECES = st.one_of(
    st.sampled_from(LEXICON),
    st.sampled_from(["Invoice", "café", "x", "4711", "v2", "it's", "_under", "日本語", "한국", "かな", "😀", "naïve"]),
    st.sampled_from(['"', "`", '"quoted words"', "`x = 1`", '""', '"' + "q" * 40 + '"', '"open', "\n", "\r\n", "\x00"]),
    st.text(max_size=8),
)

texts = st.one_of(
    st.binary(max_size=80),
    st.lists(PIECES, max_size=40).map(" ".join).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(PIECES, max_size=40).map("".join).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
