"""What an end amounts to, and which limit would have done: every verdict, in its words."""

from __future__ import annotations

import pytest

from memtui.model.limits import parse_limit
from memtui.model.runlimit import (
    Advice,
    Clues,
    Ending,
    Verdict,
    Victim,
    advise,
    as_option,
    derive_verdict,
    find_refusal,
    round_up,
)
from tests.support.cgroups import MIB

GIB = 1 << 30


def end(**known: object) -> Ending:
    fields = {"method": "cgroup", "limit": 64 * MIB, "status": None, "signal": None} | known
    return Ending(**fields)  # type: ignore[arg-type]


WORKER = Victim(4242, "cc1plus", 50 * MIB)


@pytest.mark.parametrize(
    ("ending", "kind", "words"),
    [
        (end(status=0, oom_kills=0), "ok", "ended by itself"),
        (end(signal=9, oom_kills=1, own=True), "limit", "reached its limit of 64.0 MiB"),
        (
            end(status=3, oom_kills=1, own=True, clues=Clues(victims=(WORKER,))),
            "limit-part",
            "cc1plus (4242, 50.0 MiB) was killed at the limit of 64.0 MiB; the command exited",
        ),
        (
            end(signal=9, oom_kills=1, own=False, clues=Clues(outer=(32 * MIB, "/box"))),
            "above",
            "not by this limit: /box reached its limit of 32.0 MiB",
        ),
        (end(signal=9, oom_kills=1, own=False), "above", "one above it, or the machine"),
        (
            end(method="data", signal=9, clues=Clues(outer=(None, ""))),
            "above",
            "the machine itself ran out",
        ),
        (end(method="data", status=1, nearest=60 * MIB), "probably-limit", "was near its limit"),
        (
            end(method="data", signal=6, nearest=3 * MIB, clues=Clues(said="bad_alloc")),
            "probably-limit",
            "ran out of its limit of 64.0 MiB, as its output says (bad_alloc): it was killed by",
        ),
        (
            end(status=134, oom_kills=0, clues=Clues(said="heap out of memory")),
            "failed",
            "its output says heap out of memory: some limit of its own, not this one",
        ),
        (
            end(method="data", signal=6, nearest=12 * MIB),
            "maybe-limit",
            "was killed by signal 6 (SIGABRT); largest process 12.0 MiB of 64.0 MiB private",
        ),
        (end(signal=9, oom_kills=0), "sigkill", "SIGKILL from outside, not by its memory limit"),
        (
            end(method="data", signal=9, clues=Clues(others=2)),
            "sigkill",
            "the OOM killer took 2 processes on this machine meanwhile",
        ),
        (
            end(signal=7, clues=Clues(full=(64 * MIB, "/dev/shm"))),
            "tmpfs-full",
            "(SIGBUS): /dev/shm is full (64.0 MiB)",
        ),
        (end(signal=7), "signal", "a file that it had mapped is shorter"),
        (end(signal=15, ended_for="time"), "time", "for its time limit: it was killed by signal"),
        (end(signal=9, ended_for="limit"), "limit-watched", "for its limit of 64.0 MiB"),
        (end(signal=2, clues=Clues(interrupted=True)), "interrupted", "from the terminal"),
        (end(status=130, clues=Clues(interrupted=True)), "interrupted", "from the terminal"),
        (end(signal=2), "signal", "signal 2 (SIGINT)"),
        (end(signal=15, clues=Clues(sender="kill (7)")), "signal", "(SIGTERM), sent by kill (7)"),
        (end(status=127), "failed", "status 127 (not found, or not loaded)"),
        (end(signal=50), "signal", "was killed by signal 50"),
    ],
)
def test_each_end_has_its_sentence(ending: Ending, kind: str, words: str) -> None:
    verdict = derive_verdict(ending)
    assert verdict.kind == kind
    assert words in verdict.text
    assert "\n" not in verdict.text


def test_an_address_space_below_the_size_at_the_start_is_told_apart() -> None:
    """Such a limit does not show what the command needs: nothing of it ran."""
    ending = end(method="as", limit=5 * MIB, status=127, clues=Clues(start=9 * MIB))
    verdict = derive_verdict(ending)
    assert verdict.kind == "too-small"
    assert (
        "map 9.00 MiB before its first line runs, more than the limit of 5.00 MiB" in verdict.text
    )
    advice = advise(ending, verdict, None)
    assert advice is not None
    assert advice.limit is not None
    assert advice.limit > 9 * MIB
    started = end(method="as", status=1, nearest=11 * MIB, clues=Clues(start=9 * MIB, began=MIB))
    assert derive_verdict(started).kind == "maybe-limit"
    assert "1.00 MiB from its start on" in derive_verdict(started).text


@pytest.mark.parametrize(
    ("size", "option"),
    [
        *((1, "1M"), (MIB + 1, "2M"), (46 * MIB, "46M"), (101 * MIB, "110M"), (GIB, "1G")),
        *((GIB + 1, "1.1G"), (15 * GIB + 1, "16G"), (200 * GIB, "200G")),
    ],
)
def test_a_suggested_limit_is_one_that_can_be_typed(size: int, option: str) -> None:
    rounded = round_up(size)
    assert as_option(rounded) == option
    assert size <= rounded
    assert abs(parse_limit(option) - rounded) < 1024


def test_the_last_words_on_memory_are_found_in_output() -> None:
    lines = ["terminate called after throwing an instance of 'std::bad_alloc'", "Aborted"]
    assert find_refusal(lines) == "bad_alloc"
    assert find_refusal(["bash: fork: cannot allocate memory"]) == "Cannot allocate memory"
    assert (
        find_refusal(["Error: cannot allocate vector of size 3.7 Gb"]) == "cannot allocate vector"
    )
    assert find_refusal(["all is well"]) == ""


def suggestion(ending: Ending, peak: int | None = None) -> Advice | None:
    return advise(ending, derive_verdict(ending), peak)


def test_one_suggestion_where_the_limit_matters_and_none_else() -> None:
    assert suggestion(end(status=0, oom_kills=0), 20 * MIB) == Advice(
        22 * MIB, "--limit 22M would have done"
    )
    assert suggestion(end(status=0, oom_kills=0), 63 * MIB) is None, "that is its limit, about"
    assert suggestion(end(status=0, oom_kills=0), None) is None
    told = suggestion(end(method="data", status=0), 20 * MIB)
    assert told is not None
    assert "would probably" in told.text, "sampled"
    for killed in (
        end(signal=9, oom_kills=1, own=True),
        end(method="watch", signal=9, ended_for="limit"),
        end(method="data", status=1, nearest=60 * MIB),
    ):
        told = suggestion(killed, 64 * MIB)
        assert told == Advice(
            round_up(128 * MIB), "it needs more than that: try --limit 130M, or --find-limit"
        )
    told = suggestion(end(signal=9, oom_kills=1, own=False), MIB)
    assert told is not None
    assert told.limit is None
    for other in (end(signal=15), end(status=1), end(signal=9), end(signal=15, ended_for="time")):
        assert suggestion(other, MIB) is None


def test_what_has_to_do_with_memory_is_told_without_being_asked() -> None:
    quiet = ("ok", "failed", "signal", "interrupted")
    assert not any(Verdict(kind, "").notable for kind in quiet)
    loud = ("limit", "limit-part", "limit-watched", "above", "probably-limit", "maybe-limit")
    assert all(Verdict(kind, "").notable for kind in (*loud, "too-small", "tmpfs-full", "sigkill"))
