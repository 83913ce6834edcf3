"""The verdict on all worlds: what has to be there, has to run, and is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.__main__ import complaints
from tests.kernels.places import World
from tests.kernels.results import Outcome, left_out, never_ran, read, table


def case(name: str, needs: str | None, inside: str = "") -> str:
    told = "" if needs is None else f'<property name="needs" value="{needs}"/>'
    return (
        f'<testcase classname="t" name="{name}"><properties>{told}</properties>{inside}</testcase>'
    )


def outcome(folder: Path, name: str, features: str, cases: list[str], **options: object) -> Outcome:
    file = folder / f"{name}.xml"
    head = f'<properties><property name="features" value="{features}"/></properties>'
    file.write_text(f"<testsuites><testsuite>{head}{''.join(cases)}</testsuite></testsuites>")
    return read(World(name, name, **options), file, 1.0)  # type: ignore[arg-type]


@pytest.fixture
def two(tmp_path: Path) -> list[Outcome]:
    skipped, failed = "<skipped/>", "<failure/>"
    return [
        outcome(
            tmp_path,
            "one",
            "memory_v2 kmsg",
            [case("a", "memory_v2"), case("b", "memory_v2", failed), case("c", "swap", skipped)],
            has=("memory_v2", "swap"),
        ),
        outcome(
            tmp_path,
            "two",
            "",
            [
                case("a", "memory_v2", skipped),
                case("c", "swap", skipped),
                case("d", "", skipped),
                case("e", None, skipped),
            ],
        ),
    ]


def test_what_ran_nowhere_is_named_unless_it_is_of_one_world(two: list[Outcome]) -> None:
    assert never_ran(two) == ["t::c", "t::d"]
    assert set(complaints(two, strict=True)) == {
        "one failed",
        "one has no swap",
        "ran in no world: t::c",
        "ran in no world: t::d",
    }
    assert complaints(two, strict=False) == ["one failed"]


def test_what_only_a_world_on_request_can_run_waits_for_it(tmp_path: Path) -> None:
    cases = [case("p", "memory_v2 psi", "<skipped/>"), case("q", "memory_v2", "<skipped/>")]
    here = [outcome(tmp_path, "one", "memory_v2", cases)]
    assert never_ran(here) == ["t::q"], "that one could have run here"
    assert left_out(here) == [
        "not run, for only qemu-root has what they need: 1 (--only qemu-root)"
    ]
    there = [*here, outcome(tmp_path, "qemu-root", "memory_v2 psi", cases)]
    assert (never_ran(there), left_out(there)) == (["t::p", "t::q"], [])


def test_a_part_of_the_worlds_is_not_blamed_for_the_rest(two: list[Outcome]) -> None:
    assert complaints(two, strict=True, whole=False) == ["one failed", "one has no swap"]


def test_a_world_that_must_be_there_is_missed(two: list[Outcome]) -> None:
    gone = [Outcome(World("three", "3"), absent="no kernel")]
    gone += [Outcome(World("four", "4", must=False, has=("swap",)), absent="no kernel")]
    assert complaints(gone, strict=True) == ["three must be there: no kernel"]
    assert "three  not there: no kernel" in table([*two, *gone])


def test_the_table_counts_what_passed_and_failed_by_feature(two: list[Outcome]) -> None:
    head, one, other = (line.split() for line in table(two).splitlines()[:3])
    assert dict(zip(head, one, strict=True)) == {
        **dict.fromkeys(head, "-"),
        "world": "one",
        "memory_v2": "1/1",
        "kmsg": "yes",
        "passed": "1",
        "failed": "1",
        "skipped": "1",
        "seconds": "1",
    }
    assert other[1:-4] == ["-"] * len(other[1:-4])
