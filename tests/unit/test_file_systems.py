"""On which file system a store is, from what Linux says of its mounts."""

from pathlib import Path

import pytest

from newsletter.app.files import store_place
from newsletter.errors import StoreError
from newsletter.stores import copy_store, unsafe_place
from newsletter.stores.file_systems import network_file_system, network_type

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:40 / /srv rw,relatime shared:1 - nfs4 nas:/export rw,vers=4.2
41 40 254:1 / /srv/local rw - xfs /dev/vdb rw
42 22 0:42 / /mnt/a\040share rw shared:3 master:1 - cifs //nas/share rw
43 22 0:43 / /mnt/c rw - 9p C:\134 rw
44 22 0:44 / /home/ada/cloud rw - fuse.sshfs ada@host: rw
45 22 0:45 / /twice rw - nfs nas:/old rw
46 45 0:46 / /twice rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/newsletter.db", ""),
        ("/srv/newsletter.db", "nfs4"),
        ("/srvnewsletter.db", ""),
        ("/srv/local/newsletter.db", ""),
        ("/mnt/a share/newsletter.db", "cifs"),
        ("/mnt/c/newsletter.db", "9p"),
        ("/home/ada/cloud/deep/er/newsletter.db", "fuse.sshfs"),
        ("/twice/newsletter.db", ""),
    ],
)
def test_network_file_system_is_found_by_its_mount(path: str, kind: str) -> None:
    assert network_type(Path(path), MOUNTS) == kind


def test_own_temporary_folder_is_local_or_named(tmp_path: Path) -> None:
    assert network_file_system(tmp_path / "store.db") in {"", "9p", "virtiofs"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:p@DB:5432/n?sslmode=disable", "db:5432/n"),
        ("sqlite:///newsletter.db", "None:None/newsletter.db"),
        ("postgresql://u:p@h1:5432,h2:5433/n?target_session_attrs=any", "h1:5432,h2:5433/n"),
        ("postgresql://u:p@[::1]:1,[::2]:2/n", "[::1]:1,[::2]:2/n"),
        ("postgresql://u:p/w@h/n", "h/n"),
    ],
)
def test_place_of_a_store_names_no_password(url: str, place: str) -> None:
    assert store_place(url) == place


def test_store_on_a_network_file_system_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr("newsletter.stores.file_systems._MOUNTS", mounts)
    assert "(nfs4)" in unsafe_place("sqlite:////srv/newsletter.db")
    assert "use PostgreSQL" in unsafe_place("sqlite:////srv/newsletter.db")
    assert unsafe_place("sqlite:////srv/local/newsletter.db") == ""
    assert unsafe_place("postgresql://u@h/srv/newsletter.db") == ""


def test_copy_into_a_missing_folder_names_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="backups does not exist; make it first"):
        copy_store(f"sqlite:///{tmp_path}/newsletter.db", tmp_path / "backups" / "today.db")
