"""`jaxshop inspect`: computed once, told twice."""

import json
import sys
from dataclasses import replace

from jaxshop.bounds import certify
from jaxshop.cli import main
from jaxshop.shop import Fixed, shop_to_json, split_lots
from jaxshop.views.tables import lots_hint
from tests.shops import from_routes, tiny_shop


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


def test_a_job_longer_than_all_the_work_is_hinted_at():
    """Where a whole job alone sets the bound the option is named; not where it cannot be cut, is cut, or has ticks."""
    hours = replace(from_routes([[{0: 18000}, {2: 18000}], [{0: 3600, 1: 3600}], [{1: 3600}]], 3), unit="hours")
    (hint,) = lots_hint(split_lots(hours, None), certify(split_lots(hours, None)))
    assert "job J0 alone takes 10.00 h" in hint
    assert "--max-lot-hours" in hint
    first, *others = hours.jobs
    of_one = replace(hours, jobs=(replace(first, quantity=1), *others))
    begun = replace(first.operations[0], fixed=Fixed(next(iter(first.operations[0].alternatives)), 0))
    held = replace(hours, jobs=(replace(first, operations=(begun, *first.operations[1:])), *others))
    for shop, lots in ((hours, 4.0), (of_one, None), (replace(hours, unit="ticks"), None), (held, None)):
        plan = split_lots(shop, lots)
        assert not list(lots_hint(plan, certify(plan)))
