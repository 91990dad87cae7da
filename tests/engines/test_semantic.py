"""A pool that words its order anew for every call is one family where texts are embedded, and none where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.adapters.contract import ReadSettings
from stillwatch.cli import main as cli
from stillwatch.engines.run import detect
from stillwatch.errors import Error
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys
from stillwatch.pseudonym import UNKEYED
from tests.engines.logs import request
from tests.kernels.models import save_model
from tests.scenes.scene import Found, Silent
from tests.scenes.world import DAY_S, World, sentence, strangers, vocabulary

SYNONYMS = {notion: [f"{notion}said{way}" for way in "abcdef"] for notion in "abcdefghijklmnopqrstuvwx"}
POOL_MOST = 0.9
"""The share of a pool that one family holds: an account is missed where all of its calls fell into other codes."""


def world_of_paraphrases() -> World:
    """Thirty accounts, sixteen calls each: 24 notions in any order, each in one of six words, and three words to fill
    in. Two calls share a run of five words with probability below one in a billion.
    """
    world = World(47)
    strangers(world, count=60)
    rng = world.stream("paraphrases")
    filling = vocabulary(rng, 200)
    for name in world.add_accounts("pool", 30):
        for second in rng.uniform(0, DAY_S, 16):
            said = [rng.choice(SYNONYMS[notion]) for notion in rng.permutation(list(SYNONYMS))]
            world.call(name, second, " ".join([*said, sentence(rng, filling, 3)]))
    return world


WORLD = world_of_paraphrases()
"""Built from a seed once, never changed."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ordered = {word for alike in SYNONYMS.values() for word in alike}
    others = {word for event in WORLD.events for word in event["input_text"].split()} - ordered
    return save_model(tmp_path_factory.mktemp("model"), SYNONYMS, others, apart=0.3)


def carried(run_dir: Path) -> list[set[str]]:
    """The accounts of each family, the largest first, by their names."""
    names = [account["account_id"] for account in WORLD.accounts]
    keys = pseudonyms(pa.array(names), TraceKeys.derive(UNKEYED).identifiers).tolist()
    name_of = dict(zip(keys, names, strict=True))
    families: dict[str, set[str]] = {}
    for row in Found.read(run_dir).considered:
        families.setdefault(row["group_id"], set()).add(name_of[row["account_key"]])
    return sorted(families.values(), key=len, reverse=True)


def test_a_paraphrased_pool_is_one_family_only_where_texts_are_embedded(model: Path, tmp_path: Path) -> None:
    for name in ("plain", "coded"):
        (tmp_path / name).mkdir()
    pool = set(WORLD.pools["pool"])
    plain = detect(request(tmp_path / "plain", WORLD.events), Silent()).run_dir
    coded = detect(request(tmp_path / "coded", WORLD.events, semantic=model), Silent()).run_dir
    assert not any(pool & family for family in carried(plain))
    largest = carried(coded)[0]
    assert len(largest & pool) >= POOL_MOST * len(pool)
    assert largest <= pool
    assert "semantic" not in Found.read(plain).run
    assert Found.read(coded).run["semantic"]


def test_a_model_to_which_synonyms_are_strangers_makes_no_family(tmp_path: Path) -> None:
    strangers_to_each_other = {word: [word] for alike in SYNONYMS.values() for word in alike}
    asked = request(tmp_path, WORLD.events, semantic=save_model(tmp_path / "model", strangers_to_each_other))
    assert carried(detect(asked, Silent()).run_dir) == []


def findings(run_dir: Path) -> dict[str, bytes]:
    """What a run found; `run.json` also holds how long it took."""
    return {path.name: path.read_bytes() for path in run_dir.iterdir() if path.name != "run.json"}


def test_a_cut_of_the_input_changes_no_byte_and_the_model_is_part_of_the_question(model: Path, tmp_path: Path) -> None:
    runs = []
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        asked = request(tmp_path / name, WORLD.events, semantic=model)
        if name == "cut":
            asked = replace(asked, read=ReadSettings(batch_rows=97))
        runs.append(detect(asked, Silent()).run_dir)
    assert findings(runs[0]) == findings(runs[1])
    other = save_model(tmp_path / "other", SYNONYMS)
    digests = [Found.read(run).run["config_digest"] for run in runs]
    for semantic in (other, None):
        again = replace(asked, semantic=semantic, out=tmp_path / f"with {semantic is None}")
        digests.append(Found.read(detect(again, Silent()).run_dir).run["config_digest"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_model_that_is_no_folder_ends_a_run_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(tmp_path)
    status = cli.run(["detect", asked.events[0], "--semantic", "someone/some-model", "--out", str(tmp_path / "run")])
    assert status == 1
    assert "never fetched" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_stream_of_runs_with_a_model_takes_no_run_without_it(model: Path, tmp_path: Path) -> None:
    stream = tmp_path / "stream.json"
    for name in ("coded", "plain"):
        (tmp_path / name).mkdir()
    detect(request(tmp_path / "coded", WORLD.events, semantic=model, online=stream), Silent())
    with pytest.raises(Error, match="with model") as caught:
        detect(request(tmp_path / "plain", WORLD.events, online=stream), Silent())
    assert caught.value.ident == "stream-differs"
