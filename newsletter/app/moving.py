"""Move a newsletter to another store, with the record of what was sent."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from newsletter.app.files import store_address, store_place
from newsletter.app.guards import COPY_OF, MOVED
from newsletter.app.locks import live_processes
from newsletter.app.wiring import RUNS, App
from newsletter.config import read_settings
from newsletter.config.fields import masked
from newsletter.config.yaml_file import load
from newsletter.errors import ConfigurationError, StoreError, UsageError
from newsletter.ports import Store
from newsletter.stores import copy_rows, count_rows, open_journaled_store, open_store

_NOT_COPIED = "stop it first, or what it sends meanwhile is not in the copy"


@dataclass(frozen=True, slots=True)
class Move:
    """What ``newsletter store move`` did.

    Attributes:
        rows: how many rows were copied, by table.
        written: whether the configuration names the new store now.
    """

    rows: dict[str, int]
    written: bool


def move_store(app: App, target: str) -> Move:
    """Copy the store to another address, check the copy, and let the newsletter use it.

    A crash leaves the old store in use until the copy is complete and checked; from then on the old
    one refuses to be used and names the new one. The same call again continues.

    Raises:
        UsageError: both are the same, or another command uses the store now.
        StoreError: as for :func:`newsletter.stores.copy_rows`, or the copy is not complete.
        ConfigurationError: the store is not the one that the newsletter was sent from.
    """
    source = app.settings.store
    _ = app.store  # checked: is it the right one?
    copy_all(app, source, target, moving=True)
    rows = _check_copy(app, source, target)
    with _opened(app, source) as old:
        old.record_fact(MOVED, masked(target))
    with _opened(app, target) as new:
        new.record_fact(COPY_OF, "")
    return Move(rows, _write_store(app, target))


def copy_all(app: App, source: str, target: str, *, moving: bool = False) -> int:
    """Copy the store at one address into the one at another, and its send journal with it.

    The addresses are as ``store:`` has them. Returns the number of readers afterwards. A copy that
    was made for a move which did not end is replaced by a new one.

    Raises:
        UsageError: both are the same, or another command uses the first one now.
        StoreError: as for :func:`newsletter.stores.copy_rows`, or the journal cannot be copied.
    """
    if store_place(source) == store_place(target):
        raise UsageError(f"{masked(target)} is the same store; name another one")
    refuse_while_running(app, source, _NOT_COPIED)
    addresses = [store_address(url, app.folder) for url in (source, target)]
    copied = {COPY_OF: masked(source)} if moving else {}
    readers = copy_rows(*addresses, facts=copied)
    # After the rows: what was sent in between is in the journal, and `store restored` finds it.
    old, journal = app.journal_of(source), app.journal_of(target)
    try:
        if old.folder.exists():
            shutil.copytree(old.folder, journal.folder, dirs_exist_ok=True)
    except OSError as error:
        raise StoreError(f"{journal.folder} cannot be written: {error}") from error
    journal.reidentify()
    if not old.is_empty:
        journal.take_over(old)
    return readers


@contextmanager
def _opened(app: App, url: str) -> Iterator[Store]:
    with closing(open_store(store_address(url, app.folder))) as store:
        yield store


def refuse_while_running(app: App, url: str, why: str) -> None:
    """Check that no process of this newsletter uses the store at an address.

    Raises:
        UsageError: one does; ``why`` says what to do.
    """
    for one in live_processes(app.state_path / RUNS):
        raise UsageError(
            f"newsletter {one.command} (process {one.id}) uses {masked(url)} now; {why}"
        )
    with _opened(app, url) as store:
        heartbeats = store.heartbeats()
    for last in heartbeats:
        if last.is_live(app.clock.now()):
            raise UsageError(f"{last.name} uses {masked(url)} now; {why}")


def _check_copy(app: App, source: str, target: str) -> dict[str, int]:
    """Compare the copy with the store; returns the number of rows by table.

    Raises:
        StoreError: it is not complete, for example because letters were sent meanwhile.
    """
    old, new = (count_rows(store_address(url, app.folder)) for url in (source, target))
    lacking = [name for name, rows in old.items() if new.get(name, 0) < rows and name != "facts"]
    address = store_address(target, app.folder)
    with closing(open_journaled_store(address, app.journal_of(target))) as store:
        if said := store.lacks(app.journal_of(source)):
            lacking.append(said)
        for day in store.issue_days()[:1]:
            lacking += [proof.id for proof in store.audit(day).proofs if not proof.ok]
    if lacking:
        raise StoreError(
            f"the copy in {masked(target)} is not complete ({', '.join(lacking)}); "
            f"{masked(source)} stays in use. Run the same command again"
        )
    return new


def _write_store(app: App, target: str) -> bool:
    """Write another store into the configuration; returns whether that was possible.

    An address with a password is left to the operator, who may want it in a variable.
    """
    content, wanted = app.path.read_bytes(), app.settings.model_copy(update={"store": target})
    if masked(target) != target:
        return False
    lines = content.decode().splitlines(keepends=True)
    number = load(content, app.path.name, app.environment).lines.get(("store",))
    if number is None:
        lines.append(f"\nstore: {target}\n")
    else:
        lines[number - 1] = lines[number - 1].replace(app.settings.store, target)
    changed = "".join(lines)
    try:
        if read_settings(changed.encode(), app.path.name, app.environment) != wanted:
            return False
        replace_file(app.path, changed)
    except (ConfigurationError, OSError):
        return False
    return True


def replace_file(path: Path, text: str) -> None:
    """Write a file of the operator's anew, with its permissions; it is complete or as it was."""
    draft = path.with_name(f".{path.name}.new")
    shutil.copy2(path, draft)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path.resolve())
