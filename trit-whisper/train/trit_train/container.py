"""Writes `.trit` files; `docs/format.md` of the repository is the specification."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC = b"\x89TRIT\r\n\x1a"
DTYPES = {"u8": 0, "f32": 1, "f16": 2, "i8": 3, "t4": 4, "t5": 5}
NONE, TENSOR, ROW, GROUP = range(4)


@dataclass
class Entry:
    """One entry: element type, shape, payload, scales."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes
    scale_kind: int = NONE
    group: int = 0
    scales: bytes = b""


def pad(n: int, to: int) -> int:
    """`n` rounded up to a multiple of `to`."""
    return -(-n // to) * to


def raw(data: bytes) -> Entry:
    """Bytes."""
    return Entry("u8", (len(data),), data)


def dense(x: np.ndarray, dtype: str = "f32") -> Entry:
    """Values in f32 or f16."""
    kind = {"f32": "<f4", "f16": "<f2"}[dtype]
    return Entry(dtype, x.shape, np.ascontiguousarray(x, kind).tobytes())


def row_scales(scales: np.ndarray) -> bytes:
    """Row scales padded to whole tiles of 16."""
    padded = np.zeros(pad(len(scales), 16), "<f4")
    padded[: len(scales)] = scales
    return padded.tobytes()


def int8(values: np.ndarray, scales: np.ndarray, shape: tuple[int, ...]) -> Entry:
    """Int8 `[rows, k]` with a scale per row; rows are padded to multiples of 16 values."""
    rows, k = values.shape
    padded = np.zeros((rows, pad(k, 16)), np.int8)
    padded[:, :k] = values
    return Entry("i8", shape, padded.tobytes(), ROW, 0, row_scales(scales))


def ternary(codes: np.ndarray, scales: np.ndarray, group: int = 0) -> Entry:
    """Codes `[rows, k]` in {-1, 0, 1} as T4, with scales `[rows]`, or `[rows, groups]` of a size."""
    rows, k = codes.shape
    padded = np.ones((pad(rows, 16), pad(k, 16)), np.uint8)
    padded[:rows, :k] = codes.astype(np.int8) + 1
    # [row tile, row, k tile, plane, lane] -> [row tile, k tile, row, lane, plane]
    tiles = padded.reshape(-1, 16, padded.shape[1] // 16, 4, 4).transpose(0, 2, 1, 4, 3)
    data = (tiles << np.array([0, 2, 4, 6], np.uint8)).sum(-1, dtype=np.uint8).tobytes()
    if not group:
        return Entry("t4", codes.shape, data, ROW, 0, row_scales(scales))
    groups = pad(k, group) // group
    grouped = np.zeros((pad(rows, 16), groups), "<f4")
    grouped[:rows] = scales
    grouped = grouped.reshape(-1, 16, groups).transpose(0, 2, 1)
    return Entry("t4", codes.shape, data, GROUP, group, np.ascontiguousarray(grouped).tobytes())


def write(path: Path, entries: dict[str, Entry]) -> int:
    """Writes a file by way of a temporary one and returns its size in bytes."""
    names = sorted(entries, key=str.encode)
    end = 128 + 128 * len(names)
    records, body = b"", bytearray()

    def put(data: bytes) -> int:
        nonlocal end
        start = pad(end, 64)
        body.extend(bytes(start - end) + data)
        end = start + len(data)
        return start

    for name in names:
        e = entries[name]
        if not 0 < len(name.encode()) < 56:
            raise ValueError(f"name too long: {name}")
        data_at = put(e.data)
        scale_at = put(e.scales) if e.scales else 0
        shape = tuple(e.shape) + (1,) * (4 - len(e.shape))
        records += struct.pack(
            "<56s6I4I4Q", name.encode(), 0, DTYPES[e.dtype], len(e.shape), e.scale_kind, e.group,
            zlib.crc32(e.scales, zlib.crc32(e.data)), *shape, data_at, len(e.data), scale_at,
            len(e.scales))
    body.extend(bytes(pad(end, 64) - end))
    end = pad(end, 64)

    def header(crc: int) -> bytes:
        return struct.pack("<8sIIQQII88x", MAGIC, 1, len(names), end, 128, zlib.crc32(records), crc)

    part = path.with_suffix(".part")
    part.write_bytes(header(zlib.crc32(header(0))) + records + bytes(body))
    part.replace(path)
    return end
