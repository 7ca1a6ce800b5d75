"""What the pages say is what is there: the reference, links, targets of make, reasons, Events, metrics, messages, values."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import yaml

import webgarden_link as link
from webgarden import metrics
from webgarden.api import crd, reference
from webgarden.api.kinds import APPLICATION_POOL
from webgarden.policy import Reason
from webgarden.reconcile import events, site
from webgarden.reconcile.ports import Event
from webgarden_listener import bell
from webgarden_listener.haproxy import config
from webgarden_listener.haproxy.rules import answering, logging
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.settings import Directory, Settings
from webgarden_listener.table import Routing, clean

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("charts/*/README.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
CAMEL_CASE = re.compile(r"([A-Z][a-z]+)+")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in FENCE.findall(page.read_text("utf-8")) if name == language]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = [title for _, title in HEADING.findall(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(page: Path, title: str) -> str:
    """From the heading of that title to the next one that is no deeper."""
    text = prose(page)
    start = next(found for found in HEADING.finditer(text) if found[2] == title)
    ends = (f.start() for f in HEADING.finditer(text, start.end()) if len(f[1]) <= len(start[1]))
    return text[start.end() : next(ends, len(text))]


def cells(text: str, column: int) -> list[str]:
    """What stands in backticks alone in a column of the tables."""
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    found = [line[column].strip() for line in lines if len(line) > column]
    return [cell.strip("`") for cell in found if re.fullmatch(r"`[^`]+`", cell)]


def test_the_reference_is_that_of_the_models() -> None:
    assert reference.main(["--check", str(DOCS / "reference.md")]) == 0


def test_a_reference_that_differs_is_found_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "reference.md"
    assert reference.main(["--check", str(page)]) == 1
    assert "make crds" in capsys.readouterr().err
    assert reference.main([str(page)]) == 0
    assert reference.main(["--check", str(page)]) == 0


def test_the_reference_says_type_default_range_and_meaning() -> None:
    found = {row.path: row for row in reference.rows(crd.schema(APPLICATION_POOL.model)["properties"]["spec"])}
    assert found["queueLength"][1:4] == ("integer", "`1000`", "10 to 65535")
    assert found["processModel.idleTimeout"][1:3] == ("duration", "`20m`")
    assert found["worker.volumes"].type == "list of objects of Kubernetes"
    assert [row.path for row in found.values() if not row.meaning] == []


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


def test_every_page_can_be_reached_from_the_first() -> None:
    linked = {target.partition("#")[0] for target in LINK.findall(prose(ROOT / "README.md"))}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


@each_page
def test_what_make_is_told_to_do_it_can(page: Path) -> None:
    inline = re.findall(r"`make ([a-z ]+)`", prose(page))
    typed = re.findall(r"^make ([a-z ]+)", "\n".join(blocks(page, "sh")), re.MULTILINE)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for words in inline + typed for target in words.split()} <= targets


def test_every_reason_of_the_listener_is_explained_and_no_other() -> None:
    page = section(DOCS / "troubleshooting.md", "What the listener answers")
    assert sorted(cells(page, 0)) == sorted(listener_reasons())


def listener_reasons() -> set[str]:
    """What can stand in X-Webgarden-Reason: said by HAProxy, by the agent, and by the operator for a stopped pool."""
    text = config.config(Frame(Settings(Directory(Path("/run"))), connections=100, ipv6=True), Routing(), ready=True)
    said = set(re.findall(r"set-var\(txn\.reason\) str\((\w+)\)", text))
    otherwise = {word for word in re.findall(r"map_str\([^()]*,(\w+)\)", text) if CAMEL_CASE.fullmatch(word)}
    unreadable = clean(link.Pool(key="n/p", state=link.PoolState.STOPPED, reason="no word")).reason
    no_request = {reason for _, reason in answering.NO_REQUEST.values()}
    return {*said, *otherwise, *answering.TERMINATIONS.values(), *no_request, bell.REASON, unreadable, *refusals()}


def refusals() -> set[str]:
    pool = importlib.import_module("webgarden.reconcile.pool")
    return {word for call in calls(pool, "Refusing") for key in call.keywords[:1] for word in words(key.value, pool)}


def test_every_reason_of_a_condition_is_explained_and_no_other() -> None:
    assert set(cells(section(DOCS / "troubleshooting.md", "Conditions"), 2)) == condition_reasons()


def condition_reasons() -> set[str]:
    """`(Truth.X, reason, message)`, `Finding(reason=...)`, and `(wrong, reason, message)` of a chain of checks."""
    found: set[str] = set()
    for module in reconcilers():
        for node in nodes(module):
            if isinstance(node, ast.Tuple) and len(node.elts) == 3:
                verdict = names(node.elts[0], "Truth") or isinstance(node.elts[1], ast.Constant)
                found |= words(node.elts[1], module) if verdict else set()
        for call in calls(module, "Finding"):
            found |= {word for key in call.keywords if key.arg == "reason" for word in words(key.value, module)}
    return found


def test_every_reason_of_a_pool_s_state_is_explained_and_no_other() -> None:
    status = importlib.import_module("webgarden.reconcile.status")
    found = {
        word
        for node in nodes(status)
        if isinstance(node, ast.Tuple) and names(node.elts[0], "PoolState")
        for word in words(node.elts[1], status)
    }
    table = section(DOCS / "operations.md", "Status").partition("worker's state")[0]
    assert set(cells(table, 0)) == found
    sentence = re.search(r"^`status\.reason` says.*?\n\n", prose(DOCS / "troubleshooting.md"), re.MULTILINE | re.DOTALL)
    assert sentence is not None
    assert set(re.findall(r"`([A-Z]\w+)`", sentence[0])) == found


def reconcilers() -> Iterator[ModuleType]:
    folder = ROOT / "operator" / "webgarden" / "reconcile"
    return (importlib.import_module(f"webgarden.reconcile.{path.stem}") for path in sorted(folder.glob("[a-z]*.py")))


def nodes(module: ModuleType) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(inspect.getsource(module)))


def calls(module: ModuleType, name: str) -> Iterator[ast.Call]:
    return (n for n in nodes(module) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name)


def names(node: ast.AST, name: str) -> bool:
    """Whether an expression speaks of `name`."""
    found = ((n.id if isinstance(n, ast.Name) else getattr(n, "attr", "")) for n in ast.walk(node))
    return name in found


def words(node: ast.AST, module: ModuleType) -> set[str]:
    """The reason that an expression stands for: a constant, a member of `Reason`, a constant of the module."""
    if isinstance(node, ast.Attribute) and names(node.value, "Reason"):
        return {Reason[node.attr].value}
    value: Any = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.Name):
        value = getattr(module, node.id, None)
    return {value} if isinstance(value, str) and CAMEL_CASE.fullmatch(value) else set()


def test_every_event_is_told_with_its_id() -> None:
    table = section(DOCS / "operations.md", "Events")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| `")]
    told = {
        (reason.strip("`"), kind, number)
        for reason, kind, ids, _ in rows
        for number in re.findall(r"\d+", ids) or ["0"]
    }
    assert told == {(e.reason, "Warning" if e.warning else "Normal", str(e.was_id)) for e in every_event()}


def every_event() -> list[Event]:
    made = {name for name, one in vars(events).items() if inspect.isfunction(one) and one.__module__ == events.__name__}
    known = {"failed", "recycling", "recycled", "idle", "started", "senseless_wish", "unknown_worker"}
    known |= {"site_refused", "listener_silent"}
    assert made <= known, "an Event that the pages do not know"
    failures = [events.failed("w", kind, "") for kind in events._FAILURES]
    recycles = [events.recycled("w", reason, failure="") for reason in events._RECYCLES]
    rest = [events.recycled("w", Reason.ON_DEMAND, failure="x"), events.recycling("w", Reason.ON_DEMAND)]
    listeners = [events.listener_silent("l", 1), *(events.site_refused(reason, "") for reason in sorted(site.REFUSALS))]
    workers = [events.idle("w", 1), events.started("w", 1), events.senseless_wish("x")]
    return [*failures, *recycles, *rest, *workers, *listeners]


def test_every_metric_of_the_operator_is_explained_and_no_other() -> None:
    found = {m.name + ("_total" if m.type == "counter" else "") for m in metrics.REGISTRY.collect()}
    assert set(cells(section(DOCS / "operations.md", "Metrics"), 0)) == found


def test_every_message_of_the_link_is_explained_and_no_other() -> None:
    kinds = {model.__name__ for model in get_args(link.Message)}
    assert set(cells(section(DOCS / "architecture.md", "The link"), 0)) == kinds


def test_every_field_of_the_log_is_explained_and_no_other() -> None:
    told = {name for cell in re.findall(r"^\| (.*?) \|", section(DOCS / "operations.md", "Logs"), re.MULTILINE)
            for name in re.findall(r"`(\w+)`", cell)}  # fmt: skip
    assert told == set(re.findall(r"\((\w+)\)(?:\[|[a-zA-Z])", logging.FORMAT))


@each_page
def test_values_of_the_chart_are_those_it_takes(page: Path) -> None:
    schema = json.loads((ROOT / "charts" / "webgarden" / "values.schema.json").read_text("utf-8"))
    for block in blocks(page, "yaml"):
        if block.startswith("# values.yaml"):
            assert list(unknown(yaml.safe_load(block), schema, schema)) == []


def unknown(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:  # noqa: ANN401
    """Keys that the schema does not have."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for key, inner in value.items():
        if key in schema["properties"]:
            yield from unknown(inner, schema["properties"][key], root, f"{path}.{key}")
        else:
            yield f"{path}.{key}"
