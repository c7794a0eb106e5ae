"""A solution as files and tables: ranked CIFs, a table, the pattern, a plot and the full record."""

from xtal_core.report.cif import CrystalFile, crystal_file, crystal_files
from xtal_core.report.folder import report_folder
from xtal_core.report.record import solution_record, to_json
from xtal_core.report.table import solution_table
from xtal_core.report.writer import write_report

__all__ = [
    "CrystalFile",
    "crystal_file",
    "crystal_files",
    "report_folder",
    "solution_record",
    "solution_table",
    "to_json",
    "write_report",
]
