from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from stillwatch.errors import Error
from stillwatch.store import manifest as manifests
from stillwatch.store.manifest import SOURCES_MAX, Change, File, Manifest, Part, changed, decoded, encoded, newest
from stillwatch.store.place import Place
from stillwatch.store.store import Store
from tests.store.calls import KEY

PLACES = ["{folder}/store", "memory://manifests/{name}", "file://{folder}/store"]


@pytest.fixture(params=PLACES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).format(folder=tmp_path, name=tmp_path.name)


def part(name: str) -> Part:
    file = File(1, "00")
    return Part(f"parts/2026-03-01/{name}", 1, 0, 0, False, file, file)


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest("key", 7, parts=(part("a"),), sources={"d": "log"}, positions={"t/0": 5}, pruned_before_us=9)
    assert decoded(encoded(manifest)) == manifest


def test_a_manifest_that_was_cut_or_changed_anywhere_is_none() -> None:
    data = encoded(Manifest("key", 7, parts=(part("a"),)))
    assert all(decoded(data[:at]) is None for at in range(len(data)))
    for at in range(0, len(data) - 1, 3):
        assert decoded(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) is None


def test_the_newest_whole_manifest_counts_and_a_broken_number_is_never_taken_again(url: str) -> None:
    store = Store.open(url, KEY, create=True)
    store.commit(Change(positions={"t/0": 1}))
    store.place.put(manifests.name_of(3), b'{"half')
    assert Store.open(url, KEY).manifest.number == 2
    after = store.commit(Change(positions={"t/0": 2}, positions_before={"t/0": 1}))
    assert after.number == 4
    assert newest(store.place) == (after, 4)


def test_a_store_of_another_version_is_refused(url: str) -> None:
    place = Place.of(url)
    later = msgspec.structs.replace(Manifest(KEY, 1), schema_version=2)
    place.put(manifests.name_of(1), encoded(later))
    with pytest.raises(Error) as refused:
        Store.open(url, KEY)
    assert refused.value.ident == "store-version"


def test_a_store_that_is_not_there_or_broken_or_of_another_key_is_refused(url: str) -> None:
    with pytest.raises(Error) as refused:
        Store.open(url, KEY)
    assert refused.value.ident == "no-such-store"
    store = Store.open(url, KEY, create=True)
    with pytest.raises(Error) as refused:
        Store.open(url, "another")
    assert refused.value.ident == "store-key"
    store.place.put(manifests.name_of(1), b"no manifest")
    with pytest.raises(Error) as refused:
        Store.open(url, KEY, create=True)
    assert refused.value.ident == "bad-store"


def test_of_many_writers_each_gets_its_change_in(url: str) -> None:
    Store.open(url, KEY, create=True)

    def write(number: int) -> int:
        return Store.open(url, KEY).commit(Change(sources={f"digest-{number}": "log"})).number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(write, range(24)))
    assert sorted(numbers) == list(range(2, 26))
    assert Store.open(url, KEY).manifest.sources.keys() == {f"digest-{number}" for number in range(24)}


def test_a_change_that_rests_on_what_is_gone_is_refused(url: str) -> None:
    store, other = Store.open(url, KEY, create=True), Store.open(url, KEY)
    store.commit(Change(add=(part("a"),)))
    other.commit(Change(add=(part("b"),), remove=frozenset({part("a").name})))
    with pytest.raises(Error) as refused:
        store.commit(Change(add=(part("c"),), remove=frozenset({part("a").name})))
    assert refused.value.ident == "store-moved"
    assert [each.name for each in store.refresh().parts] == [part("b").name]


def test_what_another_writer_has_read_meanwhile_is_not_added_again(url: str) -> None:
    store, other = Store.open(url, KEY, create=True), Store.open(url, KEY)
    store.commit(Change(add=(part("a"),), sources={"digest": "log"}))
    after = other.commit(Change(add=(part("b"),), sources={"digest": "log"}))
    assert after == store.manifest


def test_old_manifests_go_and_the_newest_stay(url: str) -> None:
    store = Store.open(url, KEY, create=True)
    for offset in range(20):
        store.commit(Change(positions={"t/0": offset + 1}, positions_before=dict(store.manifest.positions)))
    assert manifests.numbers(store.place) == list(range(6, 22))


def test_the_files_that_are_remembered_are_bounded_and_the_first_go_first() -> None:
    full = Manifest(KEY, 1, sources={f"{n}": "" for n in range(SOURCES_MAX)})
    after = changed(full, Change(sources={"new": "", "0": ""}), 2)
    assert len(after.sources) == SOURCES_MAX
    assert list(after.sources)[-2:] == ["new", "0"]
    assert "1" not in after.sources


def test_a_file_appears_whole_under_its_name_and_leaves_nothing_beside_it(url: str) -> None:
    place = Place.of(url)
    place.put("parts/day/a", b"one")
    place.put("parts/day/a", b"other")
    assert place.get("parts/day/a") == b"other"
    assert place.create("parts/day/b", b"first")
    assert not place.create("parts/day/b", b"second")
    assert place.get("parts/day/b") == b"first"
    assert place.names("parts") == ["parts/day/a", "parts/day/b"]
    place.delete("parts/day/a")
    place.delete("parts/day/a")
    assert place.names("parts") == ["parts/day/b"]
    assert place.names("nowhere") == []
