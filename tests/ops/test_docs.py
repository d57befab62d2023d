"""The documentation is true to the tree: links, settings, targets, error lines, crisis texts."""

from __future__ import annotations

import ast
import re
import subprocess
import unicodedata
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from actions.settings import Settings as ActionsSettings
from analytics.settings import Settings as AnalyticsSettings
from handoff.settings import Settings as HandoffSettings
from llm_server.settings import Settings as LlmSettings

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
PROTOCOL = ROOT / "docs" / "safety" / "crisis-protocol.md"
WORDING = ROOT / "docs" / "safety" / "wording.md"
MACHINE = ROOT / "rasa_project" / "policies" / "crisis_state.py"
DOMAIN = ROOT / "rasa_project" / "domain"

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`")
# Split, so that this file does not name what it forbids.
REGISTRIES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com",
              "yarnpkg" + ".com", "crates" + ".io", "anaconda" + ".org"]  # fmt: skip


def tracked() -> list[Path]:
    """Every file that git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get where Markdown is shown."""
    found: dict[str, int] = {}
    result = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*$", prose(path), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN")
        slug = "".join(kept).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        result.add(f"{slug}-{count}" if count else slug)
    return result


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the first table below the heading `title`."""
    section = text.split(f"\n{title}\n", 1)[1]
    table: list[list[str]] = []
    for line in section.splitlines():
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        is_inside = path.is_relative_to(ROOT) and path.exists()
        if not is_inside or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            wrong.append(target)
    assert not wrong


def settings_names() -> set[str]:
    """Environment variables of the services' settings."""
    names = set()
    services = ((ActionsSettings, ""), (AnalyticsSettings, ""), (HandoffSettings, ""))
    for model, prefix in (*services, (LlmSettings, "LLM_")):
        for name, field in model.model_fields.items():
            names.add(str(field.validation_alias or f"{prefix}{name}".upper()))
    return names


def read_names() -> set[str]:
    """Environment variables that the programs read by name."""
    pattern = re.compile(r"environ(?:\.get\(|\[)\s*\"([A-Z][A-Z0-9_]+)\"")
    folders = ("ops", "rasa_project", "actions", "analytics", "handoff", "llm_server")
    folders += ("training_pipeline",)
    found: set[str] = set()
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders:
            found.update(pattern.findall(path.read_text(encoding="utf-8")))
    return {name for name in found if not name.startswith("HTTP_")}


def documented_names() -> set[str]:
    text = OPERATIONS.read_text(encoding="utf-8").split("\n## Settings\n", 1)[1]
    tables = text.split("\n## docker-compose\n", 1)[0]
    first_cells = (line.split("|")[1] for line in tables.splitlines() if line.startswith("|"))
    return {name for cell in first_cells for name in VARIABLE.findall(cell)}


def test_documented_variables_exist() -> None:
    known = settings_names() | read_names()
    suffixes = {".py", ".yml", ".sh", ""}
    others = [p for p in tracked() if p.suffix in suffixes and p.parts[-2] != "docs"]
    code = "\n".join(p.read_text(encoding="utf-8", errors="ignore") for p in others)
    unknown = {n for n in documented_names() - known if not re.search(rf"\b{n}\b", code)}
    assert len(documented_names()) > 40
    assert not unknown


def test_every_variable_is_documented() -> None:
    assert not (settings_names() | read_names()) - documented_names()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|&& )make ([a-z0-9-]+)", text, re.MULTILINE))
    assert "run" in named
    assert not named - targets


def test_no_file_names_a_package_registry() -> None:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        text = content.decode("utf-8", "ignore")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in REGISTRIES if host in text]
    assert not found


def error_lines() -> Iterator[str]:
    """Every text in ops/, its placeholders as one "…"."""
    for path in (ROOT / "ops").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                yield "".join(str(part) for part in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_troubleshooting_quotes_real_lines() -> None:
    lines = list(error_lines())
    table = rows(OPERATIONS.read_text(encoding="utf-8"), "## Troubleshooting")
    quoted = [cell[1:-1] for cell, _ in table if cell.startswith("`") and cell.endswith("`")]
    quoted = [quote for quote in quoted if not quote.startswith("llm_server:")]
    assert len(quoted) >= 14
    assert not [quote for quote in quoted if not any(quote in line for line in lines)]


def test_protocol_states_the_constants_of_the_machine() -> None:
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(MACHINE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    text = PROTOCOL.read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", text, re.MULTILINE))
    numbers = {name: str(v) for name, v in constants.items() if isinstance(v, int)}
    assert stated == numbers
    stages = re.search(r"^\| `stage` \|(.+)\|$", text, re.MULTILINE)
    assert stages
    assert tuple(re.findall(r"`(\w+)`", stages[1])) == constants["STAGES"]


def crisis_texts() -> set[str]:
    named: set[str] = set()
    for path in DOMAIN.glob("*.yml"):
        named.update(yaml.safe_load(path.read_text(encoding="utf-8")).get("responses") or {})
    return {name.removeprefix("utter_crisis_") for name in named if "_crisis_" in name}


def test_every_crisis_text_has_a_source() -> None:
    table = rows(WORDING.read_text(encoding="utf-8"), "## Crisis texts")
    named = {name for cells in table for name in re.findall(r"`([\w*]+)`", cells[0])}
    texts = crisis_texts()
    assert not [text for text in texts if not any(fnmatch(text, name) for name in named)]
    assert not [name for name in named if not any(fnmatch(text, name) for text in texts)]


def test_every_source_key_is_explained() -> None:
    text = WORDING.read_text(encoding="utf-8")
    keys = {cells[0] for cells in rows(text, "## Sources")}
    used = set()
    for cells in rows(text, "## Crisis texts"):
        used.update(re.findall(r"\b[A-Z][A-Z0-9]{2,}\b", cells[2].replace("C-SSRS", "")))
    assert used
    assert not used - keys


def test_protocol_names_only_texts_that_exist() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    said = rows(text, "## What one message does") + rows(text, "### By stage")
    column = [cells[3] for cells in said[: len(rows(text, "## What one message does"))]]
    column += [cells[2] for cells in rows(text, "### By stage")]
    named = {name for cell in column for name in re.findall(r"`([\w*]+)`", cell)}
    texts = crisis_texts()
    assert len(named) > 40
    assert not [
        name
        for name in named - {"none", "low", "high"}
        if not any(fnmatch(text, name) for text in texts)
    ]
