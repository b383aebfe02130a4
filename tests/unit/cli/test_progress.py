"""The progress line."""

import io

from dicomweb_server.cli.progress import Progress


def test_bar_shows_how_far_it_is() -> None:
    stream = io.StringIO()
    progress = Progress(stream, shown=True)
    progress.show("12 stored", done=50, total=200)
    assert "[#######......................." in stream.getvalue()
    assert " 25% 12 stored (0:00)" in stream.getvalue()
    progress.show("x" * 500, done=300, total=200)
    assert "100%" in stream.getvalue()
    assert max(map(len, stream.getvalue().split("\r"))) < 500
    progress.finish()
    assert stream.getvalue().endswith("\r")


def test_nothing_without_a_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(stream, shown=False)
    progress.show("12 stored")
    progress.finish()
    assert stream.getvalue() == ""
