"""The harvest room's error tree. Errors hold facts; the worker and the command line map them.

Three questions decide what happens to a run: may it pass by itself (`passing`: the worker tries
again)? Is it the data's fault (`DataRefused`: the run ends `refused`)? Else the run ends `failed`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HarvestError(Exception):
    """Anything that ends a run. `detail` is one sentence for an officer; `facts` hold no values."""

    code: ClassVar[str] = "harvest_failed"
    passing: bool = False

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class SourceInvalid(HarvestError):
    """The source's own settings cannot be followed: kind, options, table name."""

    code = "source_invalid"


# --- fetch ---------------------------------------------------------------------------------------


class SourceFailed(HarvestError):
    """The source did not give its data."""

    code = "source_failed"


class UrlRefused(SourceFailed):
    """Not an http(s) address, or one that carries a user name or a password."""

    code = "url_refused"


class AddressForbidden(SourceFailed):
    """The host is, or leads to, a private, loopback or link-local address."""

    code = "address_forbidden"


class RedirectsExhausted(SourceFailed):
    code = "redirects_exhausted"


class SourceUnreachable(SourceFailed):
    """No connection, no name, no valid certificate, or no answer in time."""

    code = "source_unreachable"
    passing = True


class TlsFailed(SourceUnreachable):
    """The host's certificate is not valid, or what it speaks is no TLS."""

    code = "tls_failed"
    passing = False


class SecretMissing(SourceFailed):
    """The portal has no such secret for the source, or for the host of its address."""

    code = "secret_missing"


class SecretUnfit(SourceFailed):
    """The secret is for another host, or of a kind that the source's protocol can't carry."""

    code = "secret_unfit"


class LoginRefused(SourceFailed):
    """The source's server does not take the secret, or wants one."""

    code = "login_refused"


class HostKeyMismatch(SourceFailed):
    """The server has another key than the source's options say, or they say none."""

    code = "host_key_mismatch"


class SourceAnsweredError(SourceFailed):
    """An HTTP status other than 200; 429 and 5xx may pass. Facts: `status`, and `retry_after_s`
    where the source said when to come back."""

    code = "source_answered_error"

    def __init__(self, detail: str, *, status: int, **facts: Any) -> None:
        super().__init__(detail, status=status, **facts)
        self.passing = status == 429 or status >= 500


class SourceInterrupted(SourceFailed):
    """The answer ended before its announced length."""

    code = "source_interrupted"
    passing = True


class SourceTooSlow(SourceFailed):
    code = "source_too_slow"
    passing = True


class SourceTooLarge(SourceFailed):
    code = "source_too_large"


class RawNotKept(SourceFailed):
    """What was fetched once lies in the raw store no more, or never did."""

    code = "raw_not_kept"


class ApiRefused(SourceFailed):
    """An API said no in an answer of its own, or it is not the API that the kind says."""

    code = "api_refused"


class SourceChanging(SourceFailed):
    """The data became other while its pages were read, so that they do not fit together."""

    code = "source_changing"
    passing = True


class UploadGone(SourceFailed):
    """The portal has no such uploaded file."""

    code = "upload_gone"


# --- decode, normalise, validate ------------------------------------------------------------------


class DataRefused(HarvestError):
    """The data arrived and is not fit to be published; the version before it stays."""

    code = "data_refused"


class HtmlInsteadOfData(DataRefused):
    code = "html_instead_of_data"


class FormatMismatch(DataRefused):
    """The bytes are of another format than the source's kind."""

    code = "format_mismatch"


class BinaryContent(DataRefused):
    code = "binary_content"


class EncodingUnknown(DataRefused):
    code = "encoding_unknown"


class EncodingBroken(DataRefused):
    """Bytes that the (found or pinned) encoding does not have. Fact: `offset`."""

    code = "encoding_broken"


class TableNotFound(DataRefused):
    """No header and rows could be made out."""

    code = "no_table_found"


class TableEmpty(DataRefused):
    """A header and not one row: an empty answer never replaces data."""

    code = "table_empty"


class TooManyColumns(DataRefused):
    code = "too_many_columns"


class LineTooLong(DataRefused):
    code = "line_too_long"


class ArchiveBroken(DataRefused):
    code = "archive_broken"


class ArchiveTooLarge(DataRefused):
    """Too many members, or it unpacks to too much: a zip bomb looks like this."""

    code = "archive_too_large"


