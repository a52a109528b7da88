"""A file behind an https address."""

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from churn_platform.errors import InputError, UsageError
from churn_platform.lake.sources.declarations import Remote
from churn_platform.lake.sources.download import file_name, save
from churn_platform.settings import secret

SCHEME = "https://"
SILENCE_SECONDS = 60


def fetch(url: str, remote: Remote, folder: Path) -> None:
    """Download one file into a folder. The address appears in messages without its query, which may be a signature.

    Raises:
        UsageError: the address holds a password, or a variable that the mapping names is not set.
        InputError: the server cannot be reached or trusted, says no, or breaks off.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UsageError(
            f"The address of {parts.hostname} holds a user or a password. Put the Authorization header into a "
            "variable and name it with authorization_variable under [source.remote] in the mapping."
        )
    address = f"{parts.scheme}://{parts.netloc}{parts.path}"
    name = file_name(unquote(parts.path), address)
    request = urllib.request.Request(url)  # noqa: S310 - it begins with https://
    if remote.authorization_variable:
        # Not sent on to where the server redirects.
        request.add_unredirected_header("Authorization", secret(remote.authorization_variable))
    try:
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_trust(remote)), _StayOnHttps())
        with opener.open(request, timeout=SILENCE_SECONDS) as response:
            save(response, response.length, folder / name, address)
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(
            f"{address} was refused: {error.code} {error.reason}. Check the address, and that "
            "authorization_variable under [source.remote] names what the server expects."
        ) from None
    except (OSError, HTTPException) as error:
        raise InputError(f"{address} cannot be fetched: {_reason(error)}. Nothing of it landed; run again.") from None


def _trust(remote: Remote) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if remote.ca_file is not None:
        try:
            context.load_verify_locations(cafile=remote.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"Mapping key source.remote.ca_file: {remote.ca_file} cannot be read ({error}). "
                "Expected a PEM file with the certificate of the authority."
            ) from error
    return context


def _reason(error: OSError | HTTPException) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"{reason.verify_message}; to trust the server's authority, declare ca_file under [source.remote]"
    return str(reason) or type(reason).__name__


class _StayOnHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(SCHEME):
            fp.close()
            raise urllib.error.URLError(f"it redirects to {urlsplit(newurl).scheme}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
