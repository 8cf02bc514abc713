"""Bytes behind a URI: a local path, `file://` or `s3://bucket/key`. The only module that imports boto3.

A write is atomic everywhere: a reader sees the whole object or none. Local files are written beside their
place and renamed; S3 objects appear when their upload completes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from components.core.errors import StorageError


def is_s3(uri: str) -> bool:
    return uri.startswith("s3://")


def join(uri: str, *parts: str) -> str:
    """Append path parts to a URI."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])


def name(uri: str) -> str:
    """The last part of a URI."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def exists(uri: str) -> bool:
    """Whether a file or object stands at this URI (a prefix alone does not count on S3)."""
    if not is_s3(uri):
        return _path(uri).exists()
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = _bucket_key(uri)
    try:
        _s3().head_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError) as error:
        if _status(error) == 404:
            return False
        raise StorageError(f"cannot look up {uri}: {error}") from None
    return True


def read_bytes(uri: str) -> bytes:
    """The whole content at a URI; StorageError where there is none."""
    try:
        if is_s3(uri):
            bucket, key = _bucket_key(uri)
            body: bytes = _s3().get_object(Bucket=bucket, Key=key)["Body"].read()
            return body
        return _path(uri).read_bytes()
    except Exception as error:
        raise StorageError(f"cannot read {uri}: {error}") from None


def write_bytes(uri: str, data: bytes) -> None:
    """Replace the content at a URI, atomically; StorageError where it cannot be written."""
    if is_s3(uri):
        bucket, key = _bucket_key(uri)
        try:
            _s3().put_object(Bucket=bucket, Key=key, Body=data)
        except Exception as error:
            raise StorageError(f"cannot write {uri}: {error}") from None
        return
    write_files({_path(uri): data})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Replace the contents of local files: each atomically, and the first only once all of them are on the disk.

    What stands at a path must be a regular file, or a character device such as /dev/null, which is written to.
    StorageError names the path that cannot be written; where that shows before the first takes its place, as it does
    for lack of room or rights, the others are as they were.
    """
    staged: dict[Path, tuple[Path, Path | None]] = {}
    try:
        for path, data in contents.items():
            with _naming(path):
                place = target(path, devices=True)
                staged[path] = place, None if place.is_char_device() else _draft(place, data)
        for path, (place, draft) in staged.items():
            with _naming(path):
                if draft:
                    os.replace(draft, place)
                else:
                    place.write_bytes(contents[path])
    finally:
        for _, draft in staged.values():
            if draft:
                draft.unlink(missing_ok=True)


def target(path: Path, *, devices: bool = False) -> Path:
    """The path that a new file would take, links followed; StorageError where no regular file stands there.

    devices: character devices are accepted too.
    """
    place = Path(os.path.realpath(path)) if path.is_symlink() and not path.is_char_device() else path
    # Asked of the path as given: what /dev/stdout links to has no name of its own.
    if path.exists() and not path.is_file() and not (devices and path.is_char_device()):
        kind = "a directory" if path.is_dir() else "no regular file"
        raise StorageError(f"cannot write {path}: it is {kind}; name another place")
    return place


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another place"
        ) from None


