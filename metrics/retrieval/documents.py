"""Reads PDF, DOCX and HTML files, part by part, within limits, and text in any encoding.

A file that cannot be read raises Unreadable with the reason: it costs itself, not the corpus.
"""

from __future__ import annotations

import codecs
import io
import logging
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..optional_packages import is_installed, needs

PDF, DOCX, HTML = (".pdf",), (".docx",), (".html", ".htm", ".xhtml")
# Of hostile or mistaken files no more is read: bytes on disk, bytes once unpacked, pages, characters of text.
MAX_BYTES, MAX_UNPACKED, MAX_PAGES, MAX_CHARACTERS = 200 << 20, 400 << 20, 5_000, 20_000_000
_SILENT = frozenset({"script", "style", "template", "noscript", "head", "title", "svg"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCK_NAMES = """
address article aside blockquote br caption dd div dl dt figcaption figure footer form header hr li main nav ol p pre
section table tbody td th thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 16  # bytes that an encoding is told by
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")


class Unreadable(Exception):
    """Why one file of a source is left out."""


@dataclass(frozen=True)
class Part:
    """A page or a section of a file.

    Attributes:
        place: after "#" in the passage's id: "page=3", or the heading; "" for what stands before the first heading.
        title: of the section, or of the file.
        text: what it says.
        heading: the one above it, in full; "" for pages and where there is none.
    """

    place: str
    title: str
    text: str
    heading: str = ""


def whole(path: Path) -> tuple[str, str]:
    """Title and text of a PDF, DOCX or HTML file, with headings on lines of their own. Raises Unreadable."""
    found = parts_of(path, empty=True)
    first = found[0]
    own = first.title.removesuffix(f": {first.heading}") if first.heading else first.title
    named = next((part.heading for part in found[:1] if own == path.stem and part.heading), own)
    return named, "\n\n".join(f"## {one.heading}\n{one.text}" if one.heading else one.text for one in found)


def parts_of(path: Path, *, empty: bool = False) -> list[Part]:
    """The parts of a PDF, DOCX or HTML file; with `empty` also headings with nothing under them. Raises Unreadable."""
    name = path.name.lower()
    if name.endswith(PDF):
        found = _pdf(path)
    elif name.endswith(DOCX):
        found = _docx(path)
    else:
        found = _html(path)
    out: list[Part] = []
    length = 0
    try:
        for part in found:
            length += len(part.text)
            if length > MAX_CHARACTERS:
                raise Unreadable(f"more than {MAX_CHARACTERS:,} characters of text")
            if empty or part.text.strip():
                out.append(part)
    except Unreadable:
        raise
    # What the libraries raise for a damaged file is anything.
    except Exception as error:
        raise Unreadable(f"cannot be read ({type(error).__name__}: {error!s:.200})") from error
    if not any(part.text.strip() for part in out):
        raise Unreadable("no text in it (scanned pages need text recognition first)")
    return out


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises Unreadable where there are too many."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise Unreadable(f"{size:,} bytes; at most {MAX_BYTES:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read ({error})") from None


def decoded(data: bytes) -> str:
    """Text as UTF-8, as its byte order mark says, else in the encoding that fits it best. Raises Unreadable."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None) or _wide(data) or "utf-8"
    try:
        text = data.decode(encoding)
        if "\0" in text:
            raise Unreadable("NUL characters in it: no text, or in an encoding that cannot be told")
        return text
    except UnicodeDecodeError as error:
        why = f"not {encoding.upper()} text ({error.reason} at byte {error.start})"
    if not is_installed("charset_normalizer"):
        raise Unreadable(f"{why}; {needs('finding its encoding', 'charset-normalizer', 'documents')}")
    from charset_normalizer import from_bytes

    found = list(from_bytes(data))
    if not found or b"\0" in data:
        raise Unreadable(f"{why}, nor in any other encoding")
    # A few accents fit many code pages equally well; then the most common one is meant.
    likely = [one for one in found if one.chaos <= found[0].chaos and one.coherence >= found[0].coherence - 0.05]
    windows = [one for one in likely if one.encoding.startswith("cp125")]
    return str(next((one for one in windows if one.encoding == "cp1252"), (windows or found)[0]))


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark: what gives text, where UTF-8 gives more than a few stray zeros."""
    sample = data[:_SAMPLE]
    zeros = sample.count(0)
    if not zeros or (zeros < len(sample) // 8 and _is_text((_as_text(sample, "utf-8") or "").replace("\0", ""))):
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    # The zeros of a blank stand before its other byte, or behind it. Four bytes a character before two.
    encodings = ("utf-32-be", "utf-16-be") if even > odd else ("utf-32-le", "utf-16-le")
    for encoding in encodings if even != odd else ("utf-32-be", "utf-32-le"):
        if _is_text(_as_text(sample, encoding)):
            return encoding
    return None


def _is_text(text: str | None) -> bool:
    return bool(text) and all(char.isprintable() or char.isspace() for char in text)


def _as_text(sample: bytes, encoding: str) -> str | None:
    """The characters that the beginning of a file holds in full; None where it is not so encoded."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return None


def _require(module: str, package: str, what: str) -> None:
    if not is_installed(module):
        raise Unreadable(needs(what, package, "documents"))


def _pdf(path: Path) -> Iterator[Part]:
    _require("pypdf", "pypdf", "reading PDF")
    import pypdf

    # It warns of every oddity of a file that it can read all the same.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    reader = pypdf.PdfReader(io.BytesIO(read_bytes(path)))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("encrypted")
    if (pages := len(reader.pages)) > MAX_PAGES:
        raise Unreadable(f"{pages:,} pages; at most {MAX_PAGES:,} are read")
    title = str(reader.metadata.title or "").strip() if reader.metadata else ""
    for number, page in enumerate(reader.pages, 1):
        yield Part(f"page={number}", title or path.stem, _tidy(page.extract_text()))


def _docx(path: Path) -> Iterator[Part]:
    _require("docx", "python-docx", "reading DOCX")
    import docx
    from docx.text.paragraph import Paragraph

    data = read_bytes(path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # What zipfile unpacks of an entry is never more than the entry declares.
        if (size := sum(entry.file_size for entry in archive.infolist())) > MAX_UNPACKED:
            raise Unreadable(f"{size:,} bytes once unpacked; at most {MAX_UNPACKED:,} are read")
    document = docx.Document(io.BytesIO(data))
    sections = _Sections((document.core_properties.title or "").strip() or path.stem)
    for block in document.iter_inner_content():
        if isinstance(block, Paragraph):
            style = (block.style.name or "") if block.style is not None else ""
            if style.startswith(("Heading", "Title")) and block.text.strip():
                yield from sections.next(block.text)
            else:
                sections.lines.append(block.text)
        else:
            sections.lines += [" | ".join(cell.text for cell in row.cells) for row in block.rows]
    yield from sections.next("")


def _html(path: Path) -> Iterator[Part]:
    _require("bs4", "beautifulsoup4", "reading HTML")
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString, PreformattedString, Tag

    # Python's own parser: the tree may be as deep as it likes, and is walked without recursion.
    tree = BeautifulSoup(decoded(read_bytes(path)), "html.parser")
    own_title = tree.title.get_text() if tree.title is not None else ""
    sections = _Sections(_tidy(own_title).strip() or path.stem)
    line: list[str] = []
    node = tree.contents[0] if tree.contents else None
    while node is not None:
        after = node.next_element
        if isinstance(node, Tag):
            heading = node.name in _HEADINGS
            if heading or node.name in _BLOCKS:
                sections.lines.append("".join(line))
                line = []
            if heading:
                text = node.get_text(" ")
                if text.strip():
                    yield from sections.next(text)
            if heading or node.name in _SILENT:
                after = _after(node)
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            line.append(str(node).replace("\n", " "))
        node = after
    sections.lines.append("".join(line))
    yield from sections.next("")


def _after(node):
    """The first node of the page that is not in this one."""
    while node is not None:
        if node.next_sibling is not None:
            return node.next_sibling
        node = node.parent
    return None


class _Sections:
    """Collects lines, and gives them out as a part when the next heading comes."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._heading = ""
        self._seen: dict[str, int] = {}
        self.lines: list[str] = []

    def next(self, heading: str) -> Iterator[Part]:
        text = _tidy("\n".join(self.lines)).strip()
        if text or self._heading:
            place = self._heading[:120]
            count = self._seen.get(place, 0) + bool(text)
            self._seen[place] = count
            title = f"{self._title}: {place}" if place and place != self._title else self._title
            yield Part(f"{place}-{count}" if count > 1 else place, title, text, self._heading)
        self.lines = []
        self._heading = " ".join(heading.split())[:1_000]


def _tidy(text: str) -> str:
    """Single blanks, and at most one empty line in a row; halves of surrogate pairs, which UTF-8 lacks, replaced."""
    lines = [_BLANKS.sub(" ", line).strip() for line in text.encode("utf-8", "replace").decode("utf-8").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
