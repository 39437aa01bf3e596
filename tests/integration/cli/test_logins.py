"""A name and password in a server's address: refused in one line that does not repeat them, and stored nowhere."""

from __future__ import annotations

import json

import pytest
from scoring import write_jsonl

from stepgauge.adapters.cli import main

SECRET = "hunter2"
ADDRESSES = [
    f"http://me:{SECRET}@localhost:9/v1",
    f"https://{SECRET}@localhost:9",
    f"http://me:a/{SECRET}@localhost:9/v1",
    f"me:{SECRET}@localhost:9/v1",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))


def given(address: str) -> dict[str, dict[str, object]]:
    """Every option that names a server."""
    server = {"base_url": address, "model": "m"}
    prm = {"name": "prm", "model": "m", "base_url": address}
    return {
        "judge": {"judges": [{"name": "openai", **server}], "claims": ["sentence"]},
        "claims": {"claims": [{"name": "llm", **server}]},
        "splitter": {"splitter": {"name": "llm", **server}},
        "verifier": {"judges": [{**prm, "layout": "x"}], "claims": ["steps"]},
        "verifier alone": {"judges": [prm], "claims": ["steps"]},
        "abstention": {"abstention": {"name": "openai", **server}},
        "preset": {"preset": "paper", "endpoint": server},
        "preset without a model": {"preset": "paper", "endpoint": {"base_url": address}},
        "endpoint without a preset": {"endpoint": server},
        "scorer": {"scorer": "smollm2", "backend": "vllm", "base_url": address},
        "scorer of another backend": {"scorer": "smollm2", "base_url": address},
        "not JSON": {"judges": f'{{"name": "openai", "base_url": "{address}"'},
        "no name": {"judges": [server]},
    }


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("door", list(given("")))
def test_no_option_that_names_a_server_takes_or_shows_a_login(address, door, tmp_path, capsys):
    if "://" not in address and door not in ("judge", "claims", "splitter", "verifier alone", "abstention", "scorer"):
        pytest.skip("no address that could be told from other text")
    path = write_jsonl(tmp_path / "in.jsonl", [{"question": "Q?", "response": "A.\nB is C.", "answer": "1"}])
    options = {"scorer": None, **given(address)[door]}
    sets = [
        word
        for name, value in options.items()
        for word in ("--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}")
    ]
    out = tmp_path / "out"
    assert main(["score", str(path), "--out", str(out), *sets]) == 2
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert printed.err.count("\n") == 1
    if door in ("judge", "claims", "splitter", "verifier alone", "abstention", "scorer", "preset"):
        assert "option base_url" in printed.err
        assert "an environment variable that api_key_env names" in printed.err
        assert "…@localhost:9" in printed.err
    kept = [file for folder in (out, tmp_path / "cache") for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in kept if SECRET.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    "judges", ['{"name": "openai", "model": "m", "base_url": "%s"}', '{"base_url": "%s"', '{"base_url": "%s"}']
)
def test_judge_check_refuses_it_too(judges, tmp_path, capsys):
    path = write_jsonl(tmp_path / "claims.jsonl", [{"claim": "Iron is a metal.", "label": "right"}])
    assert main(["judge-check", "--judges", judges % ADDRESSES[0], "--on", str(path)]) == 2
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
