"""The binary tensor extension of V2: JSON, then the tensors, little-endian, each BYTES element after its length."""

import sys

from rouse_errors import Bad

# Elements as the array module names them.
CODES = {"BOOL": "B", "FP32": "f", "FP64": "d"}
CODES.update(zip(("INT8", "INT16", "INT32", "INT64"), "bhiq"))
CODES.update(zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ"))


def split(body, length):
    """The JSON, and what follows it. `length`: Inference-Header-Content-Length, or None: nothing follows."""
    if length is None:
        return body, Tail(b"")
    if not (length.isascii() and length.isdigit()) or int(length) > len(body):
        raise Bad(
            f"inference-header-content-length: found {length[:20]}, "
            f"expected the length of the JSON, at most {len(body)}"
        )
    return body[: int(length)], Tail(memoryview(body)[int(length) :])


def parameter(record, name):
    parameters = record.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def flag(record, name, where):
    value = parameter(record, name)
    if value is not None and not isinstance(value, bool):
        raise Bad(f"{where}: found {name} {value!r:.60}, expected true or false")
    return value


class Tail:
    """The tensors of a request, one after the other."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def size_of(self, tensor, where):
        size = parameter(tensor, "binary_data_size")
        if size is None:
            return None
        if type(size) is not int or size < 0:
            raise Bad(f"{where}: found binary_data_size {size!r:.60}, expected a number of bytes")
        if tensor.get("data") is not None:
            raise Bad(f"{where}: found both data and binary_data_size, expected one of them")
        return size

    def take(self, size, datatype, count, where):
        """The values of the next tensor."""
        rest = len(self.data) - self.at
        if size > rest:
            raise Bad(f"{where}: found {rest} bytes of binary data, expected binary_data_size {size}")
        data = self.data[self.at : self.at + size]
        self.at += size
        if datatype == "BYTES":
            return texts_of(data, count, where)
        return numbers_of(data, datatype, count, where)

    def check_end(self):
        if self.at != len(self.data):
            raise Bad(
                f"found {len(self.data)} bytes of binary data, "
                f"expected {self.at}, the sum of binary_data_size"
            )


def numbers_of(data, datatype, count, where):
    size = 2 if datatype == "FP16" else make_array(datatype).itemsize
    if len(data) != count * size:
        raise Bad(f"{where}: found {len(data)} bytes, expected {count * size} for {count} × {datatype}")
    if datatype == "FP16":
        import struct  # Hardly ever needed.

        return list(struct.unpack(f"<{count}e", data))
    values = make_array(datatype)
    values.frombytes(data)
    turn(values)
    if datatype != "BOOL":
        return values.tolist()
    for index, value in enumerate(values):
        if value > 1:
            raise Bad(f"{where}[{index}]: found byte {value}, expected BOOL, 0 or 1")
    return [value == 1 for value in values]


def texts_of(data, count, where):
    texts, at = [], 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if at + 4 > len(data) or end > len(data):
            raise Bad(
                f"{where}[{len(texts)}]: the binary data ends inside this BYTES element; "
                "expected its length in four bytes, then its bytes"
            )
        try:
            texts.append(str(data[at + 4 : end], "utf-8"))
        except UnicodeDecodeError:
            raise Bad(f"{where}[{len(texts)}]: found bytes that are no UTF-8, expected text") from None
        at = end
    if len(texts) != count:
        raise Bad(f"{where}: found {len(texts)} BYTES elements, expected {count}")
    return texts


def take_data(tensor):
    """The values of an output as bytes; in the JSON their number takes their place."""
    data = bytes_of(tensor["datatype"], tensor.pop("data"))
    tensor["parameters"] = {"binary_data_size": len(data)}
    return data


def bytes_of(datatype, values):
    """Throws what a wrong value throws: it is the model's."""
    if datatype == "BYTES":
        texts = [value.encode() for value in values]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    if datatype == "FP16":
        import struct  # Hardly ever needed.

        return struct.pack(f"<{len(values)}e", *values)
    data = make_array(datatype, values)
    turn(data)
    return data.tobytes()


def make_array(datatype, values=()):
    from array import array  # Only requests with binary tensors pay for it.

    return array(CODES[datatype], values)


def turn(values):
    if sys.byteorder == "big":
        values.byteswap()
