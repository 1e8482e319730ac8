"""Whether a file is on a network file system, where SQLite's locks and memory may not work.

SQLite's write-ahead log needs shared memory, which two machines do not have, and many network file
systems do not keep its locks (https://www.sqlite.org/wal.html, https://www.sqlite.org/faq.html#q5).
"""

import re
from pathlib import Path

NETWORK = frozenset(
    {
        *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs", "gfs2", "glusterfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "sshfs"),
        *("drvfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs", "fuse.vmhgfs-fuse"),
        *("fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"),
        "fuse.sshfs",
    }
)
"""The types of network file systems, and of folders shared with a host, as mounts name them."""

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path) -> str:
    """The type of the network file system that a path is on; empty if it is on none, or unknown."""
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    return network_type(path.resolve(), mounts)


def network_type(path: Path, mounts: str) -> str:
    """As :func:`network_file_system`, for an absolute path and the lines of proc(5)'s mountinfo."""
    found = Path("/"), ""
    for line in mounts.splitlines():
        place, _, rest = line.partition(" - ")
        fields, kind = place.split(" "), rest.partition(" ")[0]
        mount = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if path.is_relative_to(mount) and len(mount.parts) >= len(found[0].parts):
            found = mount, kind  # the last of several mounts at one place is the one that is seen
    return found[1] if found[1] in NETWORK else ""
