"""`jaxshop inspect`: computed once, told twice."""

import json
import sys

from jaxshop.bounds import certify
from jaxshop.cli import main
from jaxshop.shop import shop_to_json, split_lots
from tests.shops import tiny_shop


def test_a_shop_is_split_and_certified_once(tmp_path, monkeypatch, capsys):
    """Shows that the lines for people cost no second certificate, with a target or without."""
    calls = []
    monkeypatch.setattr("jaxshop.views.inspection.split_lots", lambda *a: calls.append("split") or split_lots(*a))
    monkeypatch.setattr("jaxshop.views.inspection.certify", lambda plan: calls.append("certify") or certify(plan))
    verdict = sys.modules["jaxshop.bounds.verdict"]  # the package offers the function of that name
    monkeypatch.setattr(verdict, "certify", lambda plan: calls.append("certify") or certify(plan))
    (tmp_path / "shop.json").write_text(json.dumps(shop_to_json(tiny_shop())))
    for extra in ([], ["--target-hours", "500"], ["--json"]):
        calls.clear()
        assert main(["inspect", str(tmp_path / "shop.json"), *extra]) == 0
        assert calls == ["split", "certify"]
    assert "certified bounds" in capsys.readouterr().out
