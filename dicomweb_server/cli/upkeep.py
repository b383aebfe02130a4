"""The commands `check` and `reindex`: they have the store for themselves while they run."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dicomweb_server.bootstrap import open_store
from dicomweb_server.cli.arguments import Arguments, load_settings
from dicomweb_server.cli.progress import Progress
from dicomweb_server.server import logs
from dicomweb_server.services.maintenance import CheckReport, ReindexReport
from dicomweb_server.settings import Settings

_SHOWN = 20


def check(arguments: Arguments) -> int:
    """Compare index and files; 0 if nothing is wrong, or no longer."""
    settings = load_settings(arguments)
    logs.configure(settings.log_format, "warning")
    progress = Progress(sys.stderr, shown=not arguments.quiet and sys.stderr.isatty())
    report = asyncio.run(_check(settings, progress, repair=arguments.repair, digests=arguments.digests))
    _tell(report, settings.data)
    mended = arguments.repair and not report.damaged
    return 0 if report.is_sound or mended else 1


async def _check(settings: Settings, progress: Progress, *, repair: bool, digests: bool) -> CheckReport:
    async with open_store(settings) as store:
        await store.sweep_leftovers(time.time())
        try:
            report = await store.maintenance.check(
                repair=repair,
                digests=digests,
                progress=lambda done, total: progress.show(f"{done} of {total} instances", done, total),
            )
        finally:
            progress.finish()
        if repair or report.is_sound:
            await store.store.trust_index()
        return report


def _tell(report: CheckReport, folder: Path) -> None:
    print(f"{report.instances} instances in the index, {report.blobs} files in {folder / 'blobs'}")
    _list("instances without a file", report.missing)
    _list("files that are damaged", report.damaged)
    _list("files without an instance", report.unreferenced)
    _list("faults of the index", report.index)
    if report.repaired:
        print(f"{report.repaired} repaired, {report.adopted} of them files that became instances")
    if report.is_sound:
        print("everything agrees")


def _list(what: str, found: Sequence[str]) -> None:
    if not found:
        return
    print(f"{len(found)} {what}:")
    for one in found[:_SHOWN]:
        print(f"  {one}")
    if len(found) > _SHOWN:
        print(f"  … and {len(found) - _SHOWN} more")


def reindex(arguments: Arguments) -> int:
    """Make the index anew; the one there was is set aside. Started again after an interruption, it goes on."""
    settings = load_settings(arguments)
    logs.configure(settings.log_format, "warning")
    progress = Progress(sys.stderr, shown=not arguments.quiet and sys.stderr.isatty())
    report = asyncio.run(_reindex(settings, progress))
    kinds = f"{report.added + report.known} instances, {report.attachments} attachments, {report.duplicates} duplicates"
    print(f"{report.blobs} files: {kinds}")
    _list("files that are no instances", [f"{key}: {why}" for key, why in report.refused])
    return 1 if report.refused else 0


async def _reindex(settings: Settings, progress: Progress) -> ReindexReport:
    async with open_store(settings, rebuild=True) as store:
        try:
            report = await store.maintenance.reindex(
                lambda done, total: progress.show(f"{done} of {total} files", done, total),
                attachments=await store.store.held_attachments(),
            )
        finally:
            progress.finish()
        await store.store.finish_rebuild()
        return report
