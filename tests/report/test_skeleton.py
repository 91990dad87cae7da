"""The second look shows what at least eight accounts share, and never a word more."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.report import skeleton
from stillwatch.report.skeleton import SKELETON_ACCOUNTS_MIN, Skeleton, SkeletonCollector, shingles, words
from tests.report.scenes import calls

TEMPLATE = "you are a careful tutor and you explain each step of {} before you state the answer to {} in one line"
Row = tuple[str, str, str | None, str | None]


def collect(rows: list[Row], campaign: str = "c" * 20) -> dict[str, Skeleton]:
    collector = SkeletonCollector()
    collector.add(calls(rows), [campaign] * len(rows))
    return collector.finish()


def shown(found: Skeleton) -> list[str]:
    return [piece for passage in found.passages for piece in passage.pieces if piece is not None]


def name(*numbers: int) -> str:
    """Spell numbers in letters, since digits are masked."""
    return "q" + "".join(chr(ord("a") + int(digit)) for number in numbers for digit in str(number))


def template_rows(accounts: int, each: int = 3) -> list[Row]:
    return [
        (f"e{a}-{i}", f"a{a}", None, TEMPLATE.format(f"lemma {name(a, i)}", f"the theorem of {name(i, a)}"))
        for a in range(accounts)
        for i in range(each)
    ]


def test_the_template_is_shown_in_order_and_its_fills_are_gaps() -> None:
    (found,) = collect(template_rows(20)).values()
    assert found.passages[0].role == "user"
    assert found.passages[0].pieces == (
        "you are a careful tutor and you explain each step of lemma",
        None,
        "before you state the answer to the theorem of",
        None,
    )
    assert found.passages[0].accounts_count == 20


def test_seven_accounts_show_nothing() -> None:
    (found,) = collect(template_rows(SKELETON_ACCOUNTS_MIN - 1, each=50)).values()
    assert found.passages == ()
    assert "8 accounts" in found.reason


def test_a_sentence_that_seven_of_twenty_accounts_share_stays_hidden() -> None:
    rows = [
        (
            f"e{a}",
            f"a{a}",
            None,
            ("the hidden launch is called project heron " if a < 7 else "") + TEMPLATE.format(name(a), name(a, a)),
        )
        for a in range(20)
    ]
    (found,) = collect(rows).values()
    assert found.passages
    assert not any("heron" in piece or "launch" in piece for piece in shown(found))


def test_fills_that_recur_in_a_few_accounts_are_not_taken_for_the_template() -> None:
    rows = [
        (
            f"e{a}",
            f"a{a}",
            None,
            TEMPLATE.format("one long fill that recurs now and then" if a < 10 else name(a), name(a, a)),
        )
        for a in range(300)
    ]
    (found,) = collect(rows).values()
    assert len(found.passages) == 1
    assert not any("recurs" in piece for piece in shown(found))


def test_numbers_quotes_and_long_literals_are_masked_even_where_all_share_them() -> None:
    text = 'please open ticket 48213 for "Mrs Adler at the clinic" with key ' + "k" * 60 + " and answer at once now"
    (found,) = collect([(f"e{a}", f"a{a}", None, text) for a in range(12)]).values()
    assert shown(found) == ["please open ticket # for “…” with key # and answer at once now"]


def test_system_prompt_and_user_text_are_told_apart() -> None:
    rows = [
        (f"e{a}", f"a{a}", "you answer as a strict grader of essays", TEMPLATE.format(name(a), name(a, a)))
        for a in range(12)
    ]
    (found,) = collect(rows).values()
    assert [passage.role for passage in found.passages] == ["system", "user"]


def test_a_log_without_prompts_says_so() -> None:
    (found,) = collect([(f"e{a}", f"a{a}", None, None) for a in range(12)]).values()
    assert found == Skeleton((), 12, 12, "the log carries no prompts")


def test_text_without_spaces_between_words_is_read_by_character() -> None:
    text = "请一步一步地解释你的推理过程"
    (found,) = collect([(f"e{a}", f"a{a}", None, text + chr(0x4E00 + a)) for a in range(12)]).values()
    assert "".join(shown(found)).replace(" ", "") == text


def test_calls_without_a_campaign_are_passed_over() -> None:
    collector = SkeletonCollector()
    collector.add(calls(template_rows(10, 1)), [None] * 10)
    assert collector.finish() == {}


def test_order_cut_and_repeats_of_the_calls_do_not_change_the_answer() -> None:
    rows = template_rows(60, each=3) * 2
    labelled = [(row, f"c{i % 90 % 2}") for i, row in enumerate(rows)]
    answers = []
    for seed in range(4):
        shuffled = list(labelled)
        random.Random(seed).shuffle(shuffled)
        collector = SkeletonCollector(calls_max=40)
        for start in range(0, len(shuffled), 7 + 40 * seed):
            part = shuffled[start : start + 7 + 40 * seed]
            collector.add(calls([row for row, _ in part]), [label for _, label in part])
        answers.append(collector.finish())
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["c0"].calls_count == 40
    assert answers[0]["c0"].passages


def test_a_busy_account_does_not_crowd_out_the_others() -> None:
    rows = [(f"x{i}", "busy", None, f"busy words of one account only number {i}") for i in range(3000)]
    (found,) = collect(rows + template_rows(30)).values()
    assert found.accounts_count == 31
    assert found.calls_count == 30 * 3 + skeleton.ACCOUNT_CALLS_MAX


def test_campaigns_past_the_bound_are_named_with_the_reason() -> None:
    rows = template_rows(10, 1)
    for order in (["c1", "c2", "c3"], ["c3", "c2", "c1"], ["c2", "c3", "c1", "c3"]):
        collector = SkeletonCollector(campaigns_max=2)
        for campaign in order:
            collector.add(calls(rows), [campaign] * len(rows))
        found = collector.finish()
        assert [bool(found[campaign].passages) for campaign in ("c1", "c2", "c3")] == [True, True, False]
        assert "campaigns_max" in found["c3"].reason


VOCABULARY = [f"w{letter}" for letter in "abcdefg"]
TEXTS = st.lists(st.sampled_from(VOCABULARY), max_size=14).map(" ".join)
CALLS = st.lists(st.tuples(st.integers(0, 11), TEXTS, TEXTS), max_size=60)


@given(CALLS)
def test_every_run_of_shown_words_was_sent_in_context_by_eight_accounts(
    drawn: list[tuple[int, str, str]],
) -> None:
    rows: list[Row] = [(f"e{i}", f"a{a}", system, user) for i, (a, system, user) in enumerate(drawn)]
    for found in collect(rows).values():
        for passage in found.passages:
            senders: dict[tuple[str, ...], set[str]] = {}
            for _, account, system, user in rows:
                for context in shingles(words((system if passage.role == "system" else user) or "")):
                    senders.setdefault(context, set()).add(account)
            known = {context for context, accounts in senders.items() if len(accounts) >= SKELETON_ACCOUNTS_MIN}
            for piece in passage.pieces:
                if piece is not None:
                    run = piece.split(" ")
                    assert all(context in known for context in shingles(run)), piece


@given(st.text(max_size=400))
def test_any_text_can_be_split_and_masked(text: str) -> None:
    for word in words(text):
        assert not any(character.isdigit() for character in word)
        assert len(word) <= skeleton.WORD_CHARS_MAX
