"""For all tests: a tool that a test needs and that is missing is a reason to skip it, but in CI it is a failure.

What a place cannot offer at all (root, devices) stays a reason to skip, also there.
"""

import gc
import os
import re
from collections.abc import Generator

import pytest
from hypothesis import settings

from conformance import reactor

reactor.close_race()
_MISSING = re.compile("not installed|needs DCMTK|there is no (mkfs|mount|umount)")
_PRINTABLE = re.compile(rb"[ -~]*")
_IN_CI = os.environ.get("CI", "").lower() == "true"

# In CI the same examples in each run, and how to try the one that failed (hypothesis has this profile); at a desk new
# ones. Nowhere a limit of time for an example, which other work on the machine would exceed.
settings.register_profile("desk", settings.get_profile("ci"), derandomize=False, database=settings().database)
settings.load_profile("ci" if _IN_CI else "desk")


def pytest_collection_finish() -> None:
    """A million objects describe the tests and stay: to look through them at each full collection takes half a second,
    which a test that limits its processor time would pay."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if _MISSING.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {reason}"
    return report


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes that are no text may tell the time they were made at: all processes must give a test the same name."""
    return argname if isinstance(val, bytes) and not _PRINTABLE.fullmatch(val) else None
