from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chaos.errors import HarnessError, UsageError
from chaos.paths import PROJECT
from chaos.regress import sources, venvs
from chaos.revision import git
from chaos.stack import recipes
from chaos.stack.options import StackOptions

HAS_GIT = bool(git(PROJECT, "rev-parse", "HEAD"))


def tree(folder: Path, lock: str = "a==1\n") -> Path:
    (folder / "system").mkdir(parents=True)
    (folder / "system" / "__init__.py").write_text("")
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_folder_with_a_system_is_a_source(tmp_path: Path) -> None:
    source = sources.find(str(tree(tmp_path / "other")))
    source.lay(tmp_path / "laid")
    assert (tmp_path / "laid" / "system" / "__init__.py").exists()
    assert source.lock() == b"a==1\n"
    assert source.words == "the files in other"


def test_the_worktree_is_laid_without_its_compiled_files(tmp_path: Path) -> None:
    sources.find("worktree").lay(tmp_path / "laid")
    assert (tmp_path / "laid" / "system" / "delivery" / "lua").is_dir()
    assert not list((tmp_path / "laid").rglob("*.pyc"))


@pytest.mark.skipif(not HAS_GIT, reason="these sources have no git")
def test_a_revision_is_laid_as_it_was_committed(tmp_path: Path) -> None:
    source = sources.find("HEAD")
    source.lay(tmp_path / "laid")
    assert len(source.revision) == 12
    laid = (tmp_path / "laid" / "system" / "__init__.py").read_text()
    assert laid.strip() == git(PROJECT, "show", "HEAD:system/__init__.py")
    assert source.lock().startswith(b"aio")


def test_what_is_neither_is_refused_with_advice() -> None:
    with pytest.raises(UsageError, match=r"no-such-thing: neither a revision .*fetch-depth"):
        sources.find("no-such-thing")


def test_it_is_verified_which_package_python_takes(tmp_path: Path) -> None:
    root = tree(tmp_path / "other")
    assert sources.verified(root, sys.executable, tmp_path) == str(root / "system" / "__init__.py")


def test_another_package_than_the_laid_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()  # then the installed one would be measured against itself
    with pytest.raises(HarnessError, match="instead of what is in"):
        sources.verified(tmp_path / "empty", sys.executable, tmp_path)


def test_the_same_lock_needs_no_other_interpreter(tmp_path: Path) -> None:
    assert venvs.interpreter(b"a", b"a", pytest.fail, tmp_path) == sys.executable
    assert (
        venvs.interpreter(b"a==1\n    # via b\n", b"# made by\na==1", pytest.fail, tmp_path) == sys.executable
    )
    assert not list(tmp_path.iterdir())


def test_an_environment_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[list[str]] = []

    def step(argv: list[str]) -> None:
        steps.append(argv)
        if "venv" in argv:
            Path(argv[-1]).mkdir()

    monkeypatch.setattr(venvs, "_step", step)
    said: list[str] = []
    first = venvs.interpreter(b"lock", b"other", said.append, tmp_path)
    again = venvs.interpreter(b"lock", b"other", said.append, tmp_path)
    another = venvs.interpreter(b"lock 2", b"other", said.append, tmp_path)
    assert first == again != another
    assert first.endswith("/bin/python")
    assert len(steps) == 4
    assert "--require-hashes" in steps[1]
    assert len(said) == 2


def test_an_environment_that_cannot_be_built_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(argv: list[str]) -> None:
        if "venv" not in argv:
            raise HarnessError("pip says no")
        Path(argv[-1]).mkdir()

    monkeypatch.setattr(venvs, "_step", step)
    with pytest.raises(HarnessError, match="pip says no"):
        venvs.interpreter(b"lock", b"", lambda _: None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["build.lock"]


def test_what_pip_says_is_passed_on_with_advice() -> None:
    with pytest.raises(HarnessError, match=r"no such luck .*the same requirements\.lock"):
        venvs._step([sys.executable, "-c", "import sys; sys.exit('no such luck')"])
    with pytest.raises(HarnessError, match="cannot be installed"):
        venvs._step(["/no/such/program"])


def test_only_the_system_runs_from_the_other_sources(tmp_path: Path) -> None:
    options = StackOptions(system_root=tmp_path, python="/other/python")
    assert recipes.source_env(options)["PYTHONPATH"] == str(tmp_path)
    assert recipes.source_env(StackOptions()) == {}
    assert recipes.relay(options)[0] == recipes.worker(options, "worker-1")[0] == "/other/python"
    assert recipes.relay(StackOptions())[0] == sys.executable


def test_git_failures_are_told_in_words(tmp_path: Path) -> None:
    source = sources.Source("0" * 40, "nothing")
    with pytest.raises(UsageError, match="git archive"):
        source.lay(tmp_path / "laid")
