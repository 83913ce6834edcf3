"""Which kind of program a process is: the rules, in one table; pure.

A rule is a kind, what people call it, and the programs that it holds for. A program is the name of
the executable, of the script that an interpreter runs, or `-m MODULE`; one of `words` must stand
in the command line besides. Without programs they must stand in what is run: the path of the
program or script, the module, or the import that the code of `-c` begins with; that somebody
greps for a word says nothing.
The first rule that fits decides; who fits none is of no kind. To add one, add it to `RULES`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from memtui.model import known as k
from memtui.model.known import Known
from memtui.text import decode, elide, safe, show

_WIDTH = 60  # cells of a detail


class Seen(NamedTuple):
    """What is to be seen of a process; what is empty was not read, or not told."""

    argv: tuple[bytes, ...]
    comm: bytes = b""
    env: Mapping[bytes, bytes] = {}
    tty: str = ""  # "pts/3"
    parent: bytes = b""  # the command line of its parent, NUL between arguments


class Rule(NamedTuple):
    """One kind and how it is told."""

    kind: str
    label: str
    programs: tuple[str, ...] = ()  # () is any
    words: tuple[bytes, ...] = ()  # one of them is in the command line, or in what is run
    detail: Callable[[Seen], str] | None = None


# -- the program that a command line runs

SHELLS = frozenset({"bash", "sh", "dash", "zsh", "fish", "ksh", "tcsh", "csh", "mksh", "busybox"})
_RUNNERS = frozenset({"python", "pypy", "node", "nodejs", "perl", "ruby"}) | SHELLS
_TAKES_VALUE = frozenset({
    b"-W", b"-X", b"--check-hash-based-pycs", b"-r", b"--require", b"--import", b"--init-file",
    b"--rcfile", b"-O", b"-o",
})  # fmt: skip
_VERSION = re.compile(r"(?<=[A-Za-z+])-?[0-9][0-9.]*$")


class Run(NamedTuple):
    """What a command line runs."""

    names: tuple[str, ...]  # the most telling first: `-m MODULE` or script, program, comm
    head: bytes  # the program, and the script or module that an interpreter runs
    bare: bool  # an interpreter that runs nothing of its own: it waits for somebody to type


def run_of(seen: Seen) -> Run:
    """Return what a process runs."""
    first = decode(seen.argv[0])
    if len(seen.argv) == 1:  # who wrote its own title: "postgres: writer"
        first = first.split(" ", 1)[0]
    name = os.path.basename(first.lstrip("-"))
    plain = _VERSION.sub("", name)
    names = [name] if name == plain else [name, plain]
    head, bare = seen.argv[0], False
    if plain in _RUNNERS:
        script, what = _script(plain, seen.argv)
        head, bare = head + b"\0" + what, not what
        names = [script, *names] if script else names
    comm = decode(seen.comm)
    return Run(tuple(n for n in (*names, comm) if n), head, bare)


def _script(program: str, argv: Sequence[bytes]) -> tuple[str, bytes]:
    """What an interpreter runs: its name, "" for code, and all of it."""
    skip = False
    for i, word in enumerate(argv[1:32], 1):
        value = b"".join(argv[i + 1 : i + 2])
        if skip:
            skip = False
        elif program in ("python", "pypy") and word.startswith(b"-m"):
            module = word[2:] or value
            return f"-m {decode(module)}", module
        elif word in _TAKES_VALUE:
            skip = True
        elif word in (b"-c", b"-e", b"--eval"):
            begin = re.split(rb"[;\n]", value, maxsplit=1)[0]
            return "", begin if begin.startswith(b"from ") else b"-c"
        elif not word.startswith(b"-"):
            return os.path.basename(decode(word)).removesuffix(".py"), word
    return "", b""


# -- details: what it works on

_SOURCES = (
    b".c", b".cc", b".cpp", b".cxx", b".C", b".c++", b".i", b".ii", b".m", b".mm", b".cu",
    b".f", b".f90", b".F90", b".f95", b".for", b".rs", b".hs", b".java", b".go", b".d", b".S",
)  # fmt: skip


def _named(word: bytes) -> str:
    return elide(show(os.path.basename(word)), _WIDTH)


def _source(seen: Seen) -> str:
    found = [w for w in seen.argv[1:] if w.endswith(_SOURCES) and not w.startswith(b"-")]
    return _named(found[0]) if found else ""


def _after(seen: Seen, *options: bytes) -> str:
    """The value of the first of these options that is there: `-o X`, `--file=X`."""
    for word, value in zip(seen.argv[1:], (*seen.argv[2:], b""), strict=True):
        for option in options:
            if word == option:
                return _named(value)
            if word.startswith(option + b"="):
                return _named(word[len(option) + 1 :])
    return ""


def _crate(seen: Seen) -> str:
    crate = _after(seen, b"--crate-name")
    return f"crate {crate}" if crate else _source(seen)


def _linked(seen: Seen) -> str:
    return _after(seen, b"-o", b"--output")


def _tex(seen: Seen) -> str:
    found = [w for w in seen.argv[1:] if not w.startswith((b"-", b"\\")) and w.strip()]
    return _named(found[-1]) if found else ""


def _heap(seen: Seen) -> str:
    """The limit of a JVM's heap; the last -Xmx holds."""
    found = [show(w) for w in seen.argv[1:] if w.startswith((b"-Xmx", b"-XX:MaxRAMPercentage="))]
    return f"heap {elide(found[-1], 40)}" if found else "no heap limit given"


