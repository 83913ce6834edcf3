"""The keys of the main screen, as htop and top have them; help and the tests read this table."""

from __future__ import annotations

from textual.binding import Binding, BindingType

NAMES = {
    "slash": "/", "backslash": "\\", "plus": "+", "minus": "-", "equals_sign": "=",
    "asterisk": "*", "ampersand": "&", "circumflex_accent": "^", "dollar_sign": "$",
    "number_sign": "#", "underscore": "_", "exclamation_mark": "!", "tab": "Tab",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{",
    "right_curly_bracket": "}", "backspace": "Backspace", "escape": "Esc", "enter": "Enter",
    "f15": "Shift-F3", "f18": "Shift-F6", "f19": "Shift-F7", "f20": "Shift-F8",
}  # fmt: skip
"""What is written on the keys, where Textual calls them otherwise."""

OWN: list[BindingType] = [
    Binding("M", "sort('rss')", "by memory", id="sort.memory"),
    Binding("P", "sort('cpu')", "by CPU", id="sort.cpu"),
    Binding("T", "sort('time')", "by time", id="sort.time"),
    Binding("N", "sort('pid')", "by PID", id="sort.pid"),
    Binding("I,R", "invert", "invert the order", id="sort.invert"),
    Binding("f6,<,>,comma,full_stop", "sort_menu", "choose the column to sort by", id="sort.menu"),
    Binding("up,ctrl+p,alt+k", "move(-1)", "one process up", id="move.up"),
    Binding("down,ctrl+n,alt+j", "move(1)", "one process down", id="move.down"),
    Binding("pageup", "page(-1)", "one page up", id="move.page_up"),
    Binding("pagedown", "page(1)", "one page down", id="move.page_down"),
    Binding("home", "first", "first process", id="move.first"),
    Binding("end", "last", "last process", id="move.last"),
    Binding("left,alt+h,ctrl+b", "pan(-8)", "command line to the left", id="move.left"),
    Binding("right,alt+l,ctrl+f", "pan(8)", "command line to the right", id="move.right"),
    Binding("ctrl+a,circumflex_accent", "pan(-100000)", "command line's begin", id="move.begin"),
    Binding("ctrl+e,dollar_sign", "pan_to_end", "command line's end", id="move.end"),
    Binding("shift+up,alt+up", "roll(-1)", "rows up, the cursor stays", id="move.roll_up"),
    Binding("shift+down,alt+down", "roll(1)", "rows down, the cursor stays", id="move.roll_down"),
    Binding("tab", "scope(1)", "next scope: all, by notebook, by cgroup, …", id="scope.next"),
    Binding("shift+tab", "scope(-1)", "scope before", id="scope.before"),
    Binding("f3,slash,L", "search", "search; again: next", id="find.search"),
    Binding("ampersand", "search_on(1)", "next match", id="find.next"),
    Binding("f15,shift+f3", "search_on(-1)", "match before", id="find.before"),
    Binding("f4,backslash,O", "filter", "filter: text, a|b, mem>500m user=ann", id="find.filter"),
    Binding("0,1,2,3,4,5,6,7,8,9", "digit", "go to a PID", id="find.pid"),
    Binding("f5,t,V", "tree", "tree / list", id="tree"),
    Binding("plus,equals_sign", "fold(False)", "tree: unfold; list: show all", id="tree.open"),
    Binding("minus,v", "fold(True)", "tree: fold", id="tree.close"),
    Binding("f18,shift+f6", "fold", "tree: fold / unfold", id="tree.turn"),
    Binding("asterisk", "fold_all", "tree: fold / unfold all", id="tree.all"),
    Binding("backspace", "fold_parent", "tree: fold into the parent", id="tree.parent"),
    Binding("u", "users", "show one user's processes", id="find.user"),
    Binding("H", "threads", "threads: show / hide", id="show.threads"),
    Binding("K", "kernel", "kernel threads: show / hide", id="show.kernel"),
    Binding("F", "follow", "follow the process: it stays in view", id="follow"),
    Binding("Z", "pause", "pause the display; sampling goes on", id="pause"),
    Binding("p", "paths", "without directories / command lines / names", id="show.paths"),
    Binding("w", "wrapped", "whole command line of the process", id="show.command"),
    Binding("E", "units", "sizes: automatic, KiB, MiB, GiB", id="show.units"),
    Binding("d", "delay", "seconds between refreshes", id="delay"),
    Binding("space", "tag", "tag the process, move down, refresh at once", id="tag"),
    Binding("c", "tag_family", "tag the process and all below it", id="tag.family"),
    Binding("U", "untag", "untag all", id="untag"),
    Binding("a", "tag_idle", "tag all idle kernels; k halts them", id="tag.idle"),
    Binding("k,f9", "kill", "kill: send a signal to the process, or to all tagged", id="kill"),
    Binding(
        "f7,right_square_bracket", "adjust(-1)", "oom_score_adj -100: killed later", id="oom.later"
    ),
    Binding(
        "f8,left_square_bracket", "adjust(1)", "oom_score_adj +100: killed sooner", id="oom.sooner"
    ),
    Binding("Q", "limit", "limit the process, which runs already", id="limit"),
    Binding("r", "run", "run a command under a memory limit; ↑ brings those of before", id="run"),
    Binding("j", "toggle_job", "bar, graph, output of the newest command / graph of all", id="job"),
    Binding("J", "jobs", "all commands under a limit: stop, another limit, again", id="jobs"),
    Binding("g", "charts", "charts", id="charts"),
    Binding("o", "oom", "all OOM events, and the post-mortem of each", id="oom"),
    Binding("x", "explain", "explain: how memory stands, what to do", id="explain"),
    Binding("i", "limits", "every limit, and the file that says so", id="limits"),
    Binding("f2,C,S,f", "columns", "choose the columns", id="columns"),
    Binding("m", "toggle_pools", "memory of no process: show / hide", id="pools"),
    Binding("B", "toggle_totals", "bottom line with totals: show / hide", id="totals"),
    Binding("enter", "open", "details; of a sum, its processes; files of a tmpfs", id="open"),
    Binding("e", "details('environment')", "environment of the process", id="details.environment"),
    Binding("l", "details('open files')", "open files of the process", id="details.files"),
    Binding("D", "toggle_details", "column of details: show / hide", id="details.column"),
    Binding(
        "ctrl+left",
        "border('details', 4)",
        "column of details: wider",
        id="border.details_wider",
    ),
    Binding(
        "ctrl+right",
        "border('details', -4)",
        "column of details: narrower",
        id="border.details_narrower",
    ),
    Binding("alt+left", "border('graph', 4)", "graph: wider", id="border.graph_wider"),
    Binding("alt+right", "border('graph', -4)", "graph: narrower", id="border.graph_narrower"),
    Binding(
        "ctrl+up",
        "border('panels', 1)",
        "panels below the table: higher",
        id="border.panels_higher",
    ),
    Binding(
        "ctrl+down",
        "border('panels', -1)",
        "panels below the table: lower",
        id="border.panels_lower",
    ),
    Binding("ctrl+home", "borders_back", "all borders back", id="border.back"),
    Binding("escape", "back", "back; else end following, filter, user", id="back"),
    Binding("f1,h,question_mark", "help", "help", id="help"),
    Binding("ctrl+l", "redraw", "draw the screen anew", id="redraw"),
    Binding("ctrl+o", "tell_narrowing", "say what narrows the table", id="narrowing"),
    Binding("q,f10", "app.quit", "quit", id="quit"),
]

ABSENT = (
    ("right_curly_bracket,f19,shift+f7", "autogroup nice: not here, it changes no memory"),
    ("left_curly_bracket,f20,shift+f8", "autogroup nice: not here, it changes no memory"),
    ("Y", "scheduling policy: not here, it changes no memory; chrt does"),
    ("b", "backtrace: not here; gdb -p PID, or py-spy dump"),
    ("s", "system calls: not here; strace -p PID"),
    ("number_sign", "hide the bar: not here, it is what memtui is for"),
    ("A,G,underscore", "windows as in top: not here; Tab changes the scope"),
    ("y,z", "colours: F12 changes the theme"),
    ("X", "width of columns: it follows the screen"),
    ("n", "number of rows: as many as there is room for; memtui ps --limit-rows"),
    ("W", "save: not needed, settings are kept as they are when memtui ends"),
    ("exclamation_mark", "CPUs one by one: not here, memtui is about memory"),
    ("ctrl+g,ctrl+k,ctrl+u", "cgroup, command line, groups below: F2 has columns, w the command"),
    ("ctrl+r", "autogroup renice: not here, it changes no memory"),
)
"""Keys that htop or top have and memtui has not: which, and in one line why."""

MAIN: list[BindingType] = [
    *OWN,
    *(Binding(k, f"absent({i})", why, id=f"absent.{i}") for i, (k, why) in enumerate(ABSENT)),
]
