"""Where shops come from: the reference shop and its siblings, families of other makes, files, and the database."""

from __future__ import annotations

import re

from jaxshop.shop import Shop
from jaxshop.support.errors import ShopError


def load_shop(spec: str) -> Shop:
    """Load a shop.

    Args:
        spec: `reference`; `reference:K` with K = 1 ... 9, its siblings; `family:NAME:SEED`, a shop of another
            make; `plant:SHOP:SEED` and `plant-due:SHOP:SEED`, such a shop with shifts, families and due dates;
            `mariadb:`, the database that the environment names; or the path of a `.json`, `.txt` or `.fjs`
            file.

    Raises:
        ShopError: there is no such shop, or something is wrong with it.
    """
    # Imported when asked for: the database is an extra, and a file needs no generator.
    source, colon, detail = str(spec).partition(":")
    if source == "reference" and (not colon or re.fullmatch("[1-9]", detail)):
        from jaxshop.sources.reference import reference_shop

        return reference_shop(int(detail or 0))
    if source == "reference":
        raise ShopError(f"{spec}: the siblings of the reference shop are reference:1 to reference:9")
    if source == "family" and colon:
        from jaxshop.sources.families import family_shop, parse_family

        return family_shop(*parse_family(detail))
    if source in ("plant", "plant-due") and colon:
        from jaxshop.sources.plant import parse_plant, plant_shop

        base, seed = parse_plant(detail)
        return plant_shop(load_shop(base), seed, due=source == "plant-due")
    if source == "mariadb" and colon:
        if detail:
            raise ShopError("mariadb: takes nothing after the colon; its settings come from the environment")
        from jaxshop.sources.mariadb.reader import read_shop as read_database

        return read_database()
    from jaxshop.sources.files import read_shop

    return read_shop(spec)
