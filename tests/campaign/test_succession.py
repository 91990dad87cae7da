from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaign import succession
from stillwatch.campaign.succession import Event, Found, State, advance, belonging, load_state, save_state
from stillwatch.errors import Error

DAY = 86_400_000_000
QUIET = 3 * DAY


def found(name: str, accounts: str, last: int = 0, first: int = 0) -> Found:
    """A campaign whose accounts are letters."""
    return Found(name, frozenset(accounts), first * DAY, last * DAY, 10 * len(accounts), 1_000, 0.01)


class Story:
    """Windows of a day, one after another."""

    def __init__(self) -> None:
        self.state = State("k")
        self.events: list[Event] = []
        self.day = 0

    def window(self, *campaigns: Found) -> list[tuple[str, str]]:
        self.day += 1
        seen = [replace(one, last_seen_us=one.last_seen_us or self.day * DAY - 1) for one in campaigns]
        window = ((self.day - 1) * DAY, self.day * DAY)
        self.state, events = advance(self.state, window, f"run-{self.day}", seen, QUIET)
        self.events += events
        return [(event.kind, event.lineage_id) for event in events]


def test_a_campaign_is_new_once_and_keeps_its_name_whatever_its_run_calls_it() -> None:
    story = Story()
    assert story.window(found("c1", "abcdef")) == [("new", "L000001")]
    assert story.window(found("c2", "abcde")) == []
    assert story.window(found("c3", "cdef")) == []
    assert story.state.lineages["L000001"].campaign_ids == ("c3",)


def test_a_campaign_that_names_further_accounts_has_grown_by_just_these() -> None:
    story = Story()
    story.window(found("c1", "abcd"))
    assert story.window(found("c2", "abcdxy")) == [("grown", "L000001")]
    assert story.events[-1].accounts_added == ("x", "y")
    assert story.events[-1].accounts_count == 6


def test_a_campaign_that_replaces_its_accounts_by_and_by_stays_one_campaign() -> None:
    story = Story()
    story.window(found("c1", "abcdef"))
    for name, accounts in (("c2", "defghi"), ("c3", "ghijkl"), ("c4", "jklmno")):
        assert story.window(found(name, accounts)) == [("grown", "L000001")]
    assert story.window(found("c5", "abc")) == [], "who was named long ago is still of it"


def test_a_campaign_with_few_known_accounts_is_another_one() -> None:
    story = Story()
    story.window(found("c1", "abcdef"))
    assert story.window(found("c2", "abcdef"), found("c3", "fuvwxyz")) == [("new", "L000002")]


def test_two_campaigns_that_become_one_are_merged_into_the_one_with_more_accounts_of_it() -> None:
    story = Story()
    story.window(found("c1", "abc"), found("c2", "uvwxyz"))
    small, large = story.state.accounts["a"], story.state.accounts["u"]
    assert story.window(found("c3", "abcuvwxyz")) == [("merged", small)]
    assert story.events[-1].other_id == large
    assert set(story.state.accounts.values()) == {large}
    assert story.window(found("c4", "abc")) == [], "its accounts are now of the other one"


def test_a_campaign_that_falls_apart_leaves_its_name_to_the_larger_part() -> None:
    story = Story()
    story.window(found("c1", "abcdefgh"))
    assert story.window(found("c2", "abcde"), found("c3", "fgh")) == [("split", "L000002")]
    assert story.events[-1].other_id == "L000001"
    assert story.window(found("c4", "fgh")) == [], "the part keeps its own name where it is alone"
    assert story.state.lineages["L000002"].campaign_ids == ("c4",)


def test_a_campaign_without_calls_ends_after_the_stated_time_and_is_resumed_when_it_calls_again() -> None:
    story = Story()
    story.window(found("c1", "abc"))
    assert [story.window() for _ in range(3)] == [[], [], [("ended", "L000001")]]
    assert story.window() == []
    assert story.window(found("c2", "abd")) == [("grown", "L000001"), ("resumed", "L000001")]


