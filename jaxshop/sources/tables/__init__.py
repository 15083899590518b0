"""Orders, routes and machines from tables: CSV and XLSX files as people export them."""

from jaxshop.sources.tables.columns import COLUMNS, TABLES
from jaxshop.sources.tables.document import Imported, import_tables
from jaxshop.sources.tables.options import Reading, parse_start, read_column

__all__ = ["COLUMNS", "TABLES", "Imported", "Reading", "import_tables", "parse_start", "read_column"]
