"""What the user chose, kept in a file that is never lost and never overwritten blindly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memtui.model.fields import DEFAULT
from memtui.model.query import Order
from memtui.render.frame import Shown, Sizes
from memtui.services import settings
from memtui.services.settings import Alerts, Settings, changed, load, path, save
from memtui.services.toml import Value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "memtui" / "config.toml"


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/memtui/config.toml"),
        ({"HOME": "/h"}, "/h/.config/memtui/config.toml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "/h/.config/memtui/config.toml"),
        ({"XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/memtui/config.toml"),
    ],
)
def test_it_lies_where_the_specification_says(env: dict[str, str], where: str) -> None:
    assert path(env) == where


def test_without_a_file_there_are_the_defaults(file: Path) -> None:
    assert load(str(file)) == Settings()
    assert load(str(file)).shown.columns == DEFAULT


def test_all_of_it_is_read_back(file: Path) -> None:
    shown = Shown(("pid", "pss", "command"), False, False, sizes=Sizes(60, 0, 12))
    order = Order("pss", True)
    shown = shown._replace(tree=True, kernel=False, paths=False, unit="M", details=False)
    assert save(str(file), changed(shown, order, Settings())) == ""
    more: dict[str, Value] = {
        "theme": "memtui-light",
        "delay": 0.5,
        "alerts.bell": True,
        "alerts.command": "x",
    }
    assert save(str(file), more) == ""
    alerts = Alerts(bell=True, command="x")
    assert load(str(file)) == Settings(shown, order, "memtui-light", 0.5, alerts)
    assert changed(shown, order, load(str(file))) == {}, "nothing is saved that was not changed"


def test_it_is_for_its_owner_only_and_a_mode_of_ones_own_stays(file: Path) -> None:
    save(str(file), {"sort": "pss"})
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    save(str(file), {"sort": "rss"})
    assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(file.parent) == ["config.toml"], "nothing is left beside it"


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("# mine\n")
    file.parent.mkdir(parents=True)
    file.symlink_to(real)
    assert save(str(file), {"sort": "pss"}) == ""
    assert file.is_symlink()
    assert real.read_text() == 'sort = "pss"\n# mine\n'


def test_unknown_keys_are_told_and_kept(file: Path) -> None:
    written(file, 'sort = "pss"\nnew_thing = 3\n[alerts]\nsmoke = true\n[later]\nx = 1\n')
    told = load(str(file))
    assert told.order == Order("pss")
    said = " ".join(told.told)
    assert all(f"{key} is not known" in said for key in ("new_thing", "alerts.smoke", "later"))
    assert str(file) in said
    assert save(str(file), {"sort": "uss"}) == ""
    assert "new_thing = 3" in file.read_text()
    assert "[later]\nx = 1\n" in file.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("columns = 5", "columns must be a list"),
        ('columns = ["pid", "nope"]', "columns names no column: nope"),
        ('sort = "nope"', "sort names no column: nope"),
        ("sort = 1", "sort must be a text"),
        ('invert = "no"', "invert must be true or false"),
        ("delay = 0", "delay must be 0.1 to 3600 seconds"),
        ("delay = true", "delay must be"),
        ("tree = 1", "tree must be true or false"),
        ('kernel_threads = "no"', "kernel_threads must be true or false"),
        ('unit = "TiB"', "unit must be auto, KiB, MiB or GiB"),
        ("delay = nan", "delay must be"),
        ("idle_minutes = 0", "idle_minutes must be minutes, above 0"),
        ("idle_minutes = nan", "idle_minutes must be minutes"),
        ("details_width = -1", "details_width must be a number of cells up to 1000"),
        ('graph_width = "wide"', "graph_width must be a number of cells"),
        ("panels_height = true", "panels_height must be a number of cells"),
        ('theme = ["x"]', "theme must be a text"),
        ("alerts = 1", "alerts must be a table"),
        ("[alerts]\nbell = 1", "alerts.bell must be true or false"),
        ('sort = "\\u001b[31m"', "sort names no column: ␛[31m"),
    ],
)
def test_a_value_without_sense_is_told_and_the_rest_is_taken(
    file: Path, line: str, said: str
) -> None:
    written(file, f"totals = false\n{line}\n")
    told = load(str(file))
    assert any(said in words for words in told.told), told.told
    assert told.shown.totals is False
    assert not told.broken
    assert "\x1b" not in str(told.told)


def test_columns_are_each_once_and_the_command_line_is_the_last(file: Path) -> None:
    written(file, 'columns = ["command", "pss", "pid", "pss"]\n')
    assert load(str(file)).shown.columns == ("pss", "pid", "command")


@pytest.mark.parametrize("text", ["sort = ", "[[[", "a = 1\na = 1\n", 'sort = "x', "\x00\x01"])
def test_a_broken_file_is_told_and_left_alone(file: Path, text: str) -> None:
    written(file, text)
    told = load(str(file))
    assert told.broken
    assert told._replace(told=(), broken=False) == Settings()
    assert "left alone" in told.told[0]
    assert str(file) in told.told[0]
    why = save(str(file), {"sort": "pss"})
    assert "not saved" in why
    assert file.read_text() == text


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * (1 << 20) + b"\n"])
def test_what_is_no_text_or_far_too_long_is_left_alone(file: Path, data: bytes) -> None:
    written(file, "").write_bytes(data)
    assert load(str(file)).broken
    assert save(str(file), {"sort": "pss"})
    assert file.read_bytes() == data


def test_a_directory_or_a_pipe_in_its_place_holds_nothing_up(file: Path) -> None:
    file.mkdir(parents=True)
    assert load(str(file)).broken
    assert "not saved" in save(str(file), {"sort": "pss"})
    file.rmdir()
    os.mkfifo(file)
    load(str(file))


def test_who_may_not_write_is_told_why(file: Path) -> None:
    file.parent.parent.mkdir()
    file.parent.write_text("a file where a directory should be")
    assert load(str(file)) == Settings()
    why = save(str(file), {"sort": "pss"})
    assert why.startswith("not saved, ")
    assert "irectory" in why or "exists" in why


def test_a_reader_sees_the_old_or_the_new_file_and_never_half(file: Path) -> None:
    save(str(file), {"theme": "a" * 5000})
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            told = load(str(file))
            assert not told.told
            seen.add(len(told.theme))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(30):
        save(str(file), {"theme": "b" * 60_000})
        save(str(file), {"theme": "a" * 5000})
    stop.set()
    watcher.join(20)
    assert seen <= {5000, 60_000}
    assert seen


def test_a_disk_that_is_full_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(str(file), {"sort": "pss"})
    before = file.read_bytes()
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4));"
        "from memtui.services.settings import save; print(save(sys.argv[1], {'theme': 'x' * 99}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("not saved, ")
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["config.toml"]


def test_the_settings_need_no_toml_parser_before_the_first_frame(file: Path) -> None:
    save(str(file), changed(Shown(("pid", "pss", "command")), Order("pss"), settings.Settings()))
    code = (
        "import sys; from memtui.services.settings import load; told = load(sys.argv[1]);"
        "assert told.order.key == 'pss'; print('tomllib' in sys.modules, 're' in sys.modules)"
    )
    line = [sys.executable, "-S", "-c", code, str(file)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, env=env, check=True)
    assert done.stdout.split()[0] == "False"