def _draft(place: Path, data: bytes) -> Path:
    """A file with this content beside its place; nothing stays where it cannot be written."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def create_bytes(uri: str, data: bytes) -> bool:
    """Write the content at a URI where nothing stands yet, atomically; False where something does."""
    if is_s3(uri):
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, key = _bucket_key(uri)
        try:
            _s3().put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
        except (BotoCoreError, ClientError) as error:
            if _status(error) in (409, 412):
                return False
            raise StorageError(f"cannot write {uri}: {error}") from None
        return True
    path = _path(uri)
    draft = f"{path.parent}/.{path.name}.{os.getpid()}-{threading.get_ident()}.part"
    write_bytes(draft, data)
    try:
        # A hard link is made whole or refused; a rename would replace what another writer put there.
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(f"cannot write {uri}: {error.strerror or error}") from None
    finally:
        Path(draft).unlink(missing_ok=True)
    return True


def list_files(uri: str, suffix: str = "") -> list[str]:
    """URIs of the files below `uri` whose names end in `suffix`, sorted; empty where nothing is there."""
    if is_s3(uri):
        bucket, key = _bucket_key(uri)
        try:
            pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key.rstrip("/") + "/")
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        except Exception as error:
            raise StorageError(f"cannot list {uri}: {error}") from None
        return sorted(f"s3://{bucket}/{k}" for k in keys if k.endswith(suffix))
    found: list[str] = []
    for folder, _, files in os.walk(_path(uri)):
        found += [os.path.join(folder, file) for file in files if file.endswith(suffix) and not file.endswith(".part")]
    return sorted(found)


def delete(uri: str) -> None:
    """Remove the file, object or folder at a URI; nothing happens where there is none."""
    if is_s3(uri):
        for target in [uri, *list_files(uri)]:
            bucket, key = _bucket_key(target)
            try:
                _s3().delete_object(Bucket=bucket, Key=key)
            except Exception as error:
                raise StorageError(f"cannot remove {target}: {error}") from None
        return
    path = _path(uri)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def keep_days(uri: str, hot_days: int, kept_days: int) -> None:
    """Have S3 move what lies below a URI to its archive after `hot_days` and delete it `kept_days` after that.

    The bucket's rules for other prefixes stay; the rule of this prefix is replaced.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, prefix = _bucket_key(uri)
    rule = {
        "ID": f"traceo {prefix}"[:255],
        "Filter": {"Prefix": f"{prefix.rstrip('/')}/"},
        "Status": "Enabled",
        "Transitions": [{"Days": hot_days, "StorageClass": "GLACIER_IR"}],
        "Expiration": {"Days": hot_days + kept_days},
    }
    try:
        try:
            rules = _s3().get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        except ClientError as error:
            if _status(error) != 404:
                raise
            rules = []
        others = [other for other in rules if other.get("ID") != rule["ID"]]
        if [rule] != [other for other in rules if other.get("ID") == rule["ID"]]:
            _s3().put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [*others, rule]})
    except (BotoCoreError, ClientError) as error:
        raise StorageError(f"cannot set how long {uri} is kept: {error}") from None


@contextmanager
def local_folder(uri: str) -> Iterator[Path]:
    """A local path with the content of the folder at `uri`, for libraries that read files; read only."""
    if not is_s3(uri):
        path = _path(uri)
        if not path.is_dir():
            raise StorageError(f"no folder at {uri}; run the step that writes it first")
        yield path
        return
    with tempfile.TemporaryDirectory() as temporary:
        files = list_files(uri)
        if not files:
            raise StorageError(f"no folder at {uri}; run the step that writes it first")
        for file in files:
            target = Path(temporary, file[len(uri.rstrip("/")) + 1 :])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read_bytes(file))
        yield Path(temporary)


@contextmanager
def new_folder(uri: str) -> Iterator[Path]:
    """A fresh local folder that becomes the folder at `uri` when the block ends without an error."""
    if is_s3(uri):
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
            delete(uri)
            for file in sorted(path for path in Path(temporary).rglob("*") if path.is_file()):
                write_bytes(join(uri, file.relative_to(temporary).as_posix()), file.read_bytes())
        return
    target = _path(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
    try:
        yield staging
        staging.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _path(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _bucket_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise StorageError(f"{uri!r} names no bucket; write s3://bucket/key")
    return bucket, key


def _status(error: Any) -> int | None:
    """The HTTP status of a refusal; None where no server answered."""
    status: int | None = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


@lru_cache(maxsize=1)
def _s3() -> Any:
    # Endpoint, region and credentials come from the environment (AWS_ENDPOINT_URL, AWS_PROFILE, ...).
    import boto3

    return boto3.client("s3")