def test_old_calls_that_are_still_in_a_long_window_keep_no_campaign_alive() -> None:
    story = Story()
    story.window(found("c1", "abc", last=1))
    said = [story.window(found("c1", "abc", last=1)) for _ in range(5)]
    assert said == [[], [], [("ended", "L000001")], [], []]


def test_a_campaign_all_of_whose_accounts_another_one_names_too_goes_by_the_others_name() -> None:
    story = Story()
    assert story.window(found("c1", "abcdef"), found("c2", "abc")) == [("new", "L000001")]
    assert story.state.lineages["L000001"].campaign_ids == ("c1", "c2")


def test_a_window_that_was_told_is_not_told_again() -> None:
    story = Story()
    story.window(found("c1", "abc"))
    before = story.state
    assert advance(before, (0, DAY), "run-1", [found("c1", "abc", 1)], QUIET) == (before, ())


def test_a_state_comes_back_from_its_file_and_goes_with_one_key_only(tmp_path: Path) -> None:
    story = Story()
    story.window(found("c1", "abc"))
    story.window(found("c2", "abcd"), found("c3", "xyz"))
    path = tmp_path / "state.json"
    assert load_state(path, "k") == State("k")
    save_state(path, story.state)
    assert load_state(path, "k") == story.state
    with pytest.raises(Error) as refused:
        load_state(path, "another")
    assert refused.value.ident == "watch-key-differs"
    path.write_text("{}")
    with pytest.raises(Error) as refused:
        load_state(path, "k")
    assert refused.value.ident == "bad-watch-state"


def test_what_is_remembered_is_bounded_and_the_campaigns_that_ended_first_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(succession, "ACCOUNTS_MAX", 5)
    story = Story()
    story.window(found("c1", "abc"))
    story.window(found("c2", "xyz"))
    assert set(story.state.accounts) == set("xyz")
    assert story.state.forgotten_count == 1
    assert story.window(found("c3", "abc"))[0] == ("new", "L000003")


accounts = st.frozensets(st.sampled_from("abcdefghijkl"), min_size=1)
runs = st.lists(st.lists(accounts, max_size=4), max_size=8)


def campaigns(members: list[frozenset[str]], day: int, quiet: bool) -> list[Found]:
    last = max(0, day - 5) if quiet else day
    return [
        Found(f"c{day}-{at}", each, 0, last * DAY - (1 if last else 0), 1, 1, 0.05) for at, each in enumerate(members)
    ]


@settings(max_examples=300, deadline=None)
@given(runs, st.lists(st.booleans(), min_size=8, max_size=8), st.randoms(use_true_random=False))
def test_any_history_is_told_without_contradiction(
    history: list[list[frozenset[str]]], quiet: list[bool], shuffle: object
) -> None:
    state, events, ever = State("k"), list[Event](), set[str]()
    for day, members in enumerate(history, 1):
        seen = campaigns(members, day, quiet[day - 1])
        window = ((day - 1) * DAY, day * DAY)
        before = state
        state, told = advance(before, window, f"run-{day}", seen, QUIET)
        events += told
        # The order of campaigns does not matter.
        shuffled = list(seen)
        shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
        assert advance(before, window, f"run-{day}", shuffled, QUIET) == (state, told)
        # Each campaign of the run has exactly one lineage, which is not one that has passed into another.
        for one in seen:
            holders = [each for each in state.lineages.values() if one.campaign_id in each.campaign_ids]
            assert len(holders) == 1
            assert holders[0].status != "merged"
        # A name is given once.
        born = {event.lineage_id for event in told if event.kind in ("new", "split")}
        assert not born & ever
        ever |= born
        # The same again says nothing, as the same window and as the next one.
        assert advance(state, window, f"run-{day}", seen, QUIET) == (state, ())
        later = (window[0] + 1, window[1] + 1)
        assert advance(state, later, "again", seen, QUIET)[1] == () or quiet[day - 1]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    belongs, status = belonging(events)
    assert belongs == state.accounts
    assert status == {name: lineage.status for name, lineage in state.lineages.items()}
