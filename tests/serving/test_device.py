"""The device's thread."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from jaxshop.serving.device import DeviceThread
from jaxshop.support.errors import LateError


def test_calls_run_in_order_in_one_thread() -> None:
    """Results come back, and every call sees the same thread."""
    device = DeviceThread()
    names = [device.call(lambda i=i: (i, threading.get_ident())) for i in range(3)]
    assert [i for i, _ in names] == [0, 1, 2]
    assert len({thread for _, thread in names} | {threading.get_ident()}) == 2
    assert device.stop(1)


def test_an_error_reaches_the_caller_and_the_thread_lives_on() -> None:
    """Even SystemExit ends neither the thread nor the process; a call's own TimeoutError is not taken for lateness."""
    device = DeviceThread()
    with pytest.raises(SystemExit):
        device.call(exec, "raise SystemExit(3)")
    with pytest.raises(TimeoutError, match="its own"):
        device.call(exec, "raise TimeoutError('its own')", deadline=time.monotonic() + 5)
    assert device.call(lambda: 1) == 1
    assert device.stop(1)


def test_a_stop_frees_whoever_waits_for_a_stuck_call() -> None:
    """The stuck thread is left behind; its caller, one in the queue behind it, and who comes later get a LateError."""
    device, release, freed = DeviceThread(), threading.Event(), queue.SimpleQueue[str]()

    def wait() -> None:
        with pytest.raises(LateError, match="stopped"):
            device.call(release.wait, 30)
        freed.put("free")

    for _ in range(2):
        threading.Thread(target=wait).start()
    give_up = time.monotonic() + 10
    while not (device.busy_seconds > 0 and len(device._awaited) == 2):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert not device.stop(0.05)
    assert [freed.get(timeout=10), freed.get(timeout=10)] == ["free", "free"]
    with pytest.raises(LateError, match="stopped"):
        device.call(release.is_set, deadline=time.monotonic() + 0.05)
    release.set()


def test_a_late_caller_goes_on_and_what_has_not_begun_never_begins() -> None:
    """A deadline frees the caller at once; its queued call is dropped; the busy time shows the stuck call."""
    device, release, begun = DeviceThread(), threading.Event(), threading.Event()
    with pytest.raises(LateError):
        device.call(release.wait, 30, deadline=time.monotonic() + 0.05)
    assert device.busy_seconds > 0
    with pytest.raises(LateError):
        device.call(begun.set, deadline=time.monotonic() + 0.05)
    assert not device.stop(0.05)
    release.set()
    assert device.stop(1)
    assert not begun.is_set()
    assert device.busy_seconds == 0
