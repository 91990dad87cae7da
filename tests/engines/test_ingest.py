from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.accounts import ACCOUNT_ROWS_SCHEMA, best_rows
from stillwatch.engines.ingest import account_rows_of
from stillwatch.engines.run import RunRequest, detect
from stillwatch.errors import Error
from stillwatch.report.reporter import Reporter
from stillwatch.store.closing import close_days, days_before, days_due
from stillwatch.store.store import Store
from stillwatch.store.window import Window
from tests.engines.logs import WORLD, request
from tests.scenes.scene import Silent, write_lines
from tests.store.calls import KEY, as_lines, event, fold_events, fold_files, held, hours_of_day, ids, opened, written

ANSWER = (
    "campaigns.jsonl", "accounts.parquet", "exchanges.parquet", "activity.parquet", "considered.parquet",
    "groups.jsonl", "signatures.jsonl",
)  # fmt: skip


def answer(run_dir: Path) -> dict[str, bytes]:
    return {name: (run_dir / name).read_bytes() for name in ANSWER}


def stored(folder: Path, events: list[dict] | None = None, files: int = 3) -> Path:
    """Keep the small world in a store, ingested in a few files."""
    rows = WORLD.events if events is None else events
    for number in range(files):
        write_lines(folder / f"log-{number}.jsonl", rows[number::files])
    write_lines(folder / "accounts.jsonl", WORLD.accounts)
    for number in range(files):
        fold_files(folder / "store", folder / f"log-{number}.jsonl", folder=folder)
    fold_files(folder / "store", folder=folder, accounts=(str(folder / "accounts.jsonl"),))
    return folder / "store"


def asked_of(store: Path | str, folder: Path, **settings: Any) -> RunRequest:
    return request(
        folder, **{"events": [], "store": str(store), "out": folder / "out" / "stored", "accounts": ()} | settings
    )


def test_a_store_gives_the_same_bytes_as_the_logs_do(tmp_path: Path) -> None:
    asked = request(tmp_path)
    assert detect(asked, Silent()).campaigns_count == 1
    found = detect(asked_of(stored(tmp_path), tmp_path), Silent())
    assert answer(found.run_dir) == answer(asked.out)
    told = json.loads((found.run_dir / "run.json").read_text())
    assert told["store"] == {"schema_version": 1, "manifest": opened(tmp_path / "store").manifest.number}
    logs = json.loads((asked.out / "run.json").read_text())
    assert {name: told[name] for name in ("window", "events_count", "signals")} == {
        name: logs[name] for name in ("window", "events_count", "signals")
    }


def test_accounts_may_be_given_at_the_detection_instead(tmp_path: Path) -> None:
    asked = request(tmp_path)
    detect(asked, Silent())
    fold_files(tmp_path / "store", asked.events[0], folder=tmp_path)
    later = request(tmp_path, store=str(tmp_path / "store"), out=tmp_path / "out" / "stored")
    detect(later, Silent())
    assert answer(later.out) == answer(asked.out)


def test_a_closed_day_gives_the_same_campaign(tmp_path: Path) -> None:
    asked = request(tmp_path)
    detect(asked, Silent())
    store = opened(stored(tmp_path))
    assert close_days(store, days_before(store, "2027-01-01"), str) == 1
    found = detect(asked_of(tmp_path / "store", tmp_path), Silent())
    kept = ("campaigns.jsonl", "accounts.parquet", "exchanges.parquet")
    assert {name: answer(found.run_dir)[name] for name in kept} == {name: answer(asked.out)[name] for name in kept}


def test_a_window_answers_as_the_logs_of_its_hours_do(tmp_path: Path) -> None:
    until = "2026-11-02T18:00:00+00:00"
    some = [each for each in WORLD.events if "2026-11-02T02" <= each["time"] < until]
    asked = request(tmp_path, events=some)
    detect(asked, Silent())
    store = stored(tmp_path)
    for state in ("open", "closed"):
        later = asked_of(store, tmp_path, window=Window.of("16h", until), force=True)
        detect(later, Silent())
        assert (later.out / "exchanges.parquet").read_bytes() == (asked.out / "exchanges.parquet").read_bytes(), state
        assert (state == "closed") or answer(later.out) == answer(asked.out)
        close_days(opened(store), days_before(opened(store), "2027-01-01"), str)


def test_the_report_says_plainly_that_a_store_has_no_text(tmp_path: Path) -> None:
    found = detect(asked_of(stored(tmp_path), tmp_path), Silent(), Reporter())
    assert "the run read a store, which keeps no text" in (found.run_dir / "report.html").read_text()


SECRETS = {
    "input_text": "quillverse",
    "system_prompt": "zephyrling",
    "client_ip": "198.51.100.77",
    "user_agent": "moonbracket",
    "session_id": "velvetoak",
    "organization_id": "tamarisk",
    "end_user_id": "harborfinch",
    "credential_id": "brambleway",
}