def _main_class(seen: Seen) -> str:
    jar = _after(seen, b"-jar")
    return f"{jar}, {_heap(seen)}" if jar else _heap(seen)


def _node_heap(seen: Seen) -> str:
    found = [w for w in seen.argv[1:] if w.startswith(b"--max-old-space-size=")]
    return f"heap {show(found[-1][2:])}" if found else ""


def _host(seen: Seen) -> str:
    """Which part of VS Code a node process is."""
    found = [w for w in seen.argv[1:] if w.startswith(b"--type=")]
    return elide(show(found[0][7:]), _WIDTH) if found else ""


def _ray_task(seen: Seen) -> str:
    title = seen.argv[0] if seen.argv else b""
    return elide(show(title.partition(b"ray::")[2]), _WIDTH)


def _r_file(seen: Seen) -> str:
    found = _after(seen, b"--file", b"-f")
    return found or next((_named(w) for w in seen.argv[1:] if w.lower().endswith(b".r")), "")


def _julia_file(seen: Seen) -> str:
    return next((_named(w) for w in seen.argv[1:] if w.endswith(b".jl")), "")


def _container_id(seen: Seen) -> str:
    found = _after(seen, b"-id", b"--id", b"-c", b"--cid")
    return found[:12] if re.fullmatch(r"[0-9a-f]{12,64}", found) else found


# -- the table

_VS = (b"/.vscode-server/", b"/code-server/", b"/.vscode-server-insiders/", b"/.cursor-server/")

