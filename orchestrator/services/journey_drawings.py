"""A journey drawn: as Mermaid text for documents, and as a picture that stands on its own.

The picture is plain SVG, without font, script or style of elsewhere. Nothing is said by colour alone,
and its description tells in words, step by step, what it shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final

from orchestrator.services.journey_views import JourneyView, StepView

_WIDE, _SIDE, _GAP, _MARGIN = 380, 280, 44, 24
_LINE, _PAD = 18, 12
_LETTERS, _SIDE_LETTERS = 50, 34  # what fits at 13 px
INK, PAPER, STEP, CHOICE, END, BACK = (
    "#1b1b1b",
    "#ffffff",
    "#e8f0fa",
    "#fdf3d7",
    "#ececec",
    "#fbe7e4",
)
STROKE: Final = "#30557e"


def mermaid(view: JourneyView) -> str:
    """Return the journey as a Mermaid flowchart."""
    lines = ["flowchart TD", f'  start(["{_words(_start(view))}"])']
    lines += [_mermaid_step(number, step) for number, step in enumerate(view.steps, 1)]
    lines.append('  done(["fait"])')
    chain = ["start", *(f"s{number}" for number in range(1, len(view.steps) + 1)), "done"]
    lines += [f"  {before} --> {after}" for before, after in pairwise(chain)]
    for number, step in enumerate(view.steps, 1):
        lines += _mermaid_sides(number, step)
    return "\n".join(lines) + "\n"


def _start(view: JourneyView) -> Sequence[str]:
    title = f"{view.name} v{view.version}"
    return [title, *(view.starts_on or ("commencé par un autre parcours",))]


def _mermaid_step(number: int, step: StepView) -> str:
    opening, closing = ("[[", "]]") if step.starts else ("[", "]")
    return f'  s{number}{opening}"{_words(_said(number, step))}"{closing}'


def _mermaid_sides(number: int, step: StepView) -> Iterator[str]:
    for index, (when, outcome) in enumerate(step.ends, 1):
        yield f'  s{number}e{index}(["{_words([f"fin : {outcome}"])}"])'
        yield f'  s{number} -- "{_words([when])}" --> s{number}e{index}'
    if step.undo:
        yield f'  s{number}u["{_words([step.undo])}"]'
        yield f'  s{number} -. "annulation" .-> s{number}u'


def _words(lines: Sequence[str]) -> str:
    """Return lines as a Mermaid label: no letter of them is read as a mark."""
    safe = ("".join(it if it not in '"#&<>;' else f"#{ord(it)};" for it in line) for line in lines)
    return "<br/>".join(safe)


def _said(number: int, step: StepView) -> list[str]:
    lines = [f"{number}. {step.name}", step.kind, *step.facts]
    return [*lines, "point de non-retour"] if step.is_pivot else lines


# --- picture --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box of the picture in pixels; the first of its lines is its title."""

    left: int
    top: int
    width: int
    lines: Sequence[str]
    fill: str
    is_round: bool = False
    is_dashed: bool = False

    @property
    def height(self) -> int:
        """How high its lines make it."""
        return len(self.lines) * _LINE + 2 * _PAD

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.top + self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An arrow along a few points."""

    points: Sequence[tuple[int, int]]
    is_dashed: bool = False


@dataclass(slots=True)
class Picture:
    """Boxes and arrows, put from top to bottom."""

    boxes: list[Box] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def height(self) -> int:
        """How high it is."""
        return max(box.bottom for box in self.boxes) + _MARGIN

    @property
    def width(self) -> int:
        """How wide it is."""
        return max(box.left + box.width for box in self.boxes) + _MARGIN


def picture(view: JourneyView) -> Picture:
    """Return where everything stands."""
    drawn = Picture()
    last = _put(drawn, _start(view), top=_MARGIN, fill=END, is_round=True)
    for number, step in enumerate(view.steps, 1):
        below = max(box.bottom for box in drawn.boxes)
        fill = CHOICE if step.ends else STEP
        box = _put(drawn, _said(number, step), top=below + _GAP, fill=fill)
        drawn.links.append(_down(last, box))
        _put_sides(drawn, box, step)
        last = box
    below = max(box.bottom for box in drawn.boxes)
    done = _put(drawn, ["fait"], top=below + _GAP, fill=END, is_round=True)
    drawn.links.append(_down(last, done))
    return drawn


def _put(
    drawn: Picture, lines: Sequence[str], *, top: int, fill: str, is_round: bool = False
) -> Box:
    box = Box(
        left=_MARGIN,
        top=top,
        width=_WIDE,
        lines=[cut for line in lines for cut in _cut(line, _LETTERS)],
        fill=fill,
        is_round=is_round,
    )
    drawn.boxes.append(box)
    return box


def _put_sides(drawn: Picture, box: Box, step: StepView) -> None:
    """Put what a step may also lead to on its right, one below the other."""
    top, left = box.top, box.left + box.width + 3 * _GAP
    sides = [([f"fin : {outcome}", when], END) for when, outcome in step.ends]
    sides += [([step.undo, "annule cette étape"], BACK)] if step.undo else []
    for lines, fill in sides:
        side = Box(
            left=left,
            top=top,
            width=_SIDE,
            lines=[cut for line in lines for cut in _cut(line, _SIDE_LETTERS)],
            fill=fill,
            is_round=fill == END,
            is_dashed=fill == BACK,
        )
        middle = side.top + side.height // 2
        drawn.boxes.append(side)
        drawn.links.append(
            Link(
                points=[
                    (box.left + box.width, min(middle, box.bottom - _PAD)),
                    (left - _GAP, min(middle, box.bottom - _PAD)),
                    (left - _GAP, middle),
                    (left, middle),
                ],
                is_dashed=fill == BACK,
            )
        )
        top = side.bottom + _PAD


def _down(above: Box, below: Box) -> Link:
    middle = above.left + above.width // 2
    return Link(points=[(middle, above.bottom), (middle, below.top)])


def _cut(line: str, most: int) -> list[str]:
    """Cut a line into lines that fit, between words where there are any."""
    lines, rest = [], line
    while len(rest) > most:
        at = rest.rfind(" ", 1, most + 1)
        at = at if at > 0 else most
        lines.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*lines, rest]


def svg(view: JourneyView) -> str:
    """Return the journey as a picture with its description."""
    drawn = picture(view)
    size = (
        f'width="{drawn.width}" height="{drawn.height}" viewBox="0 0 {drawn.width} {drawn.height}"'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc"'
        ' font-family="system-ui, sans-serif" font-size="13" lang="fr">'
    )
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
        f' markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{STROKE}"/></marker></defs>'
    )
    title = f"Parcours {view.name}, version {view.version}"
    parts = [
        head,
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(description(view))}</desc>',
        arrow,
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *(_svg_link(link) for link in drawn.links),
        *(_svg_box(box) for box in drawn.boxes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def description(view: JourneyView) -> str:
    """Return the journey in words."""
    begins = ", ".join(view.starts_on) or "un autre parcours"
    return " ".join([f"Commence par : {begins}.", *_sentences(view.steps), "Puis : fait."])


def _sentences(steps: Sequence[StepView]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        said = [f"Étape {number}, {step.name} : {step.kind}", *step.facts]
        said += [f"{when} : fin « {outcome} »" for when, outcome in step.ends]
        said += [f"annulée par {step.undo}"] if step.undo else []
        said += ["point de non-retour"] if step.is_pivot else []
        yield f"{' ; '.join(said)}."


def _svg_link(link: Link) -> str:
    points = " ".join(f"{x},{y}" for x, y in link.points)
    dashes = ' stroke-dasharray="6 4"' if link.is_dashed else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{STROKE}" stroke-width="1.5"'
        f'{dashes} marker-end="url(#arrow)"/>'
    )


def _svg_box(box: Box) -> str:
    dashes = ' stroke-dasharray="6 4"' if box.is_dashed else ""
    corner = 18 if box.is_round else 4
    shape = (
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="{corner}"'
        f' fill="{box.fill}" stroke="{STROKE}" stroke-width="1.5"{dashes}/>'
    )
    left, first = box.left + _PAD, box.top + _PAD + 13
    weights = [' font-weight="600"', *("" for _ in box.lines[1:])]
    words = [
        f'<text x="{left}" y="{first + _LINE * number}" fill="{INK}"{weight}>{escape(line)}</text>'
        for number, (line, weight) in enumerate(zip(box.lines, weights, strict=True))
    ]
    return "\n".join([f"<g>{shape}", *words, "</g>"])
