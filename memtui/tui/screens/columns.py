"""The column chooser: which columns there are, in which order, and what each one means."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from memtui.model.fields import BY_KEY, DEFAULT, FIELDS, Field
from memtui.render.spans import Line
from memtui.text import fit
from memtui.tui.widgets.lines import Lines

_BUTTONS = (
    ("Space add/remove", "change"),
    ("F7 up", "move(-1)"),
    ("F8 down", "move(1)"),
    ("d default", "default"),
    ("Enter save", "save"),
    ("Esc leave", "leave"),
)


class FieldList(OptionList):
    """Columns; a click adds or removes one, a drag moves it, and Enter is left to the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.save", "save", show=False, id="columns.save")
    ]

    def __init__(self, *options: Option) -> None:
        super().__init__(*options)
        self._from: int | None = None  # where the button went down

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the column below the pointer."""
        at = event.style.meta.get("option")
        self._from = at if isinstance(at, int) else None

    def on_click(self, event: events.Click) -> None:
        """Add or remove the column clicked; one that was dragged here is put here."""
        event.prevent_default()
        at, held = event.style.meta.get("option"), self._from
        self._from = None
        dialog = self.screen
        if isinstance(at, int) and isinstance(dialog, ColumnsDialog):
            if held is not None and held != at:
                dialog.drag(held, at)
            else:
                self.highlighted = at
                dialog.action_change()


class Buttons(Lines):
    """The keys of the dialog; a click on one is that key."""

    def __init__(self) -> None:
        super().__init__(self._line, classes="row")

    @staticmethod
    def _line(width: int, height: int) -> list[Line]:
        line: Line = []
        for text, _action in _BUTTONS:
            key, _, does = text.partition(" ")
            line += [(key, "key"), (f" {does}  ", "label")]
        return [line]

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        x = 0
        for text, action in _BUTTONS:
            x += len(text) + 2
            if event.x < x:
                self.screen.call_later(self.screen.run_action, action)
                return


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """The columns shown, in their order, then all others; ends with what was chosen.

    The command line is always shown, and always the last.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,insert", "change", "add or remove the column", id="columns.toggle"),
        Binding("f5", "add", "add the column", id="columns.add"),
        Binding("f9,delete", "remove", "remove the column", id="columns.remove"),
        Binding("f7,left_square_bracket,minus", "move(-1)", "up", id="columns.up"),
        Binding("f8,right_square_bracket,plus", "move(1)", "down", id="columns.down"),
        Binding("d", "default", "the default columns", id="columns.default"),
        Binding("f10", "save", "save", id="columns.done"),
        Binding("escape,q,f2", "leave", "leave all as it was", id="columns.leave"),
    ]
    CSS = """
    ColumnsDialog .dialog { width: 84; }
    ColumnsDialog .dialog OptionList {
        max-height: 100%; height: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ColumnsDialog .dialog { height: 96%; max-height: 44; }
    ColumnsDialog #help { height: 2; }
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__()
        self._keys = [k for k in keys if k != "command"]

    def compose(self) -> ComposeResult:
        """List the columns; below, what the highlighted one means."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Columns"
            yield FieldList(*self._options())
            yield Static(id="help")
            yield Buttons()

    def on_mount(self) -> None:
        """Begin at the first column."""
        self._list.highlighted = 0
        self._list.focus()

    @property
    def _list(self) -> FieldList:
        return self.query_one(FieldList)

    def _fields(self) -> list[Field]:
        """All columns as they are listed."""
        rest = [f for f in FIELDS if f.key not in self._keys and f.key != "command"]
        return [*(BY_KEY[k] for k in self._keys), BY_KEY["command"], *rest]

    def _options(self) -> list[Option]:
        return [self._option(f) for f in self._fields()]

    def _option(self, field: Field) -> Option:
        mark = "■" if field.key in self._keys or field.key == "command" else "·"
        parts = (
            (f"{mark} ", ""),
            (fit(field.title, 9) + " ", "bold"),
            (field.help, "dim"),
        )
        return Option(Content.assemble(*parts), id=field.key)

    def _current(self) -> str:
        option = self._list.highlighted_option
        return option.id or "" if option else ""

    def _redraw(self, key: str) -> None:
        """List anew, the highlight on the column `key`."""
        listed = self._list
        listed.clear_options()
        listed.add_options(self._options())
        listed.highlighted = listed.get_option_index(key)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say in full what the column means."""
        field = BY_KEY[event.option.id or "command"]
        self.query_one("#help", Static).update(Content(f"{field.title}: {field.help}"))

    # -- actions

    def action_change(self) -> None:
        """Add the column below the others, or remove it."""
        key = self._current()
        (self.action_remove if key in self._keys else self.action_add)()

    def action_add(self) -> None:
        """Add the column, as the last before the command line."""
        key = self._current()
        if key and key not in self._keys and key != "command":
            below = self._list.highlighted
            self._keys.append(key)
            self._redraw(key)
            if below is not None:  # the next one may be wanted, too
                self._list.highlighted = min(below + 1, len(FIELDS) - 1)

    def action_remove(self) -> None:
        """Take the column away."""
        key, at = self._current(), self._list.highlighted
        if key in self._keys:
            self._keys.remove(key)
            self._redraw(key)
            self._list.highlighted = at

    def action_move(self, by: int) -> None:
        """Move the column among those shown."""
        key = self._current()
        if key in self._keys:
            at = self._keys.index(key)
            self._put(key, at + by)

    def _put(self, key: str, at: int) -> None:
        self._keys.remove(key)
        self._keys.insert(max(0, min(at, len(self._keys))), key)
        self._redraw(key)

    def drag(self, begin: int, end: int) -> None:
        """Put the column of one line where another is; beyond those shown it is removed."""
        key = self._fields()[begin].key
        if key == "command":
            return
        if end > len(self._keys) and key in self._keys:
            self._keys.remove(key)
            self._redraw(key)
        elif end <= len(self._keys):
            if key not in self._keys:
                self._keys.append(key)
            self._put(key, end)

    def action_default(self) -> None:
        """Choose the default columns."""
        self._keys = [k for k in DEFAULT if k != "command"]
        self._redraw(self._keys[0])

    def action_save(self) -> None:
        """Close with what was chosen."""
        self.dismiss((*self._keys, "command"))

    def action_leave(self) -> None:
        """Close and leave all as it was."""
        self.dismiss(None)