RULES: tuple[Rule, ...] = (
    # Jupyter; kernels are told by their connection file, before all rules
    Rule(k.SERVER, "JupyterLab server", ("jupyter-lab", "jupyter-labhub", "-m jupyterlab")),
    Rule(k.SERVER, "Jupyter Notebook server", ("jupyter-notebook", "-m notebook")),
    Rule(k.SERVER, "Jupyter server", ("jupyter-server", "-m jupyter_server")),
    Rule(
        k.SERVER,
        "JupyterHub's server of one user",
        ("jupyterhub-singleuser", "-m jupyterhub.singleuser"),
    ),
    Rule(k.HUB, "JupyterHub", ("jupyterhub", "-m jupyterhub", "configurable-http-proxy")),
    # Sage; a worksheet is told from its server by the process above it, see `classify`
    Rule(k.SAGE_SERVER, "Sage worksheet server", (), (b"sage_server_command_line",)),
    Rule(k.SAGE, "Sage", ("sage-ipython", "sage", "sage-notebook")),
    # editors and language servers
    Rule(k.LANGUAGE_SERVER, "Pylance (Python)", (), (b"vscode-pylance", b"ms-python.vscode-pylan")),
    Rule(k.LANGUAGE_SERVER, "Pyright (Python)", ("pyright-langserver", "basedpyright-langserver")),
    Rule(k.LANGUAGE_SERVER, "Python language server", ("pylsp", "jedi-language-server")),
    Rule(k.LANGUAGE_SERVER, "Ruff (Python)", ("ruff",), (b"\0server",)),
    Rule(k.LANGUAGE_SERVER, "TypeScript", ("tsserver", "tsserver.js", "typingsInstaller.js")),
    Rule(k.LANGUAGE_SERVER, "rust-analyzer (Rust)", ("rust-analyzer", "rust-analyzer-proc-macro")),
    Rule(k.LANGUAGE_SERVER, "C/C++ tools", ("cpptools", "cpptools-srv")),
    Rule(k.LANGUAGE_SERVER, "clangd (C++)", ("clangd",)),
    Rule(k.LANGUAGE_SERVER, "gopls (Go)", ("gopls",)),
    Rule(k.LANGUAGE_SERVER, "jdtls (Java)", ("java",), (b"org.eclipse.jdt.ls",), _heap),
    Rule(k.LANGUAGE_SERVER, "TexLab (LaTeX)", ("texlab",)),
    Rule(k.LANGUAGE_SERVER, "R language server", ("R",), (b"languageserver::run",)),
    Rule(k.LANGUAGE_SERVER, "Julia language server", ("julia",), (b"LanguageServer",)),
    Rule(k.VSCODE, "VS Code", (), _VS, _host),
    Rule(k.VSCODE, "VS Code", ("code-server", "code-tunnel", "openvscode-server"), detail=_host),
    # R, Julia
    Rule(k.RSTUDIO, "RStudio server", ("rserver", "rstudio-server")),
    Rule(k.RSTUDIO, "RStudio session", ("rsession", "rsession-run")),
    Rule(k.R, "R", ("R", "Rscript"), detail=_r_file),
    Rule(k.JULIA, "Julia", ("julia",), detail=_julia_file),
    # compilers and LaTeX
    Rule(k.COMPILER, "C++ compiler", ("cc1plus", "clang++"), detail=_source),
    Rule(k.COMPILER, "C compiler", ("cc1", "clang"), detail=_source),
    Rule(k.COMPILER, "Fortran compiler", ("f951", "flang", "flang-new"), detail=_source),
    Rule(k.COMPILER, "Rust compiler", ("rustc",), detail=_crate),
    Rule(k.COMPILER, "Haskell compiler", ("ghc",), detail=_source),
    Rule(k.COMPILER, "Java compiler", ("javac",), detail=_source),
    Rule(k.COMPILER, "CUDA compiler", ("cicc", "ptxas", "cudafe++"), detail=_source),
    Rule(k.COMPILER, "link-time optimiser", ("lto1", "lto-wrapper")),
    Rule(k.LINKER, "linker", ("ld", "ld.bfd", "ld.gold", "ld.lld", "lld", "mold"), detail=_linked),
    Rule(
        k.LATEX,
        "LaTeX",
        (
            "latexmk", "pdflatex", "lualatex", "xelatex", "latex", "pdftex", "luatex", "xetex",
            "luahbtex", "biber", "bibtex",
        ),
        detail=_tex,
    ),
    # Spark, Java
    Rule(k.SPARK, "Spark", ("java",), (b"org.apache.spark",), _heap),
    Rule(k.SPARK, "Spark's Python worker", ("-m pyspark.daemon", "-m pyspark.worker")),
    Rule(k.JAVA, "Java", ("java",), detail=_main_class),
    # workers
    Rule(k.RAY, "Ray", ("raylet", "gcs_server", "plasma_store_server")),
    Rule(k.RAY, "Ray worker", (), (b"ray::",), _ray_task),
    Rule(k.DASK, "Dask worker", ("dask-worker", "-m distributed.cli.dask_worker", "dask-cuda")),
    Rule(k.DASK, "Dask scheduler", ("dask-scheduler", "-m distributed.cli.dask_scheduler")),
    Rule(k.DASK, "Dask", ("dask",)),
    Rule(
        k.WORKER, "multiprocessing's resource tracker", (),
        (b"multiprocessing.resource_tracker", b"loky.backend.resource_tracker"),
    ),
    Rule(k.LOKY, "loky worker", (), (b"externals.loky", b"loky.backend.popen_loky")),
    Rule(k.TORCH, "PyTorch compile worker", (), (b"torch/_inductor/compile_worker",)),
    Rule(k.TORCH, "PyTorch data loader", ("pt_data_worker",)),
    Rule(k.TORCH, "PyTorch launcher", ("torchrun", "-m torch.distributed.run")),
    Rule(
        k.WORKER, "multiprocessing worker", (),
        (b"from multiprocessing.spawn import", b"from multiprocessing.forkserver import"),
    ),
    # containers, and what else is big
    Rule(
        k.CONTAINER, "container's supervisor",
        ("containerd-shim-runc-v2", "containerd-shim", "conmon", "lxc-start"),
        detail=_container_id,
    ),
    Rule(k.CONTAINER, "container engine", ("dockerd", "containerd", "podman", "crio")),
    Rule(k.NODE, "node", ("node", "nodejs"), detail=_node_heap),
)  # fmt: skip

_BY_PROGRAM: dict[str, list[int]] = {}
for _at, _rule in enumerate(RULES):
    for _program in _rule.programs:
        _BY_PROGRAM.setdefault(_program, []).append(_at)
_ANYWHERE = [i for i, r in enumerate(RULES) if not r.programs]


def _fits(run: Run, line: bytes) -> tuple[Rule, str] | None:
    """The first rule that holds, and by which evidence."""
    found: dict[int, str] = {}
    for name in run.names:
        for at in _BY_PROGRAM.get(name, ()):
            if not RULES[at].words or any(w in line for w in RULES[at].words):
                found.setdefault(at, f"program {elide(safe(name), 40)}")
    for at in _ANYWHERE:
        word = next((w for w in RULES[at].words if w in run.head), None)
        if word is not None:
            found[at] = f"{show(word)} in what it runs"
    return (RULES[min(found)], found[min(found)]) if found else None