@pytest.mark.parametrize("closed", [False, True])
def test_no_word_and_no_other_identifier_is_in_any_file_of_a_store(closed: bool, tmp_path: Path) -> None:
    secret = {name: f"{value} {value} {value} {value} {value} {value}" for name, value in SECRETS.items()}
    secret |= {"client_ip": SECRETS["client_ip"]}
    rows = [
        {**each, **secret, "tool_names": ["gallowglass"], "issued_blocks": ["nightjar"]} for each in hours_of_day(1)
    ]
    accounts = write_lines(tmp_path / "accounts.jsonl", [{"account_id": "account-1", "payment_digest": "silverpine"}])
    log = write_lines(tmp_path / "log.jsonl", rows)
    fold_files(tmp_path / "store", log, folder=tmp_path, accounts=(str(accounts),))
    if closed:
        close_days(opened(tmp_path / "store"), ["2026-03-01"], str)
    said = {}
    for path in sorted((tmp_path / "store").rglob("*")):
        if path.suffix == ".parquet":
            said[path.name] = repr(pq.read_table(path).to_pydict()) + repr(pq.read_schema(path))
        elif path.is_file():
            said[path.name] = path.read_text()
    words = [*SECRETS.values(), "gallowglass", "nightjar", "silverpine"]
    assert [(name, word) for name, text in said.items() for word in words if word in text] == []


def test_an_account_and_an_event_are_in_clear_in_the_names_alone(tmp_path: Path) -> None:
    store = stored(tmp_path)
    for path in store.rglob("*.parquet"):
        text = repr(pq.read_table(path).to_pydict())
        in_clear = "stranger-00" in text or "pool-00" in text
        assert in_clear == path.name.endswith(".names.parquet"), path.name


def test_the_same_file_twice_changes_nothing_wherever_it_lies(tmp_path: Path) -> None:
    log = write_lines(tmp_path / "log.jsonl", hours_of_day(1))
    assert fold_files(tmp_path / "store", log, folder=tmp_path).events_count == 60
    before = written(tmp_path / "store")
    elsewhere = log.rename(tmp_path / "moved.jsonl")
    again = fold_files(tmp_path / "store", elsewhere, folder=tmp_path)
    assert (again.events_count, again.known_files_count) == (0, 1)
    assert written(tmp_path / "store") == before


def test_an_event_in_two_files_counts_once(tmp_path: Path) -> None:
    rows = hours_of_day(1)
    changed = [{**rows[0], "output_tokens": 7}]
    logs = [
        write_lines(tmp_path / f"{name}.jsonl", some) for name, some in (("a", rows), ("b", rows[5:25]), ("c", changed))
    ]
    for log in logs:
        fold_files(tmp_path / "store", log, folder=tmp_path)
    store = opened(tmp_path / "store")
    asked = asked_of(tmp_path / "store", tmp_path)
    detect(asked, Silent())
    assert json.loads((asked.out / "run.json").read_text())["events_count"] == 60
    close_days(store, ["2026-03-01"], str)
    assert held(store) == ids(rows)


def test_a_late_file_is_folded_into_its_hours_of_an_open_and_of_a_closed_day(tmp_path: Path) -> None:
    rows = hours_of_day(1)
    early = write_lines(tmp_path / "early.jsonl", rows[:50])
    late = write_lines(tmp_path / "late.jsonl", rows[50:])
    fold_files(tmp_path / "store", early, folder=tmp_path)
    store = opened(tmp_path / "store")
    close_days(store, ["2026-03-01"], str)
    fold_files(tmp_path / "store", late, folder=tmp_path)
    store.refresh()
    assert held(store) == ids(rows)
    assert {part.closed for part in store.manifest.parts} == {True, False}
    close_days(store, ["2026-03-01"], str)
    assert held(store) == ids(rows)
    assert [part.closed for part in store.manifest.parts] == [True]


def test_days_that_are_two_days_old_are_closed_by_an_ingest(tmp_path: Path) -> None:
    days = [write_lines(tmp_path / f"day-{day}.jsonl", hours_of_day(day)) for day in (1, 2, 3, 4)]
    assert [fold_files(tmp_path / "store", log, folder=tmp_path).days_closed for log in days] == [0, 0, 0, 1]
    store = opened(tmp_path / "store")
    assert store.manifest.closed_days() == {"2026-03-01"}
    assert days_due(store) == []
    assert held(store) == ids([each for day in (1, 2, 3, 4) for each in hours_of_day(day)])


def test_an_hour_that_is_committed_bit_by_bit_does_not_fall_to_pieces(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), KEY, create=True)
    rows = [event(n) for n in range(120)]
    for at in range(0, 120, 3):
        fold_events(store, rows[at : at + 3], tmp_path, positions={"calls/0": at + 3})
    assert held(store) == ids(rows)
    assert len(store.manifest.parts) <= 17
    assert store.manifest.positions == {"calls/0": 120}


