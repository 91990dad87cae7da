"""A store: opening one, and changing it in steps that happen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.errors import Error
from stillwatch.store import manifest as manifests
from stillwatch.store.manifest import Change, Manifest
from stillwatch.store.place import Place

COMMIT_TRIES_MAX = 64
"""Writers that may get in before this one. Each try writes one small file; more writers than that want a queue."""


class Store:
    """A place and the manifest that was the newest when it was last looked at."""

    def __init__(self, place: Place, manifest: Manifest, taken: int) -> None:
        self.place = place
        self.manifest = manifest
        self._taken = taken

    @staticmethod
    def open(url: str, key_ident: str | None, create: bool = False) -> Store:
        """Open a store in a folder or at an fsspec location; `key_ident` None is for who only looks after its files.

        Raises:  Error no-such-store, store-key, store-version, bad-store, input-protocol, store-unreadable.
        """
        place = Place.of(url)
        found, taken = manifests.newest(place)
        if found is None:
            if not create or key_ident is None:
                raise Error(
                    "no-such-store",
                    "there is no store here",
                    hint="make one with: stillwatch ingest EVENTS --store DIR",
                    where=url,
                )
            manifests.write(place, Manifest(key_ident, number=1))
            found, taken = manifests.newest(place)
            assert found is not None
        if key_ident not in (None, found.key_ident):
            raise Error(
                "store-key",
                f"the store was made with the key {found.key_ident}, and this is {key_ident}",
                hint="name the same key with --key-file, or another store",
                where=url,
            )
        return Store(place, found, taken)

    def refresh(self) -> Manifest:
        """Look for a newer manifest, and return the newest. Raises what `open` raises."""
        found, self._taken = manifests.newest(self.place)
        if found is None:
            raise Error("no-such-store", "the store is gone", where=self.place.url)
        self.manifest = found
        return found

    def commit(self, change: Change) -> Manifest:
        """Make a change durable in one step, on top of whatever other writers have done meanwhile.

        A change whose every source another writer has committed already adds nothing.

        Raises:  Error store-moved where the change no longer fits, store-busy.
        """
        for _ in range(COMMIT_TRIES_MAX):
            latest = self.refresh()
            if change.sources and not change.positions and change.sources.keys() <= latest.sources.keys():
                return latest
            # A number that a broken file has taken is passed over, never written again.
            following = manifests.changed(latest, change, self._taken + 1)
            if manifests.write(self.place, following):
                self.manifest = following
                self._forget(following.number)
                return following
        raise Error("store-busy", f"other writers got in first {COMMIT_TRIES_MAX} times", hint="run it again")

    def discard(self, names: Iterable[str]) -> None:
        """Delete files that no manifest names any more."""
        for name in names:
            self.place.delete(name)

    def _forget(self, number: int) -> None:
        old = [each for each in manifests.numbers(self.place) if each <= number - manifests.MANIFESTS_KEPT_MAX]
        self.discard(manifests.name_of(each) for each in old)
