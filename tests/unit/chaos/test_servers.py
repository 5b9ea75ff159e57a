"""A program of Go is found, or built once on request; k6 is only for those who ask for it."""

import pytest

from chaos import servers

FAKE_GO = """#!/bin/sh
test "$1 $2" = "install {module}" || exit 1
mkdir -p "$GOBIN"
printf '#!/bin/sh\\n' > "$GOBIN/{program}"
chmod +x "$GOBIN/{program}"
echo once >> {log}
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "TOOLS", tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    (tmp_path / "path").mkdir()
    return tmp_path


def put(path, text="#!/bin/sh\n"):
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_k6_on_the_path_is_taken(tools):
    on_path = put(tools / "path" / "k6")
    assert servers.k6().path == on_path


def test_without_asking_nothing_is_built(tools):
    put(tools / "path" / "go", "#!/bin/sh\ntouch built\n")
    found = servers.k6()
    assert found.path is None
    assert "k6 on PATH; tools/bin/k6" in found.missing()
    assert not (tools / "tools").exists()


@pytest.mark.parametrize(
    ("find", "module", "program"),
    [(servers.k6, servers.K6, "k6"), (servers.toxiproxy_server, servers.TOXIPROXY, "server")],
)
def test_it_is_built_once_and_nothing_else_is_left(tools, find, module, program):
    log = tools / "log"
    put(tools / "path" / "go", FAKE_GO.format(module=module, program=program, log=log))
    found = find(get=True)
    assert found.path == tools / "tools" / "bin" / found.name
    assert find(get=True).path == find().path == found.path
    assert log.read_text() == "once\n"
    assert sorted(path.name for path in (tools / "tools").iterdir()) == ["bin", "build.lock"]


def test_the_usual_set_leaves_k6_out():
    assert "k6" not in servers.find_all()
