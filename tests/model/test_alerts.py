"""What is told, how often, and in which words."""

from __future__ import annotations

from typing import Any

from memtui.model.alerts import Alert, Alerts
from memtui.model.forecast import Forecast
from memtui.model.grower import Grown
from memtui.model.soon import about
from memtui.model.trend import Trend
from memtui.model.victims import OomEvent, Victim

MIB = 1 << 20
GROWN = Grown((7, 70), "python3", "python3 train.py", 90 * MIB, 30.0, 0.9)


def at_pct(pct: float | None) -> Trend:
    hard = None if pct is None else int(pct * 10 * MIB)
    return Trend(hard=hard, limit=1000 * MIB)


def soon(eta: tuple[float, float] | None, grown: Grown | None = None) -> Trend:
    return Trend(Forecast(2e6, eta, "slow", ""), grown, hard=600 * MIB, limit=1000 * MIB)


def event(number: int, count: int = 1, *victims: Victim, **more: Any) -> OomEvent:
    made = OomEvent(number, 0.0, count, "/a", "cgroup", False, victims)
    return made._replace(**more)


def victim(pid: int, evidence: str = "kernel-log") -> Victim:
    return Victim(pid, 1, "R", f"R --file=x{pid}", "u", 5 * MIB, 0.0, evidence)


def texts(alerts: list[Alert]) -> list[str]:
    return [f"{a.kind} {a.level}: {a.text}" for a in alerts]


def test_a_threshold_is_told_once_and_the_highest_only() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(74.9)) == []
    assert texts(alerts.add(1, at_pct(76))) == [
        "hard warn: 76 % of the limit cannot be reclaimed: 760M of 1000M"
    ]
    assert alerts.add(2, at_pct(80)) == []
    assert texts(alerts.add(3, at_pct(98)))[0].startswith("hard crit: 98 %")
    assert alerts.add(4, at_pct(91)) == [], "97 was told: 90 is no news"


def test_only_five_points_below_is_it_over() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(91))
    assert [alerts.add(100 + i, at_pct(p)) for i, p in enumerate((86, 91, 85.1, 91))] == [[]] * 4
    assert alerts.add(200, at_pct(85)) == []
    assert alerts.add(201, at_pct(91)) != []


def test_the_same_kind_waits_a_minute() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(76))
    assert alerts.add(10, at_pct(50)) == []
    assert alerts.add(20, at_pct(76)) == []
    assert alerts.add(59, at_pct(77)) == []
    assert alerts.add(60, at_pct(77)) != [], "still above, and not told since"


def test_unknown_usage_tells_nothing() -> None:
    assert Alerts().add(0, at_pct(None)) == []
    assert Alerts().add(0, Trend()) == []


def test_full_soon_names_who() -> None:
    alerts = Alerts()
    assert alerts.add(0, soon((100, 160))) == []
    found = alerts.add(1, soon((80, 120), GROWN))
    assert texts(found) == [
        "forecast crit: memory will be full in about 2 min, mostly python3 train.py"
    ]
    assert found[0].facts == {
        "MEMTUI_ALERT": "forecast",
        "MEMTUI_TEXT": found[0].text,
        "MEMTUI_HARD": str(600 * MIB),
        "MEMTUI_LIMIT": str(1000 * MIB),
        "MEMTUI_PERCENT": "60.0",
        "MEMTUI_ETA_S": "100",
        "MEMTUI_RATE": "2000000",
        "MEMTUI_PROCESS": "python3 train.py",
    }


def test_a_forecast_that_is_silent_for_a_moment_is_not_told_again() -> None:
    alerts = Alerts()
    assert alerts.add(0, soon((60, 80)))
    assert [alerts.add(61 + i, soon(None)) for i in range(20)] == [[]] * 20
    assert alerts.add(82, soon((60, 80))) != [], "it was calm for half a minute and more"
    for i in range(100):
        assert alerts.add(83 + i, soon(None if i % 3 else (50, 80))) == []


def test_a_kill_waits_a_moment_for_its_victims_name() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(50), [event(1)]) == []
    found = alerts.add(0.5, at_pct(50), [event(1, 1, victim(42))])
    assert texts(found) == ["kill crit: the kernel killed R --file=x42 (PID 42) for lack of memory"]
    assert found[0].facts["MEMTUI_VICTIM"] == "R --file=x42"
    assert found[0].facts["MEMTUI_VICTIM_PID"] == "42"
    assert alerts.add(70, at_pct(50), [event(1, 1, victim(42))]) == [], "known already"


def test_a_kill_whose_victim_nobody_knows_is_told_without() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(50), [event(1, 2)]) == []
    found = alerts.add(2, at_pct(50))
    assert texts(found) == ["kill crit: the kernel killed 2 processes for lack of memory"]
    assert "MEMTUI_VICTIM" not in found[0].facts
    assert found[0].facts["MEMTUI_KILLS"] == "2"


def test_a_guess_is_called_one_and_many_kills_are_one_alarm() -> None:
    alerts = Alerts()
    assert alerts.add(0, at_pct(50), [event(1, 1, victim(1, "vanished"))])[0].text == (
        "the kernel killed probably R --file=x1 (PID 1) for lack of memory"
    )
    for i in range(2, 8):
        assert alerts.add(i, at_pct(50), [event(i, 1, victim(i))]) == []
    found = alerts.add(61, at_pct(50))
    assert "and 5 more" in found[0].text
    assert found[0].facts["MEMTUI_KILLS"] == "6"


def test_kills_that_are_not_ours_or_no_news_or_no_oom_are_not_told() -> None:
    others = [
        event(1, 1, victim(1), scope="elsewhere"),
        event(2, 1, victim(2), before_start=True),
        event(3, 1, victim(3), kind="sigkill"),
        event(-4, 1, victim(4)),  # an earlier run of memtui told of it
    ]
    alerts = Alerts()
    assert alerts.add(0, at_pct(50), others) == []
    assert alerts.add(5, at_pct(50)) == []


def test_the_worst_comes_first() -> None:
    trend = soon((10, 20))._replace(hard=980 * MIB)
    found = Alerts().add(0, trend, [event(1, 1, victim(1))])
    assert [a.kind for a in found] == ["kill", "forecast", "hard"]


def test_hostile_names_are_harmless() -> None:
    bad = victim(1)._replace(command="a\x1b]0;x\x07b")
    found = Alerts().add(0, at_pct(50), [event(1, 1, bad)])
    assert "\x1b" not in found[0].text
    assert "\x07" not in found[0].text


def test_times_are_about() -> None:
    said = [about(s) for s in (0, 7.2, 43, 170, 7300)]
    assert said == ["a second", "about 7 s", "about 45 s", "about 3 min", "about 2h01m"]
