"""What a snapshot knows of a call: its account, its campaign's signature, its grant; and what it must not say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from stillwatch.gate.contract import Call, Recognition
from stillwatch.gate.snapshot import OpenSnapshot, key_of_block
from stillwatch.grant import Grant
from stillwatch.sanction import Sanction
from tests.gate.snapshots import (
    CAMPAIGN,
    DAY_US,
    FAMILY,
    MARKS,
    NOW_US,
    SECRET,
    TEMPLATE,
    Signer,
    call,
    given,
    keys,
    run_of,
)  # fmt: skip

pytest.importorskip("cryptography")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


def decided(standing: str, **subjects: Any) -> Sanction:
    return Sanction(
        "s-1", subjects.get("accounts", ()), subjects.get("organizations", ()), subjects.get("campaigns", ()),
        standing, "reason", "case 1", "The board", "2026-11-01T00:00:00Z",
        subjects.get("expires", "2027-03-01T00:00:00Z"),
    )  # type: ignore[arg-type]  # fmt: skip


def allowed(**changed: Any) -> Grant:
    plain = Grant(
        "g-00000000000000a1", "A customer", ("org-licensed",), ("acct-licensed",), ("model-a", "model-b"), "a model",
        1_000, 50_000, "2026-01-01T00:00:00Z", "2027-06-01T00:00:00Z", "The provider", "2026-01-01T00:00:00Z",
    )  # fmt: skip
    return replace(plain, **changed)


def test_who_was_named_is_suspected_who_was_beside_is_watched_and_nobody_else_is_anything(signer: Signer) -> None:
    known = signer.open(given(run_of()))
    found = [known.recognise(call(name)) for name in ("acct-1", "acct-w", "acct-new", "")]
    assert [(one.tier, one.cluster, one.campaign_id) for one in found] == [
        ("suspected", 1, CAMPAIGN), ("watch", 1, CAMPAIGN), ("none", 0, ""), ("none", 0, ""),
    ]  # fmt: skip
    assert found[3] == Recognition(0, 0, int(keys("model-a")[0]))


def test_a_new_accounts_first_call_is_recognised_by_the_template_whatever_it_asks(signer: Signer) -> None:
    known = signer.open(given(run_of()))
    for question in ("Prove that there are infinitely many primes.", "Grade this essay on tides, please."):
        found = known.recognise(call(text=TEMPLATE + question))
        assert (found.tier, found.cluster, found.campaign_id) == ("recognised", 1, CAMPAIGN)
        assert (found.signature, found.outside_accounts) == (FAMILY, 0)
        assert found.signature_hits >= MARKS.hits_needed
        assert found.signature_ban_us == MARKS.ban_us > 0
    for question in ("Write the steps of a recipe for bread.", "", None):
        assert known.recognise(call(text=question)).tier == "none"


def test_a_known_account_keeps_its_tier_and_its_call_still_shows_the_signature(signer: Signer) -> None:
    found = signer.open(given(run_of())).recognise(call("acct-w", TEMPLATE + "Name the moons of Mars."))
    assert (found.tier, found.signature) == ("watch", FAMILY)


def test_rare_values_of_the_campaign_are_counted_and_places_where_strangers_meet_are_not(signer: Signer) -> None:
    known = signer.open(given(run_of()))
    shown = {"client_ip": "192.0.2.7", "tls_fingerprint": "t13d"}
    assert known.recognise(call("acct-1", **shown)).infrastructure == 1
    assert known.recognise(call(text=TEMPLATE + "Why is the sky blue?", **shown)).infrastructure == 1
    assert known.recognise(call(**shown)).infrastructure == 0
    assert known.recognise(call("acct-1", client_ip="192.0.2.8", tls_fingerprint="192.0.2.7")).infrastructure == 0


def test_what_a_person_decided_goes_before_what_a_run_found(signer: Signer) -> None:
    sanctions = (
        decided("watch", accounts=("acct-1",)),
        decided("confirmed", organizations=("org-bad",)),
        decided("suspected", accounts=("acct-7",)),
    )
    known = signer.open(given(run_of(), sanctions=sanctions))
    assert known.recognise(call("acct-1")).tier == "watch"
    assert known.recognise(call("acct-1")).campaign_id == CAMPAIGN
    assert known.recognise(call("acct-2", organization_id="org-bad")).tier == "confirmed"
    assert known.recognise(call("acct-new", organization_id="org-bad")).tier == "confirmed"
    assert known.recognise(call("acct-7", organization_id="org-bad")).tier == "suspected"


def test_what_is_cleared_stays_cleared_and_carries_no_signature(signer: Signer) -> None:
    text = TEMPLATE + "Name the moons of Mars."
    both = (decided("cleared", accounts=("acct-1",)), decided("confirmed", accounts=("acct-1",)))
    found = signer.open(given(run_of(), sanctions=both)).recognise(call("acct-1", text))
    assert (found.tier, found.signature) == ("cleared", "")
    owner = (decided("cleared", organizations=("org-1",)), decided("confirmed", accounts=("acct-1",)))
    assert (
        signer.open(given(run_of(), sanctions=owner)).recognise(call("acct-1", organization_id="org-1")).tier
        == "cleared"
    )
    whole = (decided("cleared", campaigns=(CAMPAIGN,)),)
    known = signer.open(given(run_of(), sanctions=whole))
    assert [known.recognise(call(name, text)).tier for name in ("acct-1", "acct-w", "acct-new")] == [
        "cleared", "cleared", "none",
    ]  # fmt: skip


def test_a_confirmed_campaign_confirms_who_was_named_in_it(signer: Signer) -> None:
    known = signer.open(given(run_of(), sanctions=(decided("confirmed", campaigns=(CAMPAIGN,)),)))
    assert [known.recognise(call(name)).tier for name in ("acct-1", "acct-w")] == ["confirmed", "watch"]


def test_a_grant_covers_its_names_on_its_models_in_its_time_and_the_first_by_name_is_told(signer: Signer) -> None:
    later = allowed(grant_id="g-00000000000000b2", accounts=("acct-licensed", "acct-1"), calls_max=9)
    known = signer.open(given(run_of(), grants=(later, allowed())))

    def grant(account: str, **columns: Any) -> str:
        return known.recognise(call(account, **columns)).grant_id

    assert grant("acct-licensed") == allowed().grant_id
    assert grant("acct-1") == later.grant_id
    assert known.recognise(call("acct-1")).grant_calls_max == 9
    assert grant("acct-new", organization_id="org-licensed", request_model="model-b") == allowed().grant_id
    assert grant("acct-licensed", request_model="model-c") == ""
    assert grant("acct-new") == ""


def test_everything_ends_and_an_expired_snapshot_knows_nobody(signer: Signer) -> None:
    short = decided("confirmed", accounts=("acct-7",), expires="2026-12-01T00:00:00Z")
    brief = allowed(expires="2026-12-05T00:00:00Z")
    known = signer.open(given(run_of(), sanctions=(short,), grants=(brief,)))
    at = {day: known.recognise(call("acct-7", time_us=NOW_US + day * DAY_US)).tier for day in (0, 6, 29)}
    assert at == {0: "confirmed", 6: "none", 29: "none"}
    assert known.recognise(call("acct-licensed")).grant_id == brief.grant_id
    assert known.recognise(call("acct-licensed", time_us=NOW_US + 10 * DAY_US)).grant_id == ""
    late = known.recognise(call("acct-1", TEMPLATE, time_us=NOW_US + 30 * DAY_US, presented_blocks=("b",)))
    assert late == Recognition(int(keys("acct-1")[0]), 0, int(keys("model-a")[0]), block_keys=(int(keys("b")[0]),))


def test_who_the_provider_knows_is_told_whatever_else_is(signer: Signer) -> None:
    known = signer.open(given(run_of(), verified=np.sort(keys("acct-1", "acct-v"))))
    found = [known.recognise(call(name)) for name in ("acct-1", "acct-2", "acct-v")]
    assert [(one.tier, one.verified) for one in found] == [("suspected", True), ("suspected", False), ("none", True)]


def test_names_and_blocks_have_the_pseudonyms_that_detection_gives_them(signer: Signer) -> None:
    found = signer.open(given(run_of())).recognise(
        call("acct-é", organization_id="org-1", presented_blocks=("block-1", "", "block-2"))
    )
    assert (found.account_key, found.organization_key) == tuple(keys("acct-é", "org-1").tolist())
    assert found.block_keys == tuple(keys("block-1", "", "block-2").tolist())
    assert key_of_block(SECRET)("block-1") == found.block_keys[0]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> OpenSnapshot:
    return Signer(tmp_path_factory.mktemp("shared")).open(given(run_of(), grants=(allowed(),)))


wild = st.none() | st.text(st.characters(), max_size=40) | st.just("\ud800 lone")


@examples(wild, wild, wild, wild, st.lists(st.text(max_size=9), max_size=3))
def test_no_call_is_too_strange_to_be_looked_up(
    shared: OpenSnapshot, account: str | None, owner: str | None, system: str | None, newest: str | None,
    blocks: list[str],
) -> None:  # fmt: skip
    found = shared.recognise(
        Call(
            NOW_US,
            account or "",
            "m",
            organization_id=owner,
            system_prompt=system,
            input_text=newest,
            client_ip=newest,
            presented_blocks=tuple(blocks),
        )
    )
    assert (found.tier, len(found.block_keys)) == ("none", len(blocks))


def test_any_number_of_threads_may_ask_at_once(shared: OpenSnapshot) -> None:
    calls = [call(f"acct-{number}", (TEMPLATE, "Something else. ")[number % 2] * (number % 7)) for number in range(200)]
    alone = [shared.recognise(one) for one in calls]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared.recognise, calls * 5)) == alone * 5
