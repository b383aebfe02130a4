import asyncio
import threading

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb_server.server.deferred import Deferred


async def ignored() -> dict[str, object]:
    return {}


async def test_made_once_in_a_thread_for_all_who_ask() -> None:
    makers: list[threading.Thread] = []
    served: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        served.append(scope["path"])

    def make() -> ASGIApp:
        makers.append(threading.current_thread())
        return app

    async def send(message: object) -> None:
        pass

    deferred = Deferred(make)
    assert not makers
    await asyncio.gather(*(deferred({"path": path}, ignored, send) for path in "ab"))
    assert await deferred.made() is app
    assert sorted(served) == ["a", "b"]
    assert len(makers) == 1
    assert makers[0] is not threading.main_thread()


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    go_on = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    def make() -> ASGIApp:
        go_on.wait(10)
        return app

    deferred = Deferred(make)
    impatient = asyncio.create_task(deferred.made())
    patient = asyncio.create_task(deferred.made())
    await asyncio.sleep(0.01)
    impatient.cancel()
    go_on.set()
    assert await patient is app
    with pytest.raises(asyncio.CancelledError):
        await impatient
