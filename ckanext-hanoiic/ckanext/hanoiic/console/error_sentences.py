"""What the harvest worker says in English when a harvest ends badly: see ``sentences``."""

from __future__ import annotations

from .kinds import N_

# A pattern of the worker's words → the same with its facts in braces.
ERRORS: dict[str, str] = {
    r"The address is not a URL\.": N_("The address is not a URL."),
    r"Only http and https addresses are harvested\.": N_(
        "Only http and https addresses are harvested."
    ),
    r"The address carries a user name or a password; (?:take them out|make a secret of it)\.": N_(
        "The address carries a user name or a password: make a secret of them."
    ),
    r"(?P<host>\S+) has a private or local address; the operator may allow it in "
    r"(?P<setting>\w+)\.": N_(
        "{host} has a private or local address; the operator may allow it in {setting}."
    ),
    r"There is no host (?P<host>\S+?)\.": N_("There is no host {host}."),
    r"(?P<host>\S+) redirects more than (?P<times>\d+) times\.": N_(
        "{host} redirects more than {times} times."
    ),
    r"(?P<host>\S+) redirects to an address that can't be fetched\.": N_(
        "{host} redirects to an address that cannot be fetched."
    ),
    r"(?P<host>\S+) sent nothing for (?P<seconds>\d+) s\.": N_(
        "{host} sent nothing for {seconds} s."
    ),
    r"(?P<host>\S+) did not answer in time\.": N_("{host} did not answer in time."),
    r"The source sent under (?P<bytes>\d+) bytes a second\.": N_(
        "The source sent under {bytes} bytes a second."
    ),
    r"The source stopped sending\.": N_("The source stopped sending."),
    r"The answer ended before its announced length\.": N_(
        "The answer ended before its announced length."
    ),
    r"The source asked to be left alone for another (?P<seconds>\d+) s\.": N_(
        "The source asked to be left alone for another {seconds} s."
    ),
    r"The organisation has no secret '(?P<name>.+)' for the host of the source's address\.": N_(
        "The organisation has no secret “{name}” for the host of the source’s address."
    ),
    r"The secret is for another host than the source's\.": N_(
        "The secret is for another host than the source’s."
    ),
    r"(?P<host>\S+) does not take the secret\.": N_("{host} does not take the secret."),
    r"A database wants a secret of kind basic \(user:password\); name it in `secret`\.": N_(
        "A database wants a secret of kind basic (user:password)."
    ),
    r"The secret of a database is of kind basic: user:password\.": N_(
        "The secret of a database is of kind basic (user:password)."
    ),
    r"An SFTP server wants a secret of kind basic \(user:password\) or ssh_key; name it in "
    r"`secret`\.": N_("An SFTP server wants a secret of kind basic (user:password) or ssh_key."),
    r"The server's key is (?P<key>.+)\. Ask the department whether it is theirs, then pin it "
    r"in the option `host_key`\.": N_(
        "The server’s key is {key}. Ask the department whether it is theirs, then set it as "
        "the server’s key."
    ),
    r"The server has another key than the pinned one: (?P<key>.+)\. Somebody may stand "
    r"between; ask the department before you pin it\.": N_(
        "The server has another key than the one that was set: {key}. Somebody may stand "
        "between; ask the department first."
    ),
    r"The source answered with a login page instead of data: the address can only be read by "
    r"people who signed in\. Ask for a public address of the file\.": N_(
        "The source answered with a login page instead of data: the address can only be read "
        "by people who signed in. Ask for a public address of the file."
    ),
    r"The source answered with a web page(?P<title>.*?) instead of data: a login, an error, or "
    r"the page about the data\. Open the address in a browser and copy the link of the file "
    r"itself\.": N_(
        "The source answered with a web page{title} instead of data: a login, an error, or the "
        "page about the data. Open the address in a browser and copy the link of the file "
        "itself."
    ),
    r"The file has NUL bytes; it is not a text\.": N_("The file has NUL bytes; it is not a text."),
    r"The source gave bytes of no known kind; they are no text\.": N_(
        "The source gave bytes of no known kind; they are no text."
    ),
    r"The source gave an Office document that is no workbook\.": N_(
        "The source gave an Office document that is no workbook."
    ),
    r"The file is no Excel or OpenDocument workbook\.": N_(
        "The file is no Excel or OpenDocument workbook."
    ),
    r"The file is a binary workbook \(xlsb\); save it as xlsx\.": N_(
        "The file is a binary workbook (xlsb); save it as xlsx."
    ),
    r"The file is an old Office document, but no workbook\.": N_(
        "The file is an old Office document, but no workbook."
    ),
    r"The file is no Parquet file\.": N_("The file is no Parquet file."),
    r"The file is no GeoPackage\.": N_("The file is no GeoPackage."),
    r"The file is no zip archive of a Shapefile\.": N_(
        "The file is no zip archive of a Shapefile."
    ),
    r"The file is no archive \(zip, gz, tar\.gz\)\.": N_(
        "The file is no archive (zip, gz, tar.gz)."
    ),
    r"Every line of the file is a JSON object; choose the kind `ndjson`\.": N_(
        "Every line of the file is a JSON object: choose the kind “JSON lines”."
    ),
    r"The file is empty\.": N_("The file is empty."),
    r"The data could not be stored(?P<why>.*)\.": N_("The data could not be stored{why}."),
    r"The catalogue's datasets come and go while its pages are read\.": N_(
        "The catalogue’s datasets come and go while its pages are read."
    ),
    r"No header with rows below it was found in the file\.": N_(
        "No header with rows below it was found in the file."
    ),
    r"The file's records can't be told apart\.": N_("The file’s records cannot be told apart."),
    r"The records can't be told apart: a quotation mark that never closes\?": N_(
        "The records cannot be told apart: a quotation mark that never closes?"
    ),
    r"The table has (?P<count>\d+) columns; (?P<most>\d+) are allowed\.": N_(
        "The table has {count} columns; {most} are allowed."
    ),
    r"The file's encoding can't be told; pin the option `encoding`\.": N_(
        "The file’s encoding cannot be told: choose it below."
    ),
    r"The file is UTF-8 with wrong bytes, the first at position (?P<position>\d+)\.": N_(
        "The file is UTF-8 with wrong bytes, the first at position {position}."
    ),
    r"There is no encoding '(?P<name>.+)'\.": N_("There is no encoding “{name}”."),
    r"The workbook is protected by a password\.": N_("The workbook is protected by a password."),
    r"The workbook can't be read: it is (?:damaged or protected|truncated or damaged)\.": N_(
        "The workbook cannot be read: it is damaged or protected."
    ),
    r"No visible sheet of the workbook has rows\.": N_(
        "No visible sheet of the workbook has rows."
    ),
    r"The workbook has no sheet '(?P<sheet>.+)'; it has: (?P<names>.+)\.": N_(
        "The workbook has no sheet “{sheet}”; it has: {names}."
    ),
    r"The zip archive is encrypted\.": N_("The zip archive is encrypted."),
    r"The zip archive is truncated or damaged\.": N_("The zip archive is truncated or damaged."),
    r"The Parquet file is truncated or damaged\.": N_("The Parquet file is truncated or damaged."),
    r"The Parquet file is encrypted\.": N_("The Parquet file is encrypted."),
    r"The (?:file|document) is no valid JSON\.": N_("The file is no valid JSON."),
    r"The file is no valid XML: (?P<why>.+), line (?P<line>\d+)\.": N_(
        "The file is no valid XML: {why}, line {line}."
    ),
    r"The file is no GeoJSON FeatureCollection \(type: (?P<type_found>.+)\)\.": N_(
        "The file is no GeoJSON FeatureCollection (type: {type_found})."
    ),
    r"The coordinates are in (?P<crs>.+), not in longitude and latitude \(CRS84\)\.": N_(
        "The coordinates are in {crs}, not in longitude and latitude (CRS84)."
    ),
    r"The document has no list of objects that could be rows\.": N_(
        "The document has no list of objects that could be rows."
    ),
    r"The document has (?P<count>\d+) lists of objects: (?P<names>.+)\. Pin the option `rows` "
    r"to one of them\.": N_(
        "The document has {count} lists of objects: {names}. Choose one of them as the place "
        "of the records."
    ),
    r"The list of the document is empty; nothing was published\.": N_(
        "The list of the document is empty; nothing was published."
    ),
    r"The zip is no complete GTFS feed; it lacks (?P<files>.+)\.": N_(
        "The zip is no complete GTFS feed; it lacks {files}."
    ),
    r"The layer does not say its coordinate system \(a Shapefile's \.prj file is missing\); "
    r"pin the option `crs`, such as EPSG:3405 \(VN-2000 / UTM 48N\)\.": N_(
        "The layer does not say its coordinate system (a Shapefile’s .prj file is missing): "
        "set it, such as EPSG:3405 (VN-2000 / UTM 48N)."
    ),
    r"The map layer can't be read: it is damaged or incomplete\.": N_(
        "The map layer cannot be read: it is damaged or incomplete."
    ),
    r"Reading the file took more than (?P<mib>\d+) MiB of memory or (?P<seconds>\d+) s, or the "
    r"file is damaged in a way that breaks its reader\.": N_(
        "Reading the file took more than {mib} MiB of memory or {seconds} s, or the file is "
        "damaged in a way that breaks its reader."
    ),
    r"The uploaded file is no longer there; upload it again\.": N_(
        "The uploaded file is no longer there; upload it again."
    ),
    r"The source's answer is no (?:valid )?JSON\.": N_("The source’s answer is no JSON."),
    r"The address is of no WFS: it does not say what it can \(GetCapabilities\)\.": N_(
        "The address is of no WFS: it does not say what it can (GetCapabilities)."
    ),
    r"The address is of no SensorThings service: it has /v1\.1 or /v1\.0 at the end of its "
    r"root\.": N_("The address is of no SensorThings service: its root ends with /v1.1 or /v1.0."),
    r"The address is of no folder or table of a PX-Web API; it begins as "
    r"\.\.\./api/v1/vi/\.\.\.": N_(
        "The address is of no folder or table of a PX-Web API; it begins as .../api/v1/vi/..."
    ),
    r"The address is of no ArcGIS layer: it ends as \.\.\./FeatureServer/0 or "
    r"\.\.\./MapServer/0\.": N_(
        "The address is of no ArcGIS layer: it ends as .../FeatureServer/0 or .../MapServer/0."
    ),
    r"The address of a bucket is such as https://s3\.example\.vn/bucket/folder/\.": N_(
        "The address of a bucket is such as https://s3.example.vn/bucket/folder/."
    ),
    r"The address of a folder is such as sftp://files\.example\.vn/folder/\.": N_(
        "The address of a folder is such as sftp://files.example.vn/folder/."
    ),
    r"The option `query` says which table of the database, or its SELECT\. (?P<choice>.+)": N_(
        "Set which table of the database is wanted, or a SELECT. {choice}"
    ),
    r"The query has a semicolon; it must be a single SELECT\.": N_(
        "The query has a semicolon; it must be a single SELECT."
    ),
    r"No connection to a database at (?P<host>\S+): (?P<words>.+)\.": N_(
        "No connection to a database at {host}: {words}."
    ),
    r"The database answered with an error: (?P<words>.+)\.": N_(
        "The database answered with an error: {words}."
    ),
    r"The account sees no table\.": N_("The account sees no table."),
    r"The account sees (?P<names>.+) and (?P<count>\d+) more\.": N_(
        "The account sees {names} and {count} more."
    ),
    r"The account sees (?P<names>.+)\.": N_("The account sees {names}."),
}
