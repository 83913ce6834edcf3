"""Notebooks on the screen, with a real server: named, renamed, halted, OOM-killed and back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.support.cgroups import MIB, Group
from tests.support.jupyter import Jupyter, serving
from tests.support.procs import until
from tests.support.terminal import Terminal
from tests.tui.reading import start

LONG = 40.0


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A server with a token and three notebooks."""
    with serving(tmp_path_factory.mktemp("jupyter")) as server:
        for name in ("alpha.ipynb", "two words.ipynb", "gamma.ipynb"):
            server.open(name)
        yield server


def go_to_notebook(term: Terminal, name: str) -> None:
    """Put the cursor of the scope by notebook on a row, by the search."""
    term.send("/")
    term.wait_for("Search:")
    term.send(*name)
    term.wait_for(f"Search: {name}")
    term.send("Enter")
    term.wait_for(lambda lines: not any("Search:" in line for line in lines))


def run_in(jupyter: Jupyter, notebook: str, code: str) -> None:
    """Let a notebook's kernel run a cell; does not wait for its end."""
    file = jupyter.runtime / f"kernel-{jupyter.kernel_of(notebook)}.json"
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=LONG)
    client.execute(code)
    client.stop_channels()


@pytest.mark.one_world
def test_a_notebook_is_named_renamed_halted_and_one_comes_back(
    jupyter: Jupyter, memory_group: Group
) -> None:
    kernel = jupyter.kernel_of("alpha.ipynb")
    halted = jupyter.pid_of(kernel)
    # looking at the group, so that what is killed elsewhere stands below what is killed there
    seen = ("--cgroup", memory_group.cgroup, "--filter", "notebook~ipynb")
    with start("--delay", "0.5", *seen, cols=160, rows=40) as term:
        for name in ("alpha.ipynb", "two words.ipynb", "gamma.ipynb"):
            term.wait_for(name, LONG)
        jupyter.rename("alpha.ipynb", "renamed.ipynb")
        term.wait_for("renamed.ipynb", LONG)
        assert "alpha.ipynb" not in "\n".join(term.lines())

        term.send("Tab")
        term.wait_for(re.compile(r"TABS NOTEBOOK"))
        go_to_notebook(term, "renamed")
        term.send("k")
        said = "\n".join(term.wait_for("15 SIGTERM"))
        assert re.search("interrupt +stop what it computes", said)
        assert re.search("restart +its variables are lost", said)
        assert "only halt keeps it away" in said
        assert f"PID  {halted}" in said
        term.send("Enter")
        told = "\n".join(
            term.wait_for(re.compile(r"renamed.ipynb halted: .*not started again"), LONG)
        )
        assert "came back" in told or "it held" in told
        term.wait_for(lambda lines: not any("renamed.ipynb  " in line for line in lines), LONG)
        assert halted is not None
        assert not os.path.exists(f"/proc/{halted}")
        assert kernel not in [k["id"] for k in jupyter.ask("GET", "api/kernels")]

        oom_killed_and_back(term, jupyter, memory_group)


def oom_killed_and_back(term: Terminal, jupyter: Jupyter, group: Group) -> None:
    """A kernel that outgrows its limit is named in the events, and as restarted."""
    kernel = jupyter.kernel_of("gamma.ipynb")
    before = jupyter.pid_of(kernel)
    assert before is not None
    group.set_limit(160 * MIB)
    (group.dir / "cgroup.procs").write_text(str(before))
    run_in(jupyter, "gamma.ipynb", "held = bytearray(b'x') * (400 << 20)")
    until(lambda: jupyter.pid_of(kernel) not in (None, before), LONG)
    term.wait_for(re.compile(r"killed.*gamma.ipynb"), LONG)
    term.wait_for(re.compile(r"gamma.ipynb +restarted \d\d:\d\d"), LONG)
    after = jupyter.pid_of(kernel)
    term.send("o")
    term.wait_for("LIMIT")
    term.send("Enter")
    page = "\n".join(term.wait_for(re.compile(rf"the Jupyter kernel {after} took its place"), LONG))
    assert f"gamma.ipynb (python {before})" in page
    line = [sys.executable, "-m", "memtui", "oom"]
    until(lambda: "python (gamma.ipynb)" in subprocess.check_output(line, text=True), LONG)


def test_idle_kernels_are_tagged_by_one_key_and_halted_together(
    jupyter: Jupyter,
) -> None:
    """Their idleness is by CPU time here, because no browser is connected."""
    os.makedirs(os.environ["XDG_CONFIG_HOME"] + "/memtui")
    with open(os.environ["XDG_CONFIG_HOME"] + "/memtui/config.toml", "w") as file:
        file.write("idle_minutes = 0.02\n")
    jupyter.open("delta.ipynb")
    for session in jupyter.ask("GET", "api/sessions"):
        if session["path"] not in ("delta.ipynb", "two words.ipynb"):
            # one that was killed as it worked is busy in its server's eyes, sometimes for ever
            jupyter.ask("DELETE", f"api/sessions/{session['id']}")
    names = [s["path"] for s in jupyter.ask("GET", "api/sessions")]
    pids = [jupyter.pid_of(jupyter.kernel_of(n)) for n in names]
    assert len(pids) >= 2
    # narrowed to the test's own: nobody else's idle kernel is to be halted
    own = f"notebook~{jupyter.root}"
    with start("--delay", "0.5", "--filter", own, cols=120, rows=36) as term:
        term.wait_for(lambda lines: sum("idle since" in x for x in lines) >= len(names), LONG)
        term.send("a")
        term.wait_for(
            re.compile(rf"tagged {len(names)} of {len(names)} kernels, idle for 0.02 min")
        )
        term.send("k")
        said = "\n".join(term.wait_for("15 SIGTERM"))
        assert f"{len(names)} processes" in said
        term.send("Enter")
        term.wait_for(re.compile(rf"and {len(names) - 1} more halted"), LONG)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), LONG)
        assert jupyter.ask("GET", "api/kernels") == []