class ArchivePathUnsafe(DataRefused):
    code = "archive_path_unsafe"


class ArchiveEncrypted(DataRefused):
    code = "archive_encrypted"


class WorkbookBroken(DataRefused):
    code = "workbook_broken"


class WorkbookEncrypted(DataRefused):
    code = "workbook_encrypted"


class SheetNotFound(DataRefused):
    code = "sheet_not_found"


class GeojsonBroken(DataRefused):
    code = "geojson_broken"


class CrsUnsupported(DataRefused):
    code = "crs_unsupported"


class CrsMissing(DataRefused):
    """A map layer whose coordinate system is nowhere said."""

    code = "crs_missing"


class JsonBroken(DataRefused):
    """Not valid JSON, or ambiguous JSON (a key twice in one object)."""

    code = "json_broken"


class XmlBroken(DataRefused):
    code = "xml_broken"


class XmlUnsafe(DataRefused):
    """The XML defines or calls entities: they may read files or grow without end."""

    code = "xml_unsafe"


class NestedTooDeep(DataRefused):
    """A document or an archive in which things lie too many levels deep in each other."""

    code = "nested_too_deep"


class RowsNotFound(DataRefused):
    """A document without rows, or with several lists that could be them. Fact: `found`."""

    code = "rows_not_found"


class PartNotFound(DataRefused):
    """No member of the archive, or no layer, is a table (that the option `parts` names)."""

    code = "part_not_found"


class ParquetBroken(DataRefused):
    code = "parquet_broken"


class ParquetEncrypted(DataRefused):
    code = "parquet_encrypted"


class LayerBroken(DataRefused):
    """A Shapefile or GeoPackage that can't be read."""

    code = "layer_broken"


class ReaderDied(DataRefused):
    """The process that reads a file apart was stopped: it wanted too much memory or time, or the
    file is broken in a way that breaks its reader."""

    code = "reader_died"


class GtfsFileMissing(DataRefused):
    code = "gtfs_file_missing"


class FeedBroken(DataRefused):
    """No GTFS-Realtime feed, or one that lacks what the specification requires."""

    code = "feed_broken"


class PagesBroken(DataRefused):
    """The pages of an API do not fit together: a circle, another host, fewer rows than it says."""

    code = "pages_broken"


class CubeBroken(DataRefused):
    """A statistical table (PX, JSON-stat) whose dimensions and cells do not fit together."""

    code = "cube_broken"


class CatalogueBroken(DataRefused):
    """The catalogue does not answer as its kind does, or its pages have no end. Fact: `line`."""

    code = "catalogue_broken"


class CatalogueUnsafe(DataRefused):
    """The catalogue calls for documents from elsewhere that decide how it is read."""

    code = "catalogue_unsafe"


class ColumnMissing(DataRefused):
    """A column that the contract requires is not in the data."""

    code = "column_missing"


class TooManyRejected(DataRefused):
    """More rows failed the contract than the source allows. Facts: counts and the share."""

    code = "too_many_rejected"


class TableTaken(DataRefused):
    """A table that another source, dataset or organisation has. Fact: `table`."""

    code = "table_taken"


class ReferenceMissing(HarvestError):
    """A table that a column refers to has no version yet."""

    code = "reference_missing"


class MaskKeyMissing(HarvestError):
    """A column is to be hashed, and the worker has no key, or none that is long enough."""

    code = "mask_key_missing"


class HeldVersionRejected(DataRefused):
    """What an officer rejected before came again. Facts: `table`, `kind`."""

    code = "held_version_rejected"


# --- publish, register, work ----------------------------------------------------------------------


class LakeFailed(HarvestError):
    """The lake refused the version (its own code is the fact `lake_code`), or what is the run's own
    could not be read or written."""

    code = "lake_failed"


class PortalFailed(HarvestError):
    code = "portal_failed"


class PortalUnavailable(PortalFailed):
    code = "portal_unavailable"
    passing = True


class PortalRefused(PortalFailed):
    """The portal validated or authorised, and said no. Fact: `fields`."""

    code = "portal_refused"


class DatasetTaken(PortalFailed):
    """The dataset's name belongs to another source or to a person."""

    code = "dataset_taken"


class DatabaseUnavailable(HarvestError):
    """The harvest database, where receipts and the queue lie, does not answer."""

    code = "database_unavailable"
    passing = True


class WorkerLost(HarvestError):
    """The workers that tried this run died each time."""

    code = "worker_lost"
