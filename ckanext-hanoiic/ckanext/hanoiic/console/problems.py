"""Why a run ended badly or a row was rejected, and what an officer can do, by code."""

from __future__ import annotations

from ckan.plugins.toolkit import _

from .kinds import N_

LOOK_AT_THE_ADDRESS = N_(
    "Open the address in a browser. If it does not answer there either, tell those who run the "
    "department’s server; else run the source again."
)
RENEW_THE_CERTIFICATE = N_(
    "Ask those who run the department’s server to renew its certificate; the data is fetched again "
    "once it is valid."
)
CORRECT_THE_SECRET = N_(
    "Choose a secret of the organisation that is for the host of the source’s address, or make one."
)
COPY_THE_LINK = N_("The address must lead straight to the file: copy it from the download link.")
ALLOW_THE_HOST = N_("The host is in a private network: ask the portal’s operator to allow it.")
CHANGE_THE_KIND = N_(
    "Open the file: is it of the kind that the source says? If not, change the kind."
)
PIN_THE_ENCODING = N_(
    'Pin the encoding in the advanced options, for instance {"encoding": "tcvn3"}.'
)
PIN_THE_HEADER = N_(
    "Does the file have rows? If so, pin the header’s row in the advanced options, for instance "
    '{"header_row": 3}.'
)
PIN_THE_SHEET = N_('Pin the sheet in the advanced options, for instance {"sheet": "2026"}.')
SAVE_AGAIN = N_("Open the file on your computer, save it again without a password and put it back.")
LOOK_AT_THE_ROWS = N_(
    "Look at the rejected rows below. Correct them at the source, or change the rules in the "
    "advanced options."
)
SPLIT_THE_FILE = N_("Split the file, or ask the portal’s operator to raise the limit.")
EDIT_THE_SOURCE = N_("Edit the source and correct what the message says.")
RENAME = N_("Choose another table or dataset name: this one belongs to another source.")
ASK_THE_OPERATOR = N_(
    "Run the source again. If it fails again, send the harvest number to the portal’s operator."
)
PIN_THE_ROWS = N_(
    'Pin where the records are in the advanced options, for instance {"rows": "result.items"}.'
)
PIN_THE_PARTS = N_(
    'Pin which files or layers to take in the advanced options, for instance {"parts": "*.csv"}.'
)
PIN_THE_CRS = N_(
    'Pin the coordinate system in the advanced options, for instance {"crs": "EPSG:3405"}.'
)
EXPORT_AGAIN = N_("Have the file exported again from the program that made it.")
UPLOAD_AGAIN = N_("Upload the file again.")
CORRECT_OR_DECIDE = N_(
    "Have the data corrected at the source. If the decision was wrong, open it among the held "
    "versions and approve it."
)
NOTHING = N_("Nothing: the source is no longer harvested.")

