"""The journal of a storing process: what it meant to do and what was acknowledged; and the checker that compares.

Lines are "INTENT STUDY SERIES INSTANCE DIGEST" before and "DONE …" after, with "-" for a digest after which the
instance is gone. Kept outside of the store, it survives whatever happens to that.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path

from dicomweb_server.ports.index import Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.services.maintenance import MaintenanceService
from dicomweb_server.storage.run_mark import Leftovers
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.stored import violations

GONE = "-"
Uids = tuple[str, str, str]


def allowed_states(lines: Iterable[str]) -> dict[Uids, set[str]]:
    """For each instance, the digests it may have now: that of the last acknowledgement, or of an intent after it."""
    allowed: dict[Uids, set[str]] = {}
    for line in lines:
        fields = line.split()
        if len(fields) != 5 or not line.endswith("\n"):
            continue  # cut off by the end of the process
        uids = (fields[1], fields[2], fields[3])
        if fields[0] == "INTENT":
            allowed.setdefault(uids, {GONE}).add(fields[4])
        else:
            allowed[uids] = {fields[4]}
    return allowed


async def broken_promises(root: Path, lines: Iterable[str]) -> list[str]:
    """Open the store as a server would, and say which acknowledgements do not hold, and what else is wrong."""
    store, threads = Store(root), Threads(1, "checker")
    broken = []
    for uids, digests in allowed_states(lines).items():
        stored = await store.index.instance(Scope(*uids))
        found = GONE if stored is None else hashlib.sha256(await store.blobs.read(stored.key)).hexdigest()
        if found not in digests:
            broken.append(f"{uids[2]} is {found[:8]}, should be {sorted(digest[:8] for digest in digests)}")
    maintenance = MaintenanceService(store.blobs, store.index, threads)
    if store.leftovers is Leftovers.UNACKNOWLEDGED:
        await maintenance.sweep_unreferenced(before=2**62)
    elif store.leftovers is Leftovers.UNKNOWN:
        broken.append("the index was taken for another")
    await DeleteService(store.blobs, store.index, grace=0).sweep()
    report = await maintenance.check(digests=True)
    if not report.is_sound:
        broken.append(f"check complains: {report}")
    await store.close()
    threads.close()
    return broken + violations(root)


def check(root: Path, lines: Iterable[str]) -> list[str]:
    """The same from outside of a loop."""
    return asyncio.run(broken_promises(root, lines))
