"""Which kind of program a recorded command line is of, and that nothing is guessed."""

from __future__ import annotations

import pytest

from memtui.model import known as k
from memtui.model.classify import Seen, classify, container_of, split

RUNTIME = "/home/u/.local/share/jupyter/runtime"
UUID = "5f8e2c1a-0a6e-4a4e-9a37-7a3d0c2b1e00"
CONNECTION = f"{RUNTIME}/kernel-{UUID}.json"
VS = "/home/u/.vscode-server/cli/servers/Stable-f1e16e1e6214d7c44d078b1f0607b2388f29d729/server"
PYLANCE = "/home/u/.vscode-server/extensions/ms-python.vscode-pylance-2024.8.1/dist"


def seen(line: str | list[str], comm: str = "", **more: object) -> Seen:
    words = line.split(" ") if isinstance(line, str) else line
    return Seen(tuple(w.encode() for w in words), comm.encode(), **more)  # type: ignore[arg-type]


LINES = [
    # kernels
    (f"/opt/py/bin/python -m ipykernel_launcher -f {CONNECTION}", k.KERNEL, "Python kernel", ""),
    (f"/usr/bin/python3.12 -Xfrozen_modules=off -m ipykernel_launcher --f={CONNECTION}",
     k.KERNEL, "Python kernel", ""),
    (["/usr/bin/python3", "-m", "ipykernel_launcher", '--f="/home/u v/.local/kernel-v2-7.json"'],
     k.KERNEL, "Python kernel", ""),
    (f"/usr/lib/R/bin/exec/R --slave -e IRkernel::main() --args {CONNECTION}",
     k.KERNEL, "R kernel", ""),
    (f"/opt/julia/bin/julia -i --color=yes /home/u/.julia/packages/IJulia/AQu2H/src/kernel.jl"
     f" {CONNECTION}", k.KERNEL, "Julia kernel", ""),
    (f"/opt/sage/local/bin/python3 -m sage.repl.ipython_kernel -f {CONNECTION}",
     k.KERNEL, "Sage kernel", ""),
    (f"/usr/bin/xpython -f {CONNECTION}", k.KERNEL, "Python kernel", ""),
    (f"/opt/odd/kernelthing --connection={CONNECTION}", k.KERNEL, "kernel", ""),
    # servers
    ("/opt/py/bin/python /opt/py/bin/jupyter-lab --no-browser", k.SERVER, "JupyterLab server", ""),
    ("/usr/bin/python3 -m notebook", k.SERVER, "Jupyter Notebook server", ""),
    ("/usr/bin/python3 /usr/local/bin/jupyterhub-singleuser --ip=0.0.0.0", k.SERVER,
     "JupyterHub's server of one user", ""),
    ("/usr/bin/python3 /usr/local/bin/jupyterhub -f x.py", k.HUB, "JupyterHub", ""),
    # Sage, R, Julia, RStudio
    ("python3 /cocalc/lib/sage_server_command_line.py start", k.SAGE_SERVER,
     "Sage worksheet server", ""),
    ("/usr/lib/rstudio-server/bin/rsession -u ann --session-port 39", k.RSTUDIO,
     "RStudio session", ""),
    ("/usr/lib/R/bin/exec/R --no-echo --no-restore --file=fit.R", k.R, "R", "fit.R"),
    ("/opt/julia/bin/julia -t4 sim.jl", k.JULIA, "Julia", "sim.jl"),
    # editors
    (f"{VS}/node {VS}/out/bootstrap-fork --type=extensionHost --transformURIs", k.VSCODE,
     "VS Code", "extensionHost"),
    (f"{VS}/node {VS}/out/bootstrap-fork --type=ptyHost --logsLevel=info", k.VSCODE,
     "VS Code", "ptyHost"),
    (f"{VS}/node {PYLANCE}/server.bundle.js --cancellationReceive=file:1", k.LANGUAGE_SERVER,
     "Pylance (Python)", ""),
    (f"{VS}/node --max-old-space-size=3072 {VS}/extensions/node_modules/typescript/lib/tsserver.js"
     " --useInferredProjectPerProjectRoot", k.LANGUAGE_SERVER, "TypeScript", ""),
    ("/home/u/.vscode-server/extensions/ms-vscode.cpptools-1.20/bin/cpptools", k.LANGUAGE_SERVER,
     "C/C++ tools", ""),
    ("/usr/bin/rust-analyzer", k.LANGUAGE_SERVER, "rust-analyzer (Rust)", ""),
    ("/usr/bin/java -Xmx1G -jar /x/org.eclipse.jdt.ls/plugins/l.jar", k.LANGUAGE_SERVER,
     "jdtls (Java)", "heap -Xmx1G"),
    # compilers, LaTeX
    ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus -quiet -imultiarch x86_64-linux-gnu -D_GNU_SOURCE"
     " model.cc -quiet -dumpbase model.cc -o /tmp/ccXyZ.s", k.COMPILER, "C++ compiler", "model.cc"),
    ("/usr/lib/llvm-14/bin/clang -cc1 -triple x86_64 -emit-obj -o a.o /src/a.c", k.COMPILER,
     "C compiler", "a.c"),
    ("/home/u/.rustup/toolchains/stable/bin/rustc --crate-name serde --edition=2018 src/lib.rs",
     k.COMPILER, "Rust compiler", "crate serde"),
    ("/usr/bin/ld -plugin /x/liblto_plugin.so -o build/app a.o b.o", k.LINKER, "linker", "app"),
    ("/usr/bin/pdflatex -interaction=nonstopmode thesis.tex", k.LATEX, "LaTeX", "thesis.tex"),
    ("/usr/bin/perl /usr/bin/latexmk -pdf thesis.tex", k.LATEX, "LaTeX", "thesis.tex"),
    # Java, Spark
    ("/usr/lib/jvm/java-17/bin/java -cp /opt/spark/jars/* -Xmx1g org.apache.spark.deploy"
     ".SparkSubmit pyspark-shell", k.SPARK, "Spark", "heap -Xmx1g"),
    ("/usr/bin/java -Xms64m -Xmx512m -Xmx2g -jar app.jar", k.JAVA, "Java", "app.jar, heap -Xmx2g"),
    ("java Main", k.JAVA, "Java", "no heap limit given"),
    ("python3 -m pyspark.daemon", k.SPARK, "Spark's Python worker", ""),
    # workers
    (["ray::train_one()"], k.RAY, "Ray worker", "train_one()"),
    ("/opt/ray/core/src/ray/raylet/raylet --raylet_socket_name=/tmp/ray/s", k.RAY, "Ray", ""),
    ("python3 /opt/py/bin/dask-worker tcp://127.0.0.1:8786", k.DASK, "Dask worker", ""),
    ("/opt/py/bin/python -m joblib.externals.loky.backend.popen_loky_posix --process-name"
     " LokyProcess-1", k.LOKY, "loky worker", ""),
    (["python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=6)"],
     k.WORKER, "multiprocessing worker", ""),
    (["python3", "-c", "from multiprocessing.resource_tracker import main;main(5)"],
     k.WORKER, "multiprocessing's resource tracker", ""),
    ("/usr/bin/containerd-shim-runc-v2 -namespace moby -id 3f2a1b2c4d5e6f70 -address /run/c.sock",
     k.CONTAINER, "container's supervisor", "3f2a1b2c4d5e"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "label", "detail"), LINES, ids=lambda v: str(v)[:40])