def test_positions_are_committed_with_their_calls_or_alone(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), KEY, create=True)
    assert fold_events(store, hours_of_day(1), tmp_path, positions={"calls/0": 60, "calls/1": 4}) == 60
    assert fold_events(store, [], tmp_path, positions={"calls/1": 9}) == 0
    assert opened(tmp_path / "store").manifest.positions == {"calls/0": 60, "calls/1": 9}


def test_two_readers_of_one_partition_do_not_both_count(tmp_path: Path) -> None:
    one = Store.open(str(tmp_path / "store"), KEY, create=True)
    other = opened(tmp_path / "store")
    fold_events(one, hours_of_day(1), tmp_path, positions={"calls/0": 60})
    with pytest.raises(Error) as refused:
        fold_events(other, hours_of_day(1), tmp_path, positions={"calls/0": 60})
    assert refused.value.ident == "store-moved"
    assert held(opened(tmp_path / "store")) == ids(hours_of_day(1))


def test_a_fold_that_fails_changes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(as_lines(hours_of_day(1)) + "this is no JSON\n" * 30)
    with pytest.raises(Error) as refused:
        fold_files(tmp_path / "store", log, folder=tmp_path)
    assert refused.value.ident == "too-many-rejected"
    assert opened(tmp_path / "store").manifest.parts == ()
    outcome = fold_files(tmp_path / "store", log, folder=tmp_path, rejected_max=0.5)
    assert (outcome.events_count, outcome.rejected_count) == (60, 30)
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 30


def test_another_key_is_refused(tmp_path: Path) -> None:
    fold_files(tmp_path / "store", write_lines(tmp_path / "log.jsonl", hours_of_day(1)), folder=tmp_path)
    other = write_lines(tmp_path / "more.jsonl", hours_of_day(2))
    with pytest.raises(Error) as refused:
        fold_files(tmp_path / "store", other, folder=tmp_path, key=b"another key than that of the store")
    assert refused.value.ident == "store-key"
    with pytest.raises(Error) as refused:
        detect(asked_of(tmp_path / "store", tmp_path, key=b"another key than that of the store"), Silent())
    assert refused.value.ident == "store-key"


def test_a_window_without_a_call_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    store = stored(tmp_path)
    asked = asked_of(store, tmp_path, window=Window.of("5h", "2025-01-01T00:00:00Z"))
    with pytest.raises(Error) as refused:
        detect(asked, Silent())
    assert refused.value.ident == "no-calls-in-window"
    assert not asked.out.exists()


def test_a_store_as_a_url_answers_as_a_folder_does(tmp_path: Path) -> None:
    log = write_lines(tmp_path / "log.jsonl", WORLD.events)
    accounts = write_lines(tmp_path / "accounts.jsonl", WORLD.accounts)
    url = f"memory://stores/{tmp_path.name}"
    for place in (url, str(tmp_path / "store")):
        fold_files(place, log, folder=tmp_path, accounts=(str(accounts),))
    found = []
    for name, place in (("far", url), ("near", str(tmp_path / "store"))):
        asked = asked_of(place, tmp_path, out=tmp_path / "out" / name)
        detect(asked, Silent())
        found.append(answer(asked.out))
    assert found[0] == found[1]
    store = Store.open(url, KEY)
    assert close_days(store, days_before(store, "2027-01-01"), str) == 1
    assert held(store) == ids(WORLD.events)


def test_the_best_row_of_an_account_stays_whatever_comes_first(tmp_path: Path) -> None:
    rows = [
        {"account_id": "a", "plan": "free"},
        {"account_id": "a", "plan": "pro", "organization_id": "o", "created_at": "2026-01-01T00:00:00Z"},
        {"account_id": "b"},
    ]
    tables = []
    for name, order in (("one", rows), ("other", rows[::-1])):
        for row in order:
            path = write_lines(tmp_path / "accounts.jsonl", [row])
            fold_files(tmp_path / name, folder=tmp_path, accounts=(str(path),))
        tables.append(account_rows_of(opened(tmp_path / name)))
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == 2
    assert int(tables[0]["facts"].to_numpy().max()) == 4


def test_taking_the_best_rows_bit_by_bit_comes_to_the_same() -> None:
    import pyarrow as pa

    rng = np.random.default_rng(5)
    table = pa.table(
        [pa.array(rng.integers(0, 3, 60)).cast(field.type) for field in ACCOUNT_ROWS_SCHEMA],
        schema=ACCOUNT_ROWS_SCHEMA,
    )
    whole = best_rows(table)
    assert best_rows(pa.concat_tables([best_rows(table.slice(0, 20)), table.slice(20)])).equals(whole)
    assert whole["account_key"].to_pylist() == [0, 1, 2]
