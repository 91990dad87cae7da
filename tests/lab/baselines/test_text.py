from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.lab.baselines.text import bag, shingles, words


def test_case_signs_and_digits_do_not_make_a_word_another() -> None:
    grams = words(pa.array(["Solve 12 + 30, please!", " solve 45+67 please "]))
    first, second = (grams.code[grams.text == at].tolist() for at in (0, 1))
    assert first == second
    assert len(first) == 4


def test_a_slice_of_texts_gives_the_words_of_its_texts_only() -> None:
    texts = pa.array(["one", "two words", None, "", "drei Wörter hier"])
    whole, part = words(texts), words(texts.slice(1, 4))
    assert part.code.tolist() == whole.code[whole.text >= 1].tolist()
    assert (part.text + 1).tolist() == whole.text[whole.text >= 1].tolist()


def test_shingles_do_not_run_over_the_end_of_a_text() -> None:
    runs = shingles(words(pa.array(["a b c", "d e", "f", "g h"])), 2)
    assert np.bincount(runs.text, minlength=4).tolist() == [2, 1, 0, 1]
    assert len(shingles(words(pa.array(["a", "b"])), 5).code) == 0


def test_equal_texts_have_equal_bags_and_strangers_nearly_orthogonal_ones() -> None:
    texts = pa.array(["the quick brown fox jumps", "the quick brown fox jumps", "six other words stand here now", ""])
    vectors = bag([words(texts)], 512)
    assert np.allclose(np.linalg.norm(vectors[:3], axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[1])
    assert abs(float(vectors[0] @ vectors[2])) < 0.35
    assert not vectors[3].any()