def test_recorded_command_lines_are_told(
    line: str | list[str], kind: str, label: str, detail: str
) -> None:
    found = classify(seen(line))
    assert found is not None
    assert (found.kind, found.label, found.detail) == (kind, label, detail)
    assert found.evidence


@pytest.mark.parametrize(
    "line",
    [
        "grep -r sage_server_command_line /home",
        "vim /home/u/.vscode-server/data/settings.json",
        "less org.apache.spark.log",
        "python3 train.py --data loky",
        "python3 notebook.py",
        "python3 /srv/app/server.py",
        "cat /usr/bin/cc1plus",
        f"cat {CONNECTION.removesuffix('.json')}.txt",
        ["python3", "-c", "print('ray::')  # jupyter-lab"],
        ["/bin/bash", "-c", f"ulimit -v 9; FILE={CONNECTION}"],
        "/lib/systemd/systemd --user",
        "postgres: writer process",
    ],
    ids=lambda v: str(v)[:40],
)
def test_who_only_mentions_a_program_is_of_no_kind(line: str | list[str]) -> None:
    assert classify(seen(line)) is None


def test_a_shell_with_a_terminal_is_one_and_a_script_is_none() -> None:
    found = classify(seen("-bash", "bash", tty="pts/3"))
    assert found is not None
    assert (found.kind, found.label) == (k.TERMINAL, "terminal pts/3")
    with_file = "/bin/bash --init-file /home/u/.vscode-server/x/shellIntegration-bash.sh"
    found = classify(seen(with_file, tty="pts/4"))
    assert found is not None
    assert found.kind == k.TERMINAL
    assert classify(seen("/bin/bash build.sh", tty="pts/3")) is None
    assert classify(seen(["bash", "-c", "sleep 1"], tty="pts/3")) is None
    assert classify(seen("/bin/bash")) is None


def test_a_cocalc_terminal_is_named_by_its_file() -> None:
    env = {b"COCALC_TERMINAL_FILENAME": b"/home/user/a\x1b[31m.term"}
    found = classify(seen("/bin/bash", env=env))
    assert found is not None
    assert found.kind == k.COCALC_TERMINAL
    assert found.label == "terminal a␛[31m.term"
    assert found.path == "/home/user/a␛[31m.term"


def test_a_sage_worksheet_is_told_from_its_server_by_its_parent() -> None:
    line = "python3 /cocalc/lib/sage_server_command_line.py start"
    found = classify(seen(line, parent=line.replace(" ", "\0").encode()))
    assert found is not None
    assert found.kind == k.WORKSHEET


def test_foreign_bytes_are_made_harmless() -> None:
    found = classify(seen(["/usr/bin/cc1", "a\x1b]0;x\x07.c"]))
    assert found is not None
    assert found.detail == "a␛]0;x␇.c"
    assert classify(Seen((b"\xff\xfe", b"\xff"))) is None
    assert classify(Seen(())) is None
    assert classify(Seen((b"",))) is None


def test_the_kernel_s_file_is_kept_as_it_is() -> None:
    found = classify(Seen(split(b"python3\0-f\0/r/\xff/kernel-1.json\0")))
    assert found is not None
    assert found.file == "/r/\udcff/kernel-1.json"


@pytest.mark.parametrize(
    ("path", "container"),
    [
        ("/docker/3f2a1b2c4d5e6f703f2a1b2c4d5e6f70", "docker 3f2a1b2c4d5e"),
        ("/system.slice/docker-3f2a1b2c4d5e6f70aa.scope", "docker 3f2a1b2c4d5e"),
        ("/machine.slice/libpod-aaaabbbbccccdddd.scope/container", "libpod aaaabbbbcccc"),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice/"
         "cri-containerd-0123456789abcdef.scope", "cri-containerd 0123456789ab"),
        ("/lxc.payload.web/init.scope", "lxc web"),
        ("/user.slice/user-1000.slice/session-3.scope", ""),
        ("/system.slice/docker.service", ""),
        ("/", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_a_container_is_told_by_its_cgroup(path: str | None, container: str) -> None:
    assert container_of(path) == container
