"""A broker that failed is left alone for a moment, then tried by one thread at a time."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from system.delivery import hints as module
from system.delivery.hints import Hints
from system.worker.tasks import hint_of


class App:
    def __init__(self):
        self.calls, self.broken = 0, False

    def send_task(self, *args, **kwargs):
        self.calls += 1
        assert kwargs["retry"] is False
        if self.broken:
            raise ConnectionError("gone")


def test_a_failure_is_followed_by_silence(monkeypatch):
    app = App()
    hints = Hints(app)
    assert hints.offer("a")
    app.broken = True
    assert [hints.offer("b"), hints.offer("c"), hints.offer("d")] == [False, False, False]
    assert app.calls == 2
    monkeypatch.setattr(module, "LEAVE_ALONE_S", 0)
    hints._ok_after = 0
    app.broken = False
    assert hints.offer("e")
    assert hints.offer("f")


def test_one_trial_at_a_time():
    started, go_on = threading.Event(), threading.Event()

    class Slow(App):
        def send_task(self, *args, **kwargs):
            super().send_task(*args, **kwargs)
            started.set()
            go_on.wait(5)

    app = Slow()
    hints = Hints(app)
    hints._suspect = True
    trial = threading.Thread(target=hints.offer, args=("a",))
    trial.start()
    started.wait(5)
    assert hints.offer("b") is False
    go_on.set()
    trial.join()
    assert app.calls == 1


@pytest.mark.parametrize(
    ("name", "hint"), [("abc", "abc"), (None, "direct"), ("a\nX: y\u00e9", "aX:y"), ("x" * 999, "x" * 200)]
)
def test_a_task_id_cannot_break_out_of_its_header(name, hint):
    assert hint_of(SimpleNamespace(request=SimpleNamespace(id=name, delivery_info={}))) == hint


def test_no_metrics_folder_is_left_behind(tmp_path):
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", "import system.metrics"], env=env, check=True)
    assert list(tmp_path.iterdir()) == []
