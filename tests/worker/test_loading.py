"""An application that cannot be loaded keeps the port closed and says why in the last line of the log."""

import socket
from pathlib import Path

import pytest
from tests.worker.workers import ASGI, PROGRAMS, WSGI, Worker, launch, running

BROKEN = {"site": "test/broken", "path": "/app", "kind": "ASGI", "root": str(PROGRAMS / "broken")}
CLASH = {"site": "test/clash", "path": "/", "kind": "ASGI"}
ONE, TWO = str(PROGRAMS / "clash" / "one"), str(PROGRAMS / "clash" / "two")


def last_words(worker: Worker) -> str:
    assert worker.exit_code() == 1, worker.log
    return worker.lines[-1].partition(" Cannot serve: ")[2].strip()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nowhere:app", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("lacking:app", "cannot be imported: ModuleNotFoundError: No module named 'a_package_that_nobody_has'"),
        ("raises:app", "cannot be imported: ValueError: no database configured"),
        ("leaves:app", "cannot be imported: SystemExit: usage: leaves FILE"),
        ("refusing:application", "module 'refusing' has no attribute 'application'"),
        ("refusing:number", "is not a ASGI application, that is a callable of scope, receive, send, but int"),
        ("refusing:app", "its startup (ASGI lifespan) failed"),
        ("refusing:fail()", "cannot be made: ConnectionError: the licence server is closed"),
        ("refusing:number()", "cannot be made: TypeError: 'int' object is not callable"),
        (
            "stubborn:app",
            "is not a ASGI application, that is a callable of scope, receive, send; "
            "it takes (environ: dict[str, typing.Any], start_response: Any) -> collections.abc.Iterable[bytes]",
        ),
    ],
)
def test_a_target_that_does_not_load_ends_the_worker(target: str, why: str) -> None:
    with launch(ASGI, {**BROKEN, "target": target}) as worker:
        assert last_words(worker) == f"site test/broken, path /app, target {target}: {why}"


def test_the_program_s_own_traceback_is_in_the_log() -> None:
    with launch({**BROKEN, "target": "raises:app"}) as worker:
        worker.exit_code()
        assert f'File "{PROGRAMS}/broken/raises.py", line 3' in worker.log


def test_a_lifespan_s_own_words_are_in_the_log() -> None:
    with launch({**BROKEN, "target": "refusing:app"}) as worker:
        worker.exit_code()
        assert "the licence server is closed" in worker.log


def test_what_was_started_is_shut_down_when_a_later_startup_fails() -> None:
    with launch(ASGI, {**BROKEN, "target": "refusing:app"}) as worker:
        worker.exit_code()
        assert "shop: started" in worker.log
        assert "shop: stopped" in worker.log


def test_a_directory_that_is_not_there_ends_the_worker() -> None:
    for application in (
        {**ASGI, "root": "/nowhere"},
        {"site": "a/b", "path": "/", "kind": "Static", "root": "/nowhere"},
    ):
        with launch(application) as worker:
            assert last_words(worker).endswith(": there is no directory /nowhere")


def test_a_setting_that_cannot_be_followed_ends_the_worker() -> None:
    with launch(environment={"WEBGARDEN_THREADS": "many"}) as worker:
        assert last_words(worker) == "WEBGARDEN_THREADS 'many' is not a number from 1 to 1000"


def test_a_port_that_is_taken_ends_the_worker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with launch(WSGI, environment={"WEBGARDEN_PORT": str(port)}) as worker:
            assert last_words(worker).startswith(f"port {port} cannot be opened: ")


def test_two_roots_that_both_have_the_module_are_refused() -> None:
    one = {**CLASH, "path": "/one", "target": "app:app", "root": ONE}
    with launch(one, {**CLASH, "target": "app:app", "root": TWO}) as worker:
        assert last_words(worker) == (
            f"site test/clash, path /one, target app:app: cannot be imported: ImportError: module 'app' is in {ONE} "
            f"and {TWO}, and one process can hold one module of a name: rename it or give each application a pool of "
            "its own"
        )


def test_a_program_never_gets_the_other_s_module_not_even_late() -> None:
    """Both roots have `models`, which each program imports inside its first request."""
    first = {**CLASH, "path": "/one", "target": "first:app", "root": ONE}
    with running(first, {**CLASH, "target": "second:app", "root": TWO}) as worker:
        for path in ("/one/", "/"):
            assert worker.get(path).status == 500
        worker.terminate()
        worker.exit_code()
        assert worker.log.count(f"ImportError: module 'models' is in {ONE} and {TWO}") == 2


def test_the_same_names_in_one_root_are_no_clash(tmp_path: Path) -> None:
    root = tmp_path / "link"
    root.symlink_to(ONE)
    first = {**CLASH, "path": "/one", "target": "first:app", "root": ONE}
    with running(first, {**CLASH, "target": "first:app", "root": str(root)}) as worker:
        assert worker.get("/one/").body == b"one"
        assert worker.get("/").body == b"one"


def test_a_factory_is_called_once_however_often_it_is_mounted() -> None:
    made = {**WSGI, "target": "made:create_app()"}
    with running(made, {**made, "path": "/again"}) as worker:
        assert worker.get("/").json()["made"] == 1
        assert worker.get("/again/").json()["made"] == 1


def test_the_working_directory_is_the_application_s_root() -> None:
    with running({**WSGI, "target": "made:create_app()"}) as worker:
        root = str(PROGRAMS / "wsgi")
        assert worker.get("/").json() == {"made": 1, "imported in": root, "made in": root, "asked in": root}


def test_of_several_roots_each_is_imported_in_its_own_and_the_first_one_stays() -> None:
    with running(ASGI, {**WSGI, "path": "/made", "target": "made:create_app()"}) as worker:
        seen = worker.get("/made/").json()
        assert (seen["imported in"], seen["made in"]) == (str(PROGRAMS / "wsgi"), str(PROGRAMS / "wsgi"))
        assert seen["asked in"] == str(PROGRAMS / "asgi")
