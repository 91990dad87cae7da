"""The answer does not depend on how the log was cut into files and batches, on order, or on repeats."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stillwatch.adapters.contract import ReadSettings
from stillwatch.engines.run import RunRequest, detect
from tests.scenes.scene import Found, Silent, write_calibration
from tests.scenes.world import TUTOR, Queue, World, campaign, recipe, strangers

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Laid:
    """How a log is laid out: its files, their suffix, and how many rows are read at a time."""

    files: tuple[Rows, ...]
    account_files: tuple[Rows, ...]
    packed: bool = False
    batch_rows: int = 16_384


def small_world() -> World:
    world = World(31)
    strangers(world, count=40)
    recipe(world, "tutored", TUTOR, count=25)
    names = world.add_accounts("pool", 30, payment_digest=[f"card {at // 10}" for at in range(30)])
    campaign(world, "pool", Queue(items=150, samples=3), names, tls_fingerprint="t13d1516h2", losses=["truncated"])
    return world


WORLD = small_world()
"""The same for every example; it is built from a seed and never changed."""


def write(path: Path, rows: Rows, packed: bool) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(text, mtime=0))
    else:
        path.write_bytes(text)


def answer(laid: Laid, folder: Path) -> dict[str, bytes]:
    """Run detection on a log laid out in some way and return what it wrote, without how long it took."""
    for kind, files in (("events", laid.files), ("accounts", laid.account_files)):
        (folder / kind).mkdir(parents=True)
        for number, rows in enumerate(files):
            write(folder / kind / f"part-{number:02d}.jsonl", rows, laid.packed)
    request = RunRequest(
        events=(str(folder / "events"),), accounts=(str(folder / "accounts"),), out=folder / "run",
        calibration=write_calibration(folder), read=ReadSettings(batch_rows=laid.batch_rows), power=False,
    )  # fmt: skip
    detect(request, Silent())
    written = {path.name: path.read_bytes() for path in sorted((folder / "run").iterdir())}
    told = json.loads(written.pop("run.json"))
    del told["stages"]
    duplicates = told.pop("duplicates_count")
    assert duplicates == sum(map(len, laid.files)) - len(WORLD.events)
    return written | {"run.json": json.dumps(told).encode()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    found = answer(Laid((WORLD.events,), (WORLD.accounts,)), folder)
    (named,) = (Found.read(folder / "run").named(each["campaign_id"]) for each in Found.read(folder / "run").campaigns)
    assert named == set(WORLD.pools["pool"]), "a law about an empty answer says little"
    return found


@st.composite
def cut(draw: st.DrawFn, rows: Rows, repeats: bool) -> tuple[Rows, ...]:
    """Repeat some rows, put all into any order, and cut them into files, empty ones too."""
    random = draw(st.randoms(use_true_random=False))
    shuffled = list(rows) + (random.sample(list(rows), draw(st.integers(0, len(rows)))) if repeats else [])
    random.shuffle(shuffled)
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    return tuple(shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True))


layouts = st.builds(
    Laid,
    cut(WORLD.events, repeats=True),
    cut(WORLD.accounts, repeats=True),
    packed=st.booleans(),
    batch_rows=st.sampled_from([64, 1_000, 16_384]),
)


# Shrinking a layout would repeat the run for many minutes; the layout that failed is printed as it is.
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(laid=layouts)
def test_the_answer_is_the_same_bytes_however_the_log_was_laid_out(
    plain: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, laid: Laid
) -> None:
    found = answer(laid, tmp_path_factory.mktemp("laid"))
    assert found.keys() == plain.keys()
    assert [name for name in plain if found[name] != plain[name]] == []


def test_a_log_that_holds_every_call_twice_has_the_answer_of_one_that_does_not(
    plain: dict[str, bytes], tmp_path: Path
) -> None:
    twice = Laid((WORLD.events, WORLD.events), (WORLD.accounts, WORLD.accounts[::-1]))
    assert answer(twice, tmp_path) == plain


def test_a_repeated_id_with_another_content_is_settled_by_content_and_not_by_order(tmp_path: Path) -> None:
    others = [
        event | {"account_id": "somebody else", "input_text": "something else", "output_tokens": 7}
        for event in WORLD.events[::9]
    ]
    first = answer(Laid((WORLD.events, others), (WORLD.accounts,)), tmp_path / "first")
    second = answer(Laid((others[::-1], WORLD.events[::-1]), (WORLD.accounts,)), tmp_path / "second")
    assert first == second


def test_another_seed_may_split_time_otherwise_and_says_so(tmp_path: Path) -> None:
    events, accounts = tmp_path / "events.jsonl", tmp_path / "accounts.jsonl"
    write(events, WORLD.events, packed=False)
    write(accounts, WORLD.accounts, packed=False)
    for seed in (1, 2):
        request = RunRequest((str(events),), tmp_path / f"run-{seed}", (str(accounts),), seed=seed, power=False)
        detect(request, Silent())
    one, other = (json.loads((tmp_path / f"run-{seed}" / "run.json").read_text()) for seed in (1, 2))
    assert (one["seed"], other["seed"]) == (1, 2)
    assert one["config_digest"] != other["config_digest"]