# Code of a run's error → what happened, what to do.
PROBLEMS: dict[str, tuple[str, str]] = {
    "source_failed": (N_("The source did not give its data."), LOOK_AT_THE_ADDRESS),
    "source_unreachable": (N_("The source’s server did not answer."), LOOK_AT_THE_ADDRESS),
    "tls_failed": (N_("The source’s server has no valid certificate."), RENEW_THE_CERTIFICATE),
    "secret_missing": (N_("The source’s secret is not there."), CORRECT_THE_SECRET),
    "secret_unfit": (N_("The source’s secret cannot be sent to its server."), CORRECT_THE_SECRET),
    "login_refused": (N_("The source’s server does not take the secret."), CORRECT_THE_SECRET),
    "host_key_mismatch": (
        N_("The server’s key is not the one that the source says."),
        N_("Compare the key with the department, then put it into the source."),
    ),
    "source_answered_error": (
        N_("The source’s server answered with an error."),
        LOOK_AT_THE_ADDRESS,
    ),
    "source_interrupted": (N_("The download broke off."), LOOK_AT_THE_ADDRESS),
    "source_too_slow": (N_("The download took too long."), LOOK_AT_THE_ADDRESS),
    "raw_not_kept": (N_("The file as it was last fetched is kept no longer."), ASK_THE_OPERATOR),
    "source_too_large": (N_("The file is too large."), SPLIT_THE_FILE),
    "url_refused": (N_("The address is not one that may be fetched."), COPY_THE_LINK),
    "redirects_exhausted": (N_("The address leads on and on to others."), COPY_THE_LINK),
    "address_forbidden": (N_("The address leads into a private network."), ALLOW_THE_HOST),
    "html_instead_of_data": (N_("The address gives a web page and no data."), COPY_THE_LINK),
    "format_mismatch": (N_("The file is not of the kind that the source says."), CHANGE_THE_KIND),
    "binary_content": (N_("The file is no text."), CHANGE_THE_KIND),
    "geojson_broken": (N_("The GeoJSON cannot be read."), CHANGE_THE_KIND),
    "crs_unsupported": (
        N_("The map layer is not in longitude and latitude (WGS 84)."),
        N_("Export the layer again in WGS 84 (EPSG:4326)."),
    ),
    "gtfs_file_missing": (
        N_("The timetable lacks a file that GTFS requires."),
        N_("Ask those who make the timetable for a complete one."),
    ),
    "crs_missing": (N_("The map layer does not say its coordinate system."), PIN_THE_CRS),
    "layer_broken": (N_("The map layer is damaged, or a part of it is missing."), EXPORT_AGAIN),
    "json_broken": (N_("The file is no valid JSON."), EXPORT_AGAIN),
    "xml_broken": (N_("The file is no valid XML."), EXPORT_AGAIN),
    "xml_unsafe": (N_("The XML contains definitions that could do harm."), EXPORT_AGAIN),
    "nested_too_deep": (N_("The file is nested too deeply to be a table."), CHANGE_THE_KIND),
    "rows_not_found": (N_("The document has no list of records, or several."), PIN_THE_ROWS),
    "part_not_found": (N_("The archive or file has no such part."), PIN_THE_PARTS),
    "parquet_broken": (N_("The Parquet file cannot be read."), EXPORT_AGAIN),
    "parquet_encrypted": (N_("The Parquet file is encrypted."), EXPORT_AGAIN),
    "reader_died": (N_("Reading the file took too much memory or time."), SPLIT_THE_FILE),
    "upload_gone": (N_("The uploaded file is no longer there."), UPLOAD_AGAIN),
    "cube_broken": (N_("The statistical table is not whole."), EXPORT_AGAIN),
    "catalogue_broken": (
        N_("The catalogue cannot be read, or its pages have no end."),
        CHANGE_THE_KIND,
    ),
    "catalogue_unsafe": (
        N_("The catalogue calls for definitions from elsewhere, which could do harm."),
        EXPORT_AGAIN,
    ),
    "encoding_unknown": (N_("The file’s encoding could not be found out."), PIN_THE_ENCODING),
    "encoding_broken": (N_("The file has bytes that its encoding lacks."), PIN_THE_ENCODING),
    "no_table_found": (N_("No header and no rows were found."), PIN_THE_HEADER),
    "table_empty": (N_("The table has no rows."), PIN_THE_HEADER),
    "too_many_columns": (N_("The table has too many columns."), SPLIT_THE_FILE),
    "line_too_long": (N_("A line of the file is too long."), CHANGE_THE_KIND),
    "sheet_not_found": (N_("The workbook has no such sheet."), PIN_THE_SHEET),
    "workbook_broken": (N_("The workbook cannot be read."), SAVE_AGAIN),
    "workbook_encrypted": (N_("The workbook has a password."), SAVE_AGAIN),
    "archive_broken": (N_("The archive cannot be read."), SAVE_AGAIN),
    "archive_encrypted": (N_("The archive has a password."), SAVE_AGAIN),
    "archive_too_large": (N_("The archive unpacks to too much."), SPLIT_THE_FILE),
    "archive_path_unsafe": (N_("The archive names files outside of itself."), SAVE_AGAIN),
    "column_missing": (N_("A required column is missing."), LOOK_AT_THE_ROWS),
    "reference_missing": (
        N_("The table that a column refers to is not there."),
        EDIT_THE_SOURCE,
    ),
    "too_many_rejected": (N_("Too many rows break the rules."), LOOK_AT_THE_ROWS),
    "data_refused": (N_("The data is not fit to be published."), LOOK_AT_THE_ROWS),
    "api_refused": (N_("The API answered with an error."), EDIT_THE_SOURCE),
    "source_changing": (
        N_("The data changed again and again while it was read."),
        N_("Run the source again at a time when nobody works on its data."),
    ),
    "feed_broken": (N_("The live timetable cannot be read."), LOOK_AT_THE_ADDRESS),
    "pages_broken": (
        N_("The pages of the API do not end, or do not fit together."),
        N_("Choose in the source how the API turns its pages."),
    ),
    "held_version_rejected": (
        N_("The data is again what an officer rejected."),
        CORRECT_OR_DECIDE,
    ),
    "mask_key_missing": (N_("The portal has no key to replace values by codes."), ASK_THE_OPERATOR),
    "database_unavailable": (N_("The harvest database did not answer."), ASK_THE_OPERATOR),
    "portal_failed": (N_("The catalogue did not answer as expected."), ASK_THE_OPERATOR),
    "portal_not_there": (N_("The source or its harvest is no longer there."), NOTHING),
    "harvest_failed": (N_("The harvest broke."), ASK_THE_OPERATOR),
    "source_invalid": (N_("The source’s settings cannot be followed."), EDIT_THE_SOURCE),
    "portal_refused": (N_("The catalogue did not take the dataset."), EDIT_THE_SOURCE),
    "table_taken": (N_("The table belongs to another source or department."), RENAME),
    "dataset_taken": (N_("The dataset’s name belongs to something else."), RENAME),
    "portal_unavailable": (N_("The catalogue did not answer."), ASK_THE_OPERATOR),
    "lake_failed": (N_("The data could not be stored."), ASK_THE_OPERATOR),
    "worker_lost": (N_("The harvest worker died while it worked on this."), ASK_THE_OPERATOR),
    "source_deleted": (N_("The source was deleted before the harvest ended."), NOTHING),
}
UNKNOWN = (N_("The harvest went wrong."), ASK_THE_OPERATOR)

# Code of a rejected row → why.
REASONS: dict[str, str] = {
    "type_mismatch": N_("Not of the column’s type"),
    "required": N_("Empty, but required"),
    "below_minimum": N_("Below the minimum"),
    "above_maximum": N_("Above the maximum"),
    "pattern_mismatch": N_("Does not match the pattern"),
    "reference_unknown": N_("Not in the table that the column refers to"),
    "not_unique": N_("Occurs more than once"),
    "ragged_row": N_("Too many or too few cells"),
    "json_broken": N_("No valid JSON"),
    "not_an_object": N_("No record"),
    "geometry_invalid": N_("The place on the map cannot be read"),
}


def problem(code: str) -> str:
    """What happened, by the code of a run's error."""
    return _(PROBLEMS.get(code, UNKNOWN)[0])


def advice(code: str) -> str:
    """What an officer can do about it."""
    return _(PROBLEMS.get(code, UNKNOWN)[1])


def reason(code: str | None) -> str:
    """Why a row was rejected; empty for a code without words."""
    return _(REASONS[code]) if code in REASONS else ""