# -- kernels: told by their connection file

_CONNECTION = re.compile(rb'(?:^|=)"?(/.*/kernel-[^/"]*\.json)"?$', re.DOTALL)
LANGUAGES: tuple[tuple[bytes, str], ...] = (
    (b"sage.repl.ipython_kernel", "sage"), (b"ipykernel", "python"), (b"xpython", "python"),
    (b"colab_kernel_launcher", "python"), (b"IRkernel", "R"), (b"ark", "R"), (b"xr", "R"),
    (b"IJulia", "julia"), (b"kernel.jl", "julia"), (b"xcpp", "C++"), (b"bash_kernel", "bash"),
    (b"octave_kernel", "octave"), (b"evcxr_jupyter", "rust"), (b"gophernotes", "go"),
    (b"ghc", "haskell"), (b"metakernel", ""), (b"calysto", ""),
)  # fmt: skip
"""What in a kernel's command line tells its language."""


def connection_file(argv: Sequence[bytes]) -> str:
    """Return the connection file of a kernel; "" where the command line names none."""
    for word in argv:
        if word.endswith((b".json", b'.json"')) and (found := _CONNECTION.search(word)):
            return decode(found.group(1))
    return ""


def language_of(argv: Sequence[bytes]) -> str:
    """Return the language of a kernel by its command line; "" where that does not tell."""
    names = [os.path.basename(w) for w in argv[:1]] + [w for w in argv[1:] if len(w) < 200]
    for needle, language in LANGUAGES:
        if any(_has_name(name, needle) for name in names):
            return language
    return ""


def _has_name(word: bytes, needle: bytes) -> bool:
    if len(needle) < 4:  # "xr" is in many a word
        return os.path.basename(word) == needle
    return needle in word


def kernel_label(language: str) -> str:
    """Return what a kernel without a notebook's name is called."""
    title = language if language.isupper() else language.capitalize()
    return f"{title} kernel" if title else "kernel"


def _kernel(seen: Seen) -> Known | None:
    file = connection_file(seen.argv)
    if not file or _VERSION.sub("", os.path.basename(decode(seen.argv[0]))) in SHELLS:
        return None  # a shell around it: the kernel itself is below
    language = language_of(seen.argv)
    return Known(
        k.KERNEL, kernel_label(language), "its connection file", language=language, file=file
    )


# -- terminals


def _terminal(seen: Seen, run: Run) -> Known | None:
    """A shell that somebody types into: it has a terminal and runs no script."""
    if not run.bare or not SHELLS.intersection(run.names):
        return None
    file = seen.env.get(b"COCALC_TERMINAL_FILENAME")
    if file:
        path = show(file)
        by = "COCALC_TERMINAL_FILENAME in its environment"
        label = f"terminal {os.path.basename(path)}"
        return Known(k.COCALC_TERMINAL, label, by, seen.tty, path=path)
    if not seen.tty:
        return None
    return Known(k.TERMINAL, f"terminal {seen.tty}", "a shell with a terminal", seen.tty)


# -- all together


def classify(seen: Seen) -> Known | None:
    """Return what kind a process is of; None where no rule holds."""
    if not seen.argv:
        return None
    if found := _kernel(seen):
        return found
    run = run_of(seen)
    fits = _fits(run, b"\0".join(seen.argv))
    if fits is None:
        return _terminal(seen, run)
    rule, evidence = fits
    detail = rule.detail(seen) if rule.detail is not None else ""
    if rule.kind == k.SAGE_SERVER and b"sage_server_command_line" in seen.parent:
        evidence = f"{evidence} and in that of its parent"
        return Known(k.WORKSHEET, "Sage worksheet", evidence)
    return Known(rule.kind, rule.label, evidence, detail)


def split(argv: bytes) -> tuple[bytes, ...]:
    """Return the arguments of /proc/PID/cmdline."""
    return tuple(argv.removesuffix(b"\0").split(b"\0")) if argv else ()


_SCOPE = re.compile(r"/(docker|libpod|crio|cri-containerd)-([0-9a-f]{12,64})\.scope(?:/|$)")
_PLAIN = re.compile(r"/(docker|garden|kubepods)/(?:[^/]+/)*([0-9a-f]{12,64})(?:/|$)")
_LXC = re.compile(r"/lxc(?:\.payload\.|/)([A-Za-z0-9_.-]{1,40})(?:/|$)")


def container_of(cgroup: str | None) -> str:
    """Return the container that a cgroup's path names: "docker 3f2a1b2c4d5e"; "" if none."""
    path = cgroup or ""
    if found := _SCOPE.search(path) or _PLAIN.search(path):
        return f"{found.group(1)} {found.group(2)[:12]}"
    found = _LXC.search(path)
    return f"lxc {found.group(1)}" if found else ""
