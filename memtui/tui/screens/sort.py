"""The sort menu, at the left as in htop."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from memtui.model.fields import FIELDS
from memtui.model.query import Order
from memtui.text import elide, fit


class SortMenu(ModalScreen[str]):
    """A list of columns with what each means; Enter or a click sorts by it."""

    CSS = "SortMenu .dialog OptionList { max-height: 24; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f10,f6", "leave", "leave", id="sort.leave")
    ]

    def __init__(self, order: Order) -> None:
        super().__init__()
        self._order = order

    def compose(self) -> ComposeResult:
        """List the columns, the present one highlighted."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Sort by"
            box.border_subtitle = "Enter sort   Esc leave"
            options = [
                Option(
                    Content.assemble((fit(f.title, 9), "bold"), (elide(f.help, 46), "dim")),
                    id=f.key,
                )
                for f in FIELDS
            ]
            yield OptionList(*options)

    def on_mount(self) -> None:
        """Put the highlight on the present column."""
        options = self.query_one(OptionList)
        options.highlighted = options.get_option_index(self._order.key)
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Close with the column chosen."""
        self.dismiss(event.option_id)

    def action_leave(self) -> None:
        """Close and keep the order."""
        self.dismiss(None)
